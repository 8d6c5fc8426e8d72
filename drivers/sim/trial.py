"""Trying a robot out while its file is being written: how it stands, how it lies down, how far it reaches.

A small simulation of its own: position control in every joint at the physics rate, and the simulated gantry. No
wire, no devices: only the numbers of the robot file are wanted here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.gantry import Gantry
from drivers.sim.model_facts import GRAVITY_M_PER_S2, ModelFacts
from drivers.sim.model_shapes import fixed_geoms, floor_height_m, lowest_point_m, touches_floor
from drivers.sim.plant import import_mujoco
from supervisor.core.robot import GantryConfig

mujoco: Any = import_mujoco()

Array = NDArray[np.float64]

_BLOWN_UP = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)

OUT_OF_THE_WAY_M = 1000.0
HANG_S = 5.0
FALLEN_RAD = 0.5
STILL_RAD_PER_S = 0.5


@dataclass(frozen=True, slots=True)
class Gains:
    """(n,) stiffness (N·m/rad) and damping (N·m·s/rad) per driven joint."""

    kp: Array
    kd: Array


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a trial ended.

    Attributes:
        joints_rad: (n,) driven joints.
        height_m: Height of the base.
        tilt_rad: Angle between the base's up axis and the vertical.
        most_tilt_rad: Largest on the way.
        speed_rad_per_s: Mean joint speed (root mean square) in the last quarter of a second.
        finite: False where the simulation blew up.
    """

    joints_rad: Array
    height_m: float
    tilt_rad: float
    most_tilt_rad: float
    speed_rad_per_s: float
    finite: bool

    @property
    def stands(self) -> bool:
        """Upright and still."""
        return self.finite and self.most_tilt_rad < FALLEN_RAD and self.speed_rad_per_s < STILL_RAD_PER_S


class Trial:
    """One robot in one copied model, with its joints under position control.

    Args:
        facts: The robot, in the model with its floor.
        torque_nm: (n,) torque limits.
        default_qpos: (nq,) all positions in the default pose.
    """

    def __init__(self, facts: ModelFacts, torque_nm: Array, default_qpos: Array) -> None:
        self.facts = facts
        self.model = facts.model
        self.data = mujoco.MjData(facts.model)
        self.torque_nm = torque_nm
        self.default_qpos = default_qpos
        self._qpos, self._dofs = facts.qpos, facts.dofs
        self._floor = fixed_geoms(self.model)
        self._floor_height_m = self._find_floor()
        self.contact_geoms = [g for g in facts.geoms if touches_floor(self.model, g, self._floor)]

    def place(self, joints_rad: Array, height_m: float | None = None) -> None:
        """Put the robot down at rest.

        Args:
            joints_rad: (n,) driven joints.
            height_m: Of the base; None for the feet touching the floor.
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.default_qpos
        self.data.qpos[self._qpos] = joints_rad
        if height_m is not None:
            self.data.qpos[self.facts.base_qpos + 2] = height_m
        mujoco.mj_kinematics(self.model, self.data)
        if height_m is None:
            self.data.qpos[self.facts.base_qpos + 2] += self.floor_m() - self.lowest_m()
        mujoco.mj_forward(self.model, self.data)

    def floor_m(self) -> float:
        """Height of the ground where the robot is put down."""
        return self._floor_height_m

    def _find_floor(self) -> float:
        data = mujoco.MjData(self.model)
        data.qpos[:] = self.default_qpos
        # Out of the way: a ray from above must not meet the robot.
        data.qpos[self.facts.base_qpos + 2] += OUT_OF_THE_WAY_M
        mujoco.mj_kinematics(self.model, data)
        x, y = (float(value) for value in data.qpos[self.facts.base_qpos : self.facts.base_qpos + 2])
        return floor_height_m(self.model, data, x, y)

    def lowest_m(self, everything: bool = False) -> float:
        """Lowest point of the shapes that can touch the floor, or of all shapes."""
        geoms = self.facts.geoms if everything else self.contact_geoms
        return min(lowest_point_m(self.model, self.data, g) for g in geoms)

    @property
    def height_m(self) -> float:
        """Height of the base."""
        return float(self.data.qpos[self.facts.base_qpos + 2])

    def com_height_m(self) -> float:
        """Height of the centre of mass above the ground."""
        return float(self.data.subtree_com[self.facts.base][2]) - self.floor_m()

    def inertia_kg_m2(self) -> float:
        """Inertia of the whole robot about its base's horizontal axis, for the gantry's damping."""
        distance = self.data.xipos[list(self.facts.bodies)] - self.data.xpos[self.facts.base]
        masses = self.model.body_mass[list(self.facts.bodies)]
        own = self.model.body_inertia[list(self.facts.bodies)].max(axis=1)
        return float((masses * (distance**2).sum(axis=1) + own).sum())

    def gantry(self, config: GantryConfig) -> Gantry:
        """A gantry that holds the robot where it is."""
        x, y = (float(value) for value in self.data.qpos[self.facts.base_qpos : self.facts.base_qpos + 2])
        forward = self.data.xmat[self.facts.base]
        yaw = math.atan2(float(forward[3]), float(forward[0]))
        return Gantry(config, self.facts.mass_kg, GRAVITY_M_PER_S2, self.inertia_kg_m2(), (x, y, yaw))

    def run(
        self,
        duration_s: float,
        gains: Gains,
        *,
        start_rad: Array | None = None,
        target_rad: Array | None = None,
        gantry: Gantry | None = None,
    ) -> Outcome:
        """Simulate on from here.

        Args:
            duration_s: How long.
            gains: Of the position control; with kp 0 the joints are only damped.
            start_rad: (n,) where the set point starts; None for at the target.
            target_rad: (n,) where it is after two thirds of the time, reached smoothly; None for the measured pose.
            gantry: Holds the base, where given.
        """
        model, data = self.model, self.data
        step_s = float(model.opt.timestep)
        steps = max(round(duration_s / step_s), 1)
        target = data.qpos[self._qpos].copy() if target_rad is None else target_rad
        start = target if start_rad is None else start_rad
        tail = max(int(0.25 / step_s), 1)
        tilt = most = self.tilt_rad()
        speed = 0.0
        for i in range(steps):
            way = min(1.5 * i / steps, 1.0)
            smooth = way * way * (3.0 - 2.0 * way)
            goal = start + smooth * (target - start)
            torque = gains.kp * (goal - data.qpos[self._qpos]) - gains.kd * data.qvel[self._dofs]
            data.qfrc_applied[self._dofs] = np.clip(torque, -self.torque_nm, self.torque_nm)
            data.xfrc_applied[self.facts.base] = self._wrench(gantry, step_s)
            mujoco.mj_step(model, data)
            tilt = self.tilt_rad()
            most = max(most, tilt)
            if i >= steps - tail:
                speed += float(np.mean(data.qvel[self._dofs] ** 2)) / tail
            if not math.isfinite(tilt):
                break
        finite = math.isfinite(tilt) and not any(data.warning[int(kind)].number for kind in _BLOWN_UP)
        return Outcome(data.qpos[self._qpos].copy(), self.height_m, tilt, most, math.sqrt(speed), finite)

    def _wrench(self, gantry: Gantry | None, step_s: float) -> Array:
        """What the gantry does, as force and torque on the base."""
        if gantry is None:
            return np.zeros(6)
        q, v = self.facts.base_qpos, self.facts.base_dof
        pose = [float(value) for value in self.data.qpos[q : q + 7]]
        velocity = [float(value) for value in self.data.qvel[v : v + 6]]
        return np.array(gantry.wrench(step_s, pose, velocity))

    def tilt_rad(self) -> float:
        """Angle between the base's up axis and the vertical."""
        w, x, y, z = self.data.qpos[self.facts.base_qpos + 3 : self.facts.base_qpos + 7]
        norm = float(w * w + x * x + y * y + z * z)
        up = 1.0 - 2.0 * float(x * x + y * y) / norm if norm > 0.0 else math.nan
        return math.acos(max(-1.0, min(1.0, up))) if math.isfinite(up) else math.nan

    def tip_rad(self) -> float:
        """Smallest tilt at which the centre of mass leaves the rectangle around the points that touch the floor."""
        floor = self.floor_m()
        near = [g for g in self.contact_geoms if lowest_point_m(self.model, self.data, g) < floor + 0.02]
        if not near:
            return 0.0
        centre = self.data.subtree_com[self.facts.base][:2]
        points = np.array([self.data.geom_xpos[g][:2] for g in near]) - centre
        inside = min(-points.min(axis=0).max(), points.max(axis=0).min())
        return math.atan2(max(float(inside), 0.0), max(self.com_height_m(), 0.01))

    def inertia_seen(self) -> Array:
        """(n,) inertia that each motor feels with everything else loose, in the current pose, kg·m²."""
        units = np.eye(self.model.nv)[self._dofs]
        response = np.zeros_like(units)
        mujoco.mj_solveM(self.model, self.data, response, units)
        return 1.0 / response[np.arange(len(units)), self._dofs]


