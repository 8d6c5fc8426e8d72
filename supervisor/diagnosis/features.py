"""From a labelled recording to the numbers that a signature compares.

Per support, with nobody moving: the holding torques and the direction of gravity. Per move: how both changed at its
far end, and the mean angular rate over the first and second half of the way out (halves and not peaks: a mean is
linear in the motion, a peak jumps when two swings are nearly equal).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.signature import Samples

AT_DEFAULT_RAD = 0.05
"""A robot that holds still this close to its default pose is a baseline, whatever the stage was for."""

STILL_RAD = 0.02
"""A held joint stays within this while it is measured."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of features of one kind, from one support's baseline or one move.

    Attributes:
        quantity: "torque" (n values, N·m), "gravity" (3, unit vector) or "rate" (6, rad/s: x y z early, x y z late).
        label: Whose: a support's baseline label, or a move's without its phase.
        start: Index of the first value.
        size: How many.
    """

    quantity: str
    label: str
    start: int
    size: int

    @property
    def span(self) -> slice:
        """Where the block lies in the feature vector."""
        return slice(self.start, self.start + self.size)


def supports_of(plan: MovePlan) -> tuple[Support, ...]:
    """The supports of a plan, in its order."""
    return tuple(dict.fromkeys(move.support for move in plan.moves))


def layout(plan: MovePlan, joints: int) -> tuple[Block, ...]:
    """Where each feature lies; a function of the plan and the number of joints alone."""
    return tuple(_blocks(plan, joints))


def _blocks(plan: MovePlan, joints: int) -> Iterator[Block]:
    start = 0
    for support in supports_of(plan):
        for quantity, size in (("torque", joints), ("gravity", 3)):
            yield Block(quantity, plan.baseline_label(support), start, size)
            start += size
        for move in plan.moves:
            if move.support is support:
                for quantity, size in (("torque", joints), ("gravity", 3), ("rate", 6)):
                    yield Block(quantity, _stem(move), start, size)
                    start += size


def features(samples: Samples, plan: MovePlan, joints: int) -> Vector:
    """The feature vector of one recording, in the order of `layout`; NaN where a label was not recorded."""
    means = _means_by_label(samples)
    parts: list[Vector] = []
    nothing = (np.full(joints, np.nan), np.full(3, np.nan))
    for support in supports_of(plan):
        torque, gravity = means.get(plan.baseline_label(support), nothing)
        parts += [torque, gravity]
        for move in plan.moves:
            if move.support is support:
                far_torque, far_gravity = means.get(move.label("measure"), nothing)
                parts += [far_torque - torque, far_gravity - gravity, _rates(samples, move.label("out"))]
    return np.concatenate(parts)


def resting_features(samples: Samples, plan: MovePlan, order: JointOrder, default_rad: Vector | None) -> Vector:
    """Features of a stage that stands still at the default pose on the gantry (`stand`, `zero_action`).

    Only the gantry's baseline can be filled; everything is NaN when the robot does not hold still there.

    Args:
        samples: The stage's recording.
        plan: The moves.
        order: Joint order.
        default_rad: (n,) the default pose, or None to take any pose that is held: a joint that cannot get to its
            default pose tells as much as one that does, as long as it is told to go there.
    """
    recent = samples.time_s >= samples.time_s[-1] - plan.baseline_s if len(samples.time_s) else np.zeros(0, bool)
    empty = np.full(sum(block.size for block in layout(plan, len(order))), np.nan)
    position = samples.position_rad[recent]
    if len(position) < 5 or Support.GANTRY not in supports_of(plan):
        return empty
    if np.ptp(position, axis=0).max() > STILL_RAD:
        return empty
    if default_rad is not None and np.abs(position.mean(axis=0) - default_rad).max() > AT_DEFAULT_RAD:
        return empty
    renamed = Samples(
        time_s=samples.time_s[recent],
        position_rad=position,
        torque_nm=samples.torque_nm[recent],
        gravity_in_base=samples.gravity_in_base[recent],
        angular_velocity_base_in_base_rad_per_s=samples.angular_velocity_base_in_base_rad_per_s[recent],
        label_index=np.zeros(len(position), np.int32),
        labels=(plan.baseline_label(Support.GANTRY),),
    )
    return features(renamed, plan, len(order))


def move_errors(samples: Samples, plan: MovePlan, order: JointOrder) -> dict[str, float]:
    """How far each moved joint was from where it should be, and how much the others moved; largest over all moves.

    Hanging moves only, where there are any: with weight on the feet a joint gives by its load over its stiffness,
    which says nothing about its encoder.
    """
    index = {label: i for i, label in enumerate(samples.labels)}
    errors: list[float] = []
    crosstalk: list[float] = []
    hangs = any(move.support is Support.GANTRY for move in plan.moves)
    for move in plan.moves:
        if hangs and move.support is not Support.GANTRY:
            continue
        here, there = index.get(plan.baseline_label(move.support)), index.get(move.label("measure"))
        if here is None or there is None:
            continue
        change = samples.position_rad[samples.label_index == there].mean(axis=0)
        change -= samples.position_rad[samples.label_index == here].mean(axis=0)
        joint = order.index(move.joint)
        errors.append(abs(float(change[joint]) - move.offset_rad))
        change[joint] = 0.0
        crosstalk.append(float(np.abs(change).max()))
    if not errors:
        return {}
    return {"move_error_max_rad": max(errors), "move_crosstalk_max_rad": max(crosstalk)}


def _stem(move: Move) -> str:
    return move.label("measure").rsplit("/", 1)[0]


def _means_by_label(samples: Samples) -> dict[str, tuple[Vector, Vector]]:
    found: dict[str, tuple[Vector, Vector]] = {}
    for i, label in enumerate(samples.labels):
        if label.endswith(("/baseline", "/measure")):
            rows = samples.label_index == i
            if rows.any():
                found[label] = (samples.torque_nm[rows].mean(axis=0), samples.gravity_in_base[rows].mean(axis=0))
    return found


def _rates(samples: Samples, label: str) -> Vector:
    if label not in samples.labels:
        return np.full(6, np.nan)
    rate = samples.angular_velocity_base_in_base_rad_per_s[samples.label_index == samples.labels.index(label)]
    if len(rate) < 4:
        return np.full(6, np.nan)
    half = len(rate) // 2
    return np.concatenate([rate[:half].mean(axis=0), rate[half:].mean(axis=0)])
