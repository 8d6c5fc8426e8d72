"""A three-joint robot, and snapshots of it in which everything is fine unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import JointCommand
from supervisor.core.exchange import GateCounts, PolicyHealth, Snapshot
from supervisor.core.guard import GuardBoard
from supervisor.core.joints import JointOrder
from supervisor.core.levels import ArmingState, Level
from supervisor.core.robot import (
    CanBusConfig,
    ImuConfig,
    JointConfig,
    MotorConfig,
    RobotConfig,
    SerialBusConfig,
)
from supervisor.core.state import BaseVelocity, BusStatistics, ImuReading, MotorStatus, RobotState

NAMES = ("hip", "thigh", "calf")


def robot_of(names: tuple[str, ...] = NAMES) -> RobotConfig:
    limits = {"hip": (-0.75, 0.75), "thigh": (-0.9, 2.6), "calf": (-2.65, -0.4)}
    defaults = {"hip": 0.06, "thigh": 0.8, "calf": -1.6}
    return RobotConfig(
        schema=1,
        name="leg",
        safety="safety.yaml",
        control_hz=500.0,
        motor_timeout_s=0.1,
        buses={"can0": CanBusConfig("can", "socketcan", "can0", 1_000_000), "imu0": SerialBusConfig("serial", "x", 1)},
        joints={
            name: JointConfig(
                MotorConfig("damiao", "DM8009", "can0", i + 1, i + 17),
                1,
                0.0,
                1.0,
                limits[name.split("_")[-1]],
                18.0,
                20.0,
                35.0,
                0.8,
                defaults[name.split("_")[-1]],
                0.0,
            )
            for i, name in enumerate(names)
        },
        imu=ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)),
        estimator="simulation",
        rest_support="ground",
    )


def make_snapshot(now_s: float, *, names: tuple[str, ...] = NAMES, **changes: object) -> Snapshot:
    """A snapshot; changes go to the snapshot, the state or the IMU, wherever the name belongs."""
    n = len(names)
    imu = ImuReading(
        np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81]), np.array([0.0, 0.0, -1.0]),
        now_s - 0.002, 1, 0, False,
    )  # fmt: skip
    state = RobotState(
        JointOrder(names), now_s, round(now_s * 500), np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, 30.0),
        np.full(n, now_s - 0.001), np.full(n, int(MotorStatus.ENABLED)), np.zeros(n, np.int64), imu,
        BaseVelocity(np.zeros(3), now_s),
    )  # fmt: skip
    command = JointCommand(np.zeros(n), np.zeros(n), np.full(n, 35.0), np.full(n, 0.8), np.zeros(n))
    snapshot = Snapshot(
        state, GuardBoard((), Level.NONE), Level.NONE, ArmingState.RUNNING, (), None, False, command, (), None,
        GateCounts(), {"can0": BusStatistics()},
    )  # fmt: skip
    for name, value in changes.items():
        if hasattr(imu, name) and name != "stamp_s":
            imu = replace(imu, **{name: value})
        elif hasattr(state, name):
            state = replace(state, **{name: value})
        else:
            snapshot = replace(snapshot, **{name: value})
    return replace(snapshot, state=replace(state, imu=imu))


@pytest.fixture
def robot() -> RobotConfig:
    return robot_of()


@pytest.fixture
def snapshot_at() -> Callable[..., Snapshot]:
    return make_snapshot


@pytest.fixture
def idle() -> PolicyHealth:
    return PolicyHealth()


@pytest.fixture
def make_robot() -> Callable[..., RobotConfig]:
    return robot_of
