"""The witness keeps how the robot hung before it moved, and how it was when something failed first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from supervisor.core.exchange import PolicyHealth, Snapshot
from supervisor.core.levels import ArmingState
from supervisor.core.state import NEVER_S, BusStatistics
from supervisor.runtime.witness import Witness
from tests.trees.stand_ins import make_robot, make_snapshot, make_state, make_stop

STATE = make_state(make_robot())


def context(*outcomes: str, is_active: bool = False, peak: float = 0.0) -> Any:
    """The two things that are looked at in a mission's context."""
    reports = [SimpleNamespace(outcome=outcome) for outcome in outcomes]
    return SimpleNamespace(reports=reports, policy_health=PolicyHealth(is_active=is_active, action_peak=peak))


def off(position: float = 0.0, **changes: object) -> Snapshot:
    """Motors off, the joints at a position."""
    return make_snapshot(
        state=replace(STATE, position_rad=np.full(2, position)), arming=ArmingState.DISARMED, **changes
    )


def test_the_passive_pose_is_the_last_one_before_the_motors_were_ever_on() -> None:
    witness = Witness()
    first, second = off(0.1), off(0.2)
    for snapshot in (first, second, replace(off(0.3), arming=ArmingState.CHECKING), off(0.4)):
        witness.look(snapshot, context())
    assert witness.passive_pose_rad is second.state.position_rad
    assert witness.passive_gravity is second.state.imu.gravity_in_base


def test_the_passive_pose_waits_for_every_motor_and_the_imu() -> None:
    witness = Witness()
    silent = off()
    imu = replace(STATE.imu, stamp_s=NEVER_S)
    state = replace(STATE, motor_stamp_s=np.array([0.0, NEVER_S]), imu=imu)
    witness.look(replace(silent, state=state), context())
    assert witness.passive_pose_rad is None
    assert witness.passive_gravity is None
    witness.look(replace(silent, state=replace(state, imu=STATE.imu)), context())
    assert witness.passive_pose_rad is None
    assert witness.passive_gravity is not None


def test_the_newest_snapshot_counts_until_something_fails_and_then_the_first_failure() -> None:
    witness = Witness()
    assert witness.snapshot is None
    healthy, failed, later = off(0.1), off(0.2), off(0.3)
    witness.look(healthy, context("passed"))
    assert witness.snapshot is healthy
    witness.look(failed, context("passed", "failed"))
    witness.look(later, context("passed", "failed"))
    witness.look(off(stop=make_stop()), context("passed", "failed", "failed"))
    assert witness.snapshot is failed


def test_a_stop_is_a_failure_and_the_planned_end_is_none() -> None:
    witness = Witness()
    ended = off(stop=make_stop(planned=True))
    stopped = off(stop=make_stop())
    for snapshot in (ended, stopped, off()):
        witness.look(snapshot, context())
    assert witness.snapshot is stopped


def test_refusals_and_the_health_of_a_policy_that_drove_are_kept() -> None:
    witness = Witness()
    witness.look(off(refusals=("tilt",)), context(is_active=True, peak=0.7))
    witness.look(off(), context())
    assert witness.refusals == ("tilt",)
    assert witness.policy.action_peak == 0.7


def test_the_share_of_replies_is_that_of_the_worst_window() -> None:
    witness = Witness()
    assert witness.reply_ratios == {}
    received = (0, 1000, 1500, 2500)
    for second, count in enumerate(received):
        buses = {"can0": BusStatistics(received=count, expected=1000 * second)}
        snapshot = off(buses=buses)
        witness.look(replace(snapshot, state=replace(snapshot.state, now_s=float(second))), context())
    assert witness.reply_ratios == {"can0": 0.5}
