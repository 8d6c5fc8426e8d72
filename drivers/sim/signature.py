"""How the simulated robot answers its single-joint moves, healthy and with each single fault.

Runs the plant with the motors' control law and no wire: targets change at the mission's rate, the law runs at the
physics rate, readings are taken at the mission's rate, as on the robot. A fault is a map between what a joint reports
and where the robot really is, and means what the fault script means by it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.sim.plant import Plant
from drivers.sim.variation import CAMPAIGN
from supervisor.core.errors import SimulationError
from supervisor.core.joints import Vector
from supervisor.core.levels import Support
from supervisor.core.moves import MINIMUM_JERK_PEAK_SPEED, MovePlan, minimum_jerk
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import Robot
from supervisor.core.signature import Hypothesis, Samples, Trial

Result = TypeVar("Result")

MISSION_HZ = 50.0
STAND_SPEED_RAD_PER_S = 0.8
STAND_HOLD_S = 2.0
SUPPORT_TIMEOUT_S = 20.0
PASSIVE_LABEL = "passive"
"""The sample taken with the motors off, before anything moves."""


def rotation_about(axis: str, angle_rad: float) -> NDArray[np.float64]:
    """(3, 3) rotation about a coordinate axis."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = math.cos(angle_rad)
    rotation[j, i] = math.sin(angle_rad)
    rotation[i, j] = -rotation[j, i]
    return rotation


class FaultyReadings:
    """The map between the true joints and what is reported, for one hypothesis.

    reported = scale * true[source] + shift, and a torque believed at joint a acts as strength * scale at source[a].

    Raises:
        SimulationError: A joint that the robot does not have.
    """

    def __init__(self, robot: RobotConfig, hypothesis: Hypothesis) -> None:
        count = len(robot.order)
        self.source = np.arange(count)
        self.scale, self.shift, self.strength = np.ones(count), np.zeros(count), np.ones(count)
        self.turn = np.eye(3)
        unknown = [name for name in hypothesis.joints if name not in robot.order]
        if unknown:
            raise SimulationError(f"no joint {', '.join(unknown)}; the robot has {', '.join(robot.order)}")
        joints = [robot.order.index(name) for name in hypothesis.joints]
        if hypothesis.kind == "swapped_ids":
            a, b = joints
            self.source[a], self.source[b] = b, a
            for here, there in ((a, b), (b, a)):
                mine, other = robot.joints[robot.order.names[here]], robot.joints[robot.order.names[there]]
                # Motor turns are the other joint's; direction, gear and offset are this joint's.
                self.scale[here] = mine.direction * other.direction * other.gear / mine.gear
                self.shift[here] = self.scale[here] * other.offset_rad - mine.offset_rad
        elif hypothesis.kind == "sign_flip":
            self.scale[joints] = -1.0
            self.shift[joints] = -2.0 * robot.vector("offset_rad")[joints]
        elif hypothesis.kind == "encoder_offset":
            self.shift[joints] = hypothesis.parameter
        elif hypothesis.kind == "motor_weak":
            self.strength[joints] = hypothesis.parameter
        elif hypothesis.kind == "imu_rotated":
            self.turn = rotation_about(hypothesis.axis, hypothesis.parameter)


