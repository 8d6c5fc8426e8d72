"""CyberGear: its model and faults, as data. Everything that is not here is as in `drivers.can.robstride.tables`.

Source: Xiaomi's manual (`belovictor/cybergear-docs` 22c05e2dc9), `project-sternbergia/cybergear_m5` 900b9a79ce.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from drivers.can.robstride.tables import CAPABILITIES as ROBSTRIDE_CAPABILITIES
from drivers.can.robstride.tables import Dialect
from drivers.capabilities import Timeout
from drivers.devices import MotorModel

MODELS: Final[Mapping[str, MotorModel]] = {
    "CyberGear": MotorModel(
        "CyberGear", 12.5, 30.0, 12.0, 500.0, 5.0, "the manual's code and every driver; its frame table says 4 pi rad"
    )
}

FAULT_NAMES: Final[Mapping[int, str]] = {
    0: "UNDERVOLTAGE",
    1: "OVERCURRENT",
    2: "OVERTEMPERATURE",
    3: "MAGNETIC_ENCODER",
    4: "HALL_ENCODER",
    5: "UNCALIBRATED",
}
"""Faults in a feedback frame's identifier, by bit from bit 16."""

REPORT_FAULT_NAMES: Final[Mapping[int, str]] = {
    0: "MOTOR_OVERTEMPERATURE",
    1: "DRIVER_CHIP",
    2: "UNDERVOLTAGE",
    3: "OVERVOLTAGE",
    4: "PHASE_B_OVERCURRENT",
    5: "PHASE_C_OVERCURRENT",
    7: "ENCODER_UNCALIBRATED",
    **{bit: f"OVERLOAD_{bit - 8}" for bit in range(8, 16)},
    16: "PHASE_A_OVERCURRENT",
}
"""Faults in a fault report (type 21), by bit; bits 8 to 15 are one byte about overload."""

DIALECT: Final = Dialect(FAULT_NAMES, has_timeout=False, has_version=False, has_zero_state=False)
"""A timeout exists (0x200C), in a table that only the vendor's tool reaches."""

CAPABILITIES: Final = replace(
    ROBSTRIDE_CAPABILITIES, timeout=Timeout.NONE, when_host_dies="goes on with its last command"
)
