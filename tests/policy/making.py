"""Contracts, networks and measurements made up for the tests of this room."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from supervisor.core.joints import JointOrder, frozen_vector
from supervisor.core.loading import Document, validate_document
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import load_robot
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.policy.contract import Contract

ROOT = Path(__file__).resolve().parents[2]
PUP_WALK = ROOT / "config" / "policies" / "pup_walk"


def pup() -> RobotConfig:
    """The shipped demo robot."""
    return load_robot(ROOT / "config" / "robots" / "pup").config


def make_state(order: JointOrder, now_s: float = 1.0, **values: Sequence[float]) -> RobotState:
    """Measurements of a level robot at rest, except for what is given.

    Args:
        order: Joints.
        now_s: Stamp of everything.
        values: position, velocity (n,); rate, gravity, speed (3,); orientation (4,).
    """
    count = len(order)
    zero, none = frozen_vector([0.0] * count), np.zeros(count, np.int64)
    imu = ImuReading(
        orientation_base_in_world_wxyz=frozen_vector(values.get("orientation", (1.0, 0.0, 0.0, 0.0))),
        angular_velocity_base_in_base_rad_per_s=frozen_vector(values.get("rate", (0.0, 0.0, 0.0))),
        acceleration_base_in_base_m_per_s2=frozen_vector([0.0, 0.0, 9.81]),
        gravity_in_base=frozen_vector(values.get("gravity", (0.0, 0.0, -1.0))),
        stamp_s=now_s,
        sequence=1,
        unchanged=0,
        warning=False,
    )
    return RobotState(
        order=order,
        now_s=now_s,
        cycle=0,
        position_rad=frozen_vector(values.get("position", zero)),
        velocity_rad_per_s=frozen_vector(values.get("velocity", zero)),
        torque_nm=zero,
        temperature_degc=zero,
        motor_stamp_s=zero + now_s,
        motor_status=none,
        fault_code=none,
        imu=imu,
        base_velocity=BaseVelocity(frozen_vector(values.get("speed", (0.0, 0.0, 0.0))), now_s),
    )


def term(source: str, dim: int, **more: Any) -> dict[str, Any]:
    """One observation term with the unit and frame of its source."""
    units = {
        "base_angular_velocity": ("rad/s", "base"),
        "base_linear_velocity": ("m/s", "base"),
        "projected_gravity": ("1", "base"),
        "base_euler_xyz": ("rad", "world"),
        "velocity_command": ("m/s m/s rad/s", "base"),
        "joint_position": ("rad", "joint"),
        "joint_position_minus_default": ("rad", "joint"),
        "joint_velocity": ("rad/s", "joint"),
        "last_action": ("1", "joint"),
        "gait_clock": ("1", "none"),
        "constant": ("1", "none"),
    }
    unit, frame = units[source]
    return {"name": source, "source": source, "dim": dim, "unit": unit, "frame": frame} | more


def content(terms: Sequence[Mapping[str, Any]], joints: Sequence[str] = ("a", "b"), **more: Any) -> dict[str, Any]:
    """A contract's content for joints with default poses 0.1, 0.2, … and scales 0.5."""
    return {
        "schema": 1,
        "name": "made_up",
        "model": {"file": "policy.onnx", "sha256": "0"},
        "input": "obs",
        "output": "actions",
        "policy_hz": 50.0,
        "joints": {
            name: {"default_rad": 0.1 * (i + 1), "scale_rad": 0.5, "kp_nm_per_rad": 20.0, "kd_nm_s_per_rad": 0.5}
            for i, name in enumerate(joints)
        },
        "action": {"kind": "position_offset", "last_action": "raw", "clip": [-1.0, 1.0]},
        "observation": {"layout": "term_major", "terms": list(terms)},
        "command": {
            name: {"trained": [-1.0, 1.0], "recommended": [-0.5, 0.5]}
            for name in ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
        },
    } | more


def make_contract(terms: Sequence[Mapping[str, Any]], joints: Sequence[str] = ("a", "b"), **more: Any) -> Contract:
    """A contract of made-up content."""
    return validate_document(Document("made_up.yaml", content(terms, joints, **more)), Contract)


def write_network(
    path: Path, weight: np.ndarray, *, states: bool = False, kind: int = TensorProto.FLOAT, extra_input: bool = False
) -> str:
    """Write `actions = obs @ weight`; with a state, `h_out = h_in + 1` and the state's first value is added.

    Returns:
        The file's sha256.
    """
    width, count = weight.shape
    dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
    constants = [numpy_helper.from_array(weight.astype(dtype), "w")]
    inputs = [helper.make_tensor_value_info("obs", kind, [1, width])]
    outputs = [helper.make_tensor_value_info("actions", kind, [1, count])]
    if states:
        constants.append(numpy_helper.from_array(np.ones((1, 1), dtype), "one"))
        inputs.append(helper.make_tensor_value_info("h_in", kind, [1, 1]))
        outputs.append(helper.make_tensor_value_info("h_out", kind, [1, 1]))
        nodes = [
            helper.make_node("MatMul", ["obs", "w"], ["z"]),
            helper.make_node("Add", ["z", "h_in"], ["actions"]),
            helper.make_node("Add", ["h_in", "one"], ["h_out"]),
        ]
    else:
        nodes = [helper.make_node("MatMul", ["obs", "w"], ["actions"])]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("time_step", kind, [1, 1]))
        outputs.append(helper.make_tensor_value_info("echo", kind, [1, 1]))
        nodes.append(helper.make_node("Identity", ["time_step"], ["echo"]))
    graph = helper.make_graph(nodes, "made_up", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_policy(folder: Path, made: dict[str, Any], weight: np.ndarray, *, states: bool = False) -> Path:
    """Write a contract and its network."""
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = write_network(folder / "policy.onnx", weight, states=states)
    made = made | {"model": {"file": "policy.onnx", "sha256": sha256}}
    if states:
        made["states"] = [{"input": "h_in", "output": "h_out", "shape": [1, 1]}]
    (folder / "contract.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    return folder


def robot_with(joints: Sequence[str], **more: Any) -> RobotConfig:
    """A robot of pup's make with other joints: default poses 0.1, 0.2, … in this order."""
    shipped = pup()
    model = shipped.joints["fl_hip"]
    made = {
        name: replace(model, position_rad=(-2.0, 2.0), default_rad=0.1 * (i + 1), rest_rad=0.0)
        for i, name in enumerate(joints)
    }
    return replace(shipped, name="made_up", joints=made, **more)
