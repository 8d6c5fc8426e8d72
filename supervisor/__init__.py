"""The supervisor: what watches, decides and writes, every control cycle."""
