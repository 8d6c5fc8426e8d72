"""One control cycle as a row of fixed size: what the record keeps, and what crosses shared memory.

Rows hold what the safety core was given in a cycle and what it made of it, in float64, so that the core run over a
record decides the very same again. What changes less often than every cycle is in `supervisor/evidence/changes.py`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.core.command import Drive
from supervisor.core.guard import GuardRow
from supervisor.core.joints import JointOrder
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction

MAGIC = b"HNDRLREC"
SCHEMA = 3
"""3: rows hold all that the safety core was given; 2 did not, and cannot be replayed."""

ARMING_NUMBER: Mapping[ArmingState, int] = {state: i for i, state in enumerate(ArmingState)}
DRIVE_NUMBER: Mapping[Drive, int] = {drive: i for i, drive in enumerate(Drive)}
PRESS_NUMBER: Mapping[OperatorAction, int] = {action: i for i, action in enumerate(OperatorAction, start=1)}
"""In the column `presses`, where 0 is no press."""

PRESSES = 16
"""Presses that a row holds. People make one in a second; what more a row was not told is told in the changes."""

GIVEN = (
    ("time_s", "<f8", "s"),
    ("loop_lag_mean_s", "<f8", "s"),
    ("loop_lag_worst_s", "<f8", "s"),
    ("operator_link_age_s", "<f8", "s"),
    ("guardian_age_s", "<f8", "s"),
    ("clock_step_s", "<f8", "s"),
    ("bus_loss", "<f8", "fraction"),
    ("bus_off", "<f8", "buses"),
    ("bus_errors", "<f8", "frames"),
    ("foreign_commands", "<f8", "frames"),
)
"""What the safety core was given besides measurements, in numbers."""

SCALARS = (
    *GIVEN,
    ("cycle_us", "<f8", "us"),
    ("imu_stamp_s", "<f8", "s"),
    ("base_velocity_stamp_s", "<f8", "s"),
    ("decision", "<u4", "1"),
    ("cycle", "<u4", "1"),
    ("imu_sequence", "<u4", "1"),
    ("imu_unchanged", "<u4", "samples"),
    ("gate_position", "<u4", "joint-cycles"),
    ("gate_velocity", "<u4", "joint-cycles"),
    ("gate_torque", "<u4", "joint-cycles"),
    ("gate_rate", "<u4", "joint-cycles"),
    ("gate_rejected", "<u4", "joint-cycles"),
    ("words_crc32", "<u4", "crc32 of refusals, stop and drill"),
    ("level", "<u1", "Level"),
    ("arming", "<u1", "ArmingState"),
    ("drive", "<u1", "Drive"),
    ("imu_warning", "<u1", "bool"),
    ("is_at_rest", "<u1", "bool"),
    ("inventory_requested", "<u1", "bool"),
    ("recorder_ok", "<u1", "bool"),
    ("emergency_stop", "<u1", "bool"),
    ("hashes_match", "<u1", "bool"),
)
"""In the order in which they are packed."""

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
        for name, kind, unit in SCALARS:
            fields.append(Field(name, kind, (), offset, unit))
            offset += int(kind[2:])
        fields.append(Field("presses", "<u1", (PRESSES,), offset, "OperatorAction, 0 for none"))
        offset += PRESSES
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
                "OperatorAction": ["", *(action.value for action in OperatorAction)],
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
