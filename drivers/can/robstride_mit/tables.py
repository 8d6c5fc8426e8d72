"""RobStride's MIT variant: what differs from the private protocol, as data.

Sources: user manuals of 2026-04-28, and the receiving code of `RobStride/SampleProgram` for the fault reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from drivers.can.robstride.tables import CAPABILITIES as PRIVATE_CAPABILITIES
from drivers.can.robstride.tables import MODELS as PRIVATE_MODELS
from drivers.capabilities import CAN_11_BIT_FRAME_BITS, CycleCost, Timeout
from drivers.devices import MotorModel

MODELS: Final[Mapping[str, MotorModel]] = {name: PRIVATE_MODELS[name] for name in ("RS00", "RS01", "RS05", "RS06")}
"""Those whose ranges are the same in both protocols. Of the others the manuals disagree on velocity, which cannot be
read from the motor: drive them with the private protocol."""

FAULT_NAMES: Final[Mapping[int, str]] = {
    0: "MOTOR_OVERTEMPERATURE",
    1: "DRIVER_CHIP",
    2: "UNDERVOLTAGE",
    3: "OVERVOLTAGE_OR_ENCODER",
    4: "PHASE_B_OVERCURRENT",
    5: "PHASE_C_OVERCURRENT",
    7: "ENCODER_UNCALIBRATED",
    8: "HARDWARE_IDENTIFICATION",
    9: "POSITION_INITIALISATION",
    14: "STALL_OVERLOAD",
}
"""Of the 16 bits in a fault reply: those of parameter 0x3022. The vendor's sample reads bit 3 as an encoder fault."""

CAPABILITIES: Final = replace(
    PRIVATE_CAPABILITIES,
    says_whether_on=False,
    timeout=Timeout.NONE,
    when_host_dies="goes on with its last command, unless a timeout was saved with the private protocol",
)

CYCLE_COST: Final = CycleCost(2 * CAN_11_BIT_FRAME_BITS, bus_bits=2 * CAN_11_BIT_FRAME_BITS)
"""Feedback has no status: in every cycle one motor of a bus is asked for its faults besides."""
