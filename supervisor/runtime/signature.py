"""Making a robot's signature: the simulation's answers, put together by the diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from drivers.sim.signature import Trial, simulate_answers, single_faults
from drivers.sim.variation import CAMPAIGN
from supervisor.core.errors import SimulationError
from supervisor.core.robot_file import Robot
from supervisor.core.signature import Hypothesis
from supervisor.diagnosis.making import build_signature, reduce_samples
from supervisor.diagnosis.plan import default_move_plan
from supervisor.diagnosis.signature import Signature, load_signature, robot_hash

FILE_NAME = "signature.npz"

ENSEMBLE_SIZE = 24
"""Varied healthy robots; with fewer the acceptance limit jumps about, with more it hardly changes."""

_FIRST_SEED = 1_000_003
"""Far from the seeds that people and campaigns choose, so that nobody is judged by a robot he trained with."""


def make_signature(
    robot: Robot,
    *,
    healthy_only: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Signature:
    """Simulate a robot's answers, healthy and under every single fault.

    Args:
        robot: The robot; needs a model.
        healthy_only: Leave the faults out: deviations are found, but not named.
        workers: Processes, None for one per core.
        progress: Called with (done, all).

    Raises:
        SimulationError: No MuJoCo, no model, or a model that is unstable under the robot file's gains.
    """
    if robot.model_path is None:
        raise SimulationError(f"robot {robot.config.name} names no model: it has no signature")
    plan = default_move_plan(robot.config)
    nominal = Hypothesis("nominal")
    hypotheses = (nominal,) if healthy_only else single_faults(robot.config)
    trials = [Trial(hypothesis) for hypothesis in hypotheses]
    trials += [Trial(nominal, CAMPAIGN, _FIRST_SEED + i) for i in range(ENSEMBLE_SIZE)]
    reduce = partial(reduce_samples, plan=plan)
    answers = simulate_answers(robot, plan, trials, reduce, workers=workers, progress=progress)
    count = len(hypotheses)
    try:
        return build_signature(
            robot.config, robot.model_path.read_bytes(), plan, hypotheses, answers[:count], answers[count:]
        )
    except ValueError as error:
        raise SimulationError(f"no signature for {robot.config.name}: {error}") from error


def signature_path(robot: Robot) -> Path:
    """Where a robot's signature is kept: beside its file."""
    return robot.path.parent / FILE_NAME


def find_signature(robot: Robot) -> tuple[Signature | None, str]:
    """The signature beside the robot file, if it is of this very robot.

    Returns:
        The signature, and "" or why there is none.

    Raises:
        ConfigError: The file is there and cannot be read.
    """
    path = signature_path(robot)
    command = f"make it with: handrail signature {robot.config.name}"
    if not path.is_file():
        return None, f"{path.name} is missing beside the robot file; {command}"
    signature = load_signature(path)
    model = robot.model_path.read_bytes() if robot.model_path is not None else b""
    if signature.robot_hash != robot_hash(robot.config, model):
        return None, f"{path.name} was made for another robot file or model; {command}"
    return signature, ""
