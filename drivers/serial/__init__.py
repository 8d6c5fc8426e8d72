"""Servos and motors on serial lines: half duplex, one line for many, asked one after the other or all at once."""
