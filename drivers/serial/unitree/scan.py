"""Asking an id whether a Unitree motor listens to it: with a command to brake, which it answers."""

from __future__ import annotations

from typing import Final

from drivers.scanning import SerialScan
from drivers.serial.unitree import codec
from drivers.serial.unitree.tables import MODE_BRAKE, REPLY_BYTES

_STILL = (0.0,) * 5


def _ask(motor_id: int) -> bytes:
    return codec.encode_command(motor_id, MODE_BRAKE, _STILL)


def _recognise(motor_id: int, data: bytes) -> list[str]:
    data = data.replace(_ask(motor_id), b"", 1)
    parser = codec.FrameParser()
    replies = [codec.match_reply(frame, motor_id) for frame in parser.feed(data)]
    said = [f"{reply.temperature_degc:g} degC, {codec.error_name(reply.error_code)}" for reply in replies if reply]
    if not replies and len(data) >= REPLY_BYTES // 2:
        return ["bytes that are no reply: two motors with this id speak at once, or another baud rate"]
    return said


SCAN: Final = SerialScan(_ask, _recognise, "a motor that was left on is braked")
"""Temperature and error are all that a motor says of itself."""
