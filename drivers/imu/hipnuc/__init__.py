"""HiPNUC inertial units on a serial port, streaming binary packets."""
