"""The robot's signature: how it answers single-joint moves, healthy and under every single fault.

A swapped cable, a flipped direction or a wrong zero is consistent in command and feedback: that joint's encoder looks
perfect. The whole robot's answer does not. Every single-fault hypothesis predicts an answer; the one that fits best
is reported, with its lead over the next.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.joints import JointOrder, Vector, frozen_vector
from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.robot import RobotConfig
from supervisor.core.signature import Hypothesis
from supervisor.diagnosis.features import layout

_SCHEMA = 1

RELATIVE_TOLERANCE = 0.08
"""Share of a feature by which a real robot may differ from its model beyond what the varied ones show."""

SHRINKAGE = 0.4
"""Share of the varied robots' covariance that is taken as independent per feature: 24 robots cannot show every
direction in which 40 masses and frictions vary."""

LIMIT_FACTOR = 1.5
"""A robot is accepted up to this many times the largest distance of a varied healthy one (left out of the fit) ..."""

FAULT_PRICE = 4.0
"""A fault is believed over a healthy robot when it is nearer by this much (sigma, squares compared): of two hundred
faults, some always fit the noise a little better, and those that hardly change the answers cannot be seen anyway."""

NOISE_SHARE = 0.4
"""... and this share of the distance that noise of one sigma on every feature would make: the varied ones have none.
A 12-bit torque reading with one count of noise, averaged over a measurement, has 0.4 of its sigma."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How well one hypothesis explains what was measured.

    Attributes:
        hypothesis: The hypothesis.
        distance: To its predicted answer, in units of the acceptance limit: 1 is as far as a healthy robot may be.
        parameter: The hypothesis's parameter as the answer suggests it: an offset of 0.3 rad was simulated, one of
            0.22 rad may be there.
        price: What the hypothesis must be nearer by to be believed, in the same units; 0 for a healthy robot.
    """

    hypothesis: Hypothesis
    distance: float
    parameter: float = 0.0
    price: float = 0.0

    @property
    def cost(self) -> float:
        """Distance and price together; the hypothesis with the least is the answer."""
        return math.hypot(self.distance, self.price)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a robot's answers should look like.

    Attributes:
        robot: Name of the robot.
        robot_hash: Of everything the answers depend on (`robot_hash`).
        order: Joint order.
        plan: The moves.
        sigma: (d,) smallest standard deviation of each feature: noise and quantisation.
        ensemble: (k, d) answers of varied healthy robots, less their mean.
        hypotheses: What is told apart; the first is nominal.
        answers: (h, d) predicted features.
        passive_pose_rad: (n,) where the joints hang with the motors off, on the gantry.
        passive_spread_rad: (n,) how far from there friction may leave them.
    """

    robot: str
    robot_hash: str
    order: JointOrder
    plan: MovePlan
    sigma: Vector
    ensemble: Vector
    hypotheses: tuple[Hypothesis, ...]
    answers: Vector
    passive_pose_rad: Vector
    passive_spread_rad: Vector

    def explain(self, measured: Vector) -> tuple[Explanation, ...]:
        """Rank the hypotheses by how well they explain measured features.

        Args:
            measured: (d,) from `features`; NaN where not measured.

        Returns:
            Best first; empty when nothing was measured.
        """
        known = np.isfinite(measured)
        if not known.any():
            return ()
        metric = _Metric(self.sigma[known], self.ensemble[:, known], measured[known])
        answers, limit = self.answers[:, known], metric.limit()
        distances = metric.distances(answers - measured[known])
        # How far along the way from healthy to faulty the measured answer lies, from the triangle of the three.
        ways = metric.distances(answers - answers[0])
        prices = np.array([0.0 if h.kind == "nominal" else FAULT_PRICE for h in self.hypotheses])
        shares = 0.5 * (1.0 + (distances[0] ** 2 - distances**2) / np.maximum(ways, 1e-9) ** 2)
        return tuple(
            Explanation(
                self.hypotheses[i],
                float(distances[i] / limit),
                _scaled(self.hypotheses[i], float(shares[i])),
                float(prices[i] / limit),
            )
            for i in np.argsort(np.hypot(distances, prices), kind="stable")
        )

    def coverage(self, measured: Vector) -> float:
        """Share of the features that were measured."""
        return float(np.isfinite(measured).mean())


