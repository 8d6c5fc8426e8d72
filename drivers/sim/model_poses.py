"""Default and rest pose of a robot, from its model's keyframes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.model_copy import refuse
from drivers.sim.model_facts import ModelFacts
from drivers.sim.plant import import_mujoco
from supervisor.core.errors import ConfigError, Problem

mujoco: Any = import_mujoco()

Array = NDArray[np.float64]

DEFAULT_KEYFRAMES = ("home", "stand", "standing", "default", "init", "initial", "nominal")
REST_KEYFRAMES = ("rest", "lying", "lie", "sit", "folded")

UPRIGHT_RAD = 0.35
"""A base whose up axis leans more than this in the default pose would trip the tilt guard from the start."""

LEVEL_RAD = 0.02

INSIDE_RAD = 0.05
INSIDE_SHARE = 0.05
"""How far inside its limits a joint starts whose range does not contain zero: a pose at a stop cannot be held."""


@dataclass(frozen=True, slots=True)
class Poses:
    """Poses taken from a model.

    Attributes:
        qpos: (nq,) all positions in the default pose, base level.
        default_rad: (n,) default pose of the driven joints.
        rest_rad: (n,) pose to lie in, None where the model names none.
        origin: Where the default pose comes from.
        remarks: What a reader should know.
    """

    qpos: Array
    default_rad: Array
    rest_rad: Array | None
    origin: str
    remarks: tuple[str, ...]


def find_poses(facts: ModelFacts, source: Path, keyframe: str | None, wanted_rad: Mapping[str, float]) -> Poses:
    """Default and rest pose from the model's keyframes, else zeros inside the limits.

    Args:
        facts: The robot.
        source: The user's model, for messages.
        keyframe: Name of the keyframe to take; None to choose one by its usual names, upright ones only.
        wanted_rad: Positions by joint that count instead, whatever the keyframe says.

    Raises:
        ConfigError: No such keyframe, a base that is not upright, or a wanted position that the joint does not reach.
    """
    model = facts.model
    names = [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_KEY, k) or "" for k in range(model.nkey)]
    if keyframe is not None and keyframe not in names:
        allowed = ", ".join(name for name in names if name) or "the model has no named keyframe"
        raise refuse(source, f"no keyframe {keyframe!r}", allowed, "--keyframe")
    upright = [k for k in range(model.nkey) if lean_rad(model.key_qpos[k], facts) < UPRIGHT_RAD]
    index = names.index(keyframe) if keyframe is not None else _by_name(names, upright, DEFAULT_KEYFRAMES)
    if index is None:
        index = next((k for k in upright if _by_name(names, [k], REST_KEYFRAMES) is None), None)
    qpos: Array = (model.qpos0 if index is None else model.key_qpos[index]).copy()
    origin = "the model's zero pose" if index is None else f"keyframe {names[index] or index}"
    remarks = [*_level(qpos, facts, source), *_bring_inside(qpos, facts, origin, is_zero=index is None)]
    if index is None and not wanted_rad:
        remarks.append("no keyframe to stand in: the default pose is zeros; change default_rad if that is not a stance")
    if wanted_rad:
        _apply(qpos, facts, wanted_rad)
        origin = "the pose that was asked for"
    rest_index = _by_name(names, upright, REST_KEYFRAMES)
    rest = None
    if rest_index is not None:
        low, high = limits_rad(facts)
        rest = np.clip(np.round(model.key_qpos[rest_index][facts.qpos], 6), low, high)
    return Poses(qpos, qpos[facts.qpos].copy(), rest, origin, tuple(remarks))


def limits_rad(facts: ModelFacts) -> tuple[Array, Array]:
    """(n,) lowest and (n,) highest positions of the driven joints."""
    return np.array([joint.low_rad for joint in facts.joints]), np.array([joint.high_rad for joint in facts.joints])


def lean_rad(qpos: Array, facts: ModelFacts) -> float:
    """Angle of the base's z axis to the vertical."""
    _, x, y, _ = qpos[facts.base_qpos + 3 : facts.base_qpos + 7]
    return math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * float(x * x + y * y))))


def _level(qpos: Array, facts: ModelFacts, source: Path) -> list[str]:
    """Put the base level, in place; refuse one that lies on its side."""
    lean = lean_rad(qpos, facts)
    if not lean < UPRIGHT_RAD:
        raise refuse(
            source,
            f"a base whose z axis leans by {lean:.2f} rad in the default pose",
            f"a base with z up, within {UPRIGHT_RAD} rad",
        )
    qpos[facts.base_qpos + 3 : facts.base_qpos + 7] = (1.0, 0.0, 0.0, 0.0)
    return [f"the base leans by {lean:.2f} rad in the model's pose: it was put level"] if lean > LEVEL_RAD else []


def _bring_inside(qpos: Array, facts: ModelFacts, origin: str, *, is_zero: bool) -> list[str]:
    """Move the driven joints inside their limits, in place."""
    low, high = limits_rad(facts)
    margin = np.minimum(INSIDE_RAD, INSIDE_SHARE * (high - low)) if is_zero else np.zeros(len(low))
    before = qpos[facts.qpos]
    inside = np.clip(np.round(np.clip(before, low + margin, high - margin), 6), low, high)
    qpos[facts.qpos] = inside
    moved = [joint.name for joint, a, b in zip(facts.joints, before, inside, strict=True) if abs(a - b) > 1e-5]
    return [f"{origin} was moved inside the joint limits: {', '.join(moved)}"] if moved else []


def _apply(qpos: Array, facts: ModelFacts, wanted_rad: Mapping[str, float]) -> None:
    """Set the wanted positions, in place."""
    joints = {joint.name: joint for joint in facts.joints}
    problems: list[Problem] = []
    for name, value in wanted_rad.items():
        joint = joints.get(name)
        if joint is None:
            problems.append(Problem("default pose", None, name, "no such joint", ", ".join(joints)))
        elif not joint.low_rad <= value <= joint.high_rad:
            allowed = f"{joint.low_rad:g} to {joint.high_rad:g} rad"
            problems.append(Problem("default pose", None, name, f"{value} rad", allowed))
        else:
            qpos[joint.qpos] = value
    if problems:
        raise ConfigError(problems)


def _by_name(names: list[str], allowed: list[int], wanted: tuple[str, ...]) -> int | None:
    """The first keyframe called one of the wanted names, else the first that has one in its name."""
    for word in wanted:
        for k in allowed:
            if names[k].lower() == word:
                return k
    for word in wanted:
        for k in allowed:
            if re.search(rf"(^|[^a-z]){word}([^a-z]|$)", names[k].lower()):
                return k
    return None
