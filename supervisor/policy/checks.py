"""Checks of a contract: against itself, against its network, and against the robot. All problems at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from supervisor.core.errors import Problem
from supervisor.core.loading import Document, KeyPath
from supervisor.core.robot import RobotConfig
from supervisor.policy.contract import Contract, Term
from supervisor.policy.fit import GainLimits, model_problems, robot_problems
from supervisor.policy.session import ModelFacts
from supervisor.policy.sources import SOURCES


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
        problems += model_problems(contract, document, facts)
    if robot is not None:
        problems += robot_problems(contract, document, robot, gain_limits or {})
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


def _names(contract: Contract) -> str:
    return ", ".join(contract.joints)
