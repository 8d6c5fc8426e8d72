"""Simulated inertial units, one module per make."""
