"""The stand-in answers as a person would: after a while, the gantry first, each question once."""

from __future__ import annotations

import pytest

from supervisor.core.levels import OperatorAction, Support
from supervisor.core.ports import Prompt
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.operator import REACTION_S, AutoOperator

ARM = Prompt("arm/1", "arm the robot", OperatorAction.ARM)
LOWER = Prompt("lower/1", "lower the robot", OperatorAction.CONFIRM, Support.LOWERED)


class Hoist:
    """A gantry that takes its time."""

    def __init__(self) -> None:
        self.moves: list[Support] = []
        self.support_reached = False

    def set_support(self, support: Support) -> None:
        self.moves.append(support)


class Bench:
    """A stand-in and everything around it."""

    def __init__(self) -> None:
        self.link = MemoryLink()
        self.hoist = Hoist()
        self.answers: list[tuple[Prompt, float]] = []
        self.operator = AutoOperator(self.link, self.hoist, lambda prompt, now_s: self.answers.append((prompt, now_s)))

    def presses(self, now_s: float) -> list[OperatorAction]:
        """Tick, and what reached the control loop."""
        self.operator.tick(now_s)
        return list(self.link.take_actions())


def test_it_answers_after_its_reaction_time_and_not_before() -> None:
    bench = Bench()
    bench.operator.tick(1.0)
    bench.operator.ask(ARM)
    assert bench.presses(1.0 + REACTION_S - 0.02) == []
    assert not bench.operator.answered("arm/1")
    assert bench.presses(1.0 + REACTION_S + 1e-9) == [OperatorAction.ARM]
    assert bench.operator.answered("arm/1")
    assert bench.answers == [(ARM, 1.0 + REACTION_S + 1e-9)]


def test_a_question_that_is_asked_in_every_tick_is_answered_once() -> None:
    bench = Bench()
    pressed: list[OperatorAction] = []
    for tick in range(50):
        bench.operator.ask(ARM)
        pressed += bench.presses(tick * 0.02)
    assert pressed == [OperatorAction.ARM]
    assert len(bench.answers) == 1
    assert bench.answers[0][1] == pytest.approx(REACTION_S)


def test_the_same_press_under_another_key_is_another_press() -> None:
    bench = Bench()
    bench.operator.ask(ARM)
    bench.operator.ask(Prompt("arm/2", "again", OperatorAction.ARM))
    assert bench.presses(REACTION_S) == [OperatorAction.ARM, OperatorAction.ARM]


def test_the_support_moves_first_and_once_and_the_answer_waits_for_it() -> None:
    bench = Bench()
    bench.operator.ask(LOWER)
    assert bench.presses(REACTION_S - 0.01) == []
    assert bench.hoist.moves == []
    for tick in range(5):
        assert bench.presses(REACTION_S + 0.02 * tick) == []
    assert bench.hoist.moves == [Support.LOWERED]
    assert not bench.operator.answered("lower/1")
    bench.hoist.support_reached = True
    bench.presses(REACTION_S + 1.0)
    assert bench.operator.answered("lower/1")
    assert bench.hoist.moves == [Support.LOWERED]


def test_a_confirmation_is_the_missions_alone_and_reaches_no_control_loop() -> None:
    bench = Bench()
    bench.operator.ask(Prompt("confirm/1", "go on?", OperatorAction.CONFIRM))
    assert bench.presses(REACTION_S) == []
    assert bench.operator.answered("confirm/1")


def test_a_press_with_a_support_is_posted_when_the_support_is_reached() -> None:
    bench = Bench()
    bench.hoist.support_reached = True
    bench.operator.ask(Prompt("start/1", "set it down and start", OperatorAction.START, Support.GROUND))
    assert bench.presses(REACTION_S) == [OperatorAction.START]
    assert bench.hoist.moves == [Support.GROUND]


def test_it_is_named_in_the_record_and_knows_no_question_that_was_not_asked() -> None:
    assert AutoOperator.kind == "auto"
    assert not Bench().operator.answered("never/1")


class Person:
    """Takes offers up when told."""

    kind = "person"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.taken = ""

    def ask(self, prompt: Prompt) -> None:
        self.asked.append(prompt)

    def answered(self, key: str) -> bool:
        return key == self.taken


OFFER = Prompt("steer/1", "confirm to end", OperatorAction.CONFIRM, is_offer=True)


def test_an_offer_is_left_to_a_person() -> None:
    person = Person()
    operator = AutoOperator(MemoryLink(), Hoist(), lambda prompt, now_s: None, person)
    operator.ask(OFFER)
    operator.ask(ARM)
    operator.tick(100.0)
    assert person.asked == [OFFER]
    assert not operator.answered("steer/1")
    person.taken = "steer/1"
    assert operator.answered("steer/1")


def test_an_offer_to_nobody_is_never_taken_up() -> None:
    bench = Bench()
    bench.operator.ask(OFFER)
    assert bench.presses(100.0) == []
    assert not bench.operator.answered("steer/1")
