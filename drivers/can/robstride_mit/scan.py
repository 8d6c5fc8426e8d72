"""Asking an id whether a RobStride motor in its MIT variant listens to it: its faults come back."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.robstride import mit_codec as codec
from drivers.can.robstride.tables import HOST_ID
from drivers.scanning import CanScan


def _ask(motor_id: int) -> Frame:
    return codec.make_fault_request(motor_id, 0)


def _recognise(motor_id: int, frame: Frame) -> str | None:
    data = frame.data
    is_its = frame.arbitration_id == HOST_ID and not frame.is_extended and len(data) == 8 and data[0] == motor_id
    return (
        f"fault bits {codec.decode_fault_reply(data).fault_bits:#x}" if is_its and codec.is_fault_reply(data) else None
    )


SCAN: Final = CanScan(_ask, _recognise)
"""Nothing is switched on or off by the question."""
