"""One control cycle as a row of fixed size: what the record keeps, and what crosses shared memory.

Rows hold what the control loop saw and did, in float64, so that guards run over a record give the very same results
again.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from supervisor.core.command import Actuation, Drive
from supervisor.core.guard import GuardBoard, GuardRow
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.state import RobotState

MAGIC = b"HNDRLREC"
SCHEMA = 2

ARMING_NUMBER: Mapping[ArmingState, int] = {state: i for i, state in enumerate(ArmingState)}
DRIVE_NUMBER: Mapping[Drive, int] = {drive: i for i, drive in enumerate(Drive)}
_SCALARS = (
    ("time_s", "<f8", "s"),
    ("cycle_us", "<f8", "us"),
    ("imu_stamp_s", "<f8", "s"),
    ("base_velocity_stamp_s", "<f8", "s"),
    ("cycle", "<u4", "1"),
    ("imu_sequence", "<u4", "1"),
    ("imu_unchanged", "<u4", "samples"),
    ("level", "<u1", "Level"),
    ("arming", "<u1", "ArmingState"),
    ("drive", "<u1", "Drive"),
    ("imu_warning", "<u1", "bool"),
    ("is_at_rest", "<u1", "bool"),
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
_PER_GUARD = (
    ("guard_measured", "<f8", "each guard's"),
    ("guard_limit", "<f8", "each guard's"),
    ("guard_joint", "<i2", "index, -1 for none"),
    ("guard_value", "<u1", "GuardValue"),
    ("guard_tripped", "<u1", "bool"),
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
        for name, kind, unit in _PER_GUARD:
            fields.append(Field(name, kind, (len(guards),), offset, unit))
            offset += int(kind[2:]) * len(guards)
        offset = (offset + 7) // 8 * 8
        values_offset = offset
        vectors = [(name, len(order), unit) for name, unit in _PER_JOINT] + list(_PER_ROBOT)
        for name, size, unit in vectors:
            fields.append(Field(name, "<f8", (size,), offset, unit))
            offset += 8 * size
        return cls(order.names, tuple(guards), tuple(fields), values_offset, (offset - values_offset) // 8, offset)

    def header(self, robot: str, control_hz: float, guards: Sequence[tuple[str, str]] = ()) -> bytes:
        """The bytes in front of the first row.

        Args:
            robot: Name of the robot.
            control_hz: Declared rate of the control loop.
            guards: Id and unit of each, in the order in which the board has them; that of the rows if not given.
        """
        rows = {row.id: row for row in self.guards}
        guards = guards or [(row.id, row.unit) for row in self.guards]
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


class RowPacker:
    """Writes rows into memory of somebody else's. Costs a handful of microseconds, and allocates next to nothing.

    Args:
        layout: Of the rows.
        memory: Where rows go, after `start`; must stay writable.
        start: Offset of the first row, a multiple of 8.
        stride: From one row to the next, a multiple of 8; 0 for rows without gaps.

    Attributes:
        rows: How many rows fit.
    """

    __slots__ = (
        "_joint_shape",
        "_memory",
        "_missing",
        "_pack_into",
        "_row_bytes",
        "_start",
        "_stride",
        "_values",
        "rows",
    )

    def __init__(self, layout: RecordLayout, memory: bytearray | memoryview, start: int = 0, stride: int = 0) -> None:
        self._memory, self._start = memory, start
        self._stride = stride or layout.row_bytes
        # The last row need not be followed by a gap.
        self.rows = (len(memory) - start + self._stride - layout.row_bytes) // self._stride
        self._values: tuple[Vector, ...] = tuple(
            np.frombuffer(memory, np.float64, layout.value_count, start + i * self._stride + layout.values_offset)
            for i in range(self.rows)
        )
        count = len(layout.guards)
        self._pack_into = struct.Struct(f"<ddddIIIBBBBB{2 * count}d{count}h{count}B{count}B").pack_into
        self._missing = np.full(len(layout.joints), np.nan)
        self._joint_shape = (len(layout.joints),)

    def pack(
        self,
        row: int,
        state: RobotState,
        board: GuardBoard,
        actuation: Actuation,
        arming: ArmingState,
        *,
        is_at_rest: bool,
        proposed_position_rad: Vector | None,
        cycle_us: float,
    ) -> None:
        """Write one row.

        Args:
            row: Which, from 0.
            state: What was measured.
            board: What the guards found.
            actuation: What was written.
            arming: The arming state.
            is_at_rest: Whether the motors are provably off.
            proposed_position_rad: (n,) targets before the gate, None where there was no proposal.
            cycle_us: How long the cycle took by the machine's clock (microseconds).

        Raises:
            struct.error, ValueError, TypeError: Something does not fit the layout; the row is not valid.
        """
        proposed = proposed_position_rad
        if proposed is None or proposed.shape != self._joint_shape:
            proposed = self._missing
        imu = state.imu
        velocity = state.base_velocity
        command = actuation.command
        readings = board.readings
        self._pack_into(
            self._memory,
            self._start + row * self._stride,
            state.now_s,
            cycle_us,
            imu.stamp_s,
            velocity.stamp_s,
            state.cycle & 0xFFFFFFFF,
            imu.sequence & 0xFFFFFFFF,
            imu.unchanged & 0xFFFFFFFF,
            actuation.level,
            ARMING_NUMBER[arming],
            DRIVE_NUMBER[actuation.drive],
            imu.warning,
            is_at_rest,
            *map(_measured, readings),
            *map(_limit, readings),
            *map(_joint, readings),
            *map(_value, readings),
            *map(_tripped, readings),
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
            out=self._values[row],
        )


_measured = attrgetter("measured")
_limit = attrgetter("limit")
_joint = attrgetter("joint")
_value = attrgetter("value")
_tripped = attrgetter("tripped")
