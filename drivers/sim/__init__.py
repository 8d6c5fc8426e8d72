"""Simulated robots: a MuJoCo plant, and devices that speak the real wire protocols."""
