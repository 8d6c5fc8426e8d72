"""Servo drives on CANopen (CiA 301) with the CiA 402 drive profile."""