class _Run:
    """One robot making all the moves of a plan, and its recording."""

    def __init__(self, robot: Robot, plan: MovePlan, trial: Trial) -> None:
        if robot.model_path is None:
            raise SimulationError(f"robot {robot.config.name} names no model: it has no signature")
        config = robot.config
        self._plan, self._config = plan, config
        variation, seed = (None, 0) if trial.variation_seed is None else (CAMPAIGN, trial.variation_seed)
        self._plant = Plant(robot.model_path, config, variation=variation, seed=seed)
        self._map = FaultyReadings(config, trial.hypothesis)
        self._default = config.vector("default_rad")
        self._limit = config.vector("torque_nm")
        self._kp, self._kd = config.vector("kp_nm_per_rad"), config.vector("kd_nm_s_per_rad")
        self._steps = round(config.control_hz / MISSION_HZ) * self._plant.substeps
        self._ticks = 0
        self._torque = np.zeros(len(config.order))
        self._rows: list[tuple[float, Vector, Vector, Vector, Vector]] = []
        self._labels: list[str] = []

    def record(self) -> Samples:
        """Make all the moves."""
        plan, start = self._plan, self._reported()
        self._sample(PASSIVE_LABEL)
        travel = float(np.abs(self._default - start).max())
        stand_s = max(MINIMUM_JERK_PEAK_SPEED * travel / STAND_SPEED_RAD_PER_S, 1.0)
        self._drive(start, self._default, stand_s, "stand")
        self._hold(self._default, STAND_HOLD_S, "stand")
        for support in dict.fromkeys(move.support for move in plan.moves):
            self._change_support(support)
            self._hold(self._default, plan.settle_s, f"{support.value}/settle")
            self._hold(self._default, plan.baseline_s, plan.baseline_label(support))
            for move in plan.moves:
                if move.support is support:
                    far = self._default.copy()
                    far[self._config.order.index(move.joint)] += move.offset_rad
                    self._drive(self._default, far, plan.move_s, move.label("out"))
                    self._hold(far, plan.hold_s, move.label("hold"))
                    self._hold(far, plan.measure_s, move.label("measure"))
                    self._drive(far, self._default, plan.move_s, move.label("back"))
                    self._hold(self._default, plan.rest_s, move.label("rest"))
        return self._samples()

    def _change_support(self, support: Support) -> None:
        if support is Support.GANTRY:
            return
        self._plant.set_support(support)
        deadline = self._ticks + round(SUPPORT_TIMEOUT_S * MISSION_HZ)
        while not self._plant.gantry.is_reached and self._ticks < deadline:
            self._tick(self._default, "support")

    def _drive(self, start: Vector, end: Vector, duration_s: float, label: str) -> None:
        ticks = round(duration_s * MISSION_HZ)
        for i in range(ticks):
            self._tick(start + minimum_jerk(i / ticks) * (end - start), label)

    def _hold(self, target: Vector, duration_s: float, label: str) -> None:
        for _ in range(round(duration_s * MISSION_HZ)):
            self._tick(target, label)

    def _tick(self, target: Vector, label: str) -> None:
        """Sample, then let the robot follow the target until the next tick."""
        self._sample(label)
        plant, fault = self._plant, self._map
        source, scale, shift = fault.source, fault.scale, fault.shift
        kp, kd, limit, gain = self._kp, self._kd, self._limit, fault.scale * fault.strength
        delivered = np.zeros(len(target))
        torque = self._torque
        for _ in range(self._steps):
            error = target - scale * plant.position_rad[source] - shift
            torque = np.clip(kp * error - kd * scale * plant.velocity_rad_per_s[source], -limit, limit)
            delivered[source] = gain * torque
            plant.step(delivered)
        self._torque = torque
        self._ticks += 1

    def _reported(self) -> Vector:
        return self._map.scale * self._plant.position_rad[self._map.source] + self._map.shift

    def _sample(self, label: str) -> None:
        rotation, motion = self._plant.site_motion()
        gravity = self._plant.gravity_in_world_m_per_s2
        # Turned by R, the unit takes R * base for the base: everything it reports is turned back by R.
        into_imu = self._map.turn.T @ rotation.T
        self._rows.append(
            (
                self._ticks / MISSION_HZ,
                self._reported(),
                self._torque,
                into_imu @ gravity / np.linalg.norm(gravity),
                into_imu @ motion[:3],
            )
        )
        self._labels.append(label)

    def _samples(self) -> Samples:
        time, position, torque, gravity, rate = (np.array(column) for column in zip(*self._rows, strict=True))
        names = tuple(dict.fromkeys(self._labels))
        index = {name: i for i, name in enumerate(names)}
        labels = np.array([index[label] for label in self._labels], dtype=np.int32)
        return Samples(time, position, torque, gravity, rate, labels, names)


def simulate_answer(robot: Robot, plan: MovePlan, trial: Trial) -> Samples:
    """Let one simulated robot stand up on the gantry and make all the moves.

    The IMU is simulated in the base frame: its site's axes are taken for the base's, as its mounting says.

    Raises:
        SimulationError: No MuJoCo, no model, or a model that does not fit the robot file.
    """
    return _Run(robot, plan, trial).record()


def simulate_answers(
    robot: Robot,
    plan: MovePlan,
    trials: Sequence[Trial],
    reduce: Callable[[Samples], Result],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Simulate many robots on all cores.

    Args:
        robot: The robot.
        plan: The moves.
        trials: Which robots.
        reduce: What is wanted of each recording; runs in the worker, so it must be importable.
        workers: Processes; None for one per core, 1 to stay in this process.
        progress: Called with (done, all) after each.

    Returns:
        One result per trial, in order.
    """
    count = workers or os.cpu_count() or 1
    results: list[Result] = []
    for result in _results(robot, plan, trials, reduce, min(count, len(trials))):
        results.append(result)
        if progress is not None:
            progress(len(results), len(trials))
    return results


def _results(
    robot: Robot, plan: MovePlan, trials: Sequence[Trial], reduce: Callable[[Samples], Result], workers: int
) -> Iterator[Result]:
    if workers <= 1:
        for trial in trials:
            yield reduce(simulate_answer(robot, plan, trial))
        return
    # Spawned, not forked: the caller may have threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_reduced, robot, plan, trial, reduce) for trial in trials]
        try:
            for job in jobs:
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()


def _reduced(robot: Robot, plan: MovePlan, trial: Trial, reduce: Callable[[Samples], Result]) -> Result:
    return reduce(simulate_answer(robot, plan, trial))
