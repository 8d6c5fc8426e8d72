"""Asking an id whether a CubeMars motor in MIT mode listens to it: the only question it knows switches it off."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.cubemars import codec
from drivers.scanning import CanScan


def _ask(motor_id: int) -> Frame:
    return Frame(motor_id, codec.EXIT_MOTOR_MODE)


def _recognise(motor_id: int, frame: Frame) -> str | None:
    data = frame.data
    if frame.is_extended or len(data) not in (6, 8) or data[0] != motor_id:
        return None
    error = codec.error_name(data[7]) if len(data) == 8 else "firmware without error codes"
    return f"answers on identifier {frame.arbitration_id}, {error}"


SCAN: Final = CanScan(_ask, _recognise, "a motor that is on goes limp when asked")
