"""What happened in a run, one JSON line each, chained by hashes: a line that is changed or removed later shows.

Each line holds the sha256 of the line before it, bytes and all. Nothing in a line but the first depends on the
machine's clock or speed, so that two runs of the same simulation with the same seed say the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from supervisor.core.errors import RecordError
from supervisor.evidence.record_files import write_all

FIRST_PREVIOUS = "0" * 64
"""What the first line has in place of a previous line's hash."""

WALL_CLOCK_KEYS = frozenset({"started_utc"})
"""Keys of an event's data that differ between two runs of the same simulation."""

MAXIMUM_LINE_BYTES = 1_000_000
"""No event of ours comes near this."""


class EventKind(Enum):
    """What an event is about."""

    START = "start"
    """The run began: version, seed, hashes, wall-clock time."""
    STAGE = "stage"
    """A stage began or ended."""
    GUARD = "guard"
    """A guard left OK for long enough to trip, or came back."""
    LEVEL = "level"
    """The level in force changed."""
    ARMING = "arming"
    """The arming state changed, or arming was refused."""
    OPERATOR = "operator"
    """The operator was asked, or pressed."""
    REQUEST = "request"
    """The mission asked for something besides motion."""
    REQUEST_RESULT = "request_result"
    """What came of it."""
    GATE = "gate"
    """What the gate changed or refused since the last such event."""
    BUS = "bus"
    """A bus went off, came back, or lost frames."""
    NOTE = "note"
    """Anything else worth keeping."""
    END = "end"
    """The run ended; the last line of a run that was closed properly."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log.

    Attributes:
        number: Counts lines from 0.
        time_s: The run's clock.
        kind: What it is about.
        text: One line for people.
        data: The numbers.
    """

    number: int
    time_s: float
    kind: EventKind
    text: str
    data: Mapping[str, Any]

    def without_wall_clock(self) -> Event:
        """The same event without what differs between two runs of the same simulation."""
        data = {key: value for key, value in self.data.items() if key not in WALL_CLOCK_KEYS}
        return Event(self.number, self.time_s, self.kind, self.text, data)


class EventLog:
    """Appends events to a file. Never raises after construction: a failed write makes it unhealthy.

    Each line is handed to the operating system at once, so that it outlives this process; a latching event is also
    forced to the disk, so that it outlives the machine.

    Args:
        path: The file.
        resume: Go on with a log that another process has begun and closed, or died over. A last line that was cut off
            is removed, and told.

    Raises:
        RecordError: The file exists already, or cannot be created; with `resume`: it is missing, or damaged before its
            last line.
    """

    __slots__ = ("_count", "_descriptor", "_previous", "_problem")

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self._count = 0
        self._previous = FIRST_PREVIOUS
        self._problem = ""
        torn = self._find_end(path) if resume else 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | (0 if resume else os.O_CREAT | os.O_EXCL)
        try:
            self._descriptor = os.open(path, flags, 0o644)
            if torn:
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
        except OSError as error:
            raise RecordError(f"cannot log events to {path}: {error.strerror or error}") from None
        if torn:
            self.append(EventKind.NOTE, math.nan, f"a last line that was cut off after {torn} bytes was removed")

    def _find_end(self, path: Path) -> int:
        """Where the log goes on.

        Returns:
            Bytes of a last line that was cut off.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
        lines = content.split(b"\n")
        rest = lines.pop()
        for number, line in enumerate(lines):
            try:
                _decode(line, number, self._previous)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise RecordError(f"{path.name} line {number + 1} is damaged or was changed: {error}") from None
            self._previous = hashlib.sha256(line).hexdigest()
        self._count = len(lines)
        return len(rest)

    def append(
        self,
        kind: EventKind,
        time_s: float,
        text: str,
        data: Mapping[str, Any] | None = None,
        *,
        latching: bool = False,
    ) -> None:
        """Write one event.

        Args:
            kind: What it is about.
            time_s: The run's clock.
            text: One line for people.
            data: Numbers, texts, lists and mappings of them; NaN and infinity are written as null.
            latching: Force it to the disk before returning (a stop has latched).
        """
        line = _encode(self._count, time_s, kind, text, data or {}, self._previous)
        try:
            write_all(self._descriptor, line + b"\n")
            if latching:
                os.fsync(self._descriptor)
        except OSError as error:
            self._problem = self._problem or f"events cannot be written: {error.strerror or error}"
            return
        self._previous = hashlib.sha256(line).hexdigest()
        self._count += 1

    def close(self) -> None:
        """Force everything to the disk and close. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.fsync(descriptor)
            with suppress(OSError):
                os.close(descriptor)

    @property
    def is_healthy(self) -> bool:
        """Whether every event so far is in the file."""
        return not self._problem

    @property
    def problem(self) -> str:
        """Why the log is not healthy, "" when it is."""
        return self._problem


