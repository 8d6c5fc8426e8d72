"""The record of every control cycle: rows of one fixed size behind a header that describes them.

    "HNDRLREC" | header length, uint32 | header, JSON in UTF-8 | row | row | row ...      all little endian

The header names every field with type, shape, offset and unit, the joints in order and the guards, so that the
file explains itself. Rows hold what the control loop saw and did, in float64, so that guards run over a record give
the very same results again. `supervisor/evidence/record_reader.py` reads it back.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from supervisor.core.command import Actuation, Drive
from supervisor.core.errors import RecordError
from supervisor.core.guard import GuardBoard, GuardReading, GuardRow
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.state import RobotState

MAGIC = b"HNDRLREC"
SCHEMA = 1

CHUNK_BYTES = 65_536
"""What is handed to the operating system at once: about 40 cycles of a 12-joint robot, copied in some 15 us."""

MINIMUM_FREE_BYTES = 64_000_000
"""With less room left on the disk the recorder calls itself unhealthy: about a minute before it is full."""

_ARMING_NUMBER: Mapping[ArmingState, int] = {state: i for i, state in enumerate(ArmingState)}
_DRIVE_NUMBER: Mapping[Drive, int] = {drive: i for i, drive in enumerate(Drive)}
_SCALARS = (
    ("time_s", "<f8", "s"),
    ("cycle_us", "<f8", "us"),
    ("imu_stamp_s", "<f8", "s"),
    ("base_velocity_stamp_s", "<f8", "s"),
    ("cycle", "<u4", "1"),
    ("imu_sequence", "<u4", "1"),
    ("level", "<u1", "Level"),
    ("arming", "<u1", "ArmingState"),
    ("drive", "<u1", "Drive"),
    ("imu_warning", "<u1", "bool"),
)
_PER_JOINT = (
    ("position_rad", "rad"),
    ("velocity_rad_per_s", "rad/s"),
    ("torque_nm", "N·m"),
    ("temperature_degc", "°C"),
    ("motor_stamp_s", "s"),
    ("motor_status", "MotorStatus"),
    ("fault_code", "make's code"),
    ("command_position_rad", "rad"),
    ("command_velocity_rad_per_s", "rad/s"),
    ("command_kp_nm_per_rad", "N·m/rad"),
    ("command_kd_nm_s_per_rad", "N·m·s/rad"),
    ("command_torque_nm", "N·m"),
    ("proposed_position_rad", "rad"),
)
_PER_ROBOT = (
    ("orientation_base_in_world_wxyz", 4, "1"),
    ("angular_velocity_base_in_base_rad_per_s", 3, "rad/s"),
    ("acceleration_base_in_base_m_per_s2", 3, "m/s²"),
    ("gravity_in_base", 3, "1"),
    ("linear_velocity_base_in_base_m_per_s", 3, "m/s"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the record."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int
    unit: str


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """Where everything is in a row, for one robot and one safety file.

    Attributes:
        joints: Joint names, in order.
        guards: The guard rows.
        fields: Every column.
        values_offset, value_count: The block of float64 vectors inside a row.
        row_bytes: Size of a row, a multiple of 8.
    """

    joints: tuple[str, ...]
    guards: tuple[GuardRow, ...]
    fields: tuple[Field, ...]
    values_offset: int
    value_count: int
    row_bytes: int

    @classmethod
    def of(cls, order: JointOrder, guards: Sequence[GuardRow]) -> RecordLayout:
        """The layout for a robot's joints and guards."""
        fields: list[Field] = []
        offset = 0
        for name, kind, unit in _SCALARS:
            fields.append(Field(name, kind, (), offset, unit))
            offset += int(kind[2:])
        for name in ("guard_measured", "guard_limit"):
            fields.append(Field(name, "<f8", (len(guards),), offset, "each guard's"))
            offset += 8 * len(guards)
        fields.append(Field("guard_value", "<u1", (len(guards),), offset, "GuardValue"))
        offset = (offset + len(guards) + 7) // 8 * 8
        values_offset = offset
        vectors = [(name, len(order), unit) for name, unit in _PER_JOINT] + list(_PER_ROBOT)
        for name, size, unit in vectors:
            fields.append(Field(name, "<f8", (size,), offset, unit))
            offset += 8 * size
        return cls(order.names, tuple(guards), tuple(fields), values_offset, (offset - values_offset) // 8, offset)

    def header(self, robot: str, control_hz: float, readings: Sequence[GuardReading] = ()) -> bytes:
        """The bytes in front of the first row.

        Args:
            robot: Name of the robot.
            control_hz: Declared rate of the control loop.
            readings: The guards in the order and unit in which the board has them; that of the rows if not given.
        """
        rows = {row.id: row for row in self.guards}
        guards = [(reading.id, reading.unit) for reading in readings] or [(row.id, row.unit) for row in self.guards]
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "robot": robot,
            "control_hz": control_hz,
            "joints": list(self.joints),
            "guards": [{"id": name, "unit": unit, "level": rows[name].level.name} for name, unit in guards],
            "numbers": {
                "Level": [level.name for level in Level],
                "GuardValue": [value.name for value in GuardValue],
                "ArmingState": [state.value for state in ArmingState],
                "Drive": [drive.value for drive in Drive],
            },
            "row_bytes": self.row_bytes,
            "fields": [
                {"name": f.name, "type": f.type, "shape": list(f.shape), "offset": f.offset, "unit": f.unit}
                for f in self.fields
            ],
        }
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-(len(MAGIC) + 4 + len(text)) % 64)
        return MAGIC + struct.pack("<I", len(text)) + text


