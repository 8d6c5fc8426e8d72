"""VectorNav VN-100 inertial units on a serial port, streaming binary packets or text."""
