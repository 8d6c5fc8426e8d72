"""Reads the recorded policy cases beside the repository: contract, robot and states of each, for tests only.

The cases are data that not every checkout has. Tests ask for them with `needs_cases` and skip where they are missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from supervisor.core.joints import frozen_vector
from supervisor.core.robot import CanBusConfig, ImuConfig, JointConfig, MotorConfig, RobotConfig, SerialBusConfig
from supervisor.core.state import BaseVelocity, ImuReading, RobotState

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
"""Where the cases are."""

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"the recorded cases are not in {CASES}")
"""Marks a test that reads a case."""

VELOCITY_CASES = (
    "go1_playground",
    "go2_robot_lab",
    "g1_unitree_rl_mjlab",
    "agibot_x1_leg",
    "agibot_x1_leg_shoulder",
    "b2w_robot_lab",
    "berkeley_humanoid_lite",
    "berkeley_humanoid_lite_legs",
    "berkeley_humanoid_playground",
    "g1_29dof_unitree_rl_lab",
    "g1_playground",
    "g1_unitree_rl_gym",
    "go2_himloco",
    "go2w_robot_lab",
    "h1_unitree_rl_gym",
    "lite3_ppo",
    "t1_booster_gym",
    "t1_playground",
    "tron1_pointfoot",
)
"""Cases whose policy follows a velocity command and sees only what a contract can name; the first three lead."""

_COMMAND_NAMES = {"lin_vel_x": "vx_m_per_s", "lin_vel_y": "vy_m_per_s", "ang_vel_z": "wz_rad_per_s"}

_SOURCES = {
    "base_ang_vel": ("base_angular_velocity", "rad/s", "base"),
    "projected_gravity": ("projected_gravity", "1", "base"),
    "base_euler": ("base_euler_xyz", "rad", "world"),
    "command": ("velocity_command", "m/s m/s rad/s", "base"),
    "joint_pos_rel": ("joint_position_minus_default", "rad", "joint"),
    "joint_vel": ("joint_velocity", "rad/s", "joint"),
    "last_action": ("last_action", "1", "joint"),
    "phase": ("gait_clock", "1", "none"),
    "const": ("constant", "1", "none"),
}
_SENSORS = {
    "gyro": ("base_angular_velocity", "rad/s", "base"),
    "imu_gyro": ("base_angular_velocity", "rad/s", "base"),
    "base_lin_vel": ("base_linear_velocity", "m/s", "base"),
}


def read_spec(case: Path) -> dict[str, Any]:
    """What a case's policy expects."""
    return json.loads((case / "spec.json").read_text())


def read_reference(case: Path) -> dict[str, Any]:
    """What was measured and recorded with a case."""
    return json.loads((case / "reference.json").read_text())


def default_pose(spec: Mapping[str, Any]) -> dict[str, float]:
    """Default position of every joint of the model, rad."""
    return dict(zip(spec["joints"]["policy_order"], map(float, spec["joints"]["default_pos"]), strict=True))


