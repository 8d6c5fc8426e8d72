"""Does a contract fit its network and the robot?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from supervisor.core.errors import Problem
from supervisor.core.loading import Document, KeyPath
from supervisor.core.robot import RobotConfig
from supervisor.policy.contract import Contract, RecurrentState
from supervisor.policy.session import ModelFacts, TensorFacts

DEFAULT_TOLERANCE_RAD = 0.05
"""Policy and robot must agree on the default pose; exporters round to three digits and some add up to 0.01 rad."""

TORQUE_RATIO = 20.0
"""Stiffness times action scale over torque limit: 8 in the stiffest of 22 policies tried; degrees make it 57 fold."""

RATE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class GainLimits:
    """Largest gains a joint's motor can be told.

    Attributes:
        kp_nm_per_rad, kd_nm_s_per_rad: At the joint.
    """

    kp_nm_per_rad: float
    kd_nm_s_per_rad: float


def model_problems(contract: Contract, document: Document, facts: ModelFacts) -> Iterator[Problem]:
    """What contradicts the network."""
    if contract.model.sha256.lower() != facts.sha256:
        yield document.problem(
            ("model", "sha256"), contract.model.sha256, f"{facts.sha256}, that of the file (is it the right file?)"
        )
    inputs = {item.name: item for item in facts.inputs}
    outputs = {item.name: item for item in facts.outputs}
    for key, tensors, width in (
        ("input", inputs, contract.observation.width),
        ("output", outputs, len(contract.joints)),
    ):
        name = getattr(contract, key)
        if name not in tensors:
            yield document.problem((key,), name, f"an {key} of the network: {', '.join(tensors) or 'it has none'}")
        else:
            yield from _width_problems(tensors[name], (key,), width, document)
    fed = {contract.input, *(state.input for state in contract.states)}
    for name in inputs:
        if name not in fed:
            yield document.problem((), f"the network's input {name}, which nothing feeds", "a network without it")
    for i, state in enumerate(contract.states):
        yield from _state_problems(state, ("states", i), inputs, outputs, document)


def _width_problems(tensor: TensorFacts, here: KeyPath, width: int, document: Document) -> Iterator[Problem]:
    sizes = tensor.shape
    declared = sizes[-1] if sizes else 1
    if declared not in (None, width) or any(size not in (None, 1) for size in sizes[:-1]):
        shape = "x".join("?" if size is None else str(size) for size in sizes)
        yield document.problem(
            here, f"{tensor.name} of shape {shape} in the network", f"{width} values, as listed here"
        )
    if tensor.kind != "tensor(float)":
        yield document.problem(here, f"{tensor.name} as {tensor.kind} in the network", "tensor(float), 32 bit")


def _state_problems(
    state: RecurrentState,
    here: KeyPath,
    inputs: Mapping[str, TensorFacts],
    outputs: Mapping[str, TensorFacts],
    document: Document,
) -> Iterator[Problem]:
    if not state.shape or any(size < 1 for size in state.shape):
        yield document.problem((*here, "shape"), str(list(state.shape)), "sizes of 1 and more")
    for key, tensors in (("input", inputs), ("output", outputs)):
        name = getattr(state, key)
        tensor = tensors.get(name)
        if tensor is None:
            yield document.problem((*here, key), name, f"an {key} of the network: {', '.join(tensors)}")
            continue
        fits = len(tensor.shape) == len(state.shape) and all(
            declared in (None, size) for declared, size in zip(tensor.shape, state.shape, strict=True)
        )
        if not fits or tensor.kind != "tensor(float)":
            found = f"{list(state.shape)}, but {name} is {tensor.kind} {list(tensor.shape)}"
            yield document.problem((*here, "shape"), found, "the network's shape, 32-bit float")


def robot_problems(
    contract: Contract, document: Document, robot: RobotConfig, gain_limits: Mapping[str, GainLimits]
) -> Iterator[Problem]:
    """What contradicts the robot."""
    for name in contract.joints:
        if name not in robot.joints:
            allowed = f"joints of {robot.name}: {', '.join(robot.joints)}"
            yield document.problem(("joints", name), "a joint the robot does not have", allowed)
        else:
            yield from _joint_robot_problems(name, contract, document, robot, gain_limits.get(name))
    if contract.policy_hz > 0.0:
        ratio = robot.control_hz / contract.policy_hz
        if ratio < 1.0 or abs(ratio - round(ratio)) > RATE_TOLERANCE * ratio:
            allowed = f"{robot.control_hz:g} Hz of {robot.name}'s control loop, divided by a whole number"
            yield document.problem(("policy_hz",), str(contract.policy_hz), allowed)
    for i, term in enumerate(contract.observation.terms):
        if term.source == "base_linear_velocity" and robot.estimator == "none":
            yield document.problem(
                ("observation", "terms", i, "source"),
                term.source,
                f"what {robot.name} can measure; it has no estimator of its base velocity",
            )


def _joint_robot_problems(
    name: str, contract: Contract, document: Document, robot: RobotConfig, limits: GainLimits | None
) -> Iterator[Problem]:
    here: KeyPath = ("joints", name)
    joint, body = contract.joints[name], robot.joints[name]
    low, high = body.position_rad
    if not low <= joint.default_rad <= high:
        yield document.problem(
            (*here, "default_rad"), str(joint.default_rad), f"the joint's range, {low:g} to {high:g}"
        )
    elif joint.scale_rad is not None and abs(joint.default_rad - body.default_rad) > DEFAULT_TOLERANCE_RAD:
        yield document.problem(
            (*here, "default_rad"),
            str(joint.default_rad),
            f"{robot.name}'s default_rad, {body.default_rad:g} ± {DEFAULT_TOLERANCE_RAD:g}",
        )
    if joint.kp_nm_per_rad * abs(joint.scale_rad or 0.0) > TORQUE_RATIO * body.torque_nm:
        found = f"{joint.kp_nm_per_rad:g} with a scale of {joint.scale_rad:g} rad"
        allowed = f"at most {TORQUE_RATIO:g} times the torque limit of {body.torque_nm:g} N·m for an action of 1"
        yield document.problem((*here, "kp_nm_per_rad"), found, allowed)
    if limits is not None:
        for key in ("kp_nm_per_rad", "kd_nm_s_per_rad"):
            if getattr(joint, key) > getattr(limits, key):
                allowed = f"at most {getattr(limits, key):g}, what the motor can be told"
                yield document.problem((*here, key), str(getattr(joint, key)), allowed)
