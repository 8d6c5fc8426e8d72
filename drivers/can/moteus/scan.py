"""Asking an id whether a moteus listens to it: its serial number comes back."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.moteus import codec
from drivers.can.moteus.inventory import IDENTITY_QUERY
from drivers.can.moteus.line import Answers
from drivers.scanning import CanScan
from supervisor.core.errors import FrameError


def _ask(motor_id: int) -> Frame:
    return codec.make_query(codec.Address(motor_id), IDENTITY_QUERY)


def _recognise(motor_id: int, frame: Frame) -> str | None:
    if codec.sender(frame) != motor_id:
        return None
    answers = Answers()
    try:
        answers.take(codec.decode_reply(frame.data).values)
    except FrameError:
        return None
    return next((f"serial number {serial}" for serial in answers.serials), None)


SCAN: Final = CanScan(_ask, _recognise)
"""Nothing is written: a motor that is driven by somebody else goes on."""