def driven_joints(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The joints that the policy drives, in its order."""
    return tuple(spec["action"].get("joints") or spec["joints"]["policy_order"])


def fixed_command(spec: Mapping[str, Any]) -> tuple[float, ...]:
    """The command under which the case's long run was measured."""
    return tuple(map(float, spec["verify"]["fixed_command"]))


def write_contract(case: Path, folder: Path) -> Path:
    """Write the contract of a case's policy, with a copy of the network beside it.

    Args:
        case: Folder of the case.
        folder: Where to write; made where it does not exist.

    Returns:
        The contract file.
    """
    spec = read_spec(case)
    folder.mkdir(parents=True, exist_ok=True)
    network = folder / "policy.onnx"
    shutil.copyfile(case / spec["policy"]["file"], network)
    recurrent = spec["policy"]["recurrent"] or {"states": []}
    content: dict[str, Any] = {
        "schema": 1,
        "name": spec["case"],
        "model": {"file": network.name, "sha256": hashlib.sha256(network.read_bytes()).hexdigest()},
        "input": spec["policy"]["input"],
        "output": spec["policy"]["output"],
        "states": [{key: state[key] for key in ("input", "output", "shape")} for state in recurrent["states"]],
        "policy_hz": round(1.0 / spec["timing"]["control_dt"], 6),
        "joints": _joints(spec),
        "action": _action(spec),
        "observation": _observation(spec),
        "command": _command(case, spec),
        "golden": _golden(case, is_recurrent=bool(recurrent["states"])),
    }
    if spec["phase"]:
        content["clock"] = _clock(spec["phase"], spec["timing"]["control_dt"])
    path = folder / "contract.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=118))
    return path


def _joints(spec: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    every = spec["joints"]["policy_order"]
    names = driven_joints(spec)
    scale = spec["action"]["scale"]
    scales = scale if isinstance(scale, list) else [scale] * len(names)
    wheels = spec["action"].get("velocity_joints") or []
    joints: dict[str, dict[str, float]] = {}
    for name, factor in zip(names, scales, strict=True):
        i = every.index(name)
        joints[name] = {
            "default_rad": float(spec["joints"]["default_pos"][i]),
            "scale_rad_per_s" if name in wheels else "scale_rad": float(factor),
            "kp_nm_per_rad": float(spec["joints"]["kp"][i]),
            "kd_nm_s_per_rad": float(spec["joints"]["kd"][i]),
        }
    return joints


def _action(spec: Mapping[str, Any]) -> dict[str, Any]:
    action: dict[str, Any] = {"kind": "position_offset", "last_action": spec["action"]["last_action_is"]}
    if spec["action"]["clip"]:
        lows, highs = spec["action"]["clip"]
        assert len(set(lows)) == len(set(highs)) == 1, "one clip for all joints"
        action |= {"clip": [float(lows[0]), float(highs[0])], "clip_order": "before_scale"}
    return action


def _observation(spec: Mapping[str, Any]) -> dict[str, Any]:
    observation = spec["obs"]
    past = observation["history"]
    history = None
    if past:
        fill = {"repeat_first": "first", "zeros": "zero"}[past["fill"]]
        history = {"length": past["length"], "order": past["order"], "fill": fill}
    driven = driven_joints(spec)
    terms = [_term(term, history, driven) for term in observation["terms"]]
    terms += [_term(term, None, driven) for term in observation.get("tail_terms", [])]
    for i, term in enumerate(terms):
        if term["name"] in [earlier["name"] for earlier in terms[:i]]:
            term["name"] += "_newest"
    per_frame = past and past["layout"] == "per_frame"
    result: dict[str, Any] = {"layout": "frame_major" if per_frame else "term_major"}
    if observation["clip"]:
        result["clip"] = [float(value) for value in observation["clip"]]
    return result | {"terms": terms}


def _term(term: Mapping[str, Any], history: Mapping[str, Any] | None, driven: Sequence[str]) -> dict[str, Any]:
    rows, key = (_SENSORS, "name") if term["kind"] == "sensor" else (_SOURCES, "kind")
    source, unit, frame = rows[term[key]]
    result: dict[str, Any] = {"name": term["name"], "source": source, "dim": term["dim"], "unit": unit, "frame": frame}
    if "scale" in term:
        scale = term["scale"]
        result["scale"] = [float(value) for value in scale] if isinstance(scale, list) else float(scale)
    if "joints" in term and tuple(term["joints"]) != tuple(driven):
        result["joints"] = term["joints"]
    if "zeroed_joints" in term:
        result["zeroed"] = term["zeroed_joints"]
    if "value" in term:
        result["value"] = term["value"]
    if history is not None:
        result["history"] = dict(history)
    return result


def _clock(phase: Mapping[str, Any], period_s: float) -> dict[str, Any]:
    clock: dict[str, Any] = {"advance": phase.get("advance", "after")}
    threshold = phase.get("standing_threshold")
    standing = phase.get("standing_value")
    if phase["kind"] == "two_leg_cos_sin":
        clock |= {"frequency_hz": phase["frequency"], "outputs": ["cos", "sin"], "offsets": [0.0, 0.5]}
        standing = [-1.0, -1.0, 0.0, 0.0]
    elif phase["kind"] == "clock_reset":
        # As recorded, the 25th addition of 0.04 passes 1 by a rounding error: the period is 1 / step after all.
        clock |= {"frequency_hz": phase["step"] / period_s, "outputs": phase["order"], "advance": "before"}
    else:
        clock |= {"frequency_hz": 1.0 / phase["period"], "outputs": phase["order"]}
    if threshold is not None:
        clock |= {"moving_threshold": threshold, "standing_value": standing}
    return clock


def _tracked_ratio(case: Path, axis: int) -> float:
    """Measured over commanded, from the part of the recorded schedule that commands most of this axis alone."""
    best = max(
        (part for part in read_reference(case)["schedule"].values() if _commands_only(part["command"], axis)),
        key=lambda part: part["command"][axis],
        default=None,
    )
    if best is None:
        return 1.0
    return round(float(best["vel_mean"][("vx", "vy", "wz")[axis]]) / float(best["command"][axis]), 3)


def _commands_only(command: Sequence[float], axis: int) -> bool:
    return all((value > 0.0) if i == axis else (value == 0.0) for i, value in enumerate(command))


def _command(case: Path, spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Trained ranges as stated; recommended is what the case was measured with, inside them."""
    commands = [spec["verify"]["fixed_command"], *(part["command"] for part in spec["verify"]["schedule"])]
    result: dict[str, dict[str, Any]] = {}
    for i, (name, trained) in enumerate(zip(spec["command"]["names"], spec["command"]["ranges"], strict=True)):
        low, high = map(float, trained)
        tried = [float(command[i]) for command in commands]
        axis = {"trained": [low, high], "recommended": [max(low, min(tried)), min(high, max(tried))]}
        axis["tracked_ratio"] = _tracked_ratio(case, i)
        if "slew_per_s" in spec["command"]:
            axis["slew_per_s"] = float(spec["command"]["slew_per_s"])
        result[_COMMAND_NAMES[name]] = axis
    return result


def _golden(case: Path, *, is_recurrent: bool) -> dict[str, Any]:
    """A few recorded pairs; of a recurrent network only the first, which starts from zero state."""
    reference = read_reference(case)
    pairs = reference["pairs_consecutive_first_50"][:1] if is_recurrent else reference["pairs_sampled_over_schedule"]
    return {
        "tolerance": 1.0e-4,
        "pairs": [{"observation": pair["obs"], "action": pair["action"]} for pair in pairs if "obs" in pair][:5],
    }


def robot_of(spec: Mapping[str, Any]) -> RobotConfig:
    """A robot with a case's joints, in the model's order and on one bus: enough to load its policy."""
    joints = spec["joints"]
    row = {name: i for i, name in enumerate(joints["policy_order"])}
    default = default_pose(spec)
    configs: dict[str, JointConfig] = {}
    for number, name in enumerate(joints["mjcf_order"]):
        i = row[name]
        limit = (joints["position_limit"] or [None] * len(row))[i] or (-1e3, 1e3)
        configs[name] = JointConfig(
            motor=MotorConfig("damiao", "DM8009", "can0", number + 1, number + 101),
            direction=1,
            offset_rad=0.0,
            gear=1.0,
            position_rad=(float(limit[0]), float(limit[1])),
            velocity_rad_per_s=30.0,
            torque_nm=float(joints["effort_limit"][i]),
            kp_nm_per_rad=max(1.0, float(joints["kp"][i])),
            kd_nm_s_per_rad=float(joints["kd"][i]),
            default_rad=default[name],
            rest_rad=default[name],
        )
    return RobotConfig(
        schema=1,
        name=spec["case"],
        safety="safety.yaml",
        control_hz=500.0,
        motor_timeout_s=0.1,
        buses={"can0": CanBusConfig("can", "virtual", "can0", 1_000_000), "imu0": SerialBusConfig("serial", "-", 1)},
        joints=configs,
        imu=ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)),
        estimator="simulation",
        rest_support="gantry",
    )


def state_of(recorded: Mapping[str, Any], spec: Mapping[str, Any], robot: RobotConfig) -> RobotState:
    """The measurements that go with a recorded observation, in the robot's joint order."""
    policy_order = spec["joints"]["policy_order"]
    position = robot.order.vector(dict(zip(policy_order, recorded["joint_pos_policy"], strict=True)))
    velocity = robot.order.vector(dict(zip(policy_order, recorded["joint_vel_policy"], strict=True)))
    count = len(robot.order)
    zero, none = frozen_vector([0.0] * count), np.zeros(count, np.int64)
    rate = next((recorded[key] for key in _RATES if key in recorded), recorded["base_ang_vel_body"])
    now_s = float(recorded["t"])
    imu = ImuReading(
        orientation_base_in_world_wxyz=frozen_vector(recorded["base_quat_wxyz"]),
        angular_velocity_base_in_base_rad_per_s=frozen_vector(rate),
        acceleration_base_in_base_m_per_s2=frozen_vector([0.0, 0.0, 9.81]),
        gravity_in_base=frozen_vector(recorded["projected_gravity"]),
        stamp_s=now_s,
        sequence=0,
        unchanged=0,
        warning=False,
    )
    speed = recorded.get("term:base_lin_vel (unscaled)", [0.0, 0.0, 0.0])
    base = BaseVelocity(frozen_vector(speed), now_s)
    return RobotState(
        robot.order, now_s, 0, position, velocity, zero, zero, frozen_vector([now_s] * count), none, none, imu, base
    )


_RATES = ("term:gyro (unscaled)", "term:imu_gyro (unscaled)")
