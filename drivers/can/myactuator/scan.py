"""Asking an id whether a MyActuator motor listens to it: it tells its temperature, voltage and errors."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.myactuator import codec
from drivers.can.myactuator.tables import REPLY_BASE, Command
from drivers.scanning import CanScan
from supervisor.core.errors import FrameError


def _ask(motor_id: int) -> Frame:
    return codec.make_request(motor_id, Command.READ_STATUS_1)


def _recognise(motor_id: int, frame: Frame) -> str | None:
    if frame.is_extended or frame.arbitration_id != REPLY_BASE + motor_id or len(frame.data) != 8:
        return None
    try:
        reply = codec.decode_reply(frame.data)
    except FrameError:
        return None
    if not isinstance(reply, codec.Status1):
        return None
    errors = "+".join(codec.error_names(reply.error_bits)) or "no error"
    return f"{reply.voltage_v:g} V, {reply.temperature_degc:g} degC, {errors}"


SCAN: Final = CanScan(_ask, _recognise)
