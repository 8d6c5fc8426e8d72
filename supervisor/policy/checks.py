"""Checks of a contract: against itself, against its network, and against the robot. All problems at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from supervisor.core.errors import Problem
from supervisor.core.loading import Document, KeyPath
from supervisor.core.robot import RobotConfig
from supervisor.policy.contract import Contract, RecurrentState, Term
from supervisor.policy.session import ModelFacts, TensorFacts
from supervisor.policy.sources import SOURCES

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


def check_contract(
    contract: Contract,
    document: Document,
    facts: ModelFacts | None,
    robot: RobotConfig | None,
    gain_limits: Mapping[str, GainLimits] | None = None,
) -> tuple[Problem, ...]:
    """Everything that contradicts itself, the network or the robot.

    Args:
        contract: Keys and types are right.
        document: Where its keys stand.
        facts: What the ONNX file says of itself; None where it could not be opened.
        robot: The robot to drive, None to check the contract alone.
        gain_limits: By joint name, where known.
    """
    problems = [*_joint_problems(contract, document), *_observation_problems(contract, document)]
    problems += _clock_problems(contract, document)
    problems += _command_problems(contract, document)
    problems += _golden_problems(contract, document)
    if facts is not None:
        problems += _model_problems(contract, document, facts)
    if robot is not None:
        problems += _robot_problems(contract, document, robot, gain_limits or {})
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _joint_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    if contract.policy_hz <= 0.0:
        yield document.problem(("policy_hz",), str(contract.policy_hz), "a number above 0")
    if not contract.joints:
        yield document.problem(("joints",), "no joint", "at least one joint")
    for name, joint in contract.joints.items():
        here: KeyPath = ("joints", name)
        if (joint.scale_rad is None) == (joint.scale_rad_per_s is None):
            found = "neither" if joint.scale_rad is None else "both"
            yield document.problem(here, found, "one of scale_rad (position) and scale_rad_per_s (velocity)")
        elif joint.scale == 0.0:
            yield document.problem(here, "a scale of 0", "a scale other than 0")
        if joint.kp_nm_per_rad < 0.0 or (joint.kp_nm_per_rad == 0.0 and joint.scale_rad_per_s is None):
            yield document.problem((*here, "kp_nm_per_rad"), str(joint.kp_nm_per_rad), "a number above 0")
        if joint.kd_nm_s_per_rad <= 0.0:
            yield document.problem((*here, "kd_nm_s_per_rad"), str(joint.kd_nm_s_per_rad), "a number above 0")
    yield from _clip_problems(contract.action.clip, ("action", "clip"), document)


def _clip_problems(clip: tuple[float, float] | None, path: KeyPath, document: Document) -> Iterator[Problem]:
    if clip is not None and clip[0] >= clip[1]:
        yield document.problem(path, str(list(clip)), "[lowest, highest], lowest first")


def _observation_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    observation = contract.observation
    if not observation.terms:
        yield document.problem(("observation", "terms"), "no term", "at least one term")
    yield from _clip_problems(observation.clip, ("observation", "clip"), document)
    for name, count in Counter(term.name for term in observation.terms).items():
        if count > 1:
            yield document.problem(("observation", "terms"), f"{count} terms named {name}", "each name once")
    for i, term in enumerate(observation.terms):
        yield from _term_problems(term, ("observation", "terms", i), contract, document)
    if observation.layout == "frame_major":
        yield from _frame_problems(observation.terms, document)


def _term_problems(term: Term, here: KeyPath, contract: Contract, document: Document) -> Iterator[Problem]:
    row = SOURCES[term.source]
    expected = {
        "three": 3,
        "joints": len(term.joints or contract.joints),
        "command": len(contract.command),
        "clock": 0 if contract.clock is None else contract.clock.width,
        "any": len(term.value),
    }[row.width]
    if term.dim != expected or term.dim < 1:
        yield document.problem((*here, "dim"), str(term.dim), f"{expected}, the width of {term.source} here")
    for key in ("unit", "frame"):
        if getattr(row, key) and getattr(term, key) != getattr(row, key):
            found, allowed = getattr(term, key), getattr(row, key)
            yield document.problem((*here, key), found, f"{allowed}, that of {term.source} (convert with scale)")
    if isinstance(term.scale, tuple) and len(term.scale) != term.dim:
        yield document.problem((*here, "scale"), f"{len(term.scale)} numbers", f"one number, or {term.dim}")
    yield from _clip_problems(term.clip, (*here, "clip"), document)
    if term.clip is not None and term.clip_order is None:
        yield document.problem((*here, "clip_order"), "nothing", "before_scale or after_scale, because there is a clip")
    if term.history is not None and not 1 <= term.history.length <= 1000:
        yield document.problem((*here, "history", "length"), str(term.history.length), "1 to 1000")
    if term.source == "gait_clock" and contract.clock is None:
        yield document.problem((*here, "source"), term.source, "a source of this contract; it has no `clock`")
    for key in ("joints", "zeroed"):
        names = getattr(term, key)
        unknown = [name for name in names if name not in contract.joints]
        if unknown or len(set(names)) != len(names) or (names and row.width != "joints"):
            yield document.problem(
                (*here, key), str(list(names)), f"joints of this contract, each once: {_names(contract)}"
            )
    if any(name not in (term.joints or contract.joints) for name in term.zeroed):
        yield document.problem((*here, "zeroed"), str(list(term.zeroed)), "joints of this term")
    if term.source == "last_action" and term.zeroed:
        yield document.problem((*here, "zeroed"), str(list(term.zeroed)), "nothing: last_action is seen whole")
    yield from _range_problems(term, here, document)


def _range_problems(term: Term, here: KeyPath, document: Document) -> Iterator[Problem]:
    for key in ("minimum", "maximum"):
        count = len(getattr(term, key))
        if count not in (0, term.dim):
            yield document.problem((*here, key), f"{count} numbers", f"{term.dim}, one per value")
    if bool(term.minimum) != bool(term.maximum):
        yield document.problem(here, "only one of minimum and maximum", "both or neither")
    elif len(term.minimum) == len(term.maximum):
        for i, (low, high) in enumerate(zip(term.minimum, term.maximum, strict=True)):
            if low >= high:
                yield document.problem((*here, "minimum", i), f"{low} with a maximum of {high}", "below the maximum")


def _frame_problems(terms: Sequence[Term], document: Document) -> Iterator[Problem]:
    framed = [i for i, term in enumerate(terms) if term.history is not None]
    if framed and framed != list(range(framed[0], framed[-1] + 1)):
        yield document.problem(
            ("observation", "terms"), "a term without history between others", "before or after them"
        )
    histories = [term.history for term in terms if term.history is not None]
    if len({(history.length, history.order) for history in histories}) > 1:
        yield document.problem(
            ("observation", "terms"), "histories that differ", "one length and order, in frame_major"
        )


def _clock_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    clock = contract.clock
    if clock is None:
        return
    if not 0.0 < clock.frequency_hz < 0.5 * contract.policy_hz:
        allowed = f"above 0 and below half the policy's rate, {0.5 * contract.policy_hz:g} Hz"
        yield document.problem(("clock", "frequency_hz"), str(clock.frequency_hz), allowed)
    if clock.width == 0:
        yield document.problem(("clock",), "no value", "at least one of outputs and of offsets")
    wanted = 0 if clock.moving_threshold is None else clock.width
    if len(clock.standing_value) != wanted:
        found = f"{len(clock.standing_value)} numbers"
        yield document.problem(("clock", "standing_value"), found, f"{wanted}: one per value if there is a threshold")


def _command_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    for name, axis in contract.command.items():
        here: KeyPath = ("command", name)
        (low, high), (wanted_low, wanted_high) = axis.trained, axis.recommended
        if low > high:
            yield document.problem((*here, "trained"), str(list(axis.trained)), "[lowest, highest], lowest first")
        elif not low <= wanted_low <= wanted_high <= high:
            yield document.problem(
                (*here, "recommended"),
                str(list(axis.recommended)),
                f"a range inside the trained one, {low:g} to {high:g}",
            )
        if axis.slew_per_s is not None and axis.slew_per_s <= 0.0:
            yield document.problem((*here, "slew_per_s"), str(axis.slew_per_s), "a number above 0")


def _golden_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    if contract.golden is None:
        return
    if contract.golden.tolerance <= 0.0:
        yield document.problem(("golden", "tolerance"), str(contract.golden.tolerance), "a number above 0")
    for i, pair in enumerate(contract.golden.pairs):
        for key, width in (("observation", contract.observation.width), ("action", len(contract.joints))):
            if len(getattr(pair, key)) != width:
                found = f"{len(getattr(pair, key))} numbers"
                yield document.problem(("golden", "pairs", i, key), found, f"{width}, the width of the {key}")


def _model_problems(contract: Contract, document: Document, facts: ModelFacts) -> Iterator[Problem]:
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


def _robot_problems(
    contract: Contract, document: Document, robot: RobotConfig, gain_limits: Mapping[str, GainLimits]
) -> Iterator[Problem]:
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


def _names(contract: Contract) -> str:
    return ", ".join(contract.joints)
