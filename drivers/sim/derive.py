"""Numbers of a robot file that no model states: gains, gantry, default and rest pose. Found by trying them out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.sim.model_facts import GRAVITY_M_PER_S2, ModelFacts
from drivers.sim.trial import Gains, Outcome, Trial, reach_down_m
from drivers.sim.wiring import MotorChoice
from supervisor.core.levels import Support
from supervisor.core.robot import GantryConfig

Array = NDArray[np.float64]

STIFFNESS_RAD = 0.6
"""First stiffness: the whole torque limit at this deviation, as common on robots of every size."""

DAMPING_RATIO = 0.7
LARGEST_SAG_RAD = 0.08
"""Under its own weight; leaves room below the promised 0.1 rad."""

GAIN_RANGE_SHARE = 0.9
STABLE_SHARE = 0.6
"""Of inertia per physics step: damping above twice that makes a discrete joint oscillate by itself."""

DAMP_STABLE_SHARE = 1.2
"""The same for DAMP, where the lightest joint decides for all and may be brisk."""

CLEARANCE_M = 0.06
LOWERED_WEIGHT_FRACTION = 0.4
STANDING_TILT_SHARE = 0.15
STAND_S = 2.5
LIE_DOWN_S = 3.0
LIMP_S = 2.0
FALLEN_WHILE_LYING_RAD = 0.5
"""More than this on the way down is a fall, whatever comes after."""

LYING_TILT_RAD = 0.3
LYING_SPEED_RAD_PER_S = 0.2
REST_MARGIN = 0.01
"""Share of the range by which a found rest pose stays inside its limits."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What the trials gave.

    Attributes:
        gains: Of poses.
        gantry: The gantry.
        stands_alone: Whether the default pose stands without help.
        sag_rad: (n,) deviation from the default pose when standing, with its sign.
        holding_nm: (n,) torque that standing in the default pose takes.
        tilt_rad: Tilt of the base when standing.
        rest_rad: (n,) rest pose.
        rest_support: Where the robot may be switched off.
        damp_kd_nm_s_per_rad: Damping gain for DAMP.
        remarks: What a reader should know.
    """

    gains: Gains
    gantry: GantryConfig
    stands_alone: bool
    sag_rad: Array
    holding_nm: Array
    tilt_rad: float
    rest_rad: Array
    rest_support: Literal["ground", "gantry"]
    damp_kd_nm_s_per_rad: float
    remarks: tuple[str, ...]


def derive(
    facts: ModelFacts,
    motors: tuple[MotorChoice, ...],
    default_qpos: Array,
    default_rad: Array,
    rest_rad: Array | None,
) -> Derived:
    """Try the robot out in the copied model.

    Args:
        facts: The robot in the copied model.
        motors: One per joint.
        default_qpos: (nq,) the default pose of everything.
        default_rad: (n,) the default pose of the driven joints, inside their limits.
        rest_rad: (n,) a rest pose that the model names, if it does.
    """
    torque = np.array([motor.torque_nm for motor in motors])
    trial = Trial(facts, torque, default_qpos)
    remarks: list[str] = []
    trial.place(default_rad)
    gains = first_gains(trial, facts, motors, torque)
    gantry = first_gantry(trial, facts)
    trial.place(default_rad)
    free = trial.run(STAND_S, gains, target_rad=default_rad)
    gains, gantry, standing = _firm_up(trial, gains, gantry, motors, default_rad, free.stands)
    sag = standing.joints_rad - default_rad
    trial.place(default_rad)
    stands_alone = trial.run(STAND_S, gains, target_rad=default_rad).stands
    if stands_alone:
        stiffness = STANDING_TILT_SHARE * gantry.tilt_stiffness_nm_per_rad
        gantry = _with_lowered(gantry, stiffness)
    else:
        remarks.append("the default pose does not stand by itself: the lowered gantry keeps the base level")
    if not standing.stands:
        remarks.append("the default pose does not stand even on the lowered gantry: look at it before running")
    if float(np.abs(sag).max()) > 0.1:
        worst = int(np.abs(sag).argmax())
        remarks.append(f"{facts.joints[worst].name} sags by {abs(float(sag[worst])):.2f} rad when standing")
    damp = damp_gain(trial, facts, motors)
    support: Literal["ground", "gantry"] = "ground"
    if rest_rad is None and stands_alone:
        rest_rad = _lie_down(trial, gantry, default_rad, damp)
    if rest_rad is not None and not _lies(trial, gains, default_rad, rest_rad):
        rest_rad = None
    if rest_rad is None:
        support, rest_rad = "gantry", default_rad
        remarks.append("no pose was found in which the robot lies still: it is hung up before it is switched off")
    return Derived(
        gains=gains,
        gantry=gantry,
        stands_alone=stands_alone,
        sag_rad=sag,
        holding_nm=np.abs(gains.kp * sag),
        tilt_rad=standing.tilt_rad,
        rest_rad=rest_rad,
        rest_support=support,
        damp_kd_nm_s_per_rad=damp,
        remarks=tuple(remarks),
    )


def gain_bounds(motors: tuple[MotorChoice, ...]) -> tuple[Array, Array]:
    """(n,) largest stiffness and damping at the joint that the motors can be told."""
    kp = np.array([m.model.kp_max_nm_per_rad * m.gear**2 for m in motors]) * GAIN_RANGE_SHARE
    kd = np.array([m.model.kd_max_nm_s_per_rad * m.gear**2 for m in motors]) * GAIN_RANGE_SHARE
    return kp, kd


def first_gains(trial: Trial, facts: ModelFacts, motors: tuple[MotorChoice, ...], torque: Array) -> Gains:
    """The model's own gains where it has a position actuator, else torque limit / 0.6 rad; damping ratio 0.7."""
    most_kp, _ = gain_bounds(motors)
    own_kp = np.array([joint.kp_nm_per_rad for joint in facts.joints])
    kp = np.minimum(np.where(own_kp > 0.0, own_kp, torque / STIFFNESS_RAD), most_kp)
    return Gains(kp, _damping(trial, facts, motors, kp))