def hanging_pose_rad(trial: Trial, gantry: GantryConfig, from_rad: Array) -> Array:
    """(n,) where the limp joints come to hang on the gantry.

    Args:
        trial: The robot.
        gantry: The gantry.
        from_rad: (n,) pose in which they are let go.
    """
    trial.place(from_rad, gantry.hang_height_m)
    limp = Gains(np.zeros(len(from_rad)), np.zeros(len(from_rad)))
    return trial.run(HANG_S, limp, gantry=trial.gantry(gantry)).joints_rad


def reach_down_m(facts: ModelFacts, data: Any) -> float:
    """How far the robot can reach below its base's origin, at most, with the base level and any legs stretched.

    Each child of the base has its place; from there on every link is counted with its full length.
    """
    model = facts.model
    length: dict[int, float] = {}
    for b in reversed(facts.bodies):
        own = [float(np.linalg.norm(model.geom_pos[g])) + _radius(model, g) for g in _geoms_of(model, b)]
        below = [length[c] + float(np.linalg.norm(model.body_pos[c])) for c in facts.bodies if _parent(model, c) == b]
        length[b] = max([*own, *below, 0.0])
    here = float(data.xpos[facts.base][2])
    reach = [here - lowest_point_m(model, data, g) for g in _geoms_of(model, facts.base)]
    children = [b for b in facts.bodies if _parent(model, b) == facts.base]
    reach += [here - float(data.xpos[b][2]) + length[b] for b in children]
    return max([*reach, 0.0])


def _parent(model: Any, body: int) -> int:
    return int(model.body_parentid[body])


def _geoms_of(model: Any, body: int) -> range:
    first = int(model.body_geomadr[body])
    return range(first, first + int(model.body_geomnum[body])) if first >= 0 else range(0)


def _radius(model: Any, geom: int) -> float:
    radius = float(model.geom_rbound[geom])
    return radius if radius > 0.0 else 0.0
