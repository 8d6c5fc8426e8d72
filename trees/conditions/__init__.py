"""Questions: answered within a tick, never RUNNING, without effect."""
