"""Unitree GO-M8010-6 motors on RS-485."""
