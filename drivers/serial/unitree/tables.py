"""Unitree GO-M8010-6: frames, ranges and errors, as data.

Source: `unitreerobotics/unitree_actuator_sdk` 5b79a42d81 (headers, and the vendor's library run). A1 and B1 motors of
the same SDK have other frames and other baud rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from drivers.devices import MotorModel

COMMAND_HEAD: Final = b"\xfe\xee"
COMMAND_BYTES: Final = 17
REPLY_HEAD: Final = b"\xfd\xee"
REPLY_BYTES: Final = 16

BAUD: Final = 4_000_000
MAXIMUM_ID: Final = 14
BROADCAST_ID: Final = 15
"""To all motors; none answers."""

MODE_BRAKE: Final = 0
"""The motor's windings brake: it is not free."""

MODE_FOC: Final = 1
"""Energised, and follows the command. Free is this mode with stiffness, damping and torque zero."""

MODE_CALIBRATE: Final = 2
"""The encoder is calibrated: the rotor turns by itself. Never in a run."""

MODES: Final = (MODE_BRAKE, MODE_FOC, MODE_CALIBRATE)

ERROR_NAMES: Final[Mapping[int, str]] = {
    0: "none",
    1: "over_temperature",
    2: "over_current",
    3: "over_voltage",
    4: "encoder",
}

GEAR: Final = 6.33
"""Rotor turns per turn of the output shaft. Everything on the wire is at the rotor."""

TORQUE_PER_COUNT_NM: Final = 1.0 / 256.0
VELOCITY_PER_COUNT_RAD_PER_S: Final = 2.0 * math.pi / 256.0
POSITION_PER_COUNT_RAD: Final = 2.0 * math.pi / 32768.0
GAIN_PER_COUNT: Final = 1.0 / 1280.0
"""Exact two pi; the vendor's library has 6.2832, 2.3e-6 more, which shows in the counts of many turns."""

TORQUE_MAX_NM: Final = 127.99
VELOCITY_MAX_RAD_PER_S: Final = 804.0
POSITION_MAX_RAD: Final = 411_774.0
GAIN_MAX: Final = 25.599
"""At the rotor: where the vendor's library saturates. Gains are N·m/rad and N·m·s/rad, from 0."""

ZERO_PERIOD_RAD: Final = 2.0 * math.pi / GEAR
"""The encoder knows the rotor's angle within one turn only. After power-up the output may be where it reads, or any
multiple of this (56.9 degrees) away; see `zero`."""

MODELS: Final[Mapping[str, MotorModel]] = {
    "GO-M8010-6": MotorModel(
        "GO-M8010-6",
        POSITION_MAX_RAD / GEAR,
        VELOCITY_MAX_RAD_PER_S / GEAR,
        TORQUE_MAX_NM * GEAR,
        GAIN_MAX * GEAR**2,
        GAIN_MAX * GEAR**2,
        "unitree_actuator_sdk 5b79a42d81; what the wire carries, far above what the motor can do",
    )
}
