"""Being on time: pacing, scheduling, and how late it was."""
