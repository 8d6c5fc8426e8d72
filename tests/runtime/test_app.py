"""What a run decides before and around its loops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from supervisor.core.errors import ConfigError, RefusedError
from supervisor.core.report import Criterion
from supervisor.core.velocity import COMMANDS
from supervisor.runtime.app import (
    MISSION_HZ,
    _require_pilot,
    _require_possible,
    _require_signature,
    cycles_per_tick,
    run_mission,
)
from supervisor.runtime.locate import find_mission
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress
from tests.drivers.sim.simulated import script
from tests.trees.stand_ins import FakePolicy
from trees.missions.loader import load_mission


@pytest.mark.parametrize(
    ("control_hz", "policy_hz", "cycles"),
    [
        (500.0, 50.0, 10),
        (500.0, 100.0, 5),
        (500.0, 500.0, 1),
        (500.0, 25.0, 10),
        (500.0, 10.0, 10),
        (500.0, 500.0 / 17.0, 1),
        (500.0, 500.0 / 9.0, 9),
        (200.0, 50.0, 4),
        (1000.0, 50.0, 20),
        (40.0, 40.0, 1),
        (40.0, 20.0, 1),
    ],
)
def test_the_mission_ticks_at_the_policys_rate_or_a_whole_multiple_of_it(
    control_hz: float, policy_hz: float, cycles: int
) -> None:
    found = cycles_per_tick(control_hz, 1.0 / policy_hz)
    assert found == cycles
    assert round(control_hz / policy_hz) % found == 0
    assert control_hz / found >= min(MISSION_HZ, control_hz) - 1e-9


@pytest.mark.parametrize("policy_hz", [60.0, 501.0, 1000.0, 333.0])
def test_a_policy_whose_period_is_no_whole_number_of_cycles_is_refused(policy_hz: float) -> None:
    with pytest.raises(ConfigError, match="500 / a whole number") as caught:
        cycles_per_tick(500.0, 1.0 / policy_hz)
    assert [problem.key for problem in caught.value.problems] == ["policy_hz"]


def prepared(*metrics: str, signature: object = None) -> Any:
    """A mission whose one stage is judged by these metrics."""
    stage = SimpleNamespace(name="stand", accept=[Criterion(metric, "<=", 1.0) for metric in metrics])
    return SimpleNamespace(
        mission=SimpleNamespace(stages=[stage]), signature=signature, remarks=("make one with: handrail signature",)
    )


def steered(*names: str) -> Any:
    """What was read of a mission that a person steers, with a policy of these commands."""
    mission = load_mission(find_mission("teleoperation"))
    return SimpleNamespace(mission=mission, policy=FakePolicy(names=names), policy_path=Path("contract.yaml"))


@pytest.mark.parametrize("shadow", [False, True])
def test_a_mission_that_a_person_steers_is_refused_in_lockstep(*, shadow: bool) -> None:
    found = steered(*COMMANDS)
    found.policy.command_range = (np.full(3, -1.0), np.full(3, 1.0))
    options = RunOptions("pup", "pup_walk", "teleoperation", fast=True, shadow=shadow)
    with pytest.raises(RefusedError, match="a person steers in stage drive, and --fast waits for nobody"):
        _require_pilot(found, options)
    _require_pilot(found, replace(options, fast=False))


def test_a_policy_that_cannot_be_steered_is_a_problem_of_its_contract() -> None:
    with pytest.raises(ConfigError, match=r"contract.yaml: command: found steering needs the commands"):
        _require_pilot(steered("vx_m_per_s", "wz_rad_per_s"), RunOptions("pup", "pup_walk", "teleoperation"))


def test_a_mission_that_nobody_steers_takes_any_policy() -> None:
    found = steered("gait")
    found.mission = load_mission(find_mission("deployment"))
    _require_pilot(found, RunOptions("pup", "pup_walk", "deployment", fast=True))


def suffering(*faults: dict[str, Any]) -> Any:
    return SimpleNamespace(faults=script(*faults))


def test_a_fault_that_real_time_cannot_give_is_refused_by_its_name_and_lockstep_takes_it() -> None:
    found = suffering({"kind": "clock_step", "step_s": 3600.0}, {"kind": "mission_killed"})
    options = RunOptions("pup", "pup_walk", "deployment")
    with pytest.raises(RefusedError, match=r"fault clock_step cannot be had in real time: .*; add --fast"):
        _require_possible(found, options)
    _require_possible(found, replace(options, fast=True))


def test_every_other_fault_is_possible_in_real_time() -> None:
    kinds = ("mission_killed", "mission_stalled", "recorder_blocked", "disk_full", "guardian_killed", "policy_nan")
    options = RunOptions("pup", "pup_walk", "deployment")
    _require_possible(suffering(*({"kind": kind} for kind in kinds)), options)
    _require_possible(SimpleNamespace(faults=None), options)  # type: ignore[arg-type]


def test_a_mission_that_judges_by_signature_is_refused_without_one() -> None:
    with pytest.raises(RefusedError) as caught:
        _require_signature(prepared("tilt_max_rad", "signature_distance"))
    assert caught.value.reasons == (
        "stage stand judges the robot by its signature",
        "make one with: handrail signature",
    )
    _require_signature(prepared("signature_distance", signature=object()))
    _require_signature(prepared("tilt_max_rad"))


class Closed(SilentProgress):
    """Counts how often it was taken down."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_shadow_of_nobody_is_refused_and_the_display_is_taken_down(tmp_path: Path) -> None:
    progress = Closed()
    with pytest.raises(RefusedError, match=r"--shadow needs a robot that another program drives.*--at.*--fast"):
        run_mission(RunOptions("pup", "pup_walk", shadow=True, runs=tmp_path / "runs"), progress)
    assert progress.closed == 1
    assert list(tmp_path.iterdir()) == []
