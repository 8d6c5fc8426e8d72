"""WitMotion inertial units on a serial port, streaming bursts of 11-byte frames."""
