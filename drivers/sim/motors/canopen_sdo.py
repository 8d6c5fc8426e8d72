"""The SDO server of a simulated CANopen drive: short values in one frame, long ones in segments."""

from __future__ import annotations

from typing import Final

from drivers.sim.motors.canopen_objects import Objects, Where

UNKNOWN_COMMAND: Final = 0x05040001
WRONG_TOGGLE: Final = 0x05030000

_DOWNLOAD, _UPLOAD, _NEXT_SEGMENT, _ABORT = 1, 2, 3, 4


class SdoServer:
    """Answers requests to one drive.

    Args:
        objects: The drive's.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._rest: bytes | None = None
        self._toggle = 0
        self._where: Where = (0, 0)

    def answer(self, data: bytes) -> list[bytes]:
        """The answer to one request of 8 bytes, none to an abort."""
        command = data[0] >> 5
        if command == _ABORT:
            self._rest = None
            return []
        if command == _NEXT_SEGMENT:
            return [self._segment(data[0] >> 4 & 1)]
        self._where = data[1] | data[2] << 8, data[3]
        if command == _DOWNLOAD and data[0] & 0x02:
            size = 4 - (data[0] >> 2 & 3) if data[0] & 1 else 4
            code = self._objects.write(self._where, data[4 : 4 + size])
            return [self._refuse(code) if code else b"\x60" + data[1:4] + bytes(4)]
        if command == _UPLOAD:
            return [self._begin()]
        return [self._refuse(UNKNOWN_COMMAND)]

    def _begin(self) -> bytes:
        found = self._objects.read(self._where)
        if isinstance(found, int):
            return self._refuse(found)
        if len(found) <= 4:
            return self._head(0x43 | 4 - len(found) << 2) + found.ljust(4, b"\0")
        self._rest, self._toggle = found, 0
        return self._head(0x41) + len(found).to_bytes(4, "little")

    def _segment(self, toggle: int) -> bytes:
        if self._rest is None:
            return self._refuse(UNKNOWN_COMMAND)
        if toggle != self._toggle:
            self._rest = None
            return self._refuse(WRONG_TOGGLE)
        part, self._rest = self._rest[:7], self._rest[7:]
        command = toggle << 4 | 7 - len(part) << 1 | (not self._rest)
        self._toggle = 1 - toggle
        if not self._rest:
            self._rest = None
        return bytes((command,)) + part.ljust(7, b"\0")

    def _refuse(self, code: int) -> bytes:
        return self._head(0x80) + code.to_bytes(4, "little")

    def _head(self, command: int) -> bytes:
        index, subindex = self._where
        return bytes((command,)) + index.to_bytes(2, "little") + bytes((subindex,))
