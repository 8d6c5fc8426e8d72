"""Asking an id whether a Damiao motor listens to it: a read of the register with the id that it answers with."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.damiao import codec
from drivers.can.damiao.tables import REGISTER_MASTER_ID
from drivers.scanning import CanScan


def _ask(motor_id: int) -> Frame:
    return codec.make_register_read(motor_id, REGISTER_MASTER_ID)


def _recognise(motor_id: int, frame: Frame) -> str | None:
    if frame.is_extended:
        return None
    reply = codec.match_register_reply(frame.data, motor_id, codec.READ, REGISTER_MASTER_ID)
    return None if reply is None else f"feedback_id {reply.value:g}, answered with {frame.arbitration_id}"


SCAN: Final = CanScan(_ask, _recognise)
