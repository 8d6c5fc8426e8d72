from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.sim.fault_kinds import NO_FAULTS
from drivers.sim.faults import (
    START,
    FaultInjector,
    FaultTeller,
    check_faults,
    load_faults,
)
from supervisor.core.errors import ConfigError
from tests.drivers.sim.simulated import pup, script

STAGES = ("stand", "ramp_50")
NOW = {"stage": "start"}

EVERY_KIND: list[dict[str, Any]] = [
    {"kind": "frames_dropped", "bus": "can0", "rate": 0.3},
    {"kind": "frames_corrupted", "bus": "can0", "rate": 0.3},
    {"kind": "frames_duplicated", "bus": "imu0", "rate": 1},
    {"kind": "frames_reordered", "bus": "can0", "rate": 0.0},
    {"kind": "frames_delayed", "bus": "can0", "delay_s": 0.01},
    {"kind": "bus_off", "bus": "can0"},
    {"kind": "brown_out", "bus": "can0"},
    {"kind": "motor_silent", "joints": ["fl_hip"]},
    {"kind": "encoder_stuck", "joints": ["fl_hip", "fr_hip"]},
    {"kind": "sign_flip", "joints": ["fl_hip"]},
    {"kind": "swapped_ids", "joints": ["fl_hip", "rr_calf"]},
    {"kind": "encoder_offset", "joints": ["fl_hip"], "offset_rad": -0.3},
    {"kind": "encoder_jump", "joints": ["fl_hip"], "offset_rad": 0.3},
    {"kind": "motor_weak", "joints": ["fl_hip"], "strength": 0.3},
    {"kind": "motor_hot", "joints": ["fl_hip"], "temperature_degc": 95},
    {"kind": "motor_fault", "joints": ["fl_hip"], "code": "OVER_CURRENT"},
    {"kind": "imu_frozen"},
    {"kind": "imu_nan"},
    {"kind": "imu_lost"},
    {"kind": "imu_bias", "gyro_rad_per_s": [0.1, 0.0, 0.0]},
    {"kind": "imu_rotated", "axis": "z", "angle_rad": 1.57},
    {"kind": "policy_nan"},
    {"kind": "policy_saturated"},
    {"kind": "policy_slow", "delay_s": 0.06},
    {"kind": "push", "force_n": [0, 60.0, 0]},
    {"kind": "payload", "mass_kg": 2.0},
    {"kind": "friction", "coefficient": 0.2},
    {"kind": "mission_stalled"},
    {"kind": "control_stalled"},
    {"kind": "recorder_blocked"},
    {"kind": "mission_killed"},
    {"kind": "control_killed"},
    {"kind": "guardian_killed"},
    {"kind": "disk_full"},
    {"kind": "clock_step", "step_s": -3600.0},
]


def write(folder: Path, *faults: dict[str, Any]) -> Path:
    path = folder / "faults.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "faults": list(faults)}, sort_keys=False))
    return path


@pytest.mark.parametrize("fault", EVERY_KIND, ids=lambda fault: fault["kind"])
def test_every_kind_is_read_with_its_parameters(tmp_path: Path, fault: dict[str, Any]) -> None:
    path = write(tmp_path, {**fault, "at": {"stage": "ramp_50", "after_s": 1}, "for_s": 2.0})
    (read,) = load_faults(path, pup().config, STAGES).faults
    assert (read.kind, read.at.stage, read.at.after_s, read.for_s) == (fault["kind"], "ramp_50", 1.0, 2.0)
    for key, value in fault.items():
        seen = getattr(read, key)
        assert (list(seen) if isinstance(seen, tuple) else seen) == value


