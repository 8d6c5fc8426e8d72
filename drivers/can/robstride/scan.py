"""Asking an id whether a RobStride motor or a CyberGear listens to it: its 64-bit unique id comes back."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.robstride import codec
from drivers.scanning import CanScan


def _recognise(motor_id: int, frame: Frame) -> str | None:
    wanted = codec.TYPE_GET_ID << 24 | motor_id << 8 | codec.DEVICE_ID_TARGET
    is_answer = frame.is_extended and len(frame.data) == 8 and frame.arbitration_id == wanted
    return f"unique id {frame.data.hex()}" if is_answer else None


SCAN: Final = CanScan(codec.make_get_id, _recognise)
"""The two makes cannot be told apart by this answer."""