def _scaled(hypothesis: Hypothesis, share: float) -> float:
    """The parameter whose answer lies at a share of the way to the simulated one."""
    share = min(max(share, 0.3), 3.0)
    if hypothesis.kind == "encoder_offset":
        return hypothesis.parameter * share
    if hypothesis.kind == "motor_weak":
        # What shows is the torque that has to be asked for, which goes with one over the strength.
        return 1.0 / (1.0 + share * (1.0 / hypothesis.parameter - 1.0))
    return hypothesis.parameter


class _Metric:
    """Mahalanobis distance under noise, model tolerance and the ways in which healthy robots vary."""

    def __init__(self, sigma: Vector, ensemble: Vector, measured: Vector) -> None:
        members = len(ensemble)
        scale = 1.0 / max(members - 1, 1)
        spread = (ensemble**2).sum(axis=0) * scale
        variance = sigma**2 + (RELATIVE_TOLERANCE * measured) ** 2 + SHRINKAGE * spread
        self._weight = 1.0 / np.sqrt(variance)
        self._whitened = ensemble * self._weight
        self._gain = (1.0 - SHRINKAGE) * scale
        self._gram = self._whitened @ self._whitened.T

    def distances(self, residuals: Vector) -> Vector:
        """(h,) distances of (h, d) residuals."""
        return self._distances(residuals * self._weight, np.arange(len(self._whitened)))

    def limit(self) -> float:
        """How far a healthy robot may be: from each varied one to nominal, with it left out of the covariance."""
        everyone = np.arange(len(self._whitened))
        largest = max(
            (float(self._distances(self._whitened[[i]], np.delete(everyone, i))[0]) for i in everyone), default=0.0
        )
        return LIMIT_FACTOR * largest + NOISE_SHARE * float(np.sqrt(len(self._weight)))

    def _distances(self, whitened: Vector, members: NDArray[np.intp]) -> Vector:
        squared = (whitened**2).sum(axis=1)
        if not len(members):
            return np.sqrt(squared)
        # Woodbury: (I + g U'U)^-1 = I - U' (I/g + U U')^-1 U, a small solve instead of one as wide as the features.
        inner = self._gram[np.ix_(members, members)] + np.eye(len(members)) / self._gain
        projected = self._whitened[members] @ whitened.T
        squared = squared - (projected * np.linalg.solve(inner, projected)).sum(axis=0)
        return np.sqrt(np.maximum(squared, 0.0))


def robot_hash(robot: RobotConfig, model: bytes) -> str:
    """Of all a signature depends on: joints, poses, limits, gains, rate, gantry and the model file's bytes."""
    joints = {
        name: [j.default_rad, j.rest_rad, j.position_rad, j.torque_nm, j.kp_nm_per_rad, j.kd_nm_s_per_rad]
        for name, j in robot.joints.items()
    }
    simulation = asdict(robot.simulation) if robot.simulation else None
    text = json.dumps([joints, robot.control_hz, simulation], sort_keys=True)
    return hashlib.sha256(text.encode() + model).hexdigest()


def feature_sigma(robot: RobotConfig, plan: MovePlan) -> Vector:
    """(d,) smallest standard deviation of each feature.

    Torque: 0.05 N·m, or 1/400 of the joint's limit (twice the step of a 12-bit reading over the motor's range).
    Gravity: 0.004 (a quarter of a degree). Rate: 0.01 rad/s.
    """
    torque = np.maximum(0.05, robot.vector("torque_nm") / 400.0)
    blocks = layout(plan, len(robot.order))
    scales = {"gravity": 0.004, "rate": 0.01}
    return np.concatenate([torque if b.quantity == "torque" else np.full(b.size, scales[b.quantity]) for b in blocks])


