"""A small robot's cycle, and the summary of a run that a guard stopped."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.exchange import DrillReport, GateCounts, Knobs, Stop
from supervisor.core.guard import GuardBoard, GuardReading, GuardRow, Persistence
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.core.report import CriterionResult, Diagnosis, StageReport
from supervisor.core.state import NEVER_S, BaseVelocity, BusStatistics, ImuReading, RobotState
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.summary import Summary, Timing
from supervisor.evidence.timing import Percentiles

ORDER = JointOrder(("hip", "knee"))
ROWS = (
    GuardRow("tilt", 0.6, "rad", 0.1, Persistence(1, 1), Level.DAMP, "operator", "falls beyond it"),
    GuardRow("joint_velocity", 20.0, "rad/s", 1.0, Persistence(1, 1), Level.DAMP, "operator", "motor's limit"),
)


@dataclass
class Given:
    """What a safety core was given."""

    now_s: float
    loop_lag_mean_s: float = 0.001
    loop_lag_worst_s: float = 0.002
    operator_link_age_s: float = 0.003
    guardian_age_s: float = 0.004
    clock_step_s: float = 0.005
    bus_loss: float = 0.006
    bus_off: int = 1
    bus_errors: int = 2
    foreign_commands: int = 3
    recorder_ok: bool = True
    emergency_stop: bool = True
    hashes_match: bool = True


@dataclass(frozen=True)
class Decided:
    """What it decided."""

    board: GuardBoard
    actuation: Actuation
    arming: ArmingState
    is_at_rest: bool
    refusals: tuple[str, ...] = ()
    stop: Stop | None = None
    gate: GateCounts = field(default_factory=lambda: GateCounts(11, 12, 13, 14, 15))
    drill: DrillReport | None = None
    inventory_requested: bool = True


@dataclass(frozen=True)
class Cycle:
    """Everything one row is made of."""

    state: RobotState
    board: GuardBoard
    actuation: Actuation


def keep(
    recorder: CycleRecorder,
    one: Cycle,
    arming: ArmingState = ArmingState.RUNNING,
    proposed_position_rad: Vector | None = None,
    cycle_us: float = float("nan"),
    presses: tuple[OperatorAction, ...] = (),
    *,
    is_at_rest: bool = False,
) -> None:
    """Record a cycle."""
    given, decided = Given(one.state.now_s), Decided(one.board, one.actuation, arming, is_at_rest)
    recorder.append(one.state.cycle, one.state, given, presses, decided, proposed_position_rad, cycle_us)


def make_cycle(cycle: int = 0, tilt_rad: float = 0.1, value: GuardValue = GuardValue.OK) -> Cycle:
    """A cycle whose every number is different, so that a mixed-up column shows."""
    n = len(ORDER)
    imu = ImuReading(
        np.array([1.0, 0.1, 0.2, 0.3]), np.arange(3) + 10.0, np.arange(3) + 20.0, np.arange(3) + 30.0, 1.5, 7, 0, True
    )
    state = RobotState(
        order=ORDER,
        now_s=cycle * 0.002,
        cycle=cycle,
        position_rad=np.arange(n) + 1.1,
        velocity_rad_per_s=np.arange(n) + 2.1,
        torque_nm=np.arange(n) + 3.1,
        temperature_degc=np.arange(n) + 4.1,
        motor_stamp_s=np.array([1.25, NEVER_S]),
        motor_status=np.array([2, 3]),
        fault_code=np.array([0, 13]),
        imu=imu,
        base_velocity=BaseVelocity(np.arange(3) + 40.0, 2.5),
    )
    command = JointCommand(*(np.arange(n) + first for first in (5.1, 6.1, 7.1, 8.1, 9.1)))
    readings = (
        GuardReading("tilt", value, tilt_rad, 0.6, "rad", -1, False, Level.DAMP, float("nan")),
        GuardReading("joint_velocity", GuardValue.STALE, float("nan"), 20.0, "rad/s", 1, True, Level.DAMP, 0.0),
    )
    return Cycle(state, GuardBoard(readings, Level.DAMP), Actuation(Drive.COMMAND, command, Level.LIMIT))


SUMMARY = Summary(
    outcome="guard_stop",
    robot="pup",
    policy="pup_walk",
    mission="deployment",
    mode="sim",
    seed=3,
    hashes={"policy": "ab", "robot": "cd"},
    timing=Timing(500.0, Percentiles(80.0, 120.0, 150.0, 900.5), 2, Percentiles(60.0, 90.0, 95.0, 100.0)),
    stages=(
        StageReport(
            "stand",
            "stand",
            "passed",
            1.0,
            3.5,
            Knobs(0.0, 0.5, 0.5),
            {"tilt_rad": 0.02, "step_p99_wall_s": 0.0001},
            (CriterionResult("tilt_rad", "<=", 0.1, 0.02, True),),
        ),
        StageReport(
            "zero_action",
            "zero_action",
            "failed",
            3.5,
            6.0,
            Knobs(),
            {"drift_rad_per_s": float("nan")},
            (
                CriterionResult("drift_rad_per_s", "<=", 0.1, float("nan"), False),
                CriterionResult("step_p99_wall_s", "<=", 0.02, 0.0001, True),
            ),
        ),
    ),
    stop=Stop(Level.DAMP, "tilt", 0.7, 0.6, "rad", 5.9, 5.88, "zero_action", ("hip",), ("joint_velocity",)),
    cause_to_command_s=0.002,
    diagnosis=(
        Diagnosis("the body leans", "hip is mounted the other way round", "turn the motor", ("hip",), {"score": 3.5}),
    ),
    gate=GateCounts(1, 2, 3, 4, 5),
    buses={"can1": BusStatistics(10, 9, 10, 1, 0), "can0": BusStatistics(20, 20, 20, 0, 0)},
)
