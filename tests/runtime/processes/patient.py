"""The demo robot with time to spare: what a stalled machine does to it must not look like what a test does to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from supervisor.runtime.locate import find_robot

PATIENCE = {
    "motor_age": 1.0,
    "imu_age": 1.0,
    "proposal_age": 1.0,
    "policy_age": 50.0,
    "policy_deadline": 50.0,
    "loop_lag_mean": 1000.0,
    "loop_lag_worst": 1000.0,
    "operator_link": 10.0,
    "recorder": 0.5,
    "guardian": 10.0,
    "bus_loss": 0.99,
    "clock_step": 10.0,
    "imu_frozen": 1000.0,
}
"""Limits of the guards that look at time; those of the others stay."""

TIMEOUT_S = 3.0
"""Of the motors: a command that is a second late does not make them let go."""


def patient_robot(folder: Path) -> Path:
    """A robot folder; its signature is the demo robot's."""
    source = find_robot("pup").parent
    target = folder / "pup"
    shutil.copytree(source, target)
    content = yaml.safe_load((source / "robot.yaml").read_text())
    safety = yaml.safe_load((source / content["safety"]).resolve().read_text())
    for row in safety["guards"]:
        row["limit"] = PATIENCE.get(row["id"], row["limit"])
    (target / "safety.yaml").write_text(yaml.safe_dump(safety, sort_keys=False))
    content |= {"safety": "safety.yaml", "motor_timeout_s": TIMEOUT_S}
    content["realtime"] = {"guardian_window_s": 1.0}
    (target / "robot.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return target


def stages(folder: Path, *names: str) -> Path:
    """The default mission with some of its stages, accepted whatever a slow machine makes of them."""
    content = yaml.safe_load((find_robot("pup").parents[2] / "missions" / "deployment.yaml").read_text())
    content["stages"] = [stage for stage in content["stages"] if stage["name"] in names]
    for stage in content["stages"]:
        stage["timeout_s"] = 120.0
        stage["accept"] = [row for row in stage["accept"] if row["metric"] in ("devices_ok_fraction", "tilt_max_rad")]
    path = folder / "mission.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
