"""Xsens (Movella) MTi units on a serial port, speaking Xbus and streaming MTData2 messages."""
