"""Simulated motors, one module per make."""
