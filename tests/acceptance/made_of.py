"""Robot folders for the demo robot with motors of other makes, and a policy and a mission within what those can do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from supervisor.core.robot_file import Robot
from supervisor.runtime.locate import find_mission, find_policy, find_robot
from supervisor.runtime.preparation import gain_limits

DEMO = find_robot("pup")


def write_robot(folder: Path, robot: Robot) -> Path:
    """The folder of a robot, with the demo robot's model and signature, and a safety file that fits motors and rate."""
    folder.mkdir(parents=True)
    document = _plain(robot.config) | {"model": "pup.xml", "safety": "safety.yaml"}
    (folder / "robot.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    safety = yaml.safe_load(robot.safety_path.read_text(encoding="utf-8"))
    damping = min(limit.kd_nm_s_per_rad for limit in gain_limits(robot.config).values())
    for row in safety["guards"]:
        if row["id"] == "motor_age":
            # Ten cycles, as for the demo robot's own rate.
            row["limit"] = max(row["limit"], 10.0 / robot.config.control_hz)
    profile = safety["profile"]
    profile["damp_kd_nm_s_per_rad"] = min(profile["damp_kd_nm_s_per_rad"], damping)
    (folder / "safety.yaml").write_text(yaml.safe_dump(safety, sort_keys=False), encoding="utf-8")
    for name in ("pup.xml", "signature.npz"):
        shutil.copyfile(DEMO.parent / name, folder / name)
    return folder


def write_policy(folder: Path, robot: Robot, name: str = "pup_walk") -> Path:
    """A policy with gains that the robot's motors can be told; what comes out of the network stays as it is."""
    source = find_policy(name)
    contract = yaml.safe_load(source.read_text(encoding="utf-8"))
    for joint, limits in gain_limits(robot.config).items():
        row = contract["joints"][joint]
        for key in ("kp_nm_per_rad", "kd_nm_s_per_rad"):
            row[key] = min(row[key], getattr(limits, key))
    folder.mkdir(parents=True)
    shutil.copyfile(source.parent / contract["model"]["file"], folder / contract["model"]["file"])
    path = folder / source.name
    path.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    return path


def write_mission_on_the_gantry(path: Path) -> Path:
    """The default mission's first stages, without what only a signature can judge."""
    mission = yaml.safe_load(find_mission("deployment").read_text(encoding="utf-8"))
    mission["stages"] = [stage for stage in mission["stages"] if stage["name"] in ("preflight", "observe", "stand")]
    for stage in mission["stages"]:
        stage["accept"] = [row for row in stage["accept"] if not row["metric"].startswith("signature_")]
    path.write_text(yaml.safe_dump(mission, sort_keys=False), encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    """A configuration as YAML knows it, without what is not said."""
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        return _plain({name: content for name, content in held.items() if content is not None})
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    return [_plain(content) for content in value] if isinstance(value, tuple) else value
