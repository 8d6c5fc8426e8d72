"""Each fault, injected while the robot walks, leads to the level that its guard declares, in the cycle it trips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supervisor.core.levels import Level
from supervisor.core.robot_file import load_robot
from supervisor.evidence.record_reader import read_record
from supervisor.runtime.locate import find_robot
from supervisor.runtime.options import RunResult
from tests.acceptance.running import part_of_deployment, run

STAGES = ("preflight", "observe", "stand", "ramp_100", "rollout")
WALKING = {"stage": "rollout", "after_s": 4.0}

FAULTS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "tilt by push": (
        {"kind": "push", "force_n": [0.0, 250.0, 0.0], "for_s": 0.3},
        frozenset({"tilt", "base_angular_rate"}),
    ),
    "joint over-speed": ({"kind": "policy_saturated"}, frozenset({"joint_velocity"})),
    "encoder jump": ({"kind": "encoder_jump", "joints": ["fl_thigh"], "offset_rad": 0.5}, frozenset({"encoder_jump"})),
    "action not a number": ({"kind": "policy_nan"}, frozenset({"action_finite"})),
    "policy three times too slow": (
        {"kind": "policy_slow", "delay_s": 0.06},
        frozenset({"policy_age", "policy_deadline"}),
    ),
    "over-temperature": (
        {"kind": "motor_hot", "joints": ["rr_calf"], "temperature_degc": 110.0},
        frozenset({"motor_temperature"}),
    ),
    "motor fault code": (
        {"kind": "motor_fault", "joints": ["fr_hip"], "code": "OVER_CURRENT"},
        frozenset({"motor_fault", "motor_disabled"}),
    ),
    "all frames of one bus lost": (
        {"kind": "frames_dropped", "bus": "can2", "rate": 1.0},
        frozenset({"motor_age", "bus_loss"}),
    ),
    "bus off": ({"kind": "bus_off", "bus": "can2"}, frozenset({"motor_age", "bus_off", "bus_errors"})),
    "IMU lost": ({"kind": "imu_lost"}, frozenset({"imu_age"})),
    "mission stalled": ({"kind": "mission_stalled"}, frozenset({"proposal_age", "policy_age"})),
    "disk full": ({"kind": "disk_full"}, frozenset({"recorder"})),
}

JOINTS = {"encoder jump": "fl_thigh", "over-temperature": "rr_calf", "motor fault code": "fr_hip"}


def _assert_stopped_as_declared(result: RunResult, guards: frozenset[str]) -> None:
    stop = result.summary["stop"]
    assert result.exit_code == 20
    assert stop["guard"] in guards
    rows = load_robot(find_robot("pup")).safety.rows_by_id()
    assert stop["level"] == rows[stop["guard"]].level.name
    record = read_record(result.folder / "cycles.bin")
    tripped = int(np.argmin(np.abs(record.column("time_s") - stop["time_s"])))
    levels = record.column("level")
    # In the very cycle of the trip the command is the level's, and it stays at least that until the end.
    assert levels[tripped] == Level[stop["level"]]
    assert levels[tripped - 1] < Level.HOLD
    assert (levels[tripped:] >= Level[stop["level"]]).all()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_rollout_leads_to_the_declared_level(name: str, tmp_path: Path) -> None:
    fault, guards = FAULTS[name]
    mission = part_of_deployment(tmp_path, STAGES)
    result = run(tmp_path, mission=mission, fault=fault | {"at": WALKING})
    _assert_stopped_as_declared(result, guards)
    assert result.summary["stop"]["stage"] == "rollout"
    assert result.summary["diagnosis"]
    if name in JOINTS:
        assert result.summary["stop"]["joints"][0] == JOINTS[name]
        assert result.summary["diagnosis"][0]["joints"][0] == JOINTS[name]


def test_a_stage_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    # Lowering the robot takes longer than this stage is allowed to last.
    mission = part_of_deployment(
        tmp_path,
        ("preflight", "observe", "stand", "ramp_100"),
        timeout_s=12.0,
        duration={"minimum_s": 11.0, "maximum_s": 11.5, "stable_s": 11.4},
        accept=[{"metric": "tilt_max_rad", "op": "<=", "limit": 0.0, "reason": "never met: the stage must run out"}],
        not_accepted={"retry": 0, "step_back": False, "then": "stop"},
    )
    result = run(tmp_path, mission=mission)
    _assert_stopped_as_declared(result, frozenset({"stage_timeout"}))
