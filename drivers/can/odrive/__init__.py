"""ODrive S1, Pro and Micro on classic CAN (CANSimple, firmware 0.6)."""
