"""Switching on and the drill, at their deadlines and in their words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from supervisor.core.exchange import DrillReport
from supervisor.core.state import MotorStatus
from supervisor.safety.power import (
    DRILL_OFF_DEADLINE_S,
    DRILL_ON_S,
    ENABLE_AGAIN_S,
    ENABLE_DEADLINE_S,
    NO_TORQUE_FRACTION,
    Drill,
    PowerStep,
    PowerUp,
)
from tests.safety.bench import COUNT, ROBOT, make_state

ON, OFF = np.full(COUNT, int(MotorStatus.ENABLED)), np.full(COUNT, int(MotorStatus.DISABLED))
NAMES, TORQUE = ROBOT.order.names, ROBOT.vector("torque_nm")
START_S = 64.0
"""A power of two, and later times are sums of them where equality matters: no rounding in between."""


def with_joint(values: np.ndarray, joint: int, value: float) -> np.ndarray:
    changed = np.array(values)
    changed[joint] = value
    return changed


def test_a_power_up_has_no_problems_before_it_begins() -> None:
    power = PowerUp(ROBOT.order, START_S)
    assert power.problems == ()
    assert power.step(make_state(motor_status=ON), START_S) is PowerStep.ENABLE
    assert power.step(make_state(motor_status=ON), START_S) is PowerStep.DONE
    assert power.problems == ()


def test_enable_is_repeated_at_its_time_and_not_before() -> None:
    power, off = PowerUp(ROBOT.order, 0.0), make_state(motor_status=OFF)
    assert power.step(off, 0.0) is PowerStep.ENABLE
    assert power.step(off, np.nextafter(ENABLE_AGAIN_S, 0.0)) is PowerStep.RELAX
    assert power.step(off, ENABLE_AGAIN_S) is PowerStep.ENABLE


def test_the_deadline_counts_from_the_start_and_ends_just_after_it() -> None:
    power = PowerUp(ROBOT.order, START_S)
    state = make_state(motor_status=with_joint(with_joint(ON, 3, 1), 5, int(MotorStatus.FAULT)))
    for now_s in (START_S, START_S + 0.5 * ENABLE_DEADLINE_S, START_S + ENABLE_DEADLINE_S):
        assert power.step(state, now_s) is not PowerStep.OFF
    assert power.step(state, np.nextafter(START_S + ENABLE_DEADLINE_S, np.inf)) is PowerStep.OFF
    assert power.problems == (
        f"motor of {NAMES[3]} is disabled, not enabled within 0.25 s",
        f"motor of {NAMES[5]} is fault, not enabled within 0.25 s",
    )


def stopped(now_s: float = START_S) -> Drill:
    """A drill that has just written OFF."""
    drill = Drill(ROBOT.order, TORQUE, now_s - 0.5)
    on = make_state(motor_status=ON)
    assert drill.report is None
    assert drill.step(on, now_s - 0.5) is PowerStep.ENABLE
    assert drill.step(on, now_s - 0.5) is PowerStep.RELAX
    assert drill.step(on, now_s) is PowerStep.OFF
    assert drill.report is None
    return drill


def test_motors_stay_on_for_their_time_and_no_longer() -> None:
    drill, on = Drill(ROBOT.order, TORQUE, 0.0), make_state(motor_status=ON)
    assert drill.step(on, 0.0) is PowerStep.ENABLE
    assert drill.step(on, 0.0) is PowerStep.RELAX
    assert drill.step(on, np.nextafter(DRILL_ON_S, 0.0)) is PowerStep.RELAX
    assert drill.step(on, DRILL_ON_S) is PowerStep.OFF


def test_the_time_on_begins_when_the_last_motor_is_on() -> None:
    drill = Drill(ROBOT.order, TORQUE, START_S)
    late = START_S + 0.125
    assert drill.step(make_state(motor_status=OFF), START_S) is PowerStep.ENABLE
    assert drill.step(make_state(motor_status=ON), late) is PowerStep.RELAX
    assert drill.step(make_state(motor_status=ON), late + DRILL_ON_S - 0.01) is PowerStep.RELAX
    assert drill.step(make_state(motor_status=ON), late + DRILL_ON_S + 1e-9) is PowerStep.OFF


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("joint", [0, COUNT - 1])
def test_a_torque_up_to_the_share_is_none(sign: float, joint: int) -> None:
    allowed = NO_TORQUE_FRACTION * TORQUE[joint]
    for torque_nm, step in ((allowed, PowerStep.DONE), (np.nextafter(allowed, np.inf), PowerStep.OFF)):
        drill = stopped()
        state = make_state(
            START_S + 0.0625, motor_status=OFF, torque_nm=with_joint(np.zeros(COUNT), joint, sign * torque_nm)
        )
        assert drill.step(state, START_S + 0.0625) is step


def test_what_was_measured_at_the_stop_proves_nothing_about_after_it() -> None:
    drill = stopped()
    assert drill.step(make_state(START_S, motor_status=OFF), START_S + 0.0625) is PowerStep.OFF
    after = make_state(np.nextafter(START_S, np.inf), motor_status=OFF)
    assert drill.step(after, START_S + 0.0625) is PowerStep.DONE
    assert drill.report == DrillReport(True, (), 0.0625)


def test_the_proof_may_take_its_time_and_no_longer() -> None:
    drill = Drill(ROBOT.order, TORQUE, -DRILL_ON_S)
    on = make_state(motor_status=ON)
    drill.step(on, -DRILL_ON_S)
    drill.step(on, -DRILL_ON_S)
    assert drill.step(on, 0.0) is PowerStep.OFF
    torque = with_joint(np.zeros(COUNT), 4, -2.345)
    state = make_state(0.05, motor_status=with_joint(OFF, 2, int(MotorStatus.ENABLED)), torque_nm=torque)
    assert drill.step(state, DRILL_OFF_DEADLINE_S) is PowerStep.OFF
    assert drill.step(state, np.nextafter(DRILL_OFF_DEADLINE_S, 1.0)) is PowerStep.DONE
    report = drill.report
    assert report is not None
    assert report.passed is False
    assert math.isnan(report.off_after_s)
    assert report.problems == (
        f"motor of {NAMES[2]} is enabled with 0.00 N·m, not provably off within 0.1 s",
        f"motor of {NAMES[4]} is disabled with -2.35 N·m, not provably off within 0.1 s",
    )


def test_a_motor_that_never_came_on_is_told_beside_what_is_not_off() -> None:
    drill = Drill(ROBOT.order, TORQUE, START_S)
    state = make_state(START_S, motor_status=with_joint(ON, 1, int(MotorStatus.DISABLED)))
    late_s = START_S + 2 * ENABLE_DEADLINE_S
    assert drill.step(state, START_S) is PowerStep.ENABLE
    assert drill.step(state, late_s) is PowerStep.OFF
    never = f"motor of {NAMES[1]} is disabled, not enabled within 0.25 s"
    off = make_state(late_s + 0.0625, motor_status=OFF)
    assert drill.step(off, late_s + 0.0625) is PowerStep.DONE
    assert drill.report == DrillReport(False, (never,), 0.0625)
