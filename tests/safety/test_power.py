from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.state import MotorStatus
from supervisor.safety.power import (
    DRILL_OFF_DEADLINE_S,
    DRILL_ON_S,
    ENABLE_DEADLINE_S,
    Drill,
    PowerStep,
    PowerUp,
)
from tests.safety.bench import COUNT, PERIOD_S, ROBOT, make_state

ON, OFF = np.full(COUNT, 2), np.full(COUNT, 1)


def but(status: np.ndarray, joint: int, value: int) -> np.ndarray:
    changed = status.copy()
    changed[joint] = value
    return changed


def test_enable_is_sent_first_and_again_until_each_motor_confirms() -> None:
    power = PowerUp(ROBOT.order, 0.0)
    steps = [power.step(make_state(motor_status=but(ON, 3, 1)), cycle * PERIOD_S) for cycle in range(25)]
    assert [i for i, step in enumerate(steps) if step is PowerStep.ENABLE] == [0, 10, 20]
    assert set(steps) == {PowerStep.ENABLE, PowerStep.RELAX}
    assert power.step(make_state(motor_status=ON), 0.06) is PowerStep.DONE


def test_motors_that_are_on_already_are_enabled_all_the_same() -> None:
    assert PowerUp(ROBOT.order, 0.0).step(make_state(motor_status=ON), 0.0) is PowerStep.ENABLE


@pytest.mark.parametrize("status", [MotorStatus.DISABLED, MotorStatus.FAULT, MotorStatus.UNKNOWN])
def test_a_motor_that_does_not_come_on_is_named(status: MotorStatus) -> None:
    power = PowerUp(ROBOT.order, 0.0)
    assert power.step(make_state(motor_status=but(ON, 3, status)), ENABLE_DEADLINE_S + 0.01) is PowerStep.OFF
    assert len(power.problems) == 1
    assert ROBOT.order.names[3] in power.problems[0]
    assert status.name.lower() in power.problems[0]


class Plant:
    """Runs a drill; `stuck` motors ignore being switched off."""

    def __init__(self, stuck: tuple[int, ...] = (), torque_nm: float = 0.0, dead: tuple[int, ...] = ()) -> None:
        self.drill = Drill(ROBOT.order, ROBOT.vector("torque_nm"), 0.0)
        self.stuck, self.dead, self.torque_nm = stuck, dead, torque_nm
        self.status, self.steps = OFF.copy(), []

    def run(self, is_answering: bool = True) -> Plant:
        stamp = 0.0
        for cycle in range(1000):
            now_s = cycle * PERIOD_S
            stamp = now_s if is_answering or PowerStep.OFF not in self.steps else stamp
            torque = np.where(self.status == 2, 1.0, self.torque_nm)
            state = make_state(now_s, motor_status=self.status.copy(), torque_nm=torque)
            state = make_state(
                now_s, motor_status=self.status.copy(), torque_nm=torque, motor_stamp_s=np.full(COUNT, stamp)
            )
            step = self.drill.step(state, now_s)
            self.steps.append(step)
            if step is PowerStep.DONE:
                return self
            if step is PowerStep.ENABLE:
                self.status[:] = 2
                self.status[list(self.dead)] = 1
            if step is PowerStep.OFF:
                self.status[[i for i in range(COUNT) if i not in self.stuck]] = 1
        raise AssertionError("the drill never ended")


def test_a_drill_that_passes_had_the_motors_on_and_proves_them_off() -> None:
    plant = Plant().run()
    report = plant.drill.report
    assert report.passed
    assert report.problems == ()
    assert 0.0 < report.off_after_s <= 2 * PERIOD_S + 1e-9
    assert plant.steps.count(PowerStep.RELAX) == pytest.approx(DRILL_ON_S / PERIOD_S, abs=2)


def test_a_motor_that_stays_on_fails_the_drill() -> None:
    report = Plant(stuck=(5,)).run().drill.report
    assert not report.passed
    assert np.isnan(report.off_after_s)
    assert [ROBOT.order.names[5] in problem for problem in report.problems] == [True]


def test_a_torque_that_stays_fails_the_drill() -> None:
    report = Plant(torque_nm=1.01).run().drill.report
    assert len(report.problems) == COUNT
    assert Plant(torque_nm=0.99).run().drill.report.passed


def test_silence_is_no_proof() -> None:
    plant = Plant().run(is_answering=False)
    assert not plant.drill.report.passed
    assert plant.steps.count(PowerStep.OFF) == pytest.approx(DRILL_OFF_DEADLINE_S / PERIOD_S, abs=2)


def test_a_motor_that_never_came_on_fails_the_drill_although_it_is_off() -> None:
    report = Plant(dead=(2,)).run().drill.report
    assert not report.passed
    assert ROBOT.order.names[2] in report.problems[0]
