"""Buses and devices: CAN through python-can, serial through pyserial, and the simulated world."""
