"""Recording a stage: the newest samples in arrays made once, and extremes over the whole stage however long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supervisor.core.joints import Vector
from supervisor.core.signature import Samples
from supervisor.core.state import RobotState

CAPACITY = 8192
"""Samples kept: 164 s at 50 Hz, longer than all single-joint moves of a 29-joint robot; 4 MB for that robot."""


class Window:
    """The newest samples of a stage, oldest dropped first. Nothing is allocated while a stage runs.

    Args:
        joints: How many joints.
        capacity: How many samples are kept.
    """

    __slots__ = (
        "_capacity",
        "_count",
        "_gravity",
        "_gyro",
        "_label",
        "_label_ids",
        "_labels",
        "_position",
        "_time",
        "_torque",
    )

    def __init__(self, joints: int, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._time = np.zeros(capacity)
        self._position = np.zeros((capacity, joints))
        self._torque = np.zeros((capacity, joints))
        self._gravity = np.zeros((capacity, 3))
        self._gyro = np.zeros((capacity, 3))
        self._label = np.zeros(capacity, dtype=np.int32)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._count = 0
        self._labels: list[str] = []
        self._label_ids: dict[str, int] = {}

    def __len__(self) -> int:
        return min(self._count, self._capacity)

    @property
    def total(self) -> int:
        """Samples taken since the last `clear`, dropped ones included."""
        return self._count

    def add(self, state: RobotState, label: str) -> None:
        """Take one sample."""
        label_id = self._label_ids.get(label)
        if label_id is None:
            label_id = self._label_ids[label] = len(self._labels)
            self._labels.append(label)
        i = self._count % self._capacity
        self._time[i] = state.now_s
        self._position[i] = state.position_rad
        self._torque[i] = state.torque_nm
        self._gravity[i] = state.imu.gravity_in_base
        self._gyro[i] = state.imu.angular_velocity_base_in_base_rad_per_s
        self._label[i] = label_id
        self._count += 1

    def samples(self) -> Samples:
        """What is kept, oldest first. Copies."""
        if self._count <= self._capacity:
            order: slice | np.ndarray = slice(0, self._count)
        else:
            order = (np.arange(self._capacity) + self._count) % self._capacity
        return Samples(
            time_s=self._time[order].copy(),
            position_rad=self._position[order].copy(),
            torque_nm=self._torque[order].copy(),
            gravity_in_base=self._gravity[order].copy(),
            angular_velocity_base_in_base_rad_per_s=self._gyro[order].copy(),
            label_index=self._label[order].copy(),
            labels=tuple(self._labels),
        )


class Extremes:
    """Running largest values and means of named quantities, NaN kept: once not a number, never accepted again.

    Args:
        names: The quantities, in the order in which `add` takes them.
    """

    __slots__ = ("_largest", "_sum", "count", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._largest = np.full(len(names), -np.inf)
        self._sum = np.zeros(len(names))
        self.count = 0

    def clear(self) -> None:
        """Forget everything."""
        self._largest.fill(-np.inf)
        self._sum.fill(0.0)
        self.count = 0

    def add(self, values: Sequence[float]) -> None:
        """Take one value of each quantity."""
        np.maximum(self._largest, values, out=self._largest)
        self._sum += values
        self.count += 1

    def largest(self) -> dict[str, float]:
        """Largest values by name; empty when nothing was added."""
        return dict(zip(self.names, map(float, self._largest), strict=True)) if self.count else {}

    def mean(self) -> dict[str, float]:
        """Means by name; empty when nothing was added."""
        return dict(zip(self.names, map(float, self._sum / self.count), strict=True)) if self.count else {}


def last(vector: Vector, time_s: Vector, duration_s: float) -> Vector:
    """The rows of `vector` within `duration_s` of the newest."""
    return vector[time_s >= time_s[-1] - duration_s] if len(time_s) else vector
