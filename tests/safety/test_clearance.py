from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.exchange import DeviceReport, DrillReport
from supervisor.core.guard import GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.clearance import Clearance, describe, device_reasons
from supervisor.safety.severity import Severity
from tests.safety.bench import PERIOD_S, ROBOT, SAFETY, make_inputs, make_state

PASSED = DrillReport(True, (), 0.002)
NAMES = ROBOT.order.names


@pytest.mark.parametrize(
    ("value", "joint", "text"),
    [
        (GuardValue.VIOLATED, 0, "joint_velocity of fl_hip 15.5 rad/s, allowed 14.4"),
        (GuardValue.STALE, -1, "joint_velocity is stale"),
        (GuardValue.NOT_EVALUATED, 99, "joint_velocity is not evaluated"),
        (GuardValue.OK, 2, "joint_velocity of fl_calf has only just recovered"),
    ],
)
def test_a_reading_in_words(value: GuardValue, joint: int, text: str) -> None:
    reading = GuardReading("joint_velocity", value, 15.5, 14.4, "rad/s", joint, True, Level.DAMP, 0.0)
    assert describe(reading, NAMES) == text


def test_devices_and_drill_give_all_their_reasons() -> None:
    good = DeviceReport("fl_hip", "can0", True, (), {})
    assert device_reasons([good], PASSED) == ()
    silent = DeviceReport("imu", "imu0", False, (), {})
    unplugged = DeviceReport("fr_hip", "can1", False, ("no reply within 20 ms",), {})
    assert device_reasons([good, silent, unplugged], DrillReport(False, ("a", "b"), float("nan"))) == (
        "imu on imu0 does not answer",
        "fr_hip on can1: no reply within 20 ms",
        "emergency-stop drill: a",
        "emergency-stop drill: b",
    )
    assert device_reasons([], None) == ("no inventory of the devices was made", "no emergency-stop drill was made")
    assert device_reasons([good], DrillReport(False, (), 0.0)) == ("emergency-stop drill: not passed",)


def test_clear_means_clear_for_long_enough_without_a_break() -> None:
    evaluator, severity = GuardBoardEvaluator(SAFETY), Severity(SAFETY.profile, ROBOT.order)
    clearance, inputs = Clearance(SAFETY, evaluator, severity, ROBOT.order), make_inputs()
    seen = []
    for cycle in range(700):
        inputs.now_s = 1000.0 + cycle * PERIOD_S
        inputs.state = make_state(inputs.now_s)
        inputs.hashes_match = cycle != 300
        evaluator.evaluate(inputs)
        clearance.watch(inputs.now_s)
        seen.append(clearance.is_clear(inputs.now_s))
        assert (clearance.guards() == ()) is (cycle not in (0, 300))
        assert clearance.causes(inputs.now_s) == ()
    first = seen.index(True)
    assert first * PERIOD_S >= SAFETY.arming.clear_s
    assert not any(seen[300:550])
    assert seen[-1]


def test_the_reason_of_a_cause_follows_its_guard() -> None:
    evaluator, severity = GuardBoardEvaluator(SAFETY), Severity(SAFETY.profile, ROBOT.order)
    clearance, inputs = Clearance(SAFETY, evaluator, severity, ROBOT.order), make_inputs()
    imu = inputs.state.imu
    imu.gravity_in_base[:] = [0.0, np.sin(0.9), -np.cos(0.9)]
    for _ in range(6):
        board = evaluator.evaluate(inputs)
        severity.take(board, "", inputs.now_s)
        clearance.watch(inputs.now_s)
    assert any(reason.startswith("tilt 0.9 rad") for reason in clearance.causes(inputs.now_s))
    imu.gravity_in_base[:] = [0.0, 0.0, -1.0]
    evaluator.evaluate(inputs)
    clearance.watch(inputs.now_s)
    assert "tilt has only just recovered" in clearance.causes(inputs.now_s)
