"""What is kept of the latch, as bytes: two places in turn, so that a torn write leaves the one before to be read.

    two times: [ "HNDRLST1", number: uint64, length: uint32, digest: 16 bytes (BLAKE2b), JSON, zeros ]

The size never changes, so that a full disk cannot keep a stop from being written. The digest finds what is torn or was
changed by hand; it is no defence against somebody who means harm and may write here. Whatever is not exactly right is a
problem, and a problem is a stop.
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from supervisor.core.exchange import Stop
from supervisor.core.levels import ArmingState, Level
from supervisor.safety.restart import Found, Kept
from supervisor.safety.severity import REPEAT_WINDOW_S

PLACE_BYTES: Final = 16384
"""Forty causes with three trips each, and a stop with all of them, take 6 kB."""

_MAGIC: Final = b"HNDRLST1"
_HEAD: Final = struct.Struct("<8sQI16s")
CAPACITY: Final = PLACE_BYTES - _HEAD.size
"""Largest content."""

BLANK: Final = bytes(PLACE_BYTES)

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Which start of this computer it is; empty where that cannot be known."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks that say how long ago something was.

    Attributes:
        now_s: The run's clock.
        wall_s: Seconds since the epoch.
        boot: While this is the same, and not empty, the run's clock goes on from one process to the next.
    """

    now_s: Callable[[], float] = time.monotonic
    wall_s: Callable[[], float] = time.time
    boot: str = ""


def encode(kept: Kept, robot: str, clocks: Clocks) -> bytes:
    """What is kept, as JSON with all that is needed to read its times in another process."""
    content = {
        "robot": robot,
        "boot": clocks.boot,
        "now_s": clocks.now_s(),
        "wall_s": clocks.wall_s(),
        "arming": kept.arming.value,
        "stop": None if kept.stop is None else asdict(kept.stop),
        "trips": {cause: list(times) for cause, times in kept.trips.items()},
    }
    return json.dumps(content, separators=(",", ":")).encode()


def decode(raw: bytes, robot: str, clocks: Clocks) -> tuple[Kept, tuple[str, ...]]:
    """What `encode` made, in the time of another process.

    The clock of the run is trusted as long as the computer has not been started again: steps of the wall clock do
    nothing. Across a start only the wall clock knows; one that went back makes nothing older, and what one that went
    forward makes too old to count is told.

    Args:
        raw: The JSON.
        robot: Whose it must be.
        clocks: Of this process.

    Returns:
        What was kept, and what a person should know.

    Raises:
        ValueError: It is not of this robot, or not of this form.
    """
    content = json.loads(raw)
    if content["robot"] != robot:
        raise ValueError(f"it belongs to the robot {content['robot']!r}")
    then_s, now_s = float(content["now_s"]), clocks.now_s()
    passed_s = max(clocks.wall_s() - float(content["wall_s"]), 0.0)
    same_boot = content["boot"] == clocks.boot != ""
    offset_s = 0.0 if same_boot else now_s - then_s - passed_s

    def here(time_s: float) -> float:
        return min(min(time_s, then_s) + offset_s, now_s)

    stop = content["stop"]
    trips: dict[str, list[float]] = {}
    notes: list[str] = []
    for cause, times in content["trips"].items():
        trips[str(cause)] = [here(float(time_s)) for time_s in times]
        old = sum(now_s - time_s > REPEAT_WINDOW_S for time_s in trips[cause])
        before = sum(then_s - float(time_s) > REPEAT_WINDOW_S for time_s in times)
        if offset_s and old > before:
            notes.append(f"by the wall clock {old - before} trips of {cause} are more than an hour old: not counted")
    return Kept(ArmingState(content["arming"]), None if stop is None else _stop(stop, here), trips), tuple(notes)


def _stop(content: Mapping[str, Any], here: Callable[[float], float]) -> Stop:
    fields: dict[str, Any] = dict(content)
    fields |= {key: Level(content[key]) for key in ("level", "first_level")}
    fields |= {key: tuple(map(str, content[key])) for key in ("joints", "further")}
    fields |= {key: here(float(content[key])) for key in ("time_s", "since_s")}
    return Stop(**fields)


def framed(content: bytes, number: int) -> bytes:
    """One place with a content, whole.

    Raises:
        ValueError: The content is too large.
    """
    if len(content) > CAPACITY:
        raise ValueError(f"{len(content)} bytes of state, room for {CAPACITY}")
    return (_HEAD.pack(_MAGIC, number, len(content), _digest(number, content)) + content).ljust(PLACE_BYTES, b"\0")


def newest(raw: bytes) -> tuple[int, bytes, str]:
    """The newest content of a whole file.

    Returns:
        Its number, 0 without one, the content, and what is wrong with the file; empty when it is as it should be.
    """
    if len(raw) != 2 * PLACE_BYTES:
        return 0, b"", f"{len(raw)} bytes, expected {2 * PLACE_BYTES}"
    found: list[tuple[int, bytes]] = []
    problems: list[str] = []
    for index in range(2):
        place = raw[index * PLACE_BYTES : (index + 1) * PLACE_BYTES]
        if place == BLANK:
            continue
        magic, number, length, digest = _HEAD.unpack_from(place)
        content = place[_HEAD.size : _HEAD.size + length]
        if magic != _MAGIC:
            problems.append("not a state file of this version")
        elif number % 2 != index or digest != _digest(number, content) or place != framed(content, number):
            problems.append("torn, or changed by somebody else")
        else:
            found.append((number, content))
    found.sort()
    number, content = found[-1] if found else (0, b"")
    is_next = number == 1 if len(found) == 1 else not found or number - found[0][0] == 1
    if not problems and not is_next:
        problems.append("its two places do not follow each other")
    return number, content, "; ".join(dict.fromkeys(problems))


def found_in(raw: bytes, robot: str, clocks: Clocks) -> Found:
    """What a file's bytes say. Never raises."""
    number, content, problem = newest(raw)
    now_s = clocks.now_s()
    if not number:
        return Found(None, problem, now_s)
    try:
        kept, notes = decode(content, robot, clocks)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        return Found(None, f"not of the expected form: {error}", now_s)
    return Found(kept, problem, now_s, notes)


def _digest(number: int, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, key=number.to_bytes(8, "little")).digest()
