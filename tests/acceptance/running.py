"""Runs missions for the acceptance tests: the same call that `handrail run --fast` makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from supervisor.runtime.app import run_mission
from supervisor.runtime.locate import find_mission
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.progress import SilentProgress


def run(
    folder: Path,
    *,
    mission: str | Path = "deployment",
    fault: Mapping[str, Any] | None = None,
    seed: int = 0,
    robot: str | Path = "pup",
    policy: str | Path = "pup_walk",
) -> RunResult:
    """Run a mission on the simulated robot, with at most one fault."""
    script = None
    if fault is not None:
        script = folder / "fault.yaml"
        script.write_text(yaml.safe_dump({"schema": 1, "faults": [dict(fault)]}), encoding="utf-8")
    options = RunOptions(
        robot=str(robot),
        policy=str(policy),
        mission=str(mission),
        fast=True,
        fault=script,
        seed=seed,
        runs=folder / "runs",
    )
    return run_mission(options, SilentProgress())


def part_of_deployment(folder: Path, names: Sequence[str], **changes: Any) -> Path:
    """The default mission with some of its stages only.

    Args:
        folder: Where to write it.
        names: Stages that stay.
        changes: New values of the last stage's keys.
    """
    content = yaml.safe_load(find_mission("deployment").read_text(encoding="utf-8"))
    content["stages"] = [stage for stage in content["stages"] if stage["name"] in names]
    content["stages"][-1] |= changes
    path = folder / "part_of_deployment.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def stage_of(result: RunResult, name: str) -> dict[str, Any]:
    """The newest attempt at a stage."""
    return [stage for stage in result.summary["stages"] if stage["name"] == name][-1]
