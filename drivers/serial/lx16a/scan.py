"""Asking an id whether an LX-16A servo listens to it: where it is, which is about all that differs between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.scanning import SerialScan
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.tables import READ_POSITION


def _ask(servo_id: int) -> bytes:
    return codec.make_read(servo_id, READ_POSITION)


def _recognise(servo_id: int, data: bytes) -> Sequence[str]:
    parser = codec.make_parser()
    answers = [packet for packet in parser.feed(data) if codec.match_reply(packet, servo_id, READ_POSITION)]
    if not answers and (parser.dropped_bytes or parser.unfinished_bytes):
        return ("bytes that are no packet: more than one servo with this id, or another baud rate",)
    return [f"at {codec.decode_position(packet):.3f} rad" for packet in answers]


SCAN: Final = SerialScan(_ask, _recognise)
"""It has neither a model number nor a firmware version."""
