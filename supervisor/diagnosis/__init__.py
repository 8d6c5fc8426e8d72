"""What a stage measured and what it means: pure functions of recorded windows."""
