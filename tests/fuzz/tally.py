"""What a campaign counts of one target."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from drivers.bus import Frame

MAXIMUM_SAMPLES = 5
"""Defects of one target that are shown; all are counted."""

_VARYING = re.compile(r"b?'[^']*'|0x[0-9A-Fa-f]+|\b[0-9a-f]{4,}\b|-?\d+(\.\d+)?")


@dataclass
class Tally:
    """What happened to the inputs of one target.

    Attributes:
        inputs: How many there were.
        seconds: Processor time for making and trying them.
        accepted: Replies, packets or samples that were taken for good.
        rejected: Those that were refused, and bytes of streams that were thrown away, by reason.
        exceptions: Inputs that raised what is not documented.
        hangs: Inputs that took too long, or after which the parser no longer finds a good frame.
        false_feedback: What was accepted and is not sound.
        collisions: Accepted frames that were not meant to be right, and whose checksum is right by chance.
        samples: The first defects, in words.
    """

    inputs: int = 0
    seconds: float = 0.0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    exceptions: int = 0
    hangs: int = 0
    false_feedback: int = 0
    collisions: int = 0
    samples: list[str] = field(default_factory=list)
    _reasons: dict[object, str] = field(default_factory=dict)

    @property
    def defects(self) -> int:
        """Everything that must not happen."""
        return self.exceptions + self.hangs + self.false_feedback

    def refuse(self, error: Exception) -> None:
        """Count a documented error; one reason per line of code that raises."""
        where = _raised_at(error.__traceback__)
        reason = self._reasons.get(where)
        if reason is None:
            # Numbers and bytes of the first one would tell nothing about the others.
            reason = self._reasons[where] = _VARYING.sub("…", str(error)).strip() or type(error).__name__
        self.rejected[reason] += 1

    def raised(self, item: object, error: Exception) -> None:
        """Count an exception that is not documented."""
        self.exceptions += 1
        self._show(f"{type(error).__name__}: {error}", item)

    def hung(self, item: object, why: str) -> None:
        """Count an input that took too long, or left a parser deaf."""
        self.hangs += 1
        self._show(f"hang: {why}", item)

    def believed(self, item: object, what: object) -> None:
        """Count false feedback."""
        self.false_feedback += 1
        self._show(f"false feedback: {what}", item)

    def _show(self, what: str, item: object) -> None:
        if len(self.samples) < MAXIMUM_SAMPLES:
            self.samples.append(f"{what}\n    input: {text_of(item)}")


def text_of(item: Any) -> str:
    """An input as it can be tried again."""
    if isinstance(item, bytes):
        return f"bytes.fromhex({item.hex()!r})"
    if isinstance(item, Frame):
        kind = f"is_extended={item.is_extended}, is_fd={item.is_fd}"
        return f"Frame(0x{item.arbitration_id:X}, {text_of(item.data)}, {kind})"
    return repr(item)


def _raised_at(trace: TracebackType | None) -> object:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
