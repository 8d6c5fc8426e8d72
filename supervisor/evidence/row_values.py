"""What the columns of a row say, as the values they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.joints import JointOrder
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.evidence.row import RecordLayout


def row_type(layout: RecordLayout) -> np.dtype[Any]:
    """A row as numpy sees it."""
    return np.dtype(
        {
            "names": [field.name for field in layout.fields],
            "formats": [(field.type, field.shape) for field in layout.fields],
            "offsets": [field.offset for field in layout.fields],
            "itemsize": layout.row_bytes,
        }
    )


def state_of(row: Any, order: JointOrder) -> RobotState:
    """The measurements in a row; its arrays are views.

    Args:
        row: One row of a record.
        order: The robot's joints.
    """
    imu = ImuReading(
        row["orientation_base_in_world_wxyz"],
        row["angular_velocity_base_in_base_rad_per_s"],
        row["acceleration_base_in_base_m_per_s2"],
        row["gravity_in_base"],
        float(row["imu_stamp_s"]),
        int(row["imu_sequence"]),
        int(row["imu_unchanged"]),
        bool(row["imu_warning"]),
    )
    return RobotState(
        order,
        float(row["time_s"]),
        int(row["cycle"]),
        row["position_rad"],
        row["velocity_rad_per_s"],
        row["torque_nm"],
        row["temperature_degc"],
        row["motor_stamp_s"],
        row["motor_status"].astype(np.int64),
        row["fault_code"].astype(np.int64),
        imu,
        BaseVelocity(row["linear_velocity_base_in_base_m_per_s"], float(row["base_velocity_stamp_s"])),
    )


def command_of(row: Any) -> JointCommand:
    """The command in a row; its arrays are views."""
    return JointCommand(
        row["command_position_rad"],
        row["command_velocity_rad_per_s"],
        row["command_kp_nm_per_rad"],
        row["command_kd_nm_s_per_rad"],
        row["command_torque_nm"],
    )
