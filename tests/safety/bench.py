"""A robot on paper: states made by hand, and a plant that answers each actuation one cycle later."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from supervisor.core.command import Drive, JointCommand, Proposal
from supervisor.core.exchange import DeviceReport, DrillReport, Knobs, MissionOutput, PolicyHealth, Request
from supervisor.core.guard import GuardRow, Persistence
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.robot_file import load_robot
from supervisor.core.safety import GateConfig, SafetyConfig
from supervisor.core.state import BaseVelocity, ImuReading, MotorStatus, RobotState
from supervisor.safety.core import SafetyCore
from supervisor.safety.decision import Decision
from supervisor.safety.inputs import GuardInputs
from supervisor.safety.restart import LatchMemory

LOADED = load_robot(Path(__file__).resolve().parents[2] / "config/robots/pup")
ROBOT = LOADED.config
SAFETY = LOADED.safety
PERIOD_S = ROBOT.control_period_s
COUNT = len(ROBOT.order)
REST, DEFAULT = ROBOT.vector("rest_rad"), ROBOT.vector("default_rad")
KP, KD = ROBOT.vector("kp_nm_per_rad"), ROBOT.vector("kd_nm_s_per_rad")
LOW, HIGH = ROBOT.position_minimum_rad, ROBOT.position_maximum_rad
SPEED, TORQUE = ROBOT.vector("velocity_rad_per_s"), ROBOT.vector("torque_nm")
ZEROS = np.zeros(COUNT)
ON = np.full(COUNT, int(MotorStatus.ENABLED))
TIGHT = GateConfig(0.05, 0.5, 0.6, 0.4, "for the test")
START_S = 1000.0
TILTED = {
    "gravity_in_base": np.array([0.0, 0.75, -0.66]),
    "acceleration_base_in_base_m_per_s2": 9.81 * np.array([0.0, -0.75, 0.66]),
}
OFF = {Drive.DISABLE, Drive.POLL}
"""What is sent to motors that are to stay off."""


def make_imu(now_s: float, **changes: object) -> ImuReading:
    reading = ImuReading(
        np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81]), np.array([0.0, 0.0, -1.0]),
        now_s, 0, 0, False,
    )  # fmt: skip
    return replace(reading, **changes)


def make_state(now_s: float = START_S, cycle: int = 0, **changes: object) -> RobotState:
    state = RobotState(
        ROBOT.order, now_s, cycle, REST.copy(), ZEROS.copy(), ZEROS.copy(), np.full(COUNT, 40.0),
        np.full(COUNT, now_s), np.full(COUNT, int(MotorStatus.DISABLED)), np.zeros(COUNT, np.int64),
        make_imu(now_s), BaseVelocity(np.zeros(3), now_s),
    )  # fmt: skip
    return replace(state, **changes)


def measured(position: np.ndarray = DEFAULT, status: np.ndarray = ON) -> RobotState:
    """A robot that stands somewhere, its motors on unless told otherwise."""
    return make_state(position_rad=np.array(position), motor_status=status)


def make_inputs(now_s: float = START_S) -> GuardInputs:
    """Inputs with which every guard is OK."""
    inputs = GuardInputs.of(ROBOT)
    make_healthy(inputs)
    inputs.now_s = now_s
    inputs.state = make_state(now_s)
    return inputs


def make_healthy(inputs: GuardInputs) -> None:
    inputs.inventory = tuple(DeviceReport(name, "can0", True, (), {}) for name in ROBOT.order)
    inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = inputs.operator_link_age_s = inputs.bus_loss = 0.0
    inputs.guardian_age_s = 0.0
    inputs.recorder_ok = inputs.hashes_match = True
    inputs.emergency_stop = False


def make_command(position: object = DEFAULT, kp: object = KP, kd: object = KD) -> JointCommand:
    return JointCommand(np.array(position, dtype=float), ZEROS, np.array(kp, float), np.array(kd, float), ZEROS)


def make_output(now_s: float, tick: int = 0, **changes: object) -> MissionOutput:
    output = MissionOutput(
        tick, now_s, Proposal(make_command(), "test", "walk", tick, now_s), stage="walk", stage_limit_s=1e3,
        mission_limit_s=1e4, knobs=Knobs(1.0), policy=PolicyHealth(True, now_s, 0.001, 0.02), needs_motion=True,
    )  # fmt: skip
    return replace(output, **changes)


def make_row(identifier: str, limit: float, unit: str, **changes: object) -> GuardRow:
    row = GuardRow(identifier, limit, unit, 0.0, Persistence(1, 1), Level.DAMP, "operator", "for the test")
    return replace(row, **changes)


def with_rows(**changes: dict[str, object]) -> SafetyConfig:
    """The shipped safety file with some rows changed: with_rows(tilt={"level": Level.HOLD})."""
    rows = tuple(replace(row, **changes.get(row.id, {})) for row in SAFETY.guards)
    return replace(SAFETY, guards=rows)


class Bench:
    """Runs a safety core against a plant that does what it is told."""

    def __init__(self, safety: SafetyConfig = SAFETY, memory: LatchMemory | None = None) -> None:
        self.safety = safety
        self.core = SafetyCore(ROBOT, safety, memory=memory)
        self.inputs = self.core.inputs()
        make_healthy(self.inputs)
        self.cycle = 0
        self.position = REST.copy()
        self.status = np.full(COUNT, int(MotorStatus.DISABLED))
        self.state_changes: dict[str, object] = {}
        self.imu_changes: dict[str, object] = {}
        self.output_changes: dict[str, object] = {}
        self.target = DEFAULT.copy()
        self.is_mission_alive = True
        self.tamper: Callable[[GuardInputs], None] | None = None
        self.requests = 0
        self.output: MissionOutput | None = None
        self.drives: list[Drive] = []
        self.decision: Decision = self.step()

    @property
    def now_s(self) -> float:
        return START_S + self.cycle * PERIOD_S

    def state(self) -> RobotState:
        now_s = self.now_s
        state = make_state(now_s, self.cycle, position_rad=self.position.copy(), motor_status=self.status.copy())
        imu = make_imu(now_s, sequence=self.cycle, **self.imu_changes)
        return replace(state, imu=imu, **self.state_changes)

    def step(self, *actions: OperatorAction, request: Request | None = None) -> Decision:
        now_s = self.now_s
        if request is not None:
            self.requests += 1
        if self.is_mission_alive and (request is not None or self.cycle % 10 == 0):
            proposal = Proposal(make_command(self.target), "test", "walk", self.cycle, now_s)
            self.output = make_output(
                now_s, self.cycle, proposal=proposal, request=request, request_number=self.requests,
            )  # fmt: skip
            self.output = replace(self.output, **self.output_changes)
        output, self.inputs.state = self.output, self.state()
        if self.tamper is not None:
            self.inputs.now_s, self.inputs.output = now_s, output
            self.tamper(self.inputs)
            output = self.inputs.output
        self.decision = self.core.step(self.inputs, actions, output, now_s)
        self.drives.append(self.decision.actuation.drive)
        self.obey()
        self.cycle += 1
        return self.decision

    def obey(self) -> None:
        actuation = self.decision.actuation
        if actuation.drive is Drive.ENABLE:
            self.status[:] = MotorStatus.ENABLED
        elif actuation.drive is Drive.DISABLE:
            self.status[:] = MotorStatus.DISABLED
        elif actuation.drive is Drive.COMMAND:
            stiff = (actuation.command.kp_nm_per_rad > 0.0) & (self.status == MotorStatus.ENABLED)
            self.position = np.where(stiff, actuation.command.position_rad, self.position)

    def run(self, duration_s: float) -> list[Decision]:
        return [self.step() for _ in range(round(duration_s / PERIOD_S))]

    def until(self, arming: ArmingState, limit_s: float = 3.0) -> Decision:
        for _ in range(round(limit_s / PERIOD_S)):
            if self.step().arming is arming:
                return self.decision
        raise AssertionError(f"never {arming}: {self.decision.arming} {self.decision.refusals} {self.decision.stop}")

    def until_at_rest(self, limit_s: float = 120.0) -> Decision:
        for _ in range(round(limit_s / PERIOD_S)):
            if self.step().is_at_rest:
                return self.decision
        raise AssertionError(f"never at rest: {self.decision.arming} {self.decision.stop}")

    def drilled(self) -> Bench:
        self.run(0.02)
        self.step(request=Request.DRILL)
        self.until(ArmingState.DISARMED)
        assert self.decision.drill is not None
        assert self.decision.drill.passed, self.decision.drill.problems
        return self

    def armed(self) -> Bench:
        self.drilled()
        self.step(OperatorAction.ARM)
        self.until(ArmingState.ARMED)
        return self

    def running(self) -> Bench:
        self.armed()
        self.press(OperatorAction.START)
        assert self.decision.arming is ArmingState.RUNNING, self.decision.refusals
        self.run(0.1)
        return self

    def press(self, *actions: OperatorAction) -> Decision:
        return self.step(*actions)


def drives(decisions: Sequence[Decision]) -> set[Drive]:
    return {decision.actuation.drive for decision in decisions}


def failed(bench: Bench) -> tuple[str, ...]:
    """The problems of a drill that is reported as not passed, and never off."""
    drill = bench.decision.drill
    assert isinstance(drill, DrillReport)
    assert drill.passed is False
    assert math.isnan(drill.off_after_s)
    return drill.problems
