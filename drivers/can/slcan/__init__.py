"""CAN adapters on a serial line that speak the Lawicel ASCII protocol (CANUSB, CANable, many others)."""
