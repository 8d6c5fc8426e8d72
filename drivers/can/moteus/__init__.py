"""mjbots moteus controllers on CAN FD."""