def _damping(trial: Trial, facts: ModelFacts, motors: tuple[MotorChoice, ...], kp: Array) -> Array:
    """Damping for a stiffness: the model's own, else what the ratio asks for beyond the joint's own damping.

    The inertia is what the motor feels with everything else loose, so that a joint is neither slack nor unstable in
    the discrete loop, whose step bounds it from above.
    """
    _, most_kd = gain_bounds(motors)
    inertia = trial.inertia_seen()
    passive = trial.model.dof_damping[facts.dofs]
    own = np.array([joint.kd_nm_s_per_rad for joint in facts.joints])
    wanted = np.maximum(2.0 * DAMPING_RATIO * np.sqrt(kp * inertia) - passive, 0.02 * np.sqrt(kp * inertia))
    stable = STABLE_SHARE * inertia / float(trial.model.opt.timestep)
    return np.minimum(np.where(own > 0.0, own, np.minimum(wanted, stable)), most_kd)


def first_gantry(trial: Trial, facts: ModelFacts) -> GantryConfig:
    """Hang height from the reach of the legs, tilt stiffness from weight times height of the centre of mass."""
    weight_n = facts.mass_kg * GRAVITY_M_PER_S2
    stiffness = weight_n * max(trial.com_height_m(), 0.05)
    reach = reach_down_m(facts, trial.data)
    height = trial.floor_m() + reach + max(CLEARANCE_M, 0.05 * reach)
    return GantryConfig(
        hang_height_m=round(max(height, trial.height_m + CLEARANCE_M), 3),
        lowered_weight_fraction=LOWERED_WEIGHT_FRACTION,
        tilt_stiffness_nm_per_rad=stiffness,
        lowered_tilt_stiffness_nm_per_rad=stiffness,
    )


def _with_lowered(gantry: GantryConfig, stiffness: float) -> GantryConfig:
    return GantryConfig(
        gantry.hang_height_m, gantry.lowered_weight_fraction, gantry.tilt_stiffness_nm_per_rad, stiffness
    )


def _stand_lowered(trial: Trial, gains: Gains, gantry: GantryConfig, default_rad: Array) -> Outcome:
    """Lower the robot onto its feet, as the ladder does, and let it stand."""
    trial.place(default_rad)
    config = GantryConfig(
        trial.height_m + 0.03,
        gantry.lowered_weight_fraction,
        gantry.tilt_stiffness_nm_per_rad,
        gantry.lowered_tilt_stiffness_nm_per_rad,
    )
    trial.place(default_rad, config.hang_height_m)
    rope = trial.gantry(config)
    rope.set_support(Support.LOWERED)
    return trial.run(STAND_S + 1.0, gains, target_rad=default_rad, gantry=rope)


