"""A run read back, and its guards judged anew: one real run of the simulated robot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.errors import RecordError
from supervisor.core.robot_file import load_robot
from supervisor.runtime.calibration import Verdict, calibrate, count_trips, replay
from supervisor.runtime.recorded_run import BETWEEN, read_run
from tests.acceptance.running import part_of_deployment, run
from tests.safety.bench import SAFETY

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("preflight", "stand", "zero_action")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three stages, the last two of which tighten a guard."""
    place = tmp_path_factory.mktemp("recorded")
    result = run(place, mission=part_of_deployment(place, STAGES))
    assert result.exit_code == 0, result.summary["outcome"]
    return result.folder


@pytest.mark.parametrize("guard", [row.id for row in SAFETY.guards if not row.id.endswith("_timeout")])
def test_a_replay_of_a_real_run_is_what_its_board_said_in_every_cycle(folder: Path, guard: str) -> None:
    recorded = read_run(folder).readings(guard)
    # A reference that is not exactly the board's would show here, in a limit of the stage or of the row.
    limits = recorded.row.limit * recorded.reference
    assert (recorded.limits <= limits)[recorded.measured != 0.0].all()
    replayed = replay(recorded, recorded.row)
    assert replayed.values.tolist() == recorded.values.tolist()
    assert replayed.tripped.tolist() == recorded.tripped.tolist()


def test_a_real_run_is_calibrated(folder: Path) -> None:
    recorded, robot = read_run(folder), load_robot(ROOT / "config/robots/pup")
    found = calibrate(robot.config, robot.safety, [recorded], 0.99, 1.3)
    assert found.nuisance_trips == 0
    assert found.cycles == recorded.motion_cycles > 1000
    tilt = next(one for one in found.figures if one.row.id == "tilt")
    assert tilt.verdict is Verdict.TIGHTENED
    assert set(tilt.quantile_by_kind) >= {"stand", "zero_action"}
    leans = recorded.readings("tilt")
    assert count_trips(leans, replay(leans, tilt.row, 0.01)) > 0


def test_a_run_knows_its_stages_and_what_went_into_it(folder: Path) -> None:
    recorded = read_run(folder)
    assert {"preflight", "stand", "zero_action"} <= set(recorded.kinds.tolist()) <= {*STAGES, BETWEEN}
    assert (recorded.robot.name, recorded.mode, recorded.outcome, recorded.stop) == ("pup", "sim", "completed", "")
    assert recorded.policy_period_s == pytest.approx(0.02)
    assert recorded.has("tilt")
    assert not recorded.has("moon")
    assert not np.logical_and(recorded.motion, recorded.kinds == "preflight").any()


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run"))


def test_a_run_with_a_fault_script_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / "inputs" / "fault.yaml").write_text("schema: 1\n")
    with pytest.raises(RecordError, match="meant to trip"):
        read_run(copy)


def test_a_run_without_its_inputs_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / "inputs" / "safety.yaml").unlink()
    with pytest.raises(RecordError, match=r"safety\.yaml"):
        read_run(copy)


@pytest.mark.parametrize("damage", [{"stages": 3}, {"stages": [{}]}, {"stop": 3}])
def test_a_run_with_a_damaged_summary_is_refused(folder: Path, tmp_path: Path, damage: dict[str, object]) -> None:
    copy = copy_of(folder, tmp_path)
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(json.dumps({**summary, **damage}))
    with pytest.raises(RecordError, match="summary is damaged"):
        read_run(copy)
