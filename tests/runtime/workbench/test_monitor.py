from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from supervisor.runtime.workbench.commands import as_text
from supervisor.runtime.workbench.monitor import Monitor, View, render
from tests.runtime.workbench.benches import bench_of


def view_of(*faults: Mapping[str, Any], seconds: float = 1.5, is_listening: bool = False) -> View:
    with bench_of(*faults, is_listening=is_listening) as bench:
        watch = Monitor(bench)
        state = watch.step()
        while bench.now_s < seconds:
            state = watch.step()
        return watch.view(state)


def test_a_healthy_robot_is_shown_at_its_rates_without_remarks() -> None:
    view = view_of()
    assert {row.remark for row in view.joints} == {""}
    assert {round(row.rate_hz) for row in view.joints} == {500}
    assert {row.status for row in view.joints} == {"disabled"}
    assert view.joints[0].wiring == "damiao DM8009 can0:1"
    assert view.imu.rate_hz == pytest.approx(250.0, abs=2.0)
    assert view.imu.gravity_in_base[2] < -0.98
    cans = [row for row in view.buses if row.bus.startswith("can")]
    assert {round(row.answered, 2) for row in cans} == {1.0}
    assert {round(row.sent_per_s) for row in cans} == {1500}
    assert {round(row.planned_load, 3) for row in cans} == {0.405}


@pytest.mark.parametrize(
    ("fault", "joint", "remark"),
    [
        ({"kind": "motor_silent", "joints": ["fr_calf"]}, "fr_calf", "never heard"),
        ({"kind": "motor_silent", "joints": ["fr_calf"], "at": {"stage": "start", "after_s": 1.0}}, "fr_calf", "late"),
        ({"kind": "motor_fault", "joints": ["rl_hip"], "code": "OVER_CURRENT"}, "rl_hip", "fault"),
        ({"kind": "encoder_offset", "joints": ["fl_hip"], "offset_rad": 3.0}, "fl_hip", "outside -0.75 to 0.75 rad"),
    ],
)
def test_what_is_wrong_with_a_joint_is_remarked(fault: Mapping[str, Any], joint: str, remark: str) -> None:
    remarks = {row.joint: row.remark for row in view_of(fault).joints if row.remark}
    assert remarks == {joint: remark}


@pytest.mark.parametrize(("kind", "remark"), [("imu_lost", "late"), ("imu_frozen", "frozen for")])
def test_what_is_wrong_with_the_inertial_unit_is_remarked(kind: str, remark: str) -> None:
    assert view_of({"kind": kind, "at": {"stage": "start", "after_s": 0.5}}).imu.remark.startswith(remark)


def test_a_bus_that_is_off_is_shown_so() -> None:
    rows = {row.bus: row for row in view_of({"kind": "bus_off", "bus": "can2"}).buses}
    assert [name for name, row in rows.items() if row.is_off] == ["can2"]
    assert rows["can2"].errors > 0
    assert math.isnan(rows["can2"].answered)


def test_a_view_is_drawn_with_every_device_and_its_remark() -> None:
    text = as_text(render(view_of({"kind": "motor_silent", "joints": ["fr_calf"]})))
    assert {"fl_hip", "never", "gravity", "can3"} <= set(text.split())
