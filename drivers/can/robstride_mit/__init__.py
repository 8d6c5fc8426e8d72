"""RobStride motors in their 11-bit MIT variant. Their messages are in `drivers.can.robstride.mit_codec`."""
