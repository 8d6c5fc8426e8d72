from __future__ import annotations

from types import SimpleNamespace

import pytest

from supervisor.core.exchange import Stop
from supervisor.core.levels import Level, OperatorAction
from supervisor.core.ports import Prompt
from supervisor.runtime.inherited import AGAIN_S, InheritedStop

NAN = float("nan")
STOP = Stop(Level.CUT, "tilt", 0.8, 0.7, "rad", 0.0, 0.0, "walk", further=("imu_age",), inherited=True)


class Person:
    kind = "terminal"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.done: set[str] = set()

    def ask(self, prompt: Prompt) -> None:
        self.asked.append(prompt)

    def answered(self, key: str) -> bool:
        return key in self.done


def seen(stop: Stop | None, *, is_at_rest: bool = True) -> SimpleNamespace:
    return SimpleNamespace(stop=stop, is_at_rest=is_at_rest)


@pytest.mark.parametrize(
    "stop", [None, Stop(Level.CUT, "tilt", 0.8, 0.7, "rad", 0.0, 0.0, "walk"),
             Stop(Level.TERMINAL, "unfinished_run", NAN, NAN, "", 0.0, 0.0, "", inherited=True)],
    ids=["none", "of this run", "terminal"],
)  # fmt: skip
def test_what_needs_no_reset_or_has_none_holds_nothing_up(stop: Stop | None) -> None:
    person = Person()
    assert not InheritedStop(person).holds(seen(stop), 1.0)
    assert person.asked == []


def test_the_reset_is_asked_for_once_with_the_cause() -> None:
    person = Person()
    inherited = InheritedStop(person)
    for cycle in range(100):
        assert inherited.holds(seen(STOP), cycle * 0.1)
    (prompt,) = person.asked
    assert prompt.action is OperatorAction.RESET
    assert "tilt, imu_age in stage walk" in prompt.text


def test_it_is_not_asked_for_before_the_motors_are_off() -> None:
    person = Person()
    assert InheritedStop(person).holds(seen(STOP, is_at_rest=False), 1.0)
    assert person.asked == []


def test_a_reset_that_was_refused_is_asked_for_again() -> None:
    person = Person()
    inherited = InheritedStop(person)
    inherited.holds(seen(STOP), 1.0)
    person.done.add(person.asked[0].key)
    inherited.holds(seen(STOP), 1.0 + 0.9 * AGAIN_S)
    assert len(person.asked) == 1
    inherited.holds(seen(STOP), 1.0 + AGAIN_S)
    assert len({prompt.key for prompt in person.asked}) == 2
