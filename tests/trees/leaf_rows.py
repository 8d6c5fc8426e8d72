"""What every leaf does, tick by tick: success, slow, refused, faulty and raising, against mocked ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from supervisor.core.exchange import DeviceReport, DrillReport, Knobs
from supervisor.core.guard import GuardBoard
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction, Support
from supervisor.core.report import Criterion
from supervisor.core.velocity import COMMANDS
from tests.trees.stand_ins import Bench, FakePilot, make_board, make_reading, make_row, make_stop
from trees.actions.dwell import Dwell
from trees.actions.ending import EndMission, SafeBranch, Settle, Wait
from trees.actions.operator import Arm, AskOperator, ChangeSupport, Confirm, Start
from trees.actions.policy import RunPolicy, WatchPolicy, WatchSensors
from trees.actions.poses import HoldPose, MoveToPose, SingleJointMoves
from trees.actions.preflight import RunDrill, TakeInventory
from trees.actions.steering import SteerPolicy
from trees.base import Leaf
from trees.conditions.guards import GuardIsOk
from trees.conditions.state import (
    IsArmed,
    IsMissionOpen,
    IsRunning,
    NoStopLatched,
    StageIsPassed,
    SupportIs,
)
from trees.missions.schema import Duration, Segment, SteeringSpec
from trees.stages.parts import EnterStage, JudgeStage
from trees.values import MissionResult, StageHead

CRITERION = Criterion("tilt_max_rad", "<=", 0.2, "a test's number")
HEAD = StageHead("stand", "stand", Knobs(), 10.0, True, {}, (CRITERION,))

Change = Callable[[Bench], object]
Step = tuple[int, dict[str, object] | Change, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is done to the ports, for how many ticks, and the status after the last of them."""

    case: str
    make: Callable[[Bench], Leaf]
    steps: list[Step]
    says: str = ""
    fault: str = ""
    open_stage: bool = True


@dataclass(slots=True)
class Table:
    rows: list[Row] = field(default_factory=list[Row])

    def add(self, case: str, make: Callable[[Bench], Leaf], *steps: Step, **more: object) -> None:
        self.rows.append(Row(case, make, list(steps), **more))  # type: ignore[arg-type]


def dwell(minimum_s: float = 0.1, maximum_s: float = 0.1, stable_s: float | None = None) -> Dwell:
    return Dwell(Duration(minimum_s, maximum_s, stable_s), (CRITERION,))


def put(target: str, name: str, value: object) -> Change:
    """A change to a mocked port: `put("judge", "error", ValueError())`."""
    return lambda bench: setattr(getattr(bench, target), name, value)


def silence(bench: Bench) -> None:
    bench.operator.is_silent = True


def raising(port: str) -> Change:
    return put(port, "error", OSError("wire cut"))


RUNNING, ARMED, DISARMED = ArmingState.RUNNING, ArmingState.ARMED, ArmingState.DISARMED
CHECKING, STOPPED = ArmingState.CHECKING, ArmingState.STOPPED
WIRE_CUT = "OSError: wire cut"


def report(*problems: str, answered: bool = True) -> DeviceReport:
    return DeviceReport("hip", "can0", answered, problems, {})


TABLE = Table()

# Operator
ask = lambda b: AskOperator("Ask", "Do it.", OperatorAction.CONFIRM, b.context, b.motion)  # noqa: E731
TABLE.add("success", ask, (1, {}, "success"))
TABLE.add(
    "slow", ask, (1, silence, "running"), (100, {}, "running"), (1, put("operator", "is_silent", False), "success")
)
TABLE.add("raising", ask, (1, raising("operator"), "failure"), fault=WIRE_CUT)

confirm = lambda b: Confirm("rollout", b.context, b.motion)  # noqa: E731
TABLE.add("success", confirm, (1, {}, "success"))
TABLE.add("slow", confirm, (50, silence, "running"), says="operator: Confirm to begin rollout.")
TABLE.add("raising", confirm, (1, raising("operator"), "failure"), fault=WIRE_CUT)

