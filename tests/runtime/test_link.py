"""The link hands over the newest value of each side, and every press exactly once."""

from __future__ import annotations

from supervisor.core.exchange import MissionOutput
from supervisor.core.levels import OperatorAction
from supervisor.runtime.link import MemoryLink
from tests.trees.stand_ins import make_snapshot


def test_nothing_is_there_before_the_first_value() -> None:
    link = MemoryLink()
    assert link.snapshot() is None
    assert link.output() is None
    assert list(link.take_actions()) == []


def test_each_side_sees_the_newest_value_of_the_other_as_often_as_it_looks() -> None:
    link = MemoryLink()
    newest_snapshot, newest_output = make_snapshot(), MissionOutput(2, 0.02)
    for snapshot, output in ((make_snapshot(), MissionOutput(1, 0.0)), (newest_snapshot, newest_output)):
        link.post_snapshot(snapshot)
        link.post_output(output)
    assert [link.snapshot() is newest_snapshot, link.snapshot() is newest_snapshot] == [True, True]
    assert [link.output() is newest_output, link.output() is newest_output] == [True, True]


def test_a_press_is_taken_once_and_in_order() -> None:
    link = MemoryLink()
    presses = [OperatorAction.ARM, OperatorAction.START, OperatorAction.START]
    for press in presses:
        link.post_action(press)
    taken = link.take_actions()
    link.post_action(OperatorAction.CUT)
    assert list(taken) == presses
    assert list(link.take_actions()) == [OperatorAction.CUT]
    assert list(link.take_actions()) == []
