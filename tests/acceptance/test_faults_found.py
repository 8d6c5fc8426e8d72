"""Each wiring fault, alone, is found and named before the policy's amplitude exceeds a tenth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import part_of_deployment, run

UNTIL_TEN_PERCENT = (*("preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude", "ramp_10"),)

FAULTS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "ids of two hips swapped": (
        {"kind": "swapped_ids", "joints": ["fl_hip", "fr_hip"]},
        "are swapped",
        ("fl_hip", "fr_hip"),
    ),
    "ids of two calves swapped": (
        {"kind": "swapped_ids", "joints": ["rl_calf", "fr_calf"]},
        "are swapped",
        ("rl_calf", "fr_calf"),
    ),
    "sign of a hip flipped": ({"kind": "sign_flip", "joints": ["rr_hip"]}, "is flipped", ("rr_hip",)),
    "sign of a calf flipped": ({"kind": "sign_flip", "joints": ["rl_calf"]}, "is flipped", ("rl_calf",)),
    "zero of a thigh wrong": (
        {"kind": "encoder_offset", "joints": ["rl_thigh"], "offset_rad": 0.3},
        "zero of rl_thigh",
        ("rl_thigh",),
    ),
    "a calf motor weak": ({"kind": "motor_weak", "joints": ["fr_calf"], "strength": 0.3}, "is weak", ("fr_calf",)),
    "a motor silent": ({"kind": "motor_silent", "joints": ["fr_thigh"]}, "is silent", ("fr_thigh",)),
    "IMU turned about x": ({"kind": "imu_rotated", "axis": "x", "angle_rad": 1.5708}, "+90° about x", ()),
    "IMU turned about y": ({"kind": "imu_rotated", "axis": "y", "angle_rad": -1.5708}, "-90° about y", ()),
    "IMU turned about z": ({"kind": "imu_rotated", "axis": "z", "angle_rad": 1.5708}, "+90° about z", ()),
    "IMU frozen": ({"kind": "imu_frozen"}, "IMU is frozen", ()),
    "a bus loses frames": ({"kind": "frames_dropped", "bus": "can1", "rate": 0.3}, "bus can1 loses frames", ()),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_found_and_named(name: str, tmp_path: Path) -> None:
    fault, cause, joints = FAULTS[name]
    mission = part_of_deployment(tmp_path, UNTIL_TEN_PERCENT)
    result = run(tmp_path, mission=mission, fault=fault | {"at": {"stage": "start"}})
    assert result.summary["outcome"] in ("refused", "guard_stop", "not_accepted")
    assert result.exit_code in (10, 20, 30)
    first = result.summary["diagnosis"][0]
    assert cause in first["cause"]
    assert first["remedy"]
    # Two swapped joints may be named in either order.
    assert sorted(first["joints"][: len(joints)]) == sorted(joints)


@pytest.mark.parametrize("name", ["a motor silent", "IMU frozen", "IMU turned about x", "sign of a calf flipped"])
def test_what_preflight_sees_is_refused_without_power(name: str, tmp_path: Path) -> None:
    fault, _, _ = FAULTS[name]
    mission = part_of_deployment(tmp_path, UNTIL_TEN_PERCENT)
    result = run(tmp_path, mission=mission, fault=fault | {"at": {"stage": "start"}})
    assert result.exit_code == 10
    assert [stage["name"] for stage in result.summary["stages"]] == ["preflight"]
    assert "checking" not in (result.folder / "events.jsonl").read_text(encoding="utf-8")