change = lambda b: ChangeSupport(Support.LOWERED, b.context, b.motion)  # noqa: E731
TABLE.add("success", change, (1, {}, "success"))
TABLE.add(
    "there already", change, (1, lambda b: (silence(b), put("context", "support", Support.LOWERED)(b)), "success")
)
TABLE.add("slow", change, (50, silence, "running"), says="operator: Lower the robot until its feet carry")
TABLE.add("raising", change, (1, raising("operator"), "failure"), fault=WIRE_CUT)

arm = lambda b: Arm(b.context, b.motion)  # noqa: E731
TABLE.add("success", arm, (2, {"arming": DISARMED}, "running"), (1, {"arming": ARMED}, "success"))
TABLE.add("running already", arm, (1, lambda b: (silence(b), b.changes.update(arming=RUNNING)), "success"))
TABLE.add("slow", arm, (2, {"arming": DISARMED}, "running"), (500, {"arming": CHECKING}, "running"))
TABLE.add("never armed", arm, (800, {"arming": CHECKING}, "failure"), says="still checking after 15.0 s")
TABLE.add(
    "refused", arm, (5, {"arming": DISARMED}, "running"),
    (20, {"arming": DISARMED, "refusals": ("tilt is violated", "no drill yet")}, "failure"),
    says="refused: tilt is violated; no drill yet",
)  # fmt: skip
TABLE.add(
    "nobody there", arm, (1, lambda b: (silence(b), b.changes.update(arming=DISARMED)), "running"), (500, {}, "running")
)
TABLE.add(
    "raising",
    arm,
    (1, lambda b: (raising("operator")(b), b.changes.update(arming=DISARMED)), "failure"),
    fault=WIRE_CUT,
)

begin = lambda b: Start(b.context, b.motion)  # noqa: E731
TABLE.add("success", begin, (2, {"arming": ARMED}, "running"), (1, {"arming": RUNNING}, "success"))
TABLE.add("slow", begin, (200, {"arming": ARMED}, "running"))
TABLE.add(
    "refused",
    begin,
    (20, {"arming": DISARMED, "refusals": ("start came too late",)}, "failure"),
    says="start came too late",
)
TABLE.add("stopped", begin, (20, {"arming": STOPPED}, "failure"), says="refused: the robot is stopped")
TABLE.add(
    "raising", begin, (1, lambda b: (raising("operator")(b), b.changes.update(arming=ARMED)), "failure"), fault=WIRE_CUT
)

# Preflight
inventory = lambda b: TakeInventory(b.context)  # noqa: E731
TABLE.add("success", inventory, (3, {}, "running"), (5, {"inventory": (report(),)}, "success"))
TABLE.add("an old answer does not count", inventory, (5, {"inventory": (report(),)}, "running"))
TABLE.add("slow", inventory, (450, {}, "running"))
TABLE.add("never", inventory, (510, {}, "failure"), says="no inventory after 10.0 s, allowed: 10 s")
TABLE.add(
    "faulty",
    inventory,
    (8, {"inventory": (report("TMAX is 10 N·m, expected 28"),)}, "failure"),
    says="hip on can0: TMAX",
)
TABLE.add(
    "silent device",
    inventory,
    (8, {"inventory": (report(answered=False),)}, "failure"),
    says="hip on can0: does not answer",
)
TABLE.add("while devices are set up nothing is measured", inventory, (5, raising("judge"), "running"))
TABLE.add(
    "raising", inventory, (3, raising("judge"), "running"), (5, {"inventory": (report(),)}, "failure"), fault=WIRE_CUT
)

drill = lambda b: RunDrill(b.context)  # noqa: E731
TABLE.add("success", drill, (3, {}, "running"), (5, {"drill": DrillReport(True, (), 0.03)}, "success"))
TABLE.add("slow", drill, (450, {}, "running"))
TABLE.add("never", drill, (510, {}, "failure"), says="no drill report after 10.0 s")
TABLE.add(
    "faulty",
    drill,
    (8, {"drill": DrillReport(False, ("hip never enabled",), 0.1)}, "failure"),
    says="hip never enabled",
)
TABLE.add("raising", drill, (1, raising("judge"), "failure"), fault=WIRE_CUT)