class CycleRecorder:
    """Appends one row per control cycle. Never raises after construction: a failed write makes it unhealthy.

    The buffer is made once; a full one goes to the operating system in a single write.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = (
        "_buffer",
        "_descriptor",
        "_fill",
        "_identity",
        "_is_begun",
        "_joint_shape",
        "_lost",
        "_missing",
        "_pack_into",
        "_problem",
        "_row_bytes",
        "_rows",
        "_scalars",
        "_values",
        "layout",
    )

    def __init__(self, path: Path, layout: RecordLayout, robot: str, control_hz: float) -> None:
        self.layout = layout
        self._row_bytes = layout.row_bytes
        self._rows = max(CHUNK_BYTES // layout.row_bytes, 1)
        self._buffer = bytearray(self._rows * layout.row_bytes)
        block = np.frombuffer(self._buffer, dtype=np.float64).reshape(self._rows, layout.row_bytes // 8)
        first = layout.values_offset // 8
        self._values = tuple(block[i, first : first + layout.value_count] for i in range(self._rows))
        count = len(layout.guards)
        self._identity = (robot, control_hz)
        self._is_begun = False
        self._pack_into = struct.Struct(f"<ddddIIBBBB{2 * count}d{count}B").pack_into
        self._missing = np.full(len(layout.joints), np.nan)
        self._joint_shape = (len(layout.joints),)
        self._fill = 0
        self._lost = 0
        self._problem = ""
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RecordError(f"cannot record to {path}: {error.strerror or error}") from None

    def append(
        self,
        state: RobotState,
        board: GuardBoard,
        actuation: Actuation,
        arming: ArmingState,
        proposed_position_rad: Vector | None = None,
        cycle_us: float = float("nan"),
    ) -> None:
        """Record one cycle.

        Args:
            state: What was measured.
            board: What the guards found.
            actuation: What was written.
            arming: The arming state.
            proposed_position_rad: (n,) targets before the gate, None where there was no proposal.
            cycle_us: How long the cycle took by the machine's clock (microseconds).
        """
        proposed = proposed_position_rad
        if proposed is None or proposed.shape != self._joint_shape:
            proposed = self._missing
        imu = state.imu
        velocity = state.base_velocity
        command = actuation.command
        fill = self._fill
        if not self._is_begun:
            self._begin(board.readings)
        try:
            self._pack_into(
                self._buffer,
                fill * self._row_bytes,
                state.now_s,
                cycle_us,
                imu.stamp_s,
                velocity.stamp_s,
                state.cycle & 0xFFFFFFFF,
                imu.sequence & 0xFFFFFFFF,
                actuation.level,
                _ARMING_NUMBER[arming],
                _DRIVE_NUMBER[actuation.drive],
                imu.warning,
                *map(_measured, board.readings),
                *map(_limit, board.readings),
                *map(_value, board.readings),
            )
            np.concatenate(
                (
                    state.position_rad,
                    state.velocity_rad_per_s,
                    state.torque_nm,
                    state.temperature_degc,
                    state.motor_stamp_s,
                    state.motor_status,
                    state.fault_code,
                    command.position_rad,
                    command.velocity_rad_per_s,
                    command.kp_nm_per_rad,
                    command.kd_nm_s_per_rad,
                    command.torque_nm,
                    proposed,
                    imu.orientation_base_in_world_wxyz,
                    imu.angular_velocity_base_in_base_rad_per_s,
                    imu.acceleration_base_in_base_m_per_s2,
                    imu.gravity_in_base,
                    velocity.linear_velocity_base_in_base_m_per_s,
                ),
                out=self._values[fill],
            )
        except (struct.error, ValueError, TypeError) as error:
            self._lost += 1
            self._problem = f"a cycle does not fit the record: {error}"
            return
        self._fill = fill + 1
        if self._fill == self._rows:
            self.flush()

    def _begin(self, readings: Sequence[GuardReading] = ()) -> None:
        """Write the header: the guards stand in the order of the board, which only the first cycle shows."""
        self._is_begun = True
        try:
            write_all(self._descriptor, self.layout.header(*self._identity, readings))
        except (OSError, KeyError) as error:
            self._problem = f"the record cannot be begun: {error}"
            self._release()

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        if self._fill == 0:
            return
        try:
            write_all(self._descriptor, memoryview(self._buffer)[: self._fill * self._row_bytes])
            room = os.fstatvfs(self._descriptor)
            if room.f_bavail * room.f_frsize < MINIMUM_FREE_BYTES:
                self._problem = f"less than {MINIMUM_FREE_BYTES // 1_000_000} MB left on the record's disk"
        except OSError as error:
            self._lost += self._fill
            self._problem = self._problem or f"the record cannot be written: {error.strerror or error}"
            # Nothing may follow a torn row, or everything after it would be out of place.
            self._release()
        self._fill = 0

    def close(self) -> None:
        """Write what is left and close. Idempotent."""
        if not self._is_begun:
            self._begin()
        self.flush()
        self._release()

    def _release(self) -> None:
        """Give the file back; every later write fails and is counted as lost."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    @property
    def is_healthy(self) -> bool:
        """Whether every cycle so far is in the record, and there is room for more."""
        return not self._problem

    @property
    def problem(self) -> str:
        """Why the recorder is not healthy, "" when it is."""
        return self._problem

    @property
    def lost_cycles(self) -> int:
        """Cycles that did not reach the file."""
        return self._lost


_measured = attrgetter("measured")
_limit = attrgetter("limit")
_value = attrgetter("value")


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything; the operating system may take it in parts."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
