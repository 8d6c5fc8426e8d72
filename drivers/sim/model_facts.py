"""What a MuJoCo model says about the robot in it: base, joints, limits, gains, floor, IMU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.model_copy import refuse
from drivers.sim.plant import import_mujoco
from supervisor.core.errors import ConfigError, Problem

mujoco: Any = import_mujoco()

Array = NDArray[np.float64]

GRAVITY_M_PER_S2 = 9.81
UNLIMITED_RAD = math.pi
"""Range given to a joint without one: a full turn, far inside what a motor can count."""

_JOINT = (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT)


@dataclass(frozen=True, slots=True)
class JointFacts:
    """One driven hinge.

    Attributes:
        name: Name in the model.
        index: Index of the joint in the model.
        qpos, dof: Where its position and its velocity are.
        limb: Body at which the limb that it belongs to branches off.
        low_rad, high_rad: Position range.
        torque_nm: Torque limit.
        torque_from: Where the torque limit comes from.
        derived: Numbers that the model does not state, in plain words.
        kp_nm_per_rad, kd_nm_s_per_rad: Gains of the model's own position actuator, 0 where it has none.
    """

    name: str
    index: int
    qpos: int
    dof: int
    limb: str
    low_rad: float
    high_rad: float
    torque_nm: float
    torque_from: str
    derived: tuple[str, ...]
    kp_nm_per_rad: float
    kd_nm_s_per_rad: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One robot in one model.

    Attributes:
        model: The compiled model.
        base: Body with the free joint.
        base_name: Its name.
        base_qpos, base_dof: Where the free joint's 7 positions and 6 velocities start.
        bodies: Bodies of the robot, base first.
        geoms: Shapes of the robot.
        joints: Driven joints in the order of the model.
        mass_kg: Mass of the robot.
        remarks: What a reader should know, in plain words.
    """

    model: Any
    base: int
    base_name: str
    base_qpos: int
    base_dof: int
    bodies: tuple[int, ...]
    geoms: tuple[int, ...]
    joints: tuple[JointFacts, ...]
    mass_kg: float
    remarks: tuple[str, ...]

    @property
    def qpos(self) -> NDArray[np.intp]:
        """(n,) where the joints' positions are."""
        return np.array([joint.qpos for joint in self.joints], dtype=np.intp)

    @property
    def dofs(self) -> NDArray[np.intp]:
        """(n,) where the joints' velocities are."""
        return np.array([joint.dof for joint in self.joints], dtype=np.intp)


def name_of(model: Any, kind: Any, index: int) -> str:
    """Name of something in the model, with its number where it has none."""
    return mujoco.mj_id2name(model, kind, index) or f"number {index}"


def read_facts(model: Any, source: Path) -> ModelFacts:
    """Find the robot in a model.

    Args:
        model: Compiled model in which every joint has a name.
        source: The user's file, for messages.

    Raises:
        ConfigError: No free base or two of them, ball joints, driven sliding joints, or no joint to drive.
    """
    base_joint = _free_joint(model, source)
    base = int(model.jnt_bodyid[base_joint])
    bodies = tuple(b for b in range(model.nbody) if int(model.body_rootid[b]) == base)
    body_set = set(bodies)
    actuators = _joint_actuators(model)
    below = [j for j in range(model.njnt) if j != base_joint and int(model.jnt_bodyid[j]) in body_set]
    _refuse_other_joints(model, below, actuators, source)
    hinges = [j for j in below if int(model.jnt_type[j]) == int(mujoco.mjtJoint.mjJNT_HINGE)]
    driven, remarks = _driven(model, hinges, below, actuators)
    if not driven:
        raise refuse(source, "no joint that a motor could drive", "hinge joints below the body with the free joint")
    mass = float(model.body_subtreemass[base])
    if not 0.01 < mass < 10_000.0:
        raise refuse(source, f"a robot of {mass:g} kg", "bodies with a mass, or geoms with a density")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    limb_of = _limbs(model, base, {int(model.jnt_bodyid[j]) for j in driven})
    joints = tuple(
        _joint_facts(model, data, j, actuators.get(j, []), limb_of[int(model.jnt_bodyid[j])], mass) for j in driven
    )
    return ModelFacts(
        model=model,
        base=base,
        base_name=name_of(model, mujoco.mjtObj.mjOBJ_BODY, base),
        base_qpos=int(model.jnt_qposadr[base_joint]),
        base_dof=int(model.jnt_dofadr[base_joint]),
        bodies=bodies,
        geoms=tuple(g for g in range(model.ngeom) if int(model.geom_bodyid[g]) in body_set),
        joints=joints,
        mass_kg=mass,
        remarks=(*remarks, *_ignored_actuators(model, actuators)),
    )