watch = lambda b: WatchSensors(dwell(), b.context)  # noqa: E731
TABLE.add("success", watch, (5, {}, "running"), (1, {}, "success"))
TABLE.add("raising", watch, (1, raising("judge"), "failure"), fault=WIRE_CUT)
TABLE.add(
    "a latching guard stands tripped",
    watch,
    (5, {"board": make_board(make_reading(value=GuardValue.VIOLATED, tripped=True, measured=0.7))}, "running"),
    (1, {}, "failure"),
    says="guard tilt: 0.7 of 0.6 rad",
)
TABLE.add(
    "a guard that only warns stands tripped",
    watch,
    (5, {"board": make_board(make_reading(value=GuardValue.VIOLATED, tripped=True, level=Level.WARN))}, "running"),
    (1, {}, "success"),
)

think = lambda b: WatchPolicy(dwell(), b.context)  # noqa: E731
TABLE.add("success", think, (5, {"arming": DISARMED}, "running"), (1, {}, "success"))
TABLE.add("unusable output is measured, not judged here", think, (5, put("policy", "is_usable", False), "running"))
TABLE.add("raising", think, (1, raising("policy"), "failure"), fault=WIRE_CUT)

TABLE.add(
    "the one before does not count",
    drill,
    (20, {"drill": DrillReport(True, (), 0.03), "arming": CHECKING}, "running"),
    (1, {"drill": DrillReport(False, ("hip stays on",), 0.1), "arming": DISARMED}, "failure"),
    says="hip stays on",
)

# Motion
move = lambda b: MoveToPose(1.0, b.context, b.motion)  # noqa: E731
# 0.4 rad at 1 rad/s peak on a minimum-jerk path takes 0.75 s: 38 ticks.
TABLE.add("success", move, (38, {}, "running"), (1, {}, "success"))
TABLE.add(
    "refused",
    move,
    (3, {}, "running"),
    (1, {"arming": STOPPED}, "failure"),
    says="the robot is stopped, needed: running",
)
TABLE.add("faulty", move, (1, raising("judge"), "failure"), fault=WIRE_CUT)
hold = lambda b: HoldPose(dwell(), b.context, b.motion)  # noqa: E731
TABLE.add("success", hold, (55, {}, "running"), (1, {}, "success"))
TABLE.add("refused", hold, (1, {"arming": DISARMED}, "failure"), says="the robot is disarmed")
TABLE.add("raising", hold, (1, raising("judge"), "failure"), fault=WIRE_CUT)
single = lambda b: SingleJointMoves(Support.GANTRY, b.context, b.motion)  # noqa: E731
# Settle, baseline, out, hold, measure, back, rest: 0.9 s.
TABLE.add("success", single, (45, {}, "running"), (1, {}, "success"))
TABLE.add("refused", single, (9, {}, "running"), (1, {"arming": STOPPED}, "failure"), says="the robot is stopped")
TABLE.add("raising", single, (1, raising("judge"), "failure"), fault=WIRE_CUT)
drive = lambda b: RunPolicy(0.5, dwell(), (), b.context, b.motion)  # noqa: E731
TABLE.add("success", drive, (55, {}, "running"), (1, {}, "success"))
TABLE.add("refused", drive, (5, {}, "running"), (1, {"arming": STOPPED}, "failure"), says="the robot is stopped")
TABLE.add("unusable output is the guards' business", drive, (9, put("policy", "is_usable", False), "running"))
TABLE.add("raising", drive, (1, raising("policy"), "failure"), fault=WIRE_CUT)
wrong = lambda b: RunPolicy(1.0, dwell(), (Segment("up", {"climb": 1.0}, 2.0),), b.context, b.motion)  # noqa: E731
TABLE.add("unknown command", wrong, (1, {}, "failure"), fault="ValueError: the policy has no command climb")

SPEC = SteeringSpec(2.0, 2.0, 2.0, 0.3)


