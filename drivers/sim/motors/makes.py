"""The makes of motors that have a simulated twin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from drivers.sim.motors import (
    canopen,
    cubemars,
    dynamixel,
    feetech,
    lx16a,
    moteus,
    myactuator,
    odrive,
    robstride,
    robstride_mit,
    unitree,
)
from drivers.sim.motors.conditions import SimulatedMotors
from drivers.sim.motors.damiao import FAULT_CODES, DamiaoMotors

MOTOR_MAKES: Mapping[str, Callable[..., SimulatedMotors]] = {
    "damiao": DamiaoMotors,
    "robstride": robstride.RobStrideMotors,
    "robstride_mit": robstride_mit.RobStrideMitMotors,
    "cybergear": robstride.CyberGearMotors,
    "cubemars": cubemars.CubeMarsMotors,
    "myactuator": myactuator.MyActuatorMotors,
    "moteus": moteus.MoteusMotors,
    "canopen": canopen.CanOpenMotors,
    "odrive": odrive.ODriveMotors,
    "dynamixel": dynamixel.DynamixelMotors,
    "feetech": feetech.FeetechMotors,
    "lx16a": lx16a.Lx16aMotors,
    "unitree": unitree.UnitreeMotors,
}

FAULT_NAMES: Mapping[str, Collection[str]] = {
    "damiao": FAULT_CODES.keys(),
    "robstride": robstride.FAULT_CODES.keys(),
    "robstride_mit": robstride_mit.FAULT_CODES.keys(),
    "cybergear": robstride.CYBERGEAR_FAULT_CODES.keys(),
    "cubemars": cubemars.FAULT_CODES.keys(),
    "myactuator": myactuator.FAULT_CODES.keys(),
    "moteus": moteus.FAULT_CODES.keys(),
    "canopen": canopen.FAULT_CODES.keys(),
    "odrive": odrive.FAULT_CODES.keys(),
    "dynamixel": dynamixel.FAULT_CODES.keys(),
    "feetech": feetech.FAULT_CODES.keys(),
    "lx16a": lx16a.FAULT_CODES.keys(),
    "unitree": unitree.FAULT_CODES.keys(),
}
"""What each make can report as wrong with a motor."""