def _free_joint(model: Any, source: Path) -> int:
    """The one free joint."""
    free = [j for j in range(model.njnt) if int(model.jnt_type[j]) == int(mujoco.mjtJoint.mjJNT_FREE)]
    if not free:
        raise refuse(source, "no free joint", "a model whose base moves freely: <freejoint/> in the base body")
    if len(free) > 1:
        names = ", ".join(name_of(model, mujoco.mjtObj.mjOBJ_BODY, int(model.jnt_bodyid[j])) for j in free)
        raise refuse(source, f"{len(free)} free joints, on {names}", "one robot: remove loose objects from the model")
    return free[0]


def _joint_actuators(model: Any) -> dict[int, list[int]]:
    """The actuators that act on one joint, by joint."""
    found: dict[int, list[int]] = {}
    for i in range(model.nu):
        if int(model.actuator_trntype[i]) in [int(kind) for kind in _JOINT]:
            found.setdefault(int(model.actuator_trnid[i][0]), []).append(i)
    return found


def _refuse_other_joints(model: Any, joints: Sequence[int], actuators: dict[int, list[int]], source: Path) -> None:
    """Refuse joints that no rotary motor can stand for."""
    problems: list[Problem] = []
    for j in joints:
        name = name_of(model, mujoco.mjtObj.mjOBJ_JOINT, j)
        kind = int(model.jnt_type[j])
        if kind == int(mujoco.mjtJoint.mjJNT_BALL):
            problems.append(Problem(str(source), None, name, "a ball joint", "hinge joints: one motor turns one axis"))
        elif kind == int(mujoco.mjtJoint.mjJNT_SLIDE) and j in actuators:
            problems.append(Problem(str(source), None, name, "a driven sliding joint", "hinge joints"))
    if problems:
        raise ConfigError(problems)


def _driven(
    model: Any, hinges: Sequence[int], below: Sequence[int], actuators: dict[int, list[int]]
) -> tuple[list[int], list[str]]:
    """Which hinges get a motor: those with an actuator; in a model without actuators those with a range, else all.

    A hinge without an actuator in a model that has some is a spring, a linkage or a caster: driving it would change
    the robot.
    """
    with_actuator = [j for j in hinges if j in actuators]
    with_range = [j for j in hinges if bool(model.jnt_limited[j])]
    driven = with_actuator or with_range or list(hinges)
    remarks: list[str] = []
    if not with_actuator and driven:
        which = "every hinge with a range" if with_range else "every hinge"
        remarks.append(f"the model has no actuator on a joint: {which} gets a motor")
    passive = [name_of(model, mujoco.mjtObj.mjOBJ_JOINT, j) for j in below if j not in driven]
    if passive:
        remarks.append(f"joints without an actuator stay passive, without a motor: {', '.join(passive)}")
    return driven, remarks


def _ignored_actuators(model: Any, actuators: dict[int, list[int]]) -> Iterator[str]:
    """Say which actuators have no motor on our side."""
    used = {i for group in actuators.values() for i in group}
    ignored = [name_of(model, mujoco.mjtObj.mjOBJ_ACTUATOR, i) for i in range(model.nu) if i not in used]
    if ignored:
        yield f"actuators that do not act on one joint (tendons, bodies, sites) were left out: {', '.join(ignored)}"


def _limbs(model: Any, base: int, with_motor: set[int]) -> dict[int, str]:
    """The limb of each body: the body where it leaves the base or a fork of the chain."""
    motors_below = dict.fromkeys(range(model.nbody), False)
    for b in range(model.nbody - 1, 0, -1):
        motors_below[b] |= b in with_motor
        motors_below[int(model.body_parentid[b])] |= motors_below[b]
    branches = [0] * model.nbody
    for b in range(1, model.nbody):
        branches[int(model.body_parentid[b])] += motors_below[b]
    limb: dict[int, str] = {base: name_of(model, mujoco.mjtObj.mjOBJ_BODY, base)}
    for b in range(1, model.nbody):
        parent = int(model.body_parentid[b])
        starts = parent == base or branches[parent] > 1 or parent not in limb
        if b != base:
            limb[b] = name_of(model, mujoco.mjtObj.mjOBJ_BODY, b) if starts else limb[parent]
    return limb


