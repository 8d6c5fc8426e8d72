"""Making a signature: choosing the robots to simulate, and putting their answers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from supervisor.core.errors import SimulationError
from supervisor.core.joints import Vector, frozen_vector
from supervisor.core.moves import MovePlan
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import Robot
from supervisor.core.signature import Hypothesis, Samples, Trial
from supervisor.diagnosis.features import features
from supervisor.diagnosis.hypotheses import single_faults
from supervisor.diagnosis.plan import default_move_plan
from supervisor.diagnosis.signature import Signature, feature_sigma, robot_hash

SMALLEST_PASSIVE_SPREAD_RAD = 0.1
"""Friction and the hands that hung the robot up leave a limp joint anywhere within this."""


ENSEMBLE_SIZE = 24
"""Varied healthy robots; with fewer the acceptance limit jumps about, with more it hardly changes."""

_FIRST_SEED = 1_000_003
"""Far from the seeds that people and campaigns choose, so that no robot is judged by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of one simulated robot.

    Attributes:
        features: (d,) its answer.
        passive_pose_rad: (n,) joint positions before the motors were switched on.
    """

    features: Vector
    passive_pose_rad: Vector


class Simulate(Protocol):
    """Simulates many robots: `drivers.sim.signature.simulate_answers`."""

    def __call__(
        self,
        robot: Robot,
        plan: MovePlan,
        trials: Sequence[Trial],
        reduce: Callable[[Samples], Answer],
        *,
        workers: int | None,
        progress: Callable[[int, int], None] | None,
    ) -> list[Answer]:
        """One reduced recording per trial, in order."""
        ...


def make_signature(
    robot: Robot,
    simulate: Simulate,
    *,
    healthy_only: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Signature:
    """Simulate a robot's answers, healthy and under every single fault.

    Args:
        robot: The robot; needs a model.
        simulate: The simulation.
        healthy_only: Leave the faults out: deviations are found, but not named.
        workers: Processes, None for one per core.
        progress: Called with (done, all).

    Raises:
        SimulationError: No model, no simulator, or a model that is unstable under the robot file's gains.
    """
    if robot.model_path is None:
        raise SimulationError(f"robot {robot.config.name} names no model: it has no signature")
    plan = default_move_plan(robot.config)
    nominal = Hypothesis("nominal")
    hypotheses = (nominal,) if healthy_only else single_faults(robot.config)
    trials = [Trial(hypothesis) for hypothesis in hypotheses]
    trials += [Trial(nominal, _FIRST_SEED + i) for i in range(ENSEMBLE_SIZE)]
    answers = simulate(robot, plan, trials, partial(reduce_samples, plan=plan), workers=workers, progress=progress)
    count = len(hypotheses)
    try:
        return build_signature(
            robot.config, robot.model_path.read_bytes(), plan, hypotheses, answers[:count], answers[count:]
        )
    except ValueError as error:
        raise SimulationError(f"no signature for {robot.config.name}: {error}") from error


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
