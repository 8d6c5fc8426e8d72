"""Dynamixel servos, protocol 2.0, X series."""
