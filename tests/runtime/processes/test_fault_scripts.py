"""A fault script does in real time what it says: to the policy, and to the processes of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from supervisor.evidence.events import read_events
from supervisor.runtime.app import run_mission
from supervisor.runtime.options import RunOptions
from tests.runtime.processes.patient import patient_robot, stages
from tests.runtime.processes.test_run import Culprit, assert_whole


@pytest.mark.parametrize(
    ("kind", "guard", "exit_code", "note"),
    [
        ("policy_nan", "action_finite", 20, ""),
        ("mission_killed", "proposal_age", 70, "fault script: mission_killed begins"),
    ],
)
def test_a_fault_of_the_script_stops_the_robot(
    tmp_path: Path, kind: str, guard: str, exit_code: int, note: str
) -> None:
    fault = tmp_path / "fault.yaml"
    fault.write_text(yaml.safe_dump({"schema": 1, "faults": [{"kind": kind, "at": {"stage": "zero_action"}}]}))
    progress = Culprit("", lambda: None)
    options = RunOptions(
        str(patient_robot(tmp_path)),
        "pup_walk",
        str(stages(tmp_path, "preflight", "stand", "zero_action")),
        fault=fault,
        runs=tmp_path / "runs",
    )
    result = run_mission(options, progress)
    assert result.summary["stop"] is not None, progress.lines
    assert (result.summary["stop"]["guard"], result.summary["stop"]["stage"]) == (guard, "zero_action")
    assert result.summary["exit_code"] == exit_code
    assert_whole(result)
    assert not note or note in [event.text for event in read_events(result.folder / "events.jsonl").events]
