"""RobStride: models, parameters, modes and faults, as data.

Sources, unless a row says otherwise: user manuals RS00 to RS06 and EL05 of 2026-04-28 (`RobStride/Product_Information`
ba7236bc26) and `RobStride/SampleProgram`, which agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from drivers.capabilities import CAN_29_BIT_FRAME_BITS, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

POSITION_MAX_RAD: Final = 12.57
"""The same for every model. Old firmware and old sample code use 12.5."""


def _row(
    name: str, v_rad_per_s: float, t_nm: float, kp: float, kd: float, source: str = "manual of the model"
) -> MotorModel:
    return MotorModel(name, POSITION_MAX_RAD, v_rad_per_s, t_nm, kp, kd, source)


MODELS: Final[Mapping[str, MotorModel]] = {
    row.name: row
    for row in (
        _row("RS00", 33.0, 14.0, 500.0, 5.0),
        _row("RS01", 44.0, 17.0, 500.0, 5.0),
        _row("RS02", 44.0, 17.0, 500.0, 5.0),
        _row("RS03", 20.0, 60.0, 5000.0, 100.0),
        _row("RS04", 15.0, 120.0, 5000.0, 100.0),
        _row("RS05", 50.0, 5.5, 500.0, 5.0),
        _row("RS06", 50.0, 36.0, 5000.0, 100.0),
        _row("EL05", 50.0, 6.0, 500.0, 5.0, "manual of the model; the sample code says 5.5 N·m"),
    )
}
"""The motor cannot be asked for these."""

ParameterKind = Literal["uint8", "uint16", "uint32", "int16", "float32"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the run-time table.

    Attributes:
        index: Its number.
        name: The vendor's name.
        kind: How its four value bytes are read.
    """

    index: int
    name: str
    kind: ParameterKind


RUN_MODE: Final = Parameter(0x7005, "run_mode", "uint8")
MECHANICAL_POSITION: Final = Parameter(0x7019, "mechPos", "float32")
BUS_VOLTAGE: Final = Parameter(0x701C, "VBUS", "float32")
CAN_TIMEOUT: Final = Parameter(0x7028, "canTimeout", "uint32")
ZERO_STATE: Final = Parameter(0x7029, "zero_sta", "uint8")

PARAMETERS: Final[Mapping[int, Parameter]] = {
    row.index: row
    for row in (
        RUN_MODE,
        Parameter(0x7006, "iq_ref", "float32"),
        Parameter(0x700A, "spd_ref", "float32"),
        Parameter(0x700B, "limit_torque", "float32"),
        Parameter(0x7016, "loc_ref", "float32"),
        Parameter(0x7017, "limit_spd", "float32"),
        Parameter(0x7018, "limit_cur", "float32"),
        MECHANICAL_POSITION,
        Parameter(0x701A, "iqf", "float32"),
        Parameter(0x701B, "mechVel", "float32"),
        BUS_VOLTAGE,
        Parameter(0x701E, "loc_kp", "float32"),
        Parameter(0x701F, "spd_kp", "float32"),
        Parameter(0x7020, "spd_ki", "float32"),
        Parameter(0x7022, "acc_rad", "float32"),
        Parameter(0x7024, "vel_max", "float32"),
        Parameter(0x7025, "acc_set", "float32"),
        Parameter(0x7026, "EPScan_time", "uint16"),
        CAN_TIMEOUT,
        ZERO_STATE,
        Parameter(0x702A, "damper", "uint8"),
        Parameter(0x702B, "add_offset", "float32"),
    )
}

RUN_MODE_MOTION: Final = 0
"""Impedance control: what type 1 frames need."""

TIMEOUT_COUNT_S: Final = 50e-6
"""Unit of canTimeout; 0 switches the timeout off, and is the default."""

MODE_RESET, MODE_CALIBRATION, MODE_RUN = 0, 1, 2
MODE_NAMES: Final[Mapping[int, str]] = {MODE_RESET: "RESET", MODE_CALIBRATION: "CALIBRATION", MODE_RUN: "RUN"}
"""Bits 23:22 of a feedback frame's identifier."""

FAULT_NAMES: Final[Mapping[int, str]] = {
    0: "UNDERVOLTAGE",
    1: "OVERCURRENT",
    2: "OVERTEMPERATURE",
    3: "MAGNETIC_ENCODER",
    4: "STALL_OVERLOAD",
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
    8: "HARDWARE_IDENTIFICATION",
    9: "POSITION_INITIALISATION",
    14: "STALL_OVERLOAD",
    16: "PHASE_A_OVERCURRENT",
}
"""Faults in a fault report (type 21), and of parameter 0x3022, by bit."""

REPORT_WARNING_NAMES: Final[Mapping[int, str]] = {0: "MOTOR_OVERTEMPERATURE"}
"""Warnings in a fault report, by bit."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the makes that speak this protocol.

    Attributes:
        fault_names: Of the six fault bits in a feedback frame's identifier.
        has_timeout: Whether the command timeout can be set and read back.
        has_version: Whether the firmware's version can be asked for.
        has_zero_state: Whether zero_sta exists.
    """

    fault_names: Mapping[int, str]
    has_timeout: bool
    has_version: bool
    has_zero_state: bool


DIALECT: Final = Dialect(FAULT_NAMES, has_timeout=True, has_version=True, has_zero_state=True)

HOST_ID: Final = 0xFD
"""What we call ourselves, as the vendor's sample does; above every motor's id."""

HIGHEST_MOTOR_ID: Final = 0x7F

WRAP_MARGIN_RAD: Final = 0.5
"""The reported position wraps at the end of its range; joints must stay this far away from it."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for a reply: motors answer in under 1 ms, the rest is for a busy bus and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.MEMORY,
    when_host_dies="resets and goes limp; enable",
    zero=Zero.MEMORY,
    reads_ranges=False,
)

CYCLE_COST: Final = CycleCost(2 * CAN_29_BIT_FRAME_BITS)