def steer(bench: Bench, maximum_s: float = 0.2) -> SteerPolicy:
    bench.policy.command_names = COMMANDS
    bench.policy.command_range = (np.array([-0.5, -0.2, -1.0]), np.array([1.0, 0.4, 1.0]))
    bench.context.pilot = FakePilot(bench)
    return SteerPolicy(0.5, Duration(0.1, maximum_s), SPEC, bench.context, bench.motion)


# Hand over for 1 s; 0.2 s of steering, of which the operator's answer ends the second half; stand for 2 s.
TABLE.add("success", steer, (155, {}, "running"), (1, {}, "success"))
TABLE.add("nobody answers", steer, (1, silence, "running"), (159, {}, "running"), (1, {}, "success"))
TABLE.add("refused", steer, (60, {}, "running"), (1, {"arming": STOPPED}, "failure"), says="the robot is stopped")
TABLE.add("unusable output is the guards' business", steer, (60, put("policy", "is_usable", False), "running"))
TABLE.add("raising", steer, (1, raising("policy"), "failure"), fault=WIRE_CUT)
TABLE.add(
    "raising pilot", steer, (55, lambda b: setattr(b.context.pilot, "error", OSError("wire cut")), "failure"),
    fault=WIRE_CUT,
)  # fmt: skip

# Ending
settle = lambda b: Settle(b.context)  # noqa: E731
TABLE.add("success", settle, (5, {}, "running"), (1, {"is_at_rest": True, "arming": STOPPED}, "success"))
TABLE.add("an older rest does not count", settle, (3, {"is_at_rest": True}, "running"))
TABLE.add("nothing to settle", settle, (1, {"arming": DISARMED}, "success"))
TABLE.add("disarmed on the way", settle, (3, {"arming": CHECKING}, "running"), (4, {"arming": DISARMED}, "success"))
TABLE.add("slow", settle, (2900, {}, "running"))
TABLE.add("never", settle, (3010, {}, "failure"), says="not at rest after 60.0 s, allowed: 60 s")
TABLE.add("raising", settle, (1, put("judge", "metrics", None), "running"))
TABLE.add(
    "raising while measured",
    settle,
    (1, lambda b: (b.context.begin_measuring(), put("judge", "metrics", None)(b)), "failure"),
    fault="TypeError",
)
TABLE.add("success", lambda b: EndMission(MissionResult.COMPLETED, b.context), (1, {}, "success"))
TABLE.add("success", lambda b: Wait(0.1, b.context), (5, {}, "running"), (1, {}, "success"))
safe = lambda b: SafeBranch(b.context)  # noqa: E731
TABLE.add("stays", safe, (1, {}, "running"), (100, {"stop": make_stop(), "level": Level.DAMP}, "running"))

# Stages
TABLE.add("success", lambda b: EnterStage(HEAD, b.context), (1, {}, "success"))
judge = lambda b: JudgeStage(HEAD, b.context)  # noqa: E731
TABLE.add("success", judge, (1, lambda b: b.context.begin_measuring(), "success"))
TABLE.add(
    "refused",
    judge,
    (1, lambda b: (b.context.begin_measuring(), b.judge.values.update(tilt_max_rad=0.3)), "failure"),
    says="tilt_max_rad 0.3 > 0.2",
)
TABLE.add(
    "not measured",
    judge,
    (1, lambda b: (b.context.begin_measuring(), b.judge.values.clear()), "failure"),
    says="tilt_max_rad was not measured",
)
TABLE.add("never begun", judge, (1, {}, "failure"), says="nothing was measured")
TABLE.add("no stage", judge, (1, {}, "failure"), says="no stage is open", open_stage=False)