@pytest.mark.parametrize("fault", EVERY_KIND, ids=lambda fault: fault["kind"])
def test_a_missing_or_unknown_parameter_is_named_with_its_line(tmp_path: Path, fault: dict[str, Any]) -> None:
    extra = {**fault, "at": NOW, "typo": 1}
    with pytest.raises(ConfigError, match=r"faults.yaml:\d+: faults\[0\].typo: found an unknown key"):
        load_faults(write(tmp_path, extra), pup().config, STAGES)
    for key in fault.keys() - {"kind"}:
        short = {k: v for k, v in fault.items() if k != key}
        with pytest.raises(ConfigError, match=rf"faults.yaml:\d+: faults\[0\].{key}: found nothing"):
            load_faults(write(tmp_path, {**short, "at": NOW}), pup().config, STAGES)


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ({"kind": "frames_dropped", "bus": "can9", "rate": 0.1}, r"\[0\]\.bus"),
        ({"kind": "frames_dropped", "bus": "can0", "rate": 1.1}, r"\[0\]\.rate"),
        ({"kind": "frames_delayed", "bus": "can0", "delay_s": -1.0}, r"\[0\]\.delay_s"),
        ({"kind": "brown_out", "bus": "imu0"}, r"\[0\]\.bus"),
        ({"kind": "motor_silent", "joints": ["nose"]}, r"\[0\]\.joints\[0\]"),
        ({"kind": "motor_silent", "joints": []}, r"\[0\]\.joints"),
        ({"kind": "motor_silent", "joints": ["fl_hip", "fl_hip"]}, r"\[0\]\.joints\[1\]"),
        ({"kind": "swapped_ids", "joints": ["fl_hip"]}, r"\[0\]\.joints"),
        ({"kind": "swapped_ids", "joints": ["fl_hip", "fl_hip"]}, r"\[0\]\.joints\[1\]"),
        ({"kind": "motor_fault", "joints": ["fl_hip"], "code": "BROKEN"}, r"\[0\]\.code"),
        ({"kind": "imu_rotated", "axis": "w", "angle_rad": 1.0}, r"\[0\]\.axis"),
        ({"kind": "push", "force_n": [1.0, 2.0]}, r"\[0\]\.force_n"),
        ({"kind": "push", "force_n": [1.0, 2.0, "up"]}, r"\[0\]\.force_n"),
        ({"kind": "payload", "mass_kg": float("nan")}, r"\[0\]\.mass_kg"),
        ({"kind": "earthquake"}, r"faults\[0\]"),
        ({"kind": "imu_nan", "for_s": 0.0}, r"\[0\]\.for_s"),
        ({"kind": "imu_nan", "at": {"stage": "lunch"}}, r"\[0\]\.at\.stage"),
        ({"kind": "imu_nan", "at": {"stage": "stand", "after_s": -1.0}}, r"\[0\]\.at\.after_s"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(tmp_path: Path, fault: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError, match=rf"faults.yaml:\d+: .*{where}"):
        load_faults(write(tmp_path, {"at": NOW, **fault}), pup().config, STAGES)


def test_all_problems_of_a_script_are_reported_at_once(tmp_path: Path) -> None:
    bad = write(
        tmp_path,
        {"kind": "motor_silent", "joints": ["nose", "tail"], "at": NOW},
        {"kind": "bus_off", "bus": "can9", "at": {"stage": "lunch"}},
    )
    with pytest.raises(ConfigError) as caught:
        load_faults(bad, pup().config, STAGES)
    assert len(caught.value.problems) == 4


def test_a_script_without_a_file_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="nose"):
        check_faults(script({"kind": "motor_silent", "joints": ["nose"]}), pup().config, STAGES)


def test_an_empty_script_is_fine() -> None:
    check_faults(NO_FAULTS, pup().config, STAGES)


def test_a_fault_begins_after_its_stage_and_ends_after_its_duration() -> None:
    injector = FaultInjector(
        script({"kind": "imu_lost", "at": {"stage": "stand", "after_s": 1.0}, "for_s": 0.5}, {"kind": "imu_nan"})
    )
    injector.enter_stage(START, 0.0)
    injector.enter_stage("stand", 10.0)
    expected = [(0.0, ["imu_nan"]), (10.99, ["imu_nan"]), (11.0, ["imu_lost", "imu_nan"]), (11.5, ["imu_nan"])]
    for now_s, kinds in expected:
        injector.update(now_s)
        assert [fault.kind for fault in injector.active] == kinds


def test_only_the_first_entry_into_a_stage_starts_its_clock() -> None:
    injector = FaultInjector(script({"kind": "imu_lost", "at": {"stage": "stand"}, "for_s": 1.0}))
    injector.enter_stage("stand", 0.0)
    assert injector.update(0.0)
    assert injector.update(1.0)
    injector.enter_stage("stand", 2.0)
    assert not injector.update(2.0)
    assert injector.active == ()


def test_update_says_when_something_changed() -> None:
    injector = FaultInjector(script({"kind": "imu_lost", "for_s": 0.01}))
    injector.enter_stage(START, 0.0)
    changes = [injector.update(0.002 * cycle) for cycle in range(10)]
    assert list(itertools.compress(range(10), changes)) == [0, 5]


def test_what_begins_and_ends_is_told_once_by_kind() -> None:
    push, drop, other = (
        script(fault).faults[0]
        for fault in (
            {"kind": "push", "force_n": [1, 0, 0]},
            {"kind": "frames_dropped", "bus": "can0", "rate": 0.5},
            {"kind": "frames_dropped", "bus": "can1", "rate": 0.5},
        )
    )
    teller = FaultTeller()
    assert teller.look([]) == []
    assert teller.look([push, drop]) == ["fault script: frames_dropped begins", "fault script: push begins"]
    assert teller.look([push, other]) == []
    assert teller.look([other]) == ["fault script: push ends"]
    assert teller.look([push]) == ["fault script: push begins", "fault script: frames_dropped ends"]


def test_a_script_needs_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("faults: []\n")
    with pytest.raises(ConfigError, match="schema"):
        load_faults(path, pup().config, STAGES)
