"""The main job: the shipped robot and policy climb the whole ladder, twice the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.evidence.events import EventKind, read_events
from supervisor.evidence.record_reader import read_record
from supervisor.evidence.run_folder import check_inputs
from supervisor.evidence.summary import without_wall_clock
from supervisor.runtime.options import RunResult
from tests.acceptance.running import part_of_deployment, run, stage_of

STAGES = (
    *("preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude"),
    *("ramp_10", "ramp_25", "ramp_50", "ramp_75", "ramp_100", "rollout"),
)


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(tmp_path_factory.mktemp("ladder"))


def test_every_stage_passes(ladder: RunResult) -> None:
    assert [(stage["name"], stage["outcome"]) for stage in ladder.summary["stages"]] == [(n, "passed") for n in STAGES]
    assert ladder.summary["outcome"] == "completed"
    assert ladder.exit_code == 0


def test_a_completed_run_has_no_stop_and_no_diagnosis(ladder: RunResult) -> None:
    assert ladder.summary["stop"] is None
    assert ladder.summary["diagnosis"] == []


def test_the_robot_walked_at_the_commanded_speeds(ladder: RunResult) -> None:
    metrics = stage_of(ladder, "rollout")["metrics"]
    # Told 0.6 m/s, this policy walks at 0.70 on a robot without delay: its evaluation says so.
    assert metrics["vx_m_per_s_segment0_command"] == pytest.approx(0.6)
    assert metrics["vx_m_per_s_segment0_mean"] == pytest.approx(0.7, abs=0.06)
    assert metrics["vy_m_per_s_segment1_mean"] == pytest.approx(0.2, abs=0.04)
    assert metrics["wz_rad_per_s_segment2_mean"] == pytest.approx(0.5, abs=0.08)


def test_the_robot_lies_at_rest_with_its_motors_off(ladder: RunResult) -> None:
    record = read_record(ladder.folder / "cycles.bin")
    drives = [drive.value for drive in Drive]
    assert drives[int(record.column("drive")[-1])] in ("disable", "poll")
    assert np.abs(record.column("velocity_rad_per_s")[-1]).max() < 0.1
    assert record.column("gravity_in_base")[-1][2] < -0.99


def test_the_folder_holds_a_whole_record(ladder: RunResult) -> None:
    log = read_events(ladder.folder / "events.jsonl")
    assert log.problems == ()
    assert log.events[-1].kind is EventKind.END
    assert check_inputs(ladder.folder) == ()
    assert read_record(ladder.folder / "cycles.bin").leftover_bytes == 0
    assert "completed" in (ladder.folder / "report.txt").read_text(encoding="utf-8")
    assert (ladder.folder / "tree.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_stand_in_operator_is_named_in_the_record(ladder: RunResult) -> None:
    assert read_events(ladder.folder / "events.jsonl").events[0].data["operator"] == "auto"


def test_the_same_seed_gives_the_same_events_and_summary(tmp_path: Path) -> None:
    mission = part_of_deployment(tmp_path, ("preflight", "observe", "stand", "ramp_100", "rollout"))
    push = {"kind": "push", "force_n": [0.0, 120.0, 0.0], "at": {"stage": "rollout", "after_s": 3.0}, "for_s": 0.2}
    first, second = (run(tmp_path, mission=mission, fault=push, seed=7) for _ in range(2))
    assert without_wall_clock(first.summary) == without_wall_clock(second.summary)
    events = [
        [event.without_wall_clock() for event in read_events(result.folder / "events.jsonl").events]
        for result in (first, second)
    ]
    assert events[0] == events[1]


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    mission = part_of_deployment(tmp_path, ("preflight", "observe", "stand"))
    first, second = (run(tmp_path, mission=mission, seed=seed) for seed in (1, 2))
    assert without_wall_clock(first.summary) != without_wall_clock(second.summary)
