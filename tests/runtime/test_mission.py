"""The mission loop ticks a tree, and survives one that breaks."""

from __future__ import annotations

import logging

import py_trees
import pytest
from py_trees.common import Status

from supervisor.core.exchange import Knobs, Request
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.mission import MissionCore
from tests.trees.stand_ins import Bench, make_command, make_snapshot
from trees.context import MissionContext
from trees.values import MissionResult, StageHead

HEAD = StageHead("stand", "stand", Knobs(), 10.0, True, {}, ())


class Root(py_trees.behaviour.Behaviour):
    """A tree of one node that does what the test says."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("root")
        self.context = context
        self.ticks = 0
        self.ends = 0
        self.error: Exception | None = None
        self.end_error: Exception | None = None

    def update(self) -> Status:
        self.ticks += 1
        if self.error is not None:
            raise self.error
        self.context.propose(make_command(), "test")
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        self.ends += 1
        if self.end_error is not None:
            raise self.end_error


class Loop:
    """A mission loop around that tree."""

    def __init__(self) -> None:
        self.context = Bench().context
        self.root = Root(self.context)
        self.link = MemoryLink()
        self.core = MissionCore(self.root, self.context, self.link)


@pytest.fixture
def loop() -> Loop:
    """A loop that has seen a snapshot."""
    loop = Loop()
    loop.link.post_snapshot(make_snapshot())
    return loop


def test_it_waits_for_the_first_snapshot() -> None:
    loop = Loop()
    assert loop.core.tick(0.0) is None
    assert (loop.root.ticks, loop.link.output()) == (0, None)


def test_a_tick_posts_what_the_tree_wishes(loop: Loop) -> None:
    output = loop.core.tick(0.5)
    assert output is loop.link.output()
    assert output is not None
    assert (output.tick, output.stamp_s) == (1, 0.5)
    assert output.proposal is not None
    assert output.proposal.stamp_s == 0.5
    assert loop.core.context is loop.context


def test_a_finished_mission_is_not_ticked_but_goes_on_to_say_that_it_lives(loop: Loop) -> None:
    loop.core.tick(0.0)
    loop.context.finish(MissionResult.COMPLETED)
    output = loop.core.tick(0.02)
    assert loop.root.ticks == 1
    assert output is not None
    assert (output.tick, output.stamp_s, output.proposal) == (2, 0.02, None)


def test_a_tree_that_raises_asks_for_settle_and_is_never_ticked_again(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    loop.core.tick(0.0)
    loop.context.enter_stage(HEAD)
    loop.root.error = ValueError("no such joint")
    output = loop.core.tick(0.02)
    assert output is not None
    assert (output.request, output.request_number, output.proposal, output.stage) == (Request.SETTLE, 1, None, "")
    assert loop.core.failure == "ValueError: no such joint"
    assert loop.context.result is MissionResult.INTERRUPTED
    (report,) = loop.context.reports
    assert (report.name, report.outcome) == ("stand", "interrupted")
    assert [fault.kind for fault in loop.context.faults] == ["exception"]
    assert loop.root.ends == 1
    loop.root.error = None
    later = loop.core.tick(0.04)
    assert later is not None
    assert (loop.root.ticks, later.request_number, later.proposal) == (2, 1, None)


def test_stopping_ends_the_running_leaf_once_also_one_that_raises(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    loop.core.tick(0.0)
    loop.root.end_error = RuntimeError("will not end")
    loop.core.stop()
    assert loop.root.ends == 1
    output = loop.link.output()
    assert output is not None
    assert output.request is None