# Conditions
guard = lambda b: GuardIsOk(make_row("tilt"), 0, b.context)  # noqa: E731
tripped = make_reading(value=GuardValue.VIOLATED, tripped=True, measured=0.7)
TABLE.add("ok", guard, (1, {}, "success"))
TABLE.add(
    "violated, not yet long enough",
    guard,
    (1, {"board": make_board(make_reading(value=GuardValue.VIOLATED))}, "success"),
)
TABLE.add("tripped", guard, (1, {"board": make_board(tripped)}, "failure"), says="tilt 0.7 rad > 0.6")
TABLE.add("ok again", guard, (1, {"board": make_board(tripped)}, "failure"), (1, {"board": make_board()}, "success"))
TABLE.add(
    "stale",
    guard,
    (1, {"board": make_board(make_reading(value=GuardValue.STALE, tripped=True))}, "failure"),
    says="tilt is stale",
)
TABLE.add(
    "error",
    guard,
    (1, {"board": make_board(make_reading(value=GuardValue.ERROR, tripped=True))}, "failure"),
    says="tilt is error",
)
TABLE.add(
    "not evaluated",
    guard,
    (1, {"board": make_board(make_reading(value=GuardValue.NOT_EVALUATED, tripped=True))}, "failure"),
    says="tilt is not evaluated",
)
TABLE.add(
    "missing",
    guard,
    (1, {"board": make_board(make_reading("base_angular_rate"))}, "failure"),
    says="tilt is not on the board",
)
TABLE.add("empty board", guard, (1, {"board": GuardBoard((), Level.NONE)}, "failure"), says="tilt is not on the board")
TABLE.add("elsewhere on the board", guard, (1, {"board": make_board(make_reading("imu_age"), tripped)}, "failure"))
TABLE.add("limits only", guard, (1, {"board": make_board(make_reading(tripped=True, level=Level.LIMIT))}, "success"))
TABLE.add("motors off", guard, (1, {"board": make_board(tripped), "arming": DISARMED}, "success"))
TABLE.add("faulty", guard, (1, {"board": None}, "failure"), fault="AttributeError")
latch = lambda b: NoStopLatched(b.context)  # noqa: E731
TABLE.add("ok", latch, (1, {}, "success"))
TABLE.add("stopped", latch, (1, {"stop": make_stop()}, "failure"), says="DAMP latched by tilt: 0.7 rad > 0.6")
TABLE.add("held", latch, (1, {"stop": make_stop(Level.HOLD)}, "failure"))
TABLE.add("planned end", latch, (1, {"stop": make_stop(Level.SETTLE, planned=True), "level": Level.SETTLE}, "success"))
TABLE.add("level without a stop", latch, (1, {"level": Level.CUT}, "failure"), says="level CUT is in force")
TABLE.add("held without a stop", latch, (1, {"level": Level.HOLD}, "failure"), says="level HOLD is in force")
TABLE.add("limiting", latch, (1, {"level": Level.LIMIT}, "success"))
TABLE.add("faulty", latch, (1, {"level": None}, "failure"), fault="TypeError")
TABLE.add("open", lambda b: IsMissionOpen(b.context), (1, {}, "success"))
TABLE.add(
    "over", lambda b: IsMissionOpen(b.context), (1, lambda b: b.context.finish(MissionResult.COMPLETED), "failure")
)
for state, answer in (
    (DISARMED, "failure"),
    (CHECKING, "failure"),
    (ARMED, "success"),
    (RUNNING, "success"),
    (STOPPED, "failure"),
):
    TABLE.add(state.value, lambda b: IsArmed(b.context), (1, {"arming": state}, answer))
for state, answer in (
    (DISARMED, "failure"),
    (CHECKING, "failure"),
    (ARMED, "failure"),
    (RUNNING, "success"),
    (STOPPED, "failure"),
):
    TABLE.add(state.value, lambda b: IsRunning(b.context), (1, {"arming": state}, answer))
on_gantry = lambda b: SupportIs(Support.GANTRY, b.context)  # noqa: E731
TABLE.add("nowhere", on_gantry, (1, {}, "failure"))
TABLE.add("there", on_gantry, (1, put("context", "support", Support.GANTRY), "success"))
TABLE.add("elsewhere", on_gantry, (1, put("context", "support", Support.GROUND), "failure"))
TABLE.add("not yet", lambda b: StageIsPassed("stand", b.context), (1, {}, "failure"))
TABLE.add(
    "passed", lambda b: StageIsPassed("stand", b.context), (1, lambda b: b.context.passed.add("stand"), "success")
)
