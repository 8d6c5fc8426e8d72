"""What a policy step costs beside the bare onnxruntime call: `python -m benchmarks.policy_step`.

Two networks: pup's own (3 x 128) and one of the size most published walking policies have (512, 256, 128), with
random weights. Hot, one after the other in one process.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import helper, numpy_helper

from benchmarks.harness import Row, table, timed, us
from supervisor.core.joints import frozen_vector
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import load_robot
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.policy.policy import Policy, load_policy
from supervisor.policy.session import open_model

ROOT = Path(__file__).resolve().parent.parent
ROBOT = ROOT / "config" / "robots" / "pup"
POLICY = ROOT / "config" / "policies" / "pup_walk"
CALLS = 5_000
GOAL_RATIO = 1.5
HIDDEN = (512, 256, 128)


def standing(robot: RobotConfig) -> RobotState:
    count = len(robot.order)
    zero, none = frozen_vector([0.0] * count), np.zeros(count, np.int64)
    still = frozen_vector([0.0, 0.0, 0.0])
    level, up = frozen_vector([1.0, 0.0, 0.0, 0.0]), frozen_vector([0.0, 0.0, 9.81])
    imu = ImuReading(level, still, up, frozen_vector([0.0, 0.0, -1.0]), 0.0, 1, 0, False)
    pose = robot.vector("default_rad")
    return RobotState(robot.order, 0.0, 0, pose, zero, zero, zero, zero, none, none, imu, BaseVelocity(still, 0.0))


def load_usual(folder: Path, robot: RobotConfig) -> Policy:
    """Pup's contract around a network of the usual size."""
    content = yaml.safe_load((POLICY / "contract.yaml").read_text())
    width, count = sum(term["dim"] for term in content["observation"]["terms"]), len(content["joints"])
    random = np.random.default_rng(0)
    sizes = (width, *HIDDEN, count)
    nodes, weights = [], []
    for k in range(len(sizes) - 1):
        weight = random.normal(0.0, 0.3 / np.sqrt(sizes[k]), (sizes[k], sizes[k + 1])).astype(np.float32)
        weights += [numpy_helper.from_array(weight, f"w{k}"), numpy_helper.from_array(weight[0], f"b{k}")]
        is_last = k == len(sizes) - 2
        before, after = "obs" if k == 0 else f"x{k}", "actions" if is_last else f"z{k}"
        nodes.append(helper.make_node("Gemm", [before, f"w{k}", f"b{k}"], [after]))
        if not is_last:
            nodes.append(helper.make_node("Elu", [f"z{k}"], [f"x{k + 1}"]))
    inputs = [helper.make_tensor_value_info("obs", onnx.TensorProto.FLOAT, [1, width])]
    outputs = [helper.make_tensor_value_info("actions", onnx.TensorProto.FLOAT, [1, count])]
    graph = helper.make_graph(nodes, "usual", inputs, outputs, weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "policy.onnx"
    )
    del content["golden"]  # they are those of pup's own network
    content["model"]["sha256"] = hashlib.sha256((folder / "policy.onnx").read_bytes()).hexdigest()
    (folder / "contract.yaml").write_text(yaml.safe_dump(content))
    return load_policy(folder, robot)


def rows() -> Iterator[Row]:
    """Each network called bare, with its buffers bound, and within a policy step."""
    robot = load_robot(ROBOT).config
    yield from compared("pup, 3 × 128", load_policy(POLICY, robot), POLICY / "policy.onnx", robot)
    with tempfile.TemporaryDirectory() as folder:
        usual = load_usual(Path(folder), robot)
        yield from compared("512, 256, 128", usual, Path(folder) / "policy.onnx", robot)


def compared(name: str, policy: Policy, network: Path, robot: RobotConfig) -> Iterator[Row]:
    """The rows of one network. A step includes reading its health."""
    state, command = standing(robot), frozen_vector([0.4, 0.0, 0.0])
    session = open_model(network).session
    feeds = {policy.contract.input: np.zeros((1, policy.contract.observation.width), np.float32)}
    bare = timed(lambda _: session.run(None, feeds), CALLS)
    bound = timed(lambda _: policy.run_network(), CALLS)
    step = timed(lambda _: (policy.step(state, command, 1.0, 0.0), policy.health), CALLS)
    ratio = step.median_us / bare.median_us
    yield Row(f"bare onnxruntime call ({name})", us(bare))
    yield Row("— the same with buffers bound once", us(bound))
    yield Row("policy step: observation, network, decode, checks", us(step))
    yield Row("— over the bare call", f"{ratio:.2f} ×", f"≤ {GOAL_RATIO} ×", ratio <= GOAL_RATIO)


if __name__ == "__main__":
    print(table(rows()))
