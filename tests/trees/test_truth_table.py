"""Whatever a guard answers, our composition withholds the action in the same tick, and stays safe afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from py_trees.behaviour import Behaviour
from py_trees.common import ParallelPolicy, Status
from py_trees.composites import Parallel, Selector, Sequence

from supervisor.core.levels import ArmingState, GuardValue, Level
from tests.trees.stand_ins import Bench, make_board, make_reading, make_row, make_stop
from trees.actions.ending import SafeBranch
from trees.base import Condition, Leaf
from trees.conditions.guards import GuardIsOk
from trees.conditions.state import IsMissionOpen, NoStopLatched
from trees.context import MissionContext
from trees.lint import lint
from trees.values import MissionResult, StageHead

GOOD_TICKS = 2
BAD_TICKS = 3


class ScriptedGuard(Condition):
    """Answers SUCCESS, and then whatever a test says: also what a guard must never answer."""

    def __init__(self, bad: Callable[[], object], context: MissionContext) -> None:
        super().__init__("ScriptedGuard", context)
        self.bad = bad
        self.is_good = True

    def update(self) -> Status:
        return Status.SUCCESS if self.is_good else self.bad()  # type: ignore[return-value]


class StockGuard(Behaviour):
    """The same without our base: what py_trees makes of it."""

    def __init__(self, bad: Callable[[], object]) -> None:
        super().__init__("StockGuard")
        self.bad = bad
        self.is_good = True

    def update(self) -> Status:
        return Status.SUCCESS if self.is_good else self.bad()  # type: ignore[return-value]


class Mover(Leaf):
    """Counts how often it was let move, and in which order it ended."""

    drives = True

    def __init__(self, context: MissionContext) -> None:
        super().__init__("Mover", context)
        self.updates = 0
        self.endings: list[Status] = []

    def update(self) -> Status:
        self.updates += 1
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        self.endings.append(new_status)


def raises() -> object:
    raise OSError("sensor unplugged")


OUTCOMES: dict[str, Callable[[], object]] = {
    "FAILURE": lambda: Status.FAILURE,
    "RUNNING": lambda: Status.RUNNING,
    "INVALID": lambda: Status.INVALID,
    "None": lambda: None,
    "False": lambda: False,
    "True": lambda: True,
    "raises": raises,
}


def ours(guard: Behaviour, mover: Mover, context: MissionContext) -> Behaviour:
    """The shape of every mission."""
    action = Selector("ladder or stop", memory=True, children=[Sequence("ladder", memory=True, children=[mover])])
    latch = [IsMissionOpen(context), NoStopLatched(context)]
    guarded = Sequence("guarded", memory=False, children=[*latch, guard, action])
    return Selector("mission", memory=False, children=[guarded, SafeBranch(context)])


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_our_composition_holds_for_every_answer_of_a_guard(outcome: str) -> None:
    bench = Bench()
    guard = ScriptedGuard(OUTCOMES[outcome], bench.context)
    mover = Mover(bench.context)
    root = ours(guard, mover, bench.context)
    bench.tick(root, GOOD_TICKS)
    assert mover.updates == GOOD_TICKS
    guard.is_good = False
    for _ in range(BAD_TICKS):
        bench.tick(root)
        assert mover.updates == GOOD_TICKS
        assert root.children[1].status is Status.RUNNING  # the safe branch, from the trip tick on
    assert mover.endings == [Status.INVALID]
    assert mover.status is Status.INVALID
    assert bool(bench.context.faults) == (outcome != "FAILURE")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_after_a_latched_stop_it_stays_safe_though_the_guard_recovers(outcome: str) -> None:
    bench = Bench()
    guard = ScriptedGuard(OUTCOMES[outcome], bench.context)
    mover = Mover(bench.context)
    root = ours(guard, mover, bench.context)
    bench.tick(root, GOOD_TICKS)
    guard.is_good = False
    bench.tick(root, arming=ArmingState.STOPPED, stop=make_stop(), level=Level.DAMP)
    guard.is_good = True
    bench.tick(root, 10)
    # Reset, armed and started again: this mission stays where it is.
    bench.tick(root, 10, arming=ArmingState.RUNNING, stop=None, level=Level.NONE)
    assert mover.updates == GOOD_TICKS
    assert bench.context.result is MissionResult.INTERRUPTED


VALUES = [value for value in GuardValue if value is not GuardValue.OK]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("level", [Level.HOLD, Level.SETTLE, Level.DAMP, Level.CUT, Level.TERMINAL])
def test_a_tripped_reading_of_any_kind_withholds_the_action(value: GuardValue, level: Level) -> None:
    bench = Bench()
    mover = Mover(bench.context)
    root = ours(GuardIsOk(make_row("tilt", level), 0, bench.context), mover, bench.context)
    bench.tick(root, GOOD_TICKS)
    bench.tick(root, BAD_TICKS, board=make_board(make_reading(value=value, tripped=True, level=level)))
    assert mover.updates == GOOD_TICKS


@pytest.mark.parametrize("board", [None, "nonsense", 7])
def test_a_board_that_is_none_withholds_the_action(board: object) -> None:
    bench = Bench()
    mover = Mover(bench.context)
    root = ours(GuardIsOk(make_row(), 0, bench.context), mover, bench.context)
    bench.tick(root, GOOD_TICKS)
    bench.tick(root, BAD_TICKS, board=board)
    assert mover.updates == GOOD_TICKS


def test_a_raising_safe_branch_still_ends_the_action() -> None:
    bench = Bench()
    guard = ScriptedGuard(OUTCOMES["FAILURE"], bench.context)
    mover = Mover(bench.context)
    root = ours(guard, mover, bench.context)
    bench.context.enter_stage(StageHead("s", "stand", bench.context.take_output().knobs, 1.0, True, {}, ()))
    bench.context.begin_measuring()
    bench.tick(root, GOOD_TICKS)
    guard.is_good = False
    bench.judge.metrics = raises  # type: ignore[assignment, method-assign]
    bench.tick(root, BAD_TICKS)
    assert mover.updates == GOOD_TICKS
    assert mover.status is Status.INVALID


STOCK_SHAPES: dict[str, Callable[[Behaviour, Mover], Behaviour]] = {
    "Sequence with memory": lambda g, m: Sequence("s", memory=True, children=[g, m]),
    "Parallel": lambda g, m: Parallel("p", ParallelPolicy.SuccessOnAll(), children=[g, m]),
    "Parallel not synchronised": lambda g, m: Parallel("p", ParallelPolicy.SuccessOnAll(synchronise=False), [g, m]),
}


@pytest.mark.parametrize("shape", STOCK_SHAPES)
@pytest.mark.parametrize("outcome", ["FAILURE", "RUNNING", "INVALID", "None", "False"])
def test_the_shapes_we_refuse_do_let_the_action_move(shape: str, outcome: str) -> None:
    bench = Bench()
    guard = StockGuard(OUTCOMES[outcome])
    mover = Mover(bench.context)
    root = STOCK_SHAPES[shape](guard, mover)
    bench.tick(root, GOOD_TICKS)
    guard.is_good = False
    bench.tick(root, BAD_TICKS)
    assert mover.updates > GOOD_TICKS
    assert lint(root) != []
