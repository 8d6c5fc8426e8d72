"""What is asked comes from sticks first, then keys, then commands, and says for how long it is good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.velocity import COMMANDS, NEUTRAL, Velocity, VelocityAsk
from supervisor.runtime.inputs.helm import COMMAND_S, FRESH_S, Helm, SteeredMission, steered_mission
from supervisor.runtime.inputs.messages import Answer
from tests.trees.stand_ins import FakePolicy
from trees.missions.loader import load_mission

MISSIONS = Path(__file__).resolve().parents[3] / "config" / "missions"
MISSION = SteeredMission(("drive",), Velocity(-0.3, -0.2, -0.5), Velocity(0.6, 0.2, 0.5))
CENTRED = (0.0, 0.0, 0.0)
WISH = Velocity(0.3, 0.0, 0.1)


class Bench:
    """A helm, what it says, and a mission that follows."""

    def __init__(self) -> None:
        self.said: list[VelocityAsk] = []
        self.told: VelocityAsk | None = VelocityAsk(NEUTRAL, 10.0)
        self.helm = Helm(MISSION, self.said.append, lambda: self.told)

    def tell(self, now_s: float, *, absence: str = "", gamepad: object = CENTRED, terminal: object = CENTRED) -> None:
        self.helm.tell(absence, gamepad, terminal, now_s)  # type: ignore[arg-type]

    def asked(self, now_s: float, **more: object) -> VelocityAsk:
        self.tell(now_s, **more)  # type: ignore[arg-type]
        return self.said[-1]


def test_where_nobody_asks_a_stand_is_asked_again_and_again() -> None:
    bench = Bench()
    assert [bench.asked(now_s) for now_s in (1.0, 1.02)] == [VelocityAsk(NEUTRAL, 1.0), VelocityAsk(NEUTRAL, 1.02)]


@pytest.mark.parametrize(
    ("fractions", "velocity"),
    [((1.0, 1.0, 1.0), (0.6, 0.2, 0.5)), ((-1.0, -1.0, -1.0), (-0.3, -0.2, -0.5)), ((0.5, 0.0, -0.1), (0.3, 0, -0.05))],
)
def test_a_stick_at_its_end_asks_for_all_that_the_policy_may_be_told(
    fractions: tuple[float, ...], velocity: tuple[float, ...]
) -> None:
    asked = Bench().asked(2.0, gamepad=fractions)
    assert asked.velocity == pytest.approx(velocity)
    assert (asked.source, asked.stamp_s) == ("gamepad", 2.0)


def test_sticks_come_before_keys_and_keys_before_commands() -> None:
    bench = Bench()
    bench.helm.command(WISH, 10.0)
    assert bench.asked(10.1).source == "command"
    assert bench.asked(10.1, terminal=(0.0, 0.5, 0.0)) == VelocityAsk(Velocity(0.0, 0.1, 0.0), 10.1, "terminal")
    assert bench.asked(10.1, terminal=(0.0, 0.5, 0.0), gamepad=(0.0, 0.0, 0.01)).source == "gamepad"


def test_a_command_is_as_old_as_it_is_and_ends_when_it_is_not_renewed() -> None:
    bench = Bench()
    assert bench.helm.command(WISH, 10.0).kind == "accepted"
    assert bench.asked(10.0 + COMMAND_S) == VelocityAsk(WISH, 10.0, "command")
    assert bench.asked(10.0 + COMMAND_S + 0.01) == VelocityAsk(NEUTRAL, 10.0 + COMMAND_S + 0.01)


def test_a_command_to_stand_does_not_age_so_that_the_robot_can_slow_down() -> None:
    bench = Bench()
    bench.helm.command(WISH, 10.0)
    bench.helm.command(NEUTRAL, 10.1)
    assert bench.asked(10.4) == VelocityAsk(NEUTRAL, 10.4)


def test_who_is_absent_is_said_to_be_with_whatever_is_asked() -> None:
    bench = Bench()
    asked = bench.asked(1.0, absence="the deadman is not held", gamepad=(1.0, 0.0, 0.0))
    assert asked.absence == "the deadman is not held"
    assert bench.asked(1.02, absence="the terminal was closed").absence == "the terminal was closed"


@pytest.mark.parametrize("age_s", [0.0, 0.9 * FRESH_S, -0.1])
def test_a_command_is_answered_by_what_the_policy_is_told(age_s: float) -> None:
    bench = Bench()
    bench.told = VelocityAsk(Velocity(0.12), 10.0 - age_s)
    answer = bench.helm.command(Velocity(9.0), 10.0)
    assert answer == Answer("accepted", (f"asked {Velocity(9.0)}, told {Velocity(0.12)}",))


@pytest.mark.parametrize("age_s", [1.1 * FRESH_S, -1.1 * FRESH_S, float("nan"), float("inf")])
def test_outside_a_stage_that_a_person_steers_a_command_is_refused_and_forgotten(age_s: float) -> None:
    bench = Bench()
    for told in (None, VelocityAsk(NEUTRAL, 10.0 - age_s)):
        bench.told = told
        assert bench.helm.command(WISH, 10.0) == Answer(
            "refused", ("nobody steers just now; a person steers in stage drive",)
        )
        assert bench.asked(10.02).velocity == NEUTRAL


def test_what_the_mission_would_not_follow_is_refused_with_its_reason_and_forgotten() -> None:
    bench = Bench()
    bench.told = VelocityAsk(NEUTRAL, 10.0, "gamepad", "not centred yet")
    assert bench.helm.command(WISH, 10.0) == Answer("refused", ("not centred yet",))
    bench.told = VelocityAsk(NEUTRAL, 10.02)
    assert bench.asked(10.02).velocity == NEUTRAL


def test_what_to_steer_is_read_from_mission_and_policy() -> None:
    policy = FakePolicy(names=("extra", *COMMANDS[::-1]))
    policy.command_range = (np.array([-9.0, -0.5, -0.2, -0.3]), np.array([9.0, 0.5, 0.2, 0.6]))
    mission = load_mission(MISSIONS / "teleoperation.yaml")
    assert steered_mission(mission, policy) == MISSION
    assert steered_mission(replace(mission, stages=mission.stages[:-1]), policy) is None
