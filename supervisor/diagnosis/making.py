"""Putting a signature together from simulated answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supervisor.core.joints import Vector, frozen_vector
from supervisor.core.moves import MovePlan
from supervisor.core.robot import RobotConfig
from supervisor.core.signature import Hypothesis, Samples
from supervisor.diagnosis.features import features
from supervisor.diagnosis.signature import Signature, feature_sigma, robot_hash

SMALLEST_PASSIVE_SPREAD_RAD = 0.1
"""Friction and the hands that hung the robot up leave a limp joint anywhere within this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of one simulated robot.

    Attributes:
        features: (d,) its answer.
        passive_pose_rad: (n,) joint positions before the motors were switched on.
    """

    features: Vector
    passive_pose_rad: Vector


def reduce_samples(samples: Samples, plan: MovePlan) -> Answer:
    """The answer in one recording; its first sample is the robot with the motors off."""
    return Answer(features(samples, plan, samples.position_rad.shape[1]), samples.position_rad[0])


def build_signature(
    robot: RobotConfig,
    model: bytes,
    plan: MovePlan,
    hypotheses: Sequence[Hypothesis],
    answers: Sequence[Answer],
    varied: Sequence[Answer],
) -> Signature:
    """Put a signature together.

    Args:
        robot: The robot.
        model: Bytes of its model file.
        plan: The moves.
        hypotheses: What was simulated, nominal first.
        answers: One per hypothesis.
        varied: Answers of healthy robots that differ as real ones do.

    Raises:
        ValueError: The first hypothesis is not nominal, or an answer is not finite.
    """
    if not hypotheses or hypotheses[0].kind != "nominal":
        raise ValueError("the first hypothesis must be nominal")
    table = np.array([answer.features for answer in answers])
    others = np.array([answer.features for answer in varied]).reshape(-1, table.shape[1])
    if not np.isfinite(table).all() or not np.isfinite(others).all():
        raise ValueError("a simulated answer is not finite: the model is unstable under the robot file's gains")
    poses = np.array([answers[0].passive_pose_rad, *(answer.passive_pose_rad for answer in varied)])
    # Deviations from the nominal answer, not from their mean: a bias of the varied robots is part of what may differ.
    return Signature(
        robot=robot.name,
        robot_hash=robot_hash(robot, model),
        order=robot.order,
        plan=plan,
        sigma=feature_sigma(robot, plan),
        ensemble=others - table[0],
        hypotheses=tuple(hypotheses),
        answers=table,
        passive_pose_rad=frozen_vector(poses.mean(axis=0)),
        passive_spread_rad=frozen_vector(np.maximum(poses.std(axis=0), SMALLEST_PASSIVE_SPREAD_RAD)),
    )
