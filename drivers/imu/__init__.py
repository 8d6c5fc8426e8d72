"""Inertial units, one folder per make: tables, codec, device."""
