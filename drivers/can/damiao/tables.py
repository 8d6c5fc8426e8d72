"""Damiao: models, registers and status codes, as data.

Sources, unless a row says otherwise: `damiao-motor` 1.0.6 (PyPI), `enactic/openarm_can` 98666042b5,
`cmjang/DM_Control_Python` 7da93877ba, motor tables of `huggingface/lerobot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drivers.capabilities import CAN_11_BIT_FRAME_BITS, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

KP_MAX_NM_PER_RAD: Final = 500.0
KD_MAX_NM_S_PER_RAD: Final = 5.0
"""The same for every model; only the other three ranges are registers."""


def _row(name: str, p_rad: float, v_rad_per_s: float, t_nm: float, source: str) -> MotorModel:
    return MotorModel(name, p_rad, v_rad_per_s, t_nm, KP_MAX_NM_PER_RAD, KD_MAX_NM_S_PER_RAD, source)


_AGREED = "damiao-motor 1.0.6 and openarm_can 98666042b5 agree"
_ONE = "damiao-motor 1.0.6"

MODELS: Final[Mapping[str, MotorModel]] = {
    row.name: row
    for row in (
        _row("DM3507", 12.566, 50.0, 5.0, f"{_ONE}; another table says 30 rad/s and 10 N·m"),
        _row("DM4310", 12.5, 30.0, 10.0, _AGREED),
        _row("DM4310_48V", 12.5, 50.0, 10.0, f"{_ONE}; another table says 30 rad/s"),
        _row("DM4340", 12.5, 8.0, 28.0, f"{_AGREED}; other tables say 10 rad/s"),
        _row("DM4340_48V", 12.5, 10.0, 28.0, f"{_ONE}; another table says 20 rad/s"),
        _row("DM6006", 12.5, 45.0, 20.0, _AGREED),
        _row("DM6248P", 12.566, 20.0, 120.0, _ONE),
        _row("DM8006", 12.5, 45.0, 40.0, f"{_AGREED}; another table says 20 N·m"),
        _row("DM8009", 12.5, 45.0, 54.0, _AGREED),
        _row("DM10010", 12.5, 20.0, 200.0, _AGREED),
        _row("DM10010L", 12.5, 25.0, 200.0, _AGREED),
        _row("DMG6220", 12.5, 45.0, 10.0, _ONE),
        _row("DMH3510", 12.5, 280.0, 1.0, _AGREED),
        _row("DMH6215", 12.5, 45.0, 10.0, _AGREED),
        _row("DM-JH11", 12.5, 10.0, 12.0, _ONE),
    )
}
"""Defaults by model. The tables conflict for some: registers 21 to 23 of the motor decide, and are compared."""

STATUS_DISABLED: Final = 0
STATUS_ENABLED: Final = 1

STATUS_NAMES: Final[Mapping[int, str]] = {
    0: "DISABLED",
    1: "ENABLED",
    5: "SENSOR_ERROR",
    6: "PARAMETER_ERROR",
    8: "OVER_VOLTAGE",
    9: "UNDER_VOLTAGE",
    10: "OVER_CURRENT",
    11: "MOS_OVER_TEMP",
    12: "ROTOR_OVER_TEMP",
    13: "LOST_COMM",
    14: "OVERLOAD",
}
"""Status nibble of a feedback frame; 5 and 6 in newer firmware only. Whatever is not 0 or 1 is a fault."""

REGISTER_MASTER_ID: Final = 7
REGISTER_MOTOR_ID: Final = 8
REGISTER_TIMEOUT: Final = 9
REGISTER_CONTROL_MODE: Final = 10
REGISTER_POSITION_MAX: Final = 21
REGISTER_VELOCITY_MAX: Final = 22
REGISTER_TORQUE_MAX: Final = 23
REGISTER_BITRATE: Final = 35

REGISTER_NAMES: Final[Mapping[int, str]] = {
    REGISTER_MASTER_ID: "MST_ID",
    REGISTER_MOTOR_ID: "ESC_ID",
    REGISTER_TIMEOUT: "TIMEOUT",
    REGISTER_CONTROL_MODE: "CTRL_MODE",
    REGISTER_POSITION_MAX: "PMAX",
    REGISTER_VELOCITY_MAX: "VMAX",
    REGISTER_TORQUE_MAX: "TMAX",
    REGISTER_BITRATE: "CAN_BAUD",
}

UINT32_REGISTERS: Final = frozenset({7, 8, 9, 10, 13, 14, 15, 16, 35, 36})
"""Registers that hold an unsigned integer; every other holds a float32."""

CONTROL_MODES: Final[Mapping[int, str]] = {1: "MIT", 2: "POS_VEL", 3: "VEL", 4: "FORCE_POS"}
CONTROL_MODE_MIT: Final = 1

TIMEOUT_COUNT_S: Final = 50e-6
"""Unit of the TIMEOUT register; 0 switches the timeout off."""

BROADCAST_ID: Final = 0x7FF
"""Arbitration id of polls and register requests, for all motors of a bus."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for a register reply: motors answer in under 1 ms, the rest is for a busy bus and our cycle."""

MODE_CHANGE_TIMEOUT_S: Final = 0.5
"""After power-up a change of the control mode can take some 100 ms."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

SETTING_ATTEMPTS: Final = 3
"""How often a setting that was acknowledged but reads back differently is written again."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.MEMORY,
    when_host_dies="goes limp and reports LOST_COMM; clear, then enable",
    zero=Zero.FLASH,
    reads_ranges=True,
)

CYCLE_COST: Final = CycleCost(2 * CAN_11_BIT_FRAME_BITS)
