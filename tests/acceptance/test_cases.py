"""Policies that others published climb the same ladder, on robots made by `handrail new` from their models.

Nothing of theirs is kept here: model, policy and recorded behaviour are read where they lie.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from supervisor.runtime.preparation import make_robot, write_signature
from tests.acceptance.running import run, stage_of
from tests.cases import CASES, needs_cases, read_reference, write_contract

TOLERANCE_FRACTION = 0.15
TOLERANCE = 0.1
AXES = {"vx": "vx_m_per_s", "vy": "vy_m_per_s", "wz": "wz_rad_per_s"}
SEGMENTS = {0: "forward", 1: "lateral", 2: "turn"}
"""Segments of the default mission's rollout, and what the recorded schedule calls the same command."""


@needs_cases
@pytest.mark.parametrize("name", ["go1_playground", "go2_robot_lab", "g1_unitree_rl_mjlab"])
def test_a_published_policy_climbs_the_ladder(name: str, tmp_path: Path) -> None:
    case = CASES / name
    contract = write_contract(case, tmp_path / "policy")
    robot = tmp_path / "robot"
    make_robot(
        name, case / "scene.xml", make="damiao", keyframe=None, policy_name=str(contract), output=robot, force=False
    )
    write_signature(str(robot), 1, io.StringIO(), healthy_only=True)
    result = run(tmp_path, robot=robot, policy=contract)
    assert [stage["name"] for stage in result.summary["stages"] if stage["outcome"] != "passed"] == []
    assert result.exit_code == 0
    _assert_tracks_as_recorded(case, stage_of(result, "rollout")["metrics"])


def _assert_tracks_as_recorded(case: Path, metrics: dict[str, float]) -> None:
    """Each commanded velocity is followed as the recording of the same policy in its own simulation did."""
    schedule = read_reference(case)["schedule"]
    for segment, part in SEGMENTS.items():
        recorded = schedule[part]
        for axis, (short, name) in enumerate(AXES.items()):
            assert metrics[f"{name}_segment{segment}_command"] == pytest.approx(recorded["command"][axis])
            if recorded["command"][axis] != 0.0:
                expected = recorded["vel_mean"][short]
                measured = metrics[f"{name}_segment{segment}_mean"]
                assert measured == pytest.approx(expected, rel=TOLERANCE_FRACTION, abs=TOLERANCE)
