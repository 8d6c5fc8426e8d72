"""CEVA BNO080, BNO085 and BNO086 inertial units on a serial port in UART-RVC mode: no angular rate."""
