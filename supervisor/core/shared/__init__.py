"""Memory between processes, without locks: one writes, others read. Standard library only."""
