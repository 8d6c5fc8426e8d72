"""Whatever goes wrong inside a leaf becomes FAILURE and a named fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from py_trees.common import Status

from tests.trees.stand_ins import Bench
from trees.base import Condition, Leaf
from trees.context import MissionContext


class Scripted(Leaf):
    """Does what the test says."""

    def __init__(self, context: MissionContext, update: Callable[[], object]) -> None:
        super().__init__("Scripted", context)
        self.do = update
        self.calls: list[str] = []
        self.breaks = ""

    def initialise(self) -> None:
        self.calls.append("initialise")
        self.break_in("initialise")

    def update(self) -> Status:
        self.calls.append("update")
        return self.do()  # type: ignore[return-value]

    def terminate(self, new_status: Status) -> None:
        self.calls.append(f"terminate {new_status.value}")
        self.break_in("terminate")

    def break_in(self, place: str) -> None:
        if self.breaks == place:
            raise KeyError(place)


def raises() -> object:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("update", "kind", "text"),
    [
        (raises, "exception", "ZeroDivisionError: by zero"),
        (lambda: None, "bad_result", "returned None, allowed: RUNNING, SUCCESS or FAILURE"),
        (lambda: True, "bad_result", "returned True"),
        (lambda: "SUCCESS", "bad_result", "returned 'SUCCESS'"),
        (lambda: Status.INVALID, "bad_result", "returned <Status.INVALID"),
    ],
)
def test_a_bad_update_is_a_failure_with_a_named_fault(update: Callable[[], object], kind: str, text: str) -> None:
    bench = Bench()
    leaf = Scripted(bench.context, update)
    assert bench.tick(leaf) == "failure"
    fault = bench.context.faults[0]
    assert (fault.leaf, fault.kind) == ("Scripted", kind)
    assert text in fault.text
    assert text in leaf.feedback_message
    assert leaf.calls == ["initialise", "update", "terminate FAILURE"]


def test_a_raising_initialise_is_a_failure_and_update_is_not_called() -> None:
    bench = Bench()
    leaf = Scripted(bench.context, lambda: Status.RUNNING)
    leaf.breaks = "initialise"
    assert bench.tick(leaf) == "failure"
    assert leaf.calls == ["initialise", "terminate FAILURE"]


def test_a_raising_terminate_neither_raises_nor_keeps_the_leaf_running() -> None:
    bench = Bench()
    leaf = Scripted(bench.context, lambda: Status.RUNNING)
    bench.tick(leaf)
    leaf.breaks = "terminate"
    leaf.stop(Status.INVALID)
    assert leaf.status is Status.INVALID
    assert bench.context.faults[0].text == "terminate: KeyError: 'terminate'"


def test_a_leaf_that_goes_on_is_begun_once_and_ended_once() -> None:
    bench = Bench()
    answers = [Status.RUNNING, Status.RUNNING, Status.SUCCESS]
    leaf = Scripted(bench.context, lambda: answers.pop(0))
    assert bench.tick(leaf, 3) == "success"
    assert leaf.calls == ["initialise", "update", "update", "update", "terminate SUCCESS"]


@pytest.mark.parametrize(("took_s", "status"), [(0.019, "running"), (0.021, "failure")])
def test_a_missed_deadline_is_a_failure(took_s: float, status: str) -> None:
    bench = Bench()
    clock = [0.0]

    def slow() -> Status:
        clock[0] += took_s
        return Status.RUNNING

    bench.context.timer_s = lambda: clock[0]
    leaf = Scripted(bench.context, slow)
    assert bench.tick(leaf) == status
    assert [fault.kind for fault in bench.context.faults] == (["deadline"] if status == "failure" else [])


def test_a_leaf_may_be_given_more_time() -> None:
    bench = Bench()
    clock = [0.0]

    def slow() -> Status:
        clock[0] += 0.05
        return Status.RUNNING

    bench.context.timer_s = lambda: clock[0]
    leaf = Scripted(bench.context, slow)
    leaf.deadline_factor = 3.0
    assert bench.tick(leaf) == "running"


def test_the_first_failure_of_a_stage_is_its_reason() -> None:
    bench = Bench()
    first = Scripted(bench.context, lambda: first.fail("too hot"))
    second = Scripted(bench.context, raises)
    bench.tick(first)
    bench.tick(Scripted(bench.context, lambda: Status.FAILURE))
    assert bench.context.failure == "Scripted: too hot"
    bench.tick(second)
    assert bench.context.failure == "Scripted: ZeroDivisionError: by zero"


class Question(Condition):
    def __init__(self, context: MissionContext, answer: object) -> None:
        super().__init__("Question", context)
        self.answer = answer

    def update(self) -> Status:
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize("answer", [Status.RUNNING, Status.INVALID, None, True, 1])
def test_a_condition_answers_yes_or_no_and_everything_else_is_no(answer: object) -> None:
    bench = Bench()
    assert bench.tick(Question(bench.context, answer)) == "failure"
    assert bench.context.faults[0].kind == "bad_result"