def _firm_up(
    trial: Trial,
    gains: Gains,
    gantry: GantryConfig,
    motors: tuple[MotorChoice, ...],
    default_rad: Array,
    free: bool,
) -> tuple[Gains, GantryConfig, Outcome]:
    """Raise the stiffness of joints that sag, and the lowered tilt stiffness of robots that topple.

    A robot that stands is judged with all its weight on its feet; one that does not, on the lowered gantry.
    """
    most_kp, _ = gain_bounds(motors)
    groups = _alike(trial.facts, gains)
    outcome = _stand_lowered(trial, gains, gantry, default_rad)
    for _ in range(8):
        if free:
            trial.place(default_rad)
            outcome = trial.run(STAND_S, gains, target_rad=default_rad)
        else:
            outcome = _stand_lowered(trial, gains, gantry, default_rad)
        sag = np.abs(outcome.joints_rad - default_rad)
        soft = np.isin(groups, groups[sag > LARGEST_SAG_RAD]) & (gains.kp < most_kp)
        if outcome.stands and not soft.any():
            break
        if outcome.stands or (soft.any() and not free):
            kp = np.where(soft, np.minimum(gains.kp * 1.5, most_kp), gains.kp)
            # Damping keeps its ratio: it grows with the root of the stiffness.
            gains = Gains(kp, np.minimum(gains.kd * np.sqrt(kp / gains.kp), gain_bounds(motors)[1]))
        if not outcome.stands:
            free = False
            gantry = _with_lowered(gantry, gantry.lowered_tilt_stiffness_nm_per_rad * 1.3)
    return gains, gantry, outcome


def _alike(facts: ModelFacts, gains: Gains) -> NDArray[np.int64]:
    """(n,) a number per joint, the same for joints that are built alike: left and right keep equal gains."""
    kinds = [
        (round(joint.torque_nm, 3), round(joint.high_rad - joint.low_rad, 3), round(float(kp), 3))
        for joint, kp in zip(facts.joints, gains.kp, strict=True)
    ]
    return np.array([kinds.index(kind) for kind in kinds], dtype=np.int64)


def damp_gain(trial: Trial, facts: ModelFacts, motors: tuple[MotorChoice, ...]) -> float:
    """Damping for DAMP: the body's weight at a quarter of its height turns a joint at about 2 rad/s, within range."""
    _, most_kd = gain_bounds(motors)
    weight_n = facts.mass_kg * GRAVITY_M_PER_S2
    wanted = 0.25 * weight_n * max(trial.com_height_m(), 0.02) / 2.0
    stable = DAMP_STABLE_SHARE * float(trial.inertia_seen().min()) / float(trial.model.opt.timestep)
    return float(f"{max(min(wanted, float(most_kd.min()), stable), 0.02):.2g}")


def _lie_down(trial: Trial, gantry: GantryConfig, default_rad: Array, damp: float) -> Array:
    """Sink to the floor with damped joints, let go, and take the pose in which the robot comes to rest."""
    gains = Gains(np.zeros(len(default_rad)), np.full(len(default_rad), damp))
    trial.place(default_rad)
    config = GantryConfig(trial.height_m, 0.0, gantry.tilt_stiffness_nm_per_rad, gantry.tilt_stiffness_nm_per_rad)
    rope = trial.gantry(config)
    rope.set_support(Support.LOWERED)
    trial.run(LIE_DOWN_S + config.hang_height_m / 0.2, gains, gantry=rope)
    outcome = trial.run(LIMP_S, gains)
    low = np.array([joint.low_rad for joint in trial.facts.joints])
    high = np.array([joint.high_rad for joint in trial.facts.joints])
    margin = REST_MARGIN * (high - low)
    return np.round(np.clip(outcome.joints_rad, low + margin, high - margin), 3)


def _lies(trial: Trial, gains: Gains, default_rad: Array, rest_rad: Array) -> bool:
    """Whether a standing robot gets into a rest pose and stays there when the motors are cut."""
    trial.place(default_rad)
    trial.run(1.0, gains, target_rad=default_rad)
    trial.run(LIE_DOWN_S, gains, start_rad=default_rad, target_rad=rest_rad)
    nothing = Gains(np.zeros(len(rest_rad)), np.zeros(len(rest_rad)))
    outcome = trial.run(LIMP_S, nothing)
    return (
        outcome.finite
        and outcome.most_tilt_rad < FALLEN_WHILE_LYING_RAD
        and outcome.tilt_rad < LYING_TILT_RAD
        and outcome.speed_rad_per_s < LYING_SPEED_RAD_PER_S
        and math.isfinite(outcome.height_m)
    )