def save_signature(path: Path, signature: Signature) -> None:
    """Write a signature as `.npz` without pickled objects; answers are kept to about a tenth of a percent."""
    head = {
        "schema": _SCHEMA,
        "robot": signature.robot,
        "robot_hash": signature.robot_hash,
        "joints": list(signature.order),
        "plan": {
            **{k: getattr(signature.plan, k) for k in _TIMINGS},
            "moves": [[move.joint, move.offset_rad, move.support.value] for move in signature.plan.moves],
        },
        "hypotheses": [[h.kind, list(h.joints), h.parameter, h.axis] for h in signature.hypotheses],
    }
    np.savez_compressed(
        path,
        head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
        sigma=signature.sigma.astype(np.float32),
        ensemble=_packed(signature.ensemble, signature.sigma),
        answers=_packed(signature.answers, signature.sigma),
        passive_pose_rad=signature.passive_pose_rad,
        passive_spread_rad=signature.passive_spread_rad,
    )


_TIMINGS = ("settle_s", "baseline_s", "move_s", "hold_s", "measure_s", "rest_s")


def load_signature(path: Path) -> Signature:
    """Read a signature.

    Raises:
        ConfigError: Missing, not a signature, of another schema, or its parts do not fit together.
    """
    try:
        # From memory: numpy leaves a file open that turns out not to be an archive.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays: dict[str, NDArray[Any]] = {name: archive[name] for name in archive.files}
        head = json.loads(arrays["head"].tobytes())
        return _unpack(head, arrays)
    except FileNotFoundError as error:
        raise ConfigError([_problem(path, "no such file", "a file made by `handrail signature`")]) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError([_problem(path, f"not a signature ({error})", "one made by `handrail signature`")]) from error


def _unpack(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Signature:
    if head["schema"] != _SCHEMA:
        raise ValueError(f"schema {head['schema']}, this version reads schema {_SCHEMA}")
    plan = cast(Mapping[str, Any], head["plan"])
    moves = tuple(Move(str(j), float(o), Support(s)) for j, o, s in cast(Sequence[Any], plan["moves"]))
    sigma = arrays["sigma"].astype(np.float64)
    signature = Signature(
        robot=str(head["robot"]),
        robot_hash=str(head["robot_hash"]),
        order=JointOrder(head["joints"]),
        plan=MovePlan(moves, **{key: float(plan[key]) for key in _TIMINGS}),
        sigma=sigma,
        ensemble=arrays["ensemble"].astype(np.float64) * sigma,
        hypotheses=tuple(
            Hypothesis(kind, tuple(joints), float(parameter), axis)
            for kind, joints, parameter, axis in head["hypotheses"]
        ),
        answers=arrays["answers"].astype(np.float64) * sigma,
        passive_pose_rad=frozen_vector(arrays["passive_pose_rad"]),
        passive_spread_rad=frozen_vector(arrays["passive_spread_rad"]),
    )
    joints = len(signature.order)
    width = sum(block.size for block in layout(signature.plan, joints))
    if signature.answers.shape != (len(signature.hypotheses), width) or signature.ensemble.shape[1:] != (width,):
        raise ValueError(f"answers of shape {signature.answers.shape}, the moves give {width} features")
    if signature.passive_pose_rad.shape != (joints,) or signature.passive_spread_rad.shape != (joints,):
        raise ValueError("the hanging pose does not fit the joints")
    if not all(np.isfinite(a).all() for a in (sigma, signature.answers, signature.ensemble)) or (sigma <= 0.0).any():
        raise ValueError("values that are not finite")
    return signature


def _packed(values: Vector, sigma: Vector) -> NDArray[np.float16]:
    return np.clip(values / sigma, -60000.0, 60000.0).astype(np.float16)


def _problem(path: Path, found: str, allowed: str) -> Problem:
    return Problem(str(path), None, "", found, allowed)
