"""Asking an id whether a Feetech servo listens to it: a read of firmware and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.scanning import SerialScan
from drivers.serial.feetech import codec, instructions
from drivers.serial.feetech.tables import IDENTITY_ADDRESS, MODELS, SERIES

_BYTES: Final = 5
"""Firmware, a byte of no interest, and the model's number, in the byte order of its series."""


def _ask(servo_id: int) -> bytes:
    return instructions.make_read(servo_id, IDENTITY_ADDRESS, _BYTES)


def _describe(status: codec.Status) -> str:
    data = status.data
    names = [row.name for row in MODELS.values() if row.number == int.from_bytes(data[3:], SERIES[row.series].order)]
    faults = "+".join(codec.error_names(status.error_bits)) or "no fault"
    return f"{' or '.join(names) or f'unknown model {data[3:].hex()}'}, firmware {data[0]}.{data[1]}, {faults}"


def _recognise(servo_id: int, data: bytes) -> Sequence[str]:
    parser = codec.make_parser()
    statuses = [codec.match_status(packet, servo_id, _BYTES) for packet in parser.feed(data)]
    told = [_describe(status) for status in statuses if status is not None]
    if not told and (parser.dropped_bytes or parser.unfinished_bytes):
        return ("bytes that are no packet: more than one servo with this id, or another baud rate",)
    return told


SCAN: Final = SerialScan(_ask, _recognise)
"""Two of the same kind with one id answer with the very same bytes, which nobody can tell from one."""
