"""The mission file, its checks, and the tree made from it."""
