"""Finding frames in a stream of bytes, the same for every make of inertial unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

INCOMPLETE: Final = 0
"""What `_examine` says of a frame whose end has not arrived."""


class StreamParser(ABC):
    """Finds frames in a stream of bytes. Never raises; keeps less than one frame of unfinished bytes.

    Where a frame is refused, only its first byte is known to be wrong: the search goes on with the next one.

    Attributes:
        frames: Frames accepted.
        rejected: Frames refused, by reason.
        dropped_bytes: Bytes that belong to no accepted frame.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.rejected: dict[str, int] = {}
        self.dropped_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they arrive.

        Returns:
            The frames completed by them, whole, oldest first.
        """
        buffer = self._rest + data if self._rest else data
        found: list[bytes] = []
        at, end = 0, len(buffer)
        while at < end:
            start = self._find(buffer, at)
            if start < 0:
                start = end
            self.dropped_bytes += start - at
            at = start
            if at == end:
                break
            verdict = self._examine(buffer, at)
            if isinstance(verdict, str):
                if verdict:
                    self.rejected[verdict] = self.rejected.get(verdict, 0) + 1
                self.dropped_bytes += 1
                at += 1
                continue
            if verdict == INCOMPLETE:
                break
            found.append(buffer[at : at + verdict])
            self.frames += 1
            at += verdict
        self._rest = buffer[at:]
        return found

    @abstractmethod
    def _find(self, buffer: bytes, at: int) -> int:
        """Where the next frame may begin, at or after `at`; -1 for nowhere."""

    @abstractmethod
    def _examine(self, buffer: bytes, at: int) -> int | str:
        """Judge the frame that may begin at `at`.

        Returns:
            Its size in bytes, INCOMPLETE, or why it is none ("" for what is no sign of damage). Must say INCOMPLETE
            only of a frame of bounded size.
        """
