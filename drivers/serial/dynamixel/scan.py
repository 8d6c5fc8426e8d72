"""Asking an id whether a Dynamixel servo listens to it: a ping, answered with model and firmware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.scanning import SerialScan
from drivers.serial.dynamixel import codec, instructions
from drivers.serial.dynamixel.tables import SERVOS, STATUS

_NAMES: Final = {servo.number: servo.name for servo in SERVOS.values()}
_PING_BYTES: Final = 3


def _describe(data: bytes) -> str:
    number = int.from_bytes(data[:2], "little")
    return f"{_NAMES.get(number, f'model {number}')}, firmware {data[2]}"


def _recognise(servo_id: int, data: bytes) -> Sequence[str]:
    parser = codec.PacketParser()
    answers = [packet for packet in parser.feed(data) if packet.instruction == STATUS and packet.id == servo_id]
    found = [codec.decode_status(packet).data for packet in answers if packet.params]
    told = [_describe(data) for data in found if len(data) == _PING_BYTES]
    if not told and (parser.dropped_bytes or parser.unfinished_bytes):
        return ("bytes that are no packet: more than one motor with this id, or another baud rate",)
    return told


SCAN: Final = SerialScan(instructions.make_ping, _recognise)
"""Two of the same kind with one id may answer with the very same bytes, which nobody can tell from one."""
