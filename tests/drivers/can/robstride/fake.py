"""A motor in memory that answers with counts it is told, and keeps parameters. Written apart from the codec."""

from __future__ import annotations

import struct

from drivers.bus import Frame

HOST = 0xFD


class FakeRobStride:
    """One motor; `is_cybergear` takes away what CyberGear motors do not have."""

    def __init__(self, identifier: int, *, is_cybergear: bool = False) -> None:
        self.identifier = identifier
        self.is_cybergear = is_cybergear
        self.mode = 0
        self.faults = 0
        self.counts = [0x7FFF, 0x7FFF, 0x7FFF, 300]
        self.unique_ids = [bytes(7) + bytes((identifier,))]
        self.is_silent = False
        self.ignored_writes: set[int] = set()
        self.parameters: dict[int, bytes] = {
            0x7005: b"\x02\0\0\0",
            0x7019: struct.pack("<f", -0.0002),
            0x701C: struct.pack("<f", 24.5),
        }
        if not is_cybergear:
            self.parameters |= {0x7028: bytes(4), 0x7029: b"\x01\0\0\0"}
        self.log: list[Frame] = []

    def feedback(self) -> Frame:
        head = 2 << 24 | self.mode << 22 | self.faults << 16 | self.identifier << 8 | HOST
        return Frame(head, struct.pack(">HHHH", *self.counts), is_extended=True)

    def reply(self, kind: int, data: bytes, *, status: int = 0, target: int = HOST) -> Frame:
        return Frame(kind << 24 | status << 16 | self.identifier << 8 | target, data, is_extended=True)

    def answer(self, frame: Frame) -> list[Frame]:
        if self.is_silent or not frame.is_extended or frame.arbitration_id & 0xFF != self.identifier:
            return []
        self.log.append(frame)
        kind, data = frame.arbitration_id >> 24, frame.data
        index = data[0] | data[1] << 8
        if kind == 0:
            return [self.reply(0, unique, target=0xFE) for unique in self.unique_ids]
        if kind == 17:
            value = self.parameters.get(index)
            return [self.reply(17, data[:4] + (value or bytes(4)), status=value is None)]
        if kind == 18 and index in self.parameters and index not in self.ignored_writes:
            self.parameters[index] = data[4:]
        if kind == 3 and not self.faults:
            self.mode = 2
        if kind == 4:
            self.mode = 0
            if data[0] == 1:
                self.faults = 0
            elif data[:2] == b"\x00\xc4" and not self.is_cybergear:
                return [self.reply(2, bytes.fromhex("00c4560001030400"))]
        if kind == 6:
            self.counts[0] = 0x7FFF
        return [self.feedback()]
