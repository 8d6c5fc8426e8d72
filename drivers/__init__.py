"""Buses and devices: CAN through python-can, serial through pyserial, and the simulated world.

bus        what every bus looks like: frames, counters, the small protocols
hardware   buses of hardware; can and serial are imported when one is opened
devices    what every make of motor and inertial unit offers
motor_map  the one conversion between joints and their motors
registry   which makes there are, and whether a robot's wiring can work
robot_io   a whole robot, as the control loop reads and writes it
can        makes of motor on CAN: tables, codec, device
imu        makes of inertial unit: tables, codec, device
sim        the simulated world, on the same buses
"""
