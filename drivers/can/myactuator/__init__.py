"""MyActuator RMD-X and RMD-L motors on classic CAN (protocol V4)."""
