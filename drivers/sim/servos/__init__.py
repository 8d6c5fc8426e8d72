"""Simulated bus servos, speaking bytes."""
