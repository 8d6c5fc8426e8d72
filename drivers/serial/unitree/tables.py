"""Unitree GO-M8010-6: frames, ranges and errors, as data.

Source: `unitreerobotics/unitree_actuator_sdk` 5b79a42d81 (headers, and the vendor's library run). A1 and B1 motors of
the same SDK have other frames and other baud rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from drivers.capabilities import SERIAL_BITS_PER_BYTE, Capabilities, ControlLoop, CycleCost, Timeout, Zero
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
MODE_NAMES: Final[Mapping[int, str]] = {MODE_BRAKE: "BRAKE", MODE_FOC: "FOC", MODE_CALIBRATE: "CALIBRATE"}

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

COUNTS: Final = (
    POSITION_PER_COUNT_RAD,
    VELOCITY_PER_COUNT_RAD_PER_S,
    GAIN_PER_COUNT,
    GAIN_PER_COUNT,
    TORQUE_PER_COUNT_NM,
)
"""One count of each field of a command at the rotor: position, velocity, kp, kd, torque."""

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
        30.1,
        23.7,
        GAIN_MAX * GEAR**2,
        GAIN_MAX * GEAR**2,
        "wire: unitree_actuator_sdk 5b79a42d81; velocity, torque: hip of the Go1, which it drives, in unitree_ros",
    )
}
"""The wire carries 127 rad/s and 810 N·m at the output; a motor that does as much is not sold."""

LOST_S: Final = 0.1
"""A motor that was silent for so long may have been without power, and count from another turn of its rotor."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long an answer may take: a motor's is there in 0.1 ms, an adapter may hold bytes back for 16 ms."""

ATTEMPTS: Final = 10
"""How often a motor is asked: with a third of all packets lost both ways, three in a thousand never answer."""

LATENCY_S: Final = 1e-3
"""From a command to its reply, besides their bytes: the latency timer of a USB adapter at its best. A motor begins to
answer much sooner."""

CYCLE_COST: Final = CycleCost((COMMAND_BYTES + REPLY_BYTES) * SERIAL_BITS_PER_BYTE, motor_s=LATENCY_S, takes_turns=True)
"""82.5 us of bytes at 4 Mbit/s. A motor answers at once and on the same two wires, so the next one may not be asked
before: a loop that looks at its lines once a cycle has one exchange per line and cycle."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.NONE,
    when_host_dies="undocumented: may go on with its last command",
    zero=Zero.NONE,
    reads_ranges=False,
)
