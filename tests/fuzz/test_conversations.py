"""Every make's twin says something worth to be damaged."""

from __future__ import annotations

import pytest

from drivers.registry import MOTOR_MAKES
from tests.fuzz.conversations import answers
from tests.fuzz.devices import motors_of


@pytest.mark.parametrize("name", MOTOR_MAKES)
def test_a_twin_answers_the_inventory_and_commands(name: str) -> None:
    motors = motors_of(name, MOTOR_MAKES[name])
    said = answers(name, motors)
    assert len(said) >= 5
    assert len(set(said)) == len(said)
    assert {frame.stamp_s for frame in said} == {0.0}
    assert said == answers(name, motors)


def test_nothing_is_known_of_a_make_without_a_twin() -> None:
    assert answers("nobody's", motors_of("damiao", MOTOR_MAKES["damiao"])) == []
