"""Reads the record of every control cycle back. Damaged bytes end in a `RecordError` that says what is wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supervisor.core.errors import RecordError
from supervisor.evidence.row import MAGIC, SCHEMA

MAXIMUM_HEADER_BYTES = 4_000_000
"""A header names joints, guards and columns; ours are a few kilobytes."""

MAXIMUM_ROW_BYTES = 1_000_000
"""A thousand joints would still fit."""

READABLE = (2, SCHEMA)
"""Schemas that can be read: the header says what is in the rows."""

_TYPES = frozenset({"<f8", "<u4", "<i2", "<u1"})


@dataclass(frozen=True, slots=True)
class RecordedGuard:
    """A guard as it was when the record was made; `unit` is that of the columns."""

    id: str
    unit: str
    level: str


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """All cycles of a run.

    Attributes:
        schema: Version of the record; see `supervisor.evidence.row.SCHEMA`.
        robot: Name of the robot.
        control_hz: Declared rate of the control loop.
        joints: Joint names, in the order of every per-joint column.
        guards: The guards, in the order of `guard_value`, `guard_measured` and `guard_limit`.
        units: Unit of each column, by name.
        numbers: Meaning of the numbers in `level`, `arming`, `drive` and `guard_value`.
        rows: Structured array, one row per cycle, read from the file as needed.
        leftover_bytes: Bytes of a last row that was cut off; 0 when the record was closed properly.
    """

    schema: int
    robot: str
    control_hz: float
    joints: tuple[str, ...]
    guards: tuple[RecordedGuard, ...]
    units: Mapping[str, str]
    numbers: Mapping[str, tuple[str, ...]]
    rows: NDArray[Any]
    leftover_bytes: int

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> NDArray[Any]:
        """One column over all cycles: (cycles,) or (cycles, n).

        Raises:
            RecordError: No such column; the message lists those there are.
        """
        if name not in self.units:
            raise RecordError(f"the record has no column {name}; it has: {', '.join(self.units)}")
        return self.rows[name]


def read_record(path: Path) -> CycleRecord:
    """Open a record. A last row that was cut off is left out and counted.

    Raises:
        RecordError: Missing, not a record, cut off inside the header, or of another version.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 4)
            if start[: len(MAGIC)] != MAGIC:
                raise RecordError(f"{path} is not a record of control cycles: it does not begin with {MAGIC.decode()}")
            if len(start) < len(MAGIC) + 4:
                raise RecordError(f"{path} ends inside its header, after {size} bytes")
            length = struct.unpack("<I", start[len(MAGIC) :])[0]
            if length > MAXIMUM_HEADER_BYTES:
                raise RecordError(f"{path}: a header of {length} bytes; allowed: at most {MAXIMUM_HEADER_BYTES}")
            text = file.read(length)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(text) < length:
        raise RecordError(f"{path} ends inside its header, after {size} bytes")
    try:
        header = json.loads(text.decode())
        kind = _row_type(header)
        first = len(MAGIC) + 4 + length
        count, leftover = divmod(size - first, kind.itemsize)
        return CycleRecord(
            schema=int(header["schema"]),
            robot=str(header["robot"]),
            control_hz=float(header["control_hz"]),
            joints=tuple(str(name) for name in header["joints"]),
            guards=tuple(RecordedGuard(str(g["id"]), str(g["unit"]), str(g["level"])) for g in header["guards"]),
            units={str(field["name"]): str(field["unit"]) for field in header["fields"]},
            numbers={str(key): tuple(map(str, names)) for key, names in header["numbers"].items()},
            rows=_rows(path, kind, first, count),
            leftover_bytes=leftover,
        )
    except RecordError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise RecordError(f"{path}: the header is damaged ({type(error).__name__}: {error})") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None


def _rows(path: Path, kind: np.dtype[Any], first: int, count: int) -> NDArray[Any]:
    """The rows, mapped rather than read: a long run does not have to fit into memory."""
    if count == 0:
        return np.zeros(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r", offset=first, shape=(count,))


def _row_type(header: Any) -> np.dtype[Any]:
    """The numpy type of a row, refusing everything that a header of ours never says."""
    if header["schema"] not in READABLE:
        readable = ", ".join(map(str, READABLE))
        raise RecordError(f"the record has schema {header['schema']!r}; this version reads {readable}")
    row_bytes = header["row_bytes"]
    if type(row_bytes) is not int or not 0 < row_bytes <= MAXIMUM_ROW_BYTES:
        raise ValueError(f"row_bytes is {row_bytes!r}")
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    for field in header["fields"]:
        shape = tuple(field["shape"])
        if field["type"] not in _TYPES or len(shape) > 1:
            raise ValueError(f"column {field['name']!r} has type {field['type']!r} and shape {shape}")
        if not all(type(n) is int and 0 <= n <= MAXIMUM_ROW_BYTES for n in (*shape, field["offset"])):
            raise ValueError(f"column {field['name']!r} has shape {shape} at {field['offset']!r}")
        names.append(str(field["name"]))
        formats.append((field["type"], shape) if shape else field["type"])
        offsets.append(field["offset"])
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": row_bytes})
