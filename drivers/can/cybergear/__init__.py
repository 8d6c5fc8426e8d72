"""Xiaomi CyberGear motors on classic CAN. Their messages are those of `drivers.can.robstride`."""