def _joint_facts(model: Any, data: Any, j: int, actuators: Sequence[int], limb: str, mass_kg: float) -> JointFacts:
    """Limits and gains of one joint."""
    derived: list[str] = []
    if bool(model.jnt_limited[j]):
        low, high = (float(value) for value in model.jnt_range[j])
    else:
        low, high = -UNLIMITED_RAD, UNLIMITED_RAD
        derived.append("position_rad: the model states no range; a full turn")
    torque, origin = _torque_limit(model, j, actuators)
    if torque <= 0.0:
        reach = _reach_below(model, data, j)
        torque = max(0.5 * mass_kg * GRAVITY_M_PER_S2 * reach, 0.05)
        origin = f"the robot's weight at half the reach of {reach:.2f} m beyond the joint"
        derived.append("torque_nm: the model states no limit; " + origin)
    kp = kd = 0.0
    for i in actuators:
        gear = float(model.actuator_gear[i][0])
        if int(model.actuator_biastype[i]) == int(mujoco.mjtBias.mjBIAS_AFFINE):
            kp += max(-float(model.actuator_biasprm[i][1]), 0.0) * gear * gear
            kd += max(-float(model.actuator_biasprm[i][2]), 0.0) * gear * gear
    return JointFacts(
        name=name_of(model, mujoco.mjtObj.mjOBJ_JOINT, j),
        index=j,
        qpos=int(model.jnt_qposadr[j]),
        dof=int(model.jnt_dofadr[j]),
        limb=limb,
        low_rad=low,
        high_rad=high,
        torque_nm=torque,
        torque_from=origin,
        derived=tuple(derived),
        kp_nm_per_rad=kp,
        kd_nm_s_per_rad=kd,
    )


def _torque_limit(model: Any, j: int, actuators: Sequence[int]) -> tuple[float, str]:
    """Torque limit of a joint as the model states it, 0 where it does not."""
    limits: list[tuple[float, str]] = []
    if bool(model.jnt_actfrclimited[j]):
        limits.append((float(np.abs(model.jnt_actfrcrange[j]).max()), "actuatorfrcrange of the joint"))
    sums: dict[str, float] = {}
    for i in actuators:
        gear = abs(float(model.actuator_gear[i][0]))
        stated: list[tuple[float, str]] = []
        if bool(model.actuator_forcelimited[i]):
            stated.append((float(np.abs(model.actuator_forcerange[i]).max()) * gear, "forcerange of the actuator"))
        plain = int(model.actuator_biastype[i]) == int(mujoco.mjtBias.mjBIAS_NONE)
        if plain and bool(model.actuator_ctrllimited[i]):
            gain = abs(float(model.actuator_gainprm[i][0]))
            stated.append((float(np.abs(model.actuator_ctrlrange[i]).max()) * gain * gear, "ctrlrange of the motor"))
        if not stated:
            sums.clear()
            break
        torque, origin = min(stated)
        sums[origin] = sums.get(origin, 0.0) + torque
    if sums:
        limits.append((sum(sums.values()), " and ".join(sums)))
    limits = [limit for limit in limits if limit[0] > 0.0]
    return min(limits) if limits else (0.0, "")


def _reach_below(model: Any, data: Any, j: int) -> float:
    """Distance from a joint to the farthest shape or body that it moves, in metres."""
    top = int(model.jnt_bodyid[j])
    moved = {top}
    for b in range(top + 1, model.nbody):
        if int(model.body_parentid[b]) in moved:
            moved.add(b)
    anchor = data.xanchor[j]
    far = [float(np.linalg.norm(data.xipos[b] - anchor)) for b in moved]
    far += [
        float(np.linalg.norm(data.geom_xpos[g] - anchor)) + float(model.geom_rbound[g])
        for g in range(model.ngeom)
        if int(model.geom_bodyid[g]) in moved
    ]
    return max(far)
