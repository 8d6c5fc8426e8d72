from __future__ import annotations

import pytest

from supervisor.core.errors import DeviceError
from supervisor.runtime.workbench.zero import Answer, set_zero
from tests.drivers.sim.fitted import fitted
from tests.runtime.workbench.benches import bench_of


class Person:
    """Answers as told, and remembers the questions."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []

    def __call__(self, text: str) -> Answer:
        self.heard.append(text)
        return self.answers.pop(0)


def test_the_zero_is_set_where_the_joint_stands_and_read_back() -> None:
    person = Person(Answer.AGAIN, Answer.SET)
    with bench_of() as bench:
        result = set_zero(bench, "fl_thigh", person)
    assert result.was_set
    assert abs(result.before_rad) > 0.2
    assert abs(result.after_rad) < 0.01
    assert len(person.heard) == 2
    assert f"{result.before_rad:+.2f}" in person.heard[0]


def test_nothing_is_set_when_the_person_leaves() -> None:
    with bench_of() as bench:
        assert not set_zero(bench, "fl_thigh", Person(Answer.LEAVE)).was_set
        assert abs(bench.step().position_rad[1]) > 0.2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "motor_silent", "joints": ["fl_thigh"]}, "does not answer: see handrail scan"),
        ({"kind": "motor_fault", "joints": ["fl_thigh"], "code": "OVER_CURRENT"}, "reports OVER_CURRENT"),
    ],
)
def test_a_motor_that_is_not_off_and_healthy_is_refused(fault: dict[str, object], expected: str) -> None:
    with bench_of(fault) as bench, pytest.raises(DeviceError, match=expected):
        set_zero(bench, "fl_thigh", Person(Answer.SET))


def test_a_joint_that_moves_is_refused() -> None:
    push = {"kind": "push", "force_n": [200.0, 0.0, 0.0], "at": {"stage": "start", "after_s": 0.1}, "for_s": 0.3}
    with bench_of(push) as bench, pytest.raises(DeviceError, match=r"moved .* hold it still"):
        set_zero(bench, "fl_thigh", Person(Answer.SET))


def test_a_joint_that_is_not_there_is_refused() -> None:
    with bench_of() as bench, pytest.raises(DeviceError, match="no joint 'knee'"):
        set_zero(bench, "knee", Person(Answer.SET))


def test_a_make_whose_zero_cannot_be_set_gets_an_offset_to_write_down() -> None:
    robot = fitted("myactuator")
    with bench_of(robot=robot) as bench:
        result = set_zero(bench, "fl_thigh", Person())
    assert not result.was_set
    assert f"offset_rad: {result.before_rad:.4f}" in result.advice
