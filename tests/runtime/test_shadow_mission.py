"""A mission on a robot that it does not move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.core.clock import VirtualClock
from supervisor.core.exchange import Stop
from supervisor.core.levels import Level, OperatorAction, Support
from supervisor.runtime.locate import find_mission
from supervisor.runtime.preparation import prepare
from supervisor.runtime.shadow_mission import (
    RESET_PERIOD_S,
    Bystander,
    Pardon,
    as_shadow,
    shadow_mission,
    stop_that_would_be,
)
from supervisor.runtime.shadow_port import shadow_safety
from tests.trees.stand_ins import make_board, make_reading, make_snapshot, make_stop
from trees.missions.loader import load_mission


def test_no_stage_is_judged_by_how_somebody_else_moves_the_robot() -> None:
    mission = load_mission(find_mission("deployment"), None)
    shown = shadow_mission(mission)
    assert {stage.accept for stage in shown.stages} == {()}
    assert [stage.name for stage in shown.stages] == [stage.name for stage in mission.stages]


def test_a_shadow_judges_with_guards_that_need_no_power_and_without_a_signature() -> None:
    prepared = prepare("pup", "pup_walk", "deployment", VirtualClock())
    assert prepared.signature is not None
    shown = as_shadow(prepared)
    assert shown.signature is None
    assert shown.robot == replace(prepared.robot, safety=shadow_safety(prepared.robot.safety))
    assert shown.mission == shadow_mission(prepared.mission)


def test_a_bystander_moves_nothing_and_waits_for_nothing() -> None:
    bystander = Bystander()
    bystander.set_support(Support.GROUND)
    assert bystander.support_reached


@pytest.mark.parametrize(
    ("stop", "would_be"),
    [
        (None, False),
        (make_stop(), True),
        (make_stop(Level.HOLD), True),
        (make_stop(planned=True), False),
        (make_stop(Level.CUT, guard="operator"), False),
    ],
)
def test_what_somebody_asked_for_is_no_stop_of_a_guard(stop: Stop | None, would_be: bool) -> None:
    assert stop_that_would_be(make_snapshot(stop=stop)) is (stop if would_be else None)


class Presses:
    """Keeps what was pressed."""

    def __init__(self) -> None:
        self.actions: list[OperatorAction] = []

    def post_action(self, action: OperatorAction) -> None:
        self.actions.append(action)


@pytest.mark.parametrize(
    ("level", "presses"),
    [
        (Level.HOLD, [OperatorAction.RESET, OperatorAction.START]),
        (Level.SETTLE, [OperatorAction.RESET]),
        (Level.DAMP, [OperatorAction.RESET]),
        (Level.CUT, [OperatorAction.RESET]),
    ],
)
def test_a_stop_that_would_have_been_is_reset_as_often_as_a_person_could(
    level: Level, presses: list[OperatorAction]
) -> None:
    link = Presses()
    pardon = Pardon(link)
    snapshot = make_snapshot(stop=make_stop(level))
    assert pardon.look(snapshot, 10.0)
    assert link.actions == presses
    assert pardon.look(snapshot, 10.0 + 0.9 * RESET_PERIOD_S)
    assert link.actions == presses
    assert pardon.look(snapshot, 10.0 + RESET_PERIOD_S)
    assert link.actions == presses * 2


def test_nobody_resets_before_the_cause_is_gone() -> None:
    link = Presses()
    pardon = Pardon(link)
    snapshot = make_snapshot(stop=make_stop(), board=make_board(make_reading(tripped=True)))
    assert snapshot.board.level.latches
    assert pardon.look(snapshot, 10.0)
    assert link.actions == []
    assert pardon.look(make_snapshot(stop=make_stop()), 10.02)
    assert link.actions == [OperatorAction.RESET]


@pytest.mark.parametrize(
    "stop", [None, make_stop(Level.TERMINAL), make_stop(planned=True), make_stop(Level.CUT, guard="operator")]
)
def test_what_is_terminal_or_was_asked_for_is_not_reset(stop: Stop | None) -> None:
    link = Presses()
    assert not Pardon(link).look(make_snapshot(stop=stop), 10.0)
    assert link.actions == []
