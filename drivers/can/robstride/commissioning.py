"""Messages that change how a motor is reached or what it remembers. Nothing in the control loop sends these.

All of it only while off, and for RobStride alone but for the CAN id: CyberGear takes "save" for a new bit rate.
"""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.robstride.codec import (
    TYPE_ACTIVE_REPORT,
    TYPE_SAVE,
    TYPE_SET_BITRATE,
    TYPE_SET_CAN_ID,
    TYPE_SET_PROTOCOL,
    check_byte,
    make_frame,
)
from drivers.can.robstride.tables import HOST_ID
from supervisor.core.errors import EncodeError

BITRATES_BPS: Final = {1_000_000: 1, 500_000: 2, 250_000: 3, 125_000: 4}


def make_set_can_id(motor_id: int, new_id: int, host_id: int = HOST_ID) -> Frame:
    """Give a motor another id, at once: only while off, with nobody else on the bus."""
    data = check_byte(new_id, "new id") << 8 | check_byte(host_id, "host id")
    identifier = TYPE_SET_CAN_ID << 24 | data << 8 | check_byte(motor_id, "motor id")
    return Frame(identifier, bytes(8), is_extended=True)


def make_save(motor_id: int, host_id: int = HOST_ID) -> Frame:
    """Store all parameters to flash. RobStride only: a CyberGear takes this for a change of its bit rate."""
    return make_frame(TYPE_SAVE, host_id, motor_id, bytes(range(1, 9)))


def make_set_bitrate(motor_id: int, code: int, host_id: int = HOST_ID) -> Frame:
    """Set the bit rate by its code (see `BITRATES_BPS`), from the next power-up on. RobStride only."""
    return _make_choice(TYPE_SET_BITRATE, motor_id, code, range(1, 5), host_id)


def make_active_report(motor_id: int, code: int, host_id: int = HOST_ID) -> Frame:
    """Switch unasked feedback on (1) or off (0). RobStride only."""
    return _make_choice(TYPE_ACTIVE_REPORT, motor_id, code, range(2), host_id)


def make_set_protocol(motor_id: int, code: int, host_id: int = HOST_ID) -> Frame:
    """Choose private (0), CANopen (1) or MIT (2) protocol, from the next power-up on. RobStride only."""
    return _make_choice(TYPE_SET_PROTOCOL, motor_id, code, range(3), host_id)


def _make_choice(kind: int, motor_id: int, code: int, allowed: range, host_id: int) -> Frame:
    if code not in allowed:
        raise EncodeError(f"code {code}; allowed: {allowed[0]} to {allowed[-1]}")
    return make_frame(kind, host_id, motor_id, bytes((1, 2, 3, 4, 5, 6, code, 8)))
