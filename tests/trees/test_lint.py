"""One test per shape that does not withhold motion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from py_trees import decorators
from py_trees.behaviour import Behaviour
from py_trees.behaviours import Success
from py_trees.common import OneShotPolicy, ParallelPolicy
from py_trees.composites import Composite, Parallel, Selector, Sequence

from tests.trees.stand_ins import Bench, make_row
from trees.actions.ending import SafeBranch, Wait
from trees.actions.poses import MoveToPose
from trees.conditions.guards import GuardIsOk
from trees.conditions.state import NoStopLatched
from trees.lint import lint, path_of, walk


class Kit:
    """Fresh nodes for a tree."""

    def __init__(self) -> None:
        self.bench = Bench()

    def guard(self, name: str = "tilt") -> Behaviour:
        return GuardIsOk(make_row(name), 0, self.bench.context)

    def latch(self) -> Behaviour:
        return NoStopLatched(self.bench.context)

    def mover(self) -> Behaviour:
        return MoveToPose(1.0, self.bench.context, self.bench.motion)

    def wait(self) -> Behaviour:
        return Wait(1.0, self.bench.context)

    def safe(self) -> Behaviour:
        return SafeBranch(self.bench.context)

    def guarded(self, action: Behaviour) -> Sequence:
        return Sequence("guarded", memory=False, children=[self.latch(), self.guard(), action])

    def mission(self, action: Behaviour) -> Behaviour:
        return Selector("mission", memory=False, children=[self.guarded(action), self.safe()])


class OwnComposite(Sequence):
    pass


def no_memory(node: Composite) -> Composite:
    node.memory = None  # type: ignore[attr-defined]
    return node


def doubly_owned(kit: Kit) -> Behaviour:
    child = kit.wait()
    first = Sequence("first", memory=True, children=[child])
    Sequence("second", memory=True, children=[kit.wait()]).children.append(child)
    child.parent = None
    return first


D = decorators
SHAPES: dict[str, tuple[Callable[[Kit], Behaviour], str]] = {
    "parallel as a guard": (
        lambda k: k.mission(Parallel("p", ParallelPolicy.SuccessOnAll(), children=[k.guard(), k.wait()])),
        "Parallel as a guard",
    ),
    "parallel over a mover": (
        lambda k: k.mission(Parallel("p", ParallelPolicy.SuccessOnAll(), children=[k.mover(), k.wait()])),
        "Parallel over a leaf that proposes",
    ),
    "success on one": (
        lambda k: k.mission(Parallel("p", ParallelPolicy.SuccessOnOne(), children=[k.wait()])),
        "SuccessOnOne succeeds while a guard fails",
    ),
    "memory above a guard": (
        lambda k: Sequence("s", memory=True, children=[k.latch(), k.guard(), k.mover()]),
        "memory=True asks its guards once only",
    ),
    "memory above the reactive guards": (
        lambda k: Sequence("top", memory=True, children=[k.wait(), k.guarded(k.mover())]),
        "proposes commands with no guard above it",
    ),
    "mover without guards": (
        lambda k: Selector("mission", memory=False, children=[k.mover(), k.safe()]),
        "proposes commands with no guard above it",
    ),
    "mover with a guard but no latch": (
        lambda k: Sequence("s", memory=False, children=[k.guard(), k.mover()]),
        "proposes commands with no guard above it",
    ),
    "mover with a latch but no guard": (
        lambda k: Sequence("s", memory=False, children=[k.latch(), k.mover()]),
        "proposes commands with no guard above it",
    ),
    "guard after the mover": (
        lambda k: Sequence("s", memory=False, children=[k.latch(), k.mover(), k.guard()]),
        "a guard after an action is asked too late",
    ),
    "guards reached only after another choice": (
        lambda k: Selector("m", memory=False, children=[k.wait(), k.guarded(k.mover())]),
        "the safe branch stands before the mission",
    ),
    "guard as a choice": (
        lambda k: k.mission(Selector("s", memory=True, children=[k.guard(), k.mover()])),
        "a guard as one choice of a Selector",
    ),
    "safe branch first": (
        lambda k: Selector("m", memory=False, children=[k.safe(), k.guarded(k.mover())]),
        "the safe branch stands before the mission",
    ),
    "eternal guard": (
        lambda k: D.EternalGuard("d", k.mover(), condition=lambda: True),
        "takes RUNNING and INVALID for yes",
    ),
    "failure is success": (lambda k: D.FailureIsSuccess("d", k.guard()), "turns a failed guard into a passed one"),
    "failure is running": (lambda k: D.FailureIsRunning("d", k.guard()), "turns a failed guard into a waiting one"),
    "running is success": (lambda k: D.RunningIsSuccess("d", k.wait()), "turns a waiting leaf into a finished one"),
    "running is failure": (lambda k: D.RunningIsFailure("d", k.wait()), "ends a leaf that is still busy"),
    "success is running": (lambda k: D.SuccessIsRunning("d", k.wait()), "keeps a finished leaf alive"),
    "success is failure": (lambda k: D.SuccessIsFailure("d", k.guard()), "turns a passed guard into a failed one"),
    "inverter": (lambda k: D.Inverter("d", k.guard()), "turns a failed guard into a passed one"),
    "retry over a guard": (lambda k: D.Retry("d", k.guard(), 3), "Retry over a guard asks until it says yes"),
    "repeat over a guard": (lambda k: D.Repeat("d", k.guard(), 3), "Repeat over a guard asks until it says yes"),
    "one shot": (lambda k: D.OneShot("d", k.wait(), OneShotPolicy.ON_COMPLETION), "cannot be reset"),
    "timeout": (lambda k: D.Timeout("d", k.wait(), 1.0), "looks only after its child's tick"),
    "empty sequence": (lambda k: k.mission(Sequence("s", memory=True, children=[])), "Sequence without children"),
    "empty selector": (lambda k: k.mission(Selector("s", memory=True, children=[])), "Selector without children"),
    "same name twice": (
        lambda k: k.mission(Sequence("s", memory=True, children=[k.wait(), k.wait()])),
        "2 children called 'Wait'",
    ),
    "foreign leaf": (lambda k: k.mission(Success("s")), "Success is not one of our leaves"),
    "own composite": (
        lambda k: k.mission(OwnComposite("s", memory=True, children=[k.wait()])),
        "OwnComposite is not a stock composite",
    ),
    "memory not set": (
        lambda k: k.mission(no_memory(Sequence("s", memory=True, children=[k.wait()]))),
        "memory of this Sequence is not set",
    ),
    "child with another parent": (doubly_owned, "has another parent"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_refuses(shape: str) -> None:
    make, text = SHAPES[shape]
    problems = lint(make(Kit()))
    assert [problem for problem in problems if text in problem] != []


def test_accepts_the_shape_of_our_missions() -> None:
    kit = Kit()
    ladder = Sequence("ladder", memory=True, children=[kit.mover(), kit.wait()])
    assert lint(kit.mission(ladder)) == []


def test_accepts_memory_below_the_reactive_guards() -> None:
    kit = Kit()
    inner = Sequence("stage", memory=True, children=[kit.wait(), kit.mover()])
    assert lint(kit.mission(Selector("rung", memory=True, children=[inner]))) == []


def test_names_the_path_of_the_node() -> None:
    kit = Kit()
    problems = lint(kit.mission(Sequence("nothing", memory=True, children=[])))
    assert problems[0].startswith("mission/guarded/nothing: ")


def test_walks_every_node_once() -> None:
    kit = Kit()
    root = kit.mission(kit.mover())
    assert [path_of(node) for node in walk(root)] == [
        "mission",
        "mission/guarded",
        "mission/guarded/NoStopLatched",
        "mission/guarded/IsUpright",
        "mission/guarded/MoveToPose",
        "mission/SafeBranch",
    ]
