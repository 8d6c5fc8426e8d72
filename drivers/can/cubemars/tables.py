"""CubeMars AK: models and error codes, as data.

Sources, unless a row says otherwise: AK actuator driver manual V1.0.8; `TMotorCANControl` 1.2.6; `epicallypowerful`
1.0.7. Ranges depend on the firmware and cannot be read over CAN: compare with the parameter dump over UART.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drivers.capabilities import CAN_11_BIT_FRAME_BITS, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

KP_MAX_NM_PER_RAD: Final = 500.0
KD_MAX_NM_S_PER_RAD: Final = 5.0
"""The same for every model and firmware."""

POSITION_MAX_RAD: Final = 12.5
POSITION_MAX_V3_RAD: Final = 12.56

_MANUAL = "manual V1.0.8"


def _row(
    name: str, v_rad_per_s: float, t_nm: float, source: str = _MANUAL, p_rad: float = POSITION_MAX_RAD
) -> MotorModel:
    return MotorModel(name, p_rad, v_rad_per_s, t_nm, KP_MAX_NM_PER_RAD, KD_MAX_NM_S_PER_RAD, source)


MODELS: Final[Mapping[str, MotorModel]] = {
    row.name: row
    for row in (
        _row("AK10-9", 50.0, 65.0),
        _row("AK60-6", 45.0, 15.0, f"{_MANUAL}; other tables say 50 rad/s"),
        _row("AK70-10", 50.0, 25.0),
        _row("AK80-6", 76.0, 12.0),
        _row("AK80-8", 8.0, 144.0),
        _row("AK80-9", 50.0, 18.0, f"{_MANUAL}; firmware V1.1 has 22.5 rad/s, some V2 tables 25.64 rad/s"),
        _row("AK80-64", 8.0, 144.0),
    )
}
"""MIT mode of driver firmware V1 and V2."""

V3_MODELS: Final[Mapping[str, MotorModel]] = {
    row.name: row
    for row in (
        _row("AK10-9-V3", 28.0, 54.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
        _row("AK60-6-V3", 60.0, 12.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
        _row("AK70-9-V3", 30.0, 32.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
        _row("AK80-9-V3", 65.0, 18.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
        _row("AKE60-8-V3", 40.0, 15.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
        _row("AKE80-8-V3", 20.0, 35.0, "epicallypowerful 1.0.7", POSITION_MAX_V3_RAD),
    )
}
"""Force control of driver firmware V3, whose feedback has no signed torque: known to the codec only."""

ERROR_NAMES: Final[Mapping[int, str]] = {
    1: "OVER_TEMPERATURE",
    2: "OVER_CURRENT",
    3: "OVER_VOLTAGE",
    4: "UNDER_VOLTAGE",
    5: "ENCODER",
    6: "PHASE_UNBALANCE",
}
"""Last byte of a feedback frame; 0 is none, and whatever else is a fault."""

HIGHEST_MOTOR_ID: Final = 0xFF
"""Feedback has one byte for it. A motor with id 0 could not be told from a master's."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for a reply: motors answer in under 1 ms, the rest is for a busy bus and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

ZERO_SILENCE_S: Final = 1.5
"""After its zero was set a motor answers nothing for about 1 s."""

ZERO_TOLERANCE_RAD: Final = 0.02
"""What it may read then: it hangs free and may creep."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=False,
    reports_faults=True,
    timeout=Timeout.NONE,
    when_host_dies="goes on with its last command",
    zero=Zero.FLASH,
    reads_ranges=False,
)

CYCLE_COST: Final = CycleCost(2 * CAN_11_BIT_FRAME_BITS)
