"""`handrail steer` asks again and again, says what came of it, and ends with a stand however it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from supervisor.cli import app
from supervisor.core.errors import LinkError
from supervisor.core.velocity import NEUTRAL, Velocity
from supervisor.runtime.inputs import steering_command
from supervisor.runtime.inputs.messages import Answer
from supervisor.runtime.inputs.steering_command import PERIOD_S, steer
from trees.missions.loader import load_mission

MISSIONS = Path(__file__).resolve().parents[3] / "config" / "missions"
WISH = Velocity(0.3, 0.0, -0.1)


def accept(number: int) -> Answer:
    return Answer("accepted", (f"told {number}",))


class Bench:
    """A supervisor, a clock and a terminal."""

    def __init__(
        self, answer: Callable[[int], Answer] = lambda number: Answer("accepted", (f"told {number}",))
    ) -> None:
        self.now_s = 100.0
        self.asked: list[Velocity] = []
        self.said: list[str] = []
        self.answer = answer

    def ask(self, velocity: Velocity, robot: str | None) -> Answer:
        assert robot == "pup"
        self.asked.append(velocity)
        return self.answer(len(self.asked))

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s

    def steer(self, seconds: float, velocity: Velocity = WISH) -> int:
        return steer(velocity, seconds, "pup", self.said.append, self.ask, lambda: self.now_s, self.sleep)


def test_a_wish_is_renewed_until_its_time_is_up_and_then_the_robot_stands() -> None:
    bench = Bench()
    assert bench.steer(0.95) == 0
    assert bench.asked == [WISH] * 10 + [NEUTRAL]
    assert bench.said == ["steer accepted: told 1", "steer accepted: told 10"]


def test_a_refusal_ends_it_and_is_said_once() -> None:
    bench = Bench(lambda number: Answer("refused", ("nobody steers just now",)))
    assert bench.steer(5.0) == 10
    assert bench.asked == [WISH, NEUTRAL]
    assert bench.said == ["steer refused: nobody steers just now"]


def test_a_refusal_on_the_way_is_said_and_gives_the_exit_code() -> None:
    bench = Bench(lambda number: Answer("accepted", ("told",)) if number < 4 else Answer("refused", ("let go",)))
    assert bench.steer(5.0) == 10
    assert bench.said == ["steer accepted: told", "steer refused: let go"]


def test_an_interrupt_lets_the_robot_stand() -> None:
    def answer(number: int) -> Answer:
        if number == 3:
            raise KeyboardInterrupt
        return Answer("accepted", ("told",))

    bench = Bench(answer)
    assert bench.steer(0.0) == 0
    assert bench.asked == [WISH, WISH, WISH, NEUTRAL]


def test_a_supervisor_that_goes_away_is_told_as_such() -> None:
    def answer(number: int) -> Answer:
        if number > 2:
            raise LinkError("the supervisor has gone away")
        return Answer("accepted")

    bench = Bench(answer)
    with pytest.raises(LinkError, match="has gone away"):
        bench.steer(5.0)
    assert bench.asked[-1] == NEUTRAL


@pytest.mark.parametrize(
    "velocity", [Velocity(float("nan")), Velocity(0.0, float("inf")), Velocity(0, 0, -float("inf"))]
)
def test_what_is_no_number_is_not_even_asked(velocity: Velocity) -> None:
    bench = Bench()
    assert bench.steer(1.0, velocity) == 2
    assert bench.asked == []
    assert "three finite numbers" in bench.said[0]


def test_the_command_asks_for_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def send(command: str, robot: str | None, velocity: Velocity) -> Answer:
        asked.append((command, robot, velocity))
        return Answer("refused", ("not centred",))

    monkeypatch.setattr(steering_command, "send", send)
    result = CliRunner().invoke(app, ["steer", "--forward", "0.3", "--left=-0.1", "--yaw", "0.5", "--robot", "pup"])
    assert (result.exit_code, result.stdout) == (10, "steer refused: not centred\n")
    assert asked[0] == ("steer", "pup", (0.3, -0.1, 0.5))
    assert asked[1] == ("steer", "pup", NEUTRAL)


def test_without_a_supervisor_it_says_what_to_do(folder: object) -> None:
    result = CliRunner().invoke(app, ["steer"])
    assert (result.exit_code, result.stdout) == (10, "")
    assert "no supervisor" in result.stderr


def test_two_wishes_in_a_row_may_be_lost_in_the_shipped_mission() -> None:
    steering = load_mission(MISSIONS / "teleoperation.yaml").stages[-1].steering
    assert steering is not None
    assert steering.maximum_age_s > 2.0 * PERIOD_S
