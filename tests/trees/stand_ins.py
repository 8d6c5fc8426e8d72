"""A robot of two joints, its ports and a control loop, all mocked, to tick leaves and whole missions against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.exchange import (
    DeviceReport,
    DrillReport,
    GateCounts,
    MissionOutput,
    PolicyHealth,
    Request,
    Snapshot,
    Stop,
)
from supervisor.core.guard import GuardBoard, GuardReading, GuardRow, Persistence
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction, Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.ports import Prompt
from supervisor.core.report import Criterion, CriterionResult
from supervisor.core.robot import (
    CanBusConfig,
    ImuConfig,
    JointConfig,
    MotorConfig,
    RobotConfig,
    SerialBusConfig,
)
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.core.velocity import Velocity, VelocityAsk
from trees.context import MissionContext
from trees.motion import Motion

TICK_S = 0.02


def joint(identifier: int) -> JointConfig:
    motor = MotorConfig("damiao", "DM8009", "can0", identifier, identifier + 16)
    return JointConfig(motor, 1, 0.0, 1.0, (-1.0, 1.0), 18.0, 20.0, 35.0, 0.8, 0.4, 0.0)


def make_robot(rest_support: str = "ground") -> RobotConfig:
    return RobotConfig(
        schema=1,
        name="duo",
        safety="duo.yaml",
        control_hz=500.0,
        motor_timeout_s=0.1,
        buses={
            "can0": CanBusConfig("can", "socketcan", "can0", 1_000_000),
            "imu0": SerialBusConfig("serial", "tty", 921600),
        },
        joints={"hip": joint(1), "knee": joint(2)},
        imu=ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)),
        estimator="none",
        rest_support=rest_support,  # type: ignore[arg-type]
    )


def make_row(guard: str = "tilt", level: Level = Level.DAMP) -> GuardRow:
    return GuardRow(guard, 0.6, "rad", 0.1, Persistence(1, 1), level, "operator", "a test's number")


def make_reading(
    guard: str = "tilt",
    value: GuardValue = GuardValue.OK,
    *,
    tripped: bool = False,
    level: Level = Level.DAMP,
    measured: float = 0.1,
) -> GuardReading:
    return GuardReading(guard, value, measured, 0.6, "rad", -1, tripped, level, float("nan"))


def make_board(*readings: GuardReading) -> GuardBoard:
    readings = readings or (make_reading(),)
    return GuardBoard(readings, max((r.level for r in readings if r.tripped), default=Level.NONE))


def make_command(position_rad: Vector | None = None) -> JointCommand:
    zero = np.zeros(2)
    return JointCommand(zero if position_rad is None else position_rad, zero, zero + 35.0, zero + 0.8, zero)


def make_state(robot: RobotConfig, now_s: float = 0.0) -> RobotState:
    zero = np.zeros(2)
    imu = ImuReading(np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), np.array([0, 0, -1.0]), now_s, 1, 0, False)
    return RobotState(
        order=robot.order,
        now_s=now_s,
        cycle=0,
        position_rad=zero,
        velocity_rad_per_s=zero,
        torque_nm=zero,
        temperature_degc=zero + 30.0,
        motor_stamp_s=zero + now_s,
        motor_status=np.array([2, 2]),
        fault_code=np.array([0, 0]),
        imu=imu,
        base_velocity=BaseVelocity(np.zeros(3), now_s),
    )


def make_snapshot(robot: RobotConfig | None = None, **changes: object) -> Snapshot:
    snapshot = Snapshot(
        state=make_state(robot or make_robot()),
        board=make_board(),
        level=Level.NONE,
        arming=ArmingState.RUNNING,
        refusals=(),
        stop=None,
        is_at_rest=False,
        applied=make_command(),
        inventory=(),
        drill=None,
        gate=GateCounts(),
        buses={},
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


def make_stop(level: Level = Level.DAMP, *, planned: bool = False, guard: str = "tilt") -> Stop:
    return Stop(level, guard, 0.7, 0.6, "rad", 1.0, 1.0, "stand", planned=planned)


class FakePolicy:
    """A policy whose targets are half a radian times the gain; may refuse or raise."""

    def __init__(self, period_s: float = TICK_S, names: tuple[str, ...] = ("vx_m_per_s", "vy_m_per_s")) -> None:
        self.period_s = period_s
        self.command_names = names
        self.command_range = (np.array([-0.5, -0.2][: len(names)]), np.array([1.0, 0.4][: len(names)]))
        self.health = PolicyHealth(period_s=period_s)
        self.is_usable = True
        self.error: Exception | None = None
        self.resets = 0
        self.steps: list[tuple[float, Vector, float]] = []

    def reset(self) -> None:
        self.resets += 1

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        if self.error is not None:
            raise self.error
        self.steps.append((now_s, command.copy(), action_gain))
        return make_command(np.full(2, 0.4 + 0.5 * action_gain)) if self.is_usable else None


class FakeJudge:
    """Measures what the test says; `script` answers a stage's successive judgements."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {"tilt_max_rad": 0.1}
        self.script: dict[str, list[float]] = {}
        self.begun: list[str] = []
        self.labels: list[str] = []
        self.commands: list[Vector | None] = []
        self.healths: list[PolicyHealth] = []
        self.error: Exception | None = None
        self.plan = MovePlan(
            (Move("hip", 0.2, Support.GANTRY), Move("knee", -0.1, Support.LOWERED)), 0.1, 0.1, 0.2, 0.1, 0.1, 0.1
        )

    def move_plan(self) -> MovePlan:
        return self.plan

    def begin(self, stage: str, kind: str, now_s: float) -> None:
        self.begun.append(stage)
        script = self.script.get(stage)
        self.values["tilt_max_rad"] = script.pop(0) if script else 0.1

    def sample(self, snapshot: Snapshot, health: PolicyHealth, command: Vector | None, label: str) -> None:
        if self.error is not None:
            raise self.error
        self.labels.append(label)
        self.commands.append(command)
        self.healths.append(health)

    def metrics(self) -> Mapping[str, float]:
        return self.values

    def judge(self, criteria: Sequence[Criterion]) -> tuple[CriterionResult, ...]:
        values = [self.values.get(c.metric, float("nan")) for c in criteria]
        return tuple(
            CriterionResult(c.metric, c.op, c.limit, v, c.accepts(v)) for c, v in zip(criteria, values, strict=True)
        )


