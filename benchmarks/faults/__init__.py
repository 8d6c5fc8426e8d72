"""The matrix of faults: what goes wrong, when, and what becomes of the robot."""