@dataclass(frozen=True, slots=True)
class EventFile:
    """A log as read back.

    Attributes:
        events: Everything up to the first damaged line.
        problems: What is wrong with the file; empty when the chain holds from start to end.
    """

    events: tuple[Event, ...]
    problems: tuple[str, ...]


def read_events(path: Path) -> EventFile:
    """Read a log and check its chain.

    Returns:
        The events that can be trusted, and what is wrong with the rest.

    Raises:
        RecordError: The file is missing or unreadable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    lines = content.split(b"\n")
    rest = lines.pop()
    events: list[Event] = []
    problems: list[str] = []
    previous = FIRST_PREVIOUS
    for number, line in enumerate(lines):
        try:
            events.append(_decode(line, number, previous))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            problems.append(f"{path.name} line {number + 1} is damaged or was changed: {error}")
            break
        previous = hashlib.sha256(line).hexdigest()
    if not problems and rest:
        problems.append(f"{path.name} line {len(lines) + 1} was cut off: the run ended abruptly")
    elif not problems and (not events or events[-1].kind is not EventKind.END):
        problems.append(f"{path.name} has no end event: the run ended abruptly, or lines at its end were removed")
    return EventFile(tuple(events), tuple(problems))


def _encode(number: int, time_s: float, kind: EventKind, text: str, data: Mapping[str, Any], previous: str) -> bytes:
    line = {
        "number": number,
        "time_s": finite_or_none(round(time_s, 9)) if math.isfinite(time_s) else None,
        "kind": kind.value,
        "text": text,
        "data": plain(data),
        "previous_sha256": previous,
    }
    return json.dumps(line, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def _decode(line: bytes, number: int, previous: str) -> Event:
    """One line, or an exception that says what is wrong with it."""
    if len(line) > MAXIMUM_LINE_BYTES:
        raise ValueError(f"{len(line)} bytes long")
    content: Any = json.loads(line.decode("ascii"))
    if not isinstance(content, dict):
        raise TypeError("not a mapping")
    fields = cast(dict[str, Any], content)
    if fields["previous_sha256"] != previous:
        raise ValueError("the hash of the line before it does not match")
    if fields["number"] != number:
        raise ValueError(f"it is number {fields['number']!r}")
    data: Any = fields["data"]
    if not isinstance(data, dict):
        raise TypeError("its data is not a mapping")
    time_s = float("nan") if fields["time_s"] is None else float(fields["time_s"])
    return Event(number, time_s, EventKind(fields["kind"]), str(fields["text"]), cast(dict[str, Any], data))


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN and no infinity: both become null."""
    return value if math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Anything as JSON can say it: numbers (not finite: null), texts, lists and mappings with text keys."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return value.name if isinstance(value, int) else plain(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite_or_none(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        items = cast(Sequence[Any], sorted(value) if isinstance(value, set | frozenset) else value)
        return [plain(item) for item in items]
    return str(value)