class FakeOperator:
    """Answers every prompt in the tick after it was asked, unless told to stay silent or to raise."""

    kind = "auto"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.is_silent = False
        self.error: Exception | None = None
        self.pressed: list[OperatorAction] = []

    def ask(self, prompt: Prompt) -> None:
        if self.error is not None:
            raise self.error
        if prompt.key not in [known.key for known in self.asked]:
            self.asked.append(prompt)
            if not self.is_silent:
                self.pressed.append(prompt.action)

    def answered(self, key: str) -> bool:
        return not self.is_silent and key in [prompt.key for prompt in self.asked]


class FakePilot:
    """Asks what a test says, now or so long ago."""

    def __init__(self, bench: Bench, *velocity: float) -> None:
        self.bench = bench
        self.velocity = Velocity(*velocity)
        self.age_s = 0.0
        self.absence = ""
        self.error: Exception | None = None

    def asked(self, later_s: float = 0.0) -> VelocityAsk | None:
        if self.error is not None:
            raise self.error
        return VelocityAsk(self.velocity, self.bench.now_s + later_s - self.age_s, "command", self.absence)


class Bench:
    """One mission's context with its mocked ports; ticks a leaf or a tree at 50 Hz."""

    def __init__(self, rest_support: str = "ground") -> None:
        self.robot = make_robot(rest_support)
        self.policy = FakePolicy()
        self.judge = FakeJudge()
        self.operator = FakeOperator()
        self.context = MissionContext(self.robot, self.policy, self.judge, self.operator)
        self.motion = Motion(self.context)
        self.now_s = 0.0
        self.changes: dict[str, object] = {}
        self.outputs: list[MissionOutput] = []

    def tick(self, node: object, ticks: int = 1, **changes: object) -> str:
        """Tick; `changes` to the snapshot stay for later ticks. Returns the node's status in lower case."""
        self.changes |= changes
        for _ in range(ticks):
            snapshot = make_snapshot(self.robot, **self.changes)
            snapshot = replace(snapshot, state=replace(snapshot.state, now_s=self.now_s))
            self.context.begin_tick(snapshot, self.now_s)
            for _node in node.tick():  # type: ignore[attr-defined]
                pass
            self.outputs.append(self.context.take_output())
            self.now_s += TICK_S
        return node.status.value.lower()  # type: ignore[attr-defined]

    def tick_to_end(self, node: object, ticks: int) -> str:
        """Tick until the node is no longer running, or so many times."""
        for _ in range(ticks):
            if (status := self.tick(node)) != "running":
                return status
        return "running"

    def run(self, node: object, limit_s: float, **changes: object) -> float:
        """Tick until the node is no longer running; returns how long that took in seconds."""
        began_s = self.now_s
        while self.tick(node, **changes) == "running":
            assert self.now_s - began_s < limit_s, f"still running after {limit_s} s"
        return self.now_s - TICK_S - began_s


class FakeControl:
    """Just enough of the control loop to take a whole mission through: arming, requests, rest."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.arming = ArmingState.DISARMED
        self.stop: Stop | None = None
        self.is_at_rest = False
        self.board = make_board()
        self.inventory: tuple[DeviceReport, ...] = ()
        self.drill: DrillReport | None = None
        self.requests: list[Request] = []
        self.stages: list[str] = []
        self.devices: tuple[DeviceReport, ...] = (DeviceReport("hip", "can0", True, (), {}),)
        self._seen = 0

    def step(self, root: object) -> None:
        level = self.stop.level if self.stop else Level.NONE
        self.bench.tick(
            root, arming=self.arming, stop=self.stop, level=level, is_at_rest=self.is_at_rest, board=self.board,
            inventory=self.inventory, drill=self.drill,
        )  # fmt: skip
        output = self.bench.outputs[-1]
        if output.stage and (not self.stages or self.stages[-1] != output.stage):
            self.stages.append(output.stage)
        if output.request_number > self._seen and output.request is not None:
            self._seen = output.request_number
            self._take(output.request)
        for action in self.bench.operator.pressed:
            if action is OperatorAction.ARM and self.stop is None:
                self.arming = ArmingState.ARMED
            elif action is OperatorAction.START and self.arming is ArmingState.ARMED:
                self.arming = ArmingState.RUNNING
        self.bench.operator.pressed.clear()

    def _take(self, request: Request) -> None:
        self.requests.append(request)
        if request is Request.INVENTORY:
            self.inventory = self.devices
        elif request is Request.DRILL:
            self.drill = DrillReport(True, (), 0.05)
        elif request is Request.SETTLE:
            self.stop = make_stop(Level.SETTLE, planned=True, guard="mission")
            self.arming = ArmingState.STOPPED
            self.is_at_rest = True

    def run(self, root: object, limit_s: float = 900.0) -> None:
        while not self.bench.context.is_finished:
            self.step(root)
            assert self.bench.now_s < limit_s, f"mission still {self.bench.context.stage} after {limit_s} s"
