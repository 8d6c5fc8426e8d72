"""The simulated body: a MuJoCo model moved by joint torques, hung from a gantry.

Whatever actuators the model brings are switched off: torque comes from the simulated motors alone. Passive joint
damping and friction of the model stay. MuJoCo is imported when a plant is made, not before.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.gantry import NO_WRENCH, Gantry
from drivers.sim.variation import Variation, apply_variation
from supervisor.core.errors import SimulationError
from supervisor.core.joints import Vector
from supervisor.core.levels import Support
from supervisor.core.robot import RobotConfig, SimulationConfig

RELAX_LIMIT_S = 3.0
RELAX_DAMPING_PER_S = 5.0
"""Extra damping while the limbs come to rest at the start, per joint inertia: limp legs swing for long otherwise."""
RELAX_SPEED_RAD_PER_S = 5e-3

NO_PUSH = (0.0, 0.0, 0.0)

Rotation = NDArray[np.float64]
"""A (3, 3) rotation matrix."""


def import_mujoco() -> Any:
    """The MuJoCo module.

    Raises:
        SimulationError: It is not installed.
    """
    try:
        return importlib.import_module("mujoco")
    except ImportError as error:
        raise SimulationError(
            f"simulation needs MuJoCo ({error}); install it with: pip install 'handrail[sim]'"
        ) from None


@dataclass(frozen=True, slots=True)
class Truth:
    """What no sensor of the robot knows. For judging, never for control.

    Attributes:
        position_base_in_world_m: (3,).
        velocity_base_in_base_m_per_s: (3,) of the inertial unit's site, in its axes.
        angular_velocity_base_in_base_rad_per_s: (3,).
        tilt_rad: Angle between the base's up axis and the vertical.
        floor_force_n: Sum of the vertical contact forces on the robot.
        weight_n: Of the robot as it is now, payload included.
    """

    position_base_in_world_m: Vector
    velocity_base_in_base_m_per_s: Vector
    angular_velocity_base_in_base_rad_per_s: Vector
    tilt_rad: float
    floor_force_n: float
    weight_n: float


def _as_slice(indices: NDArray[np.intp]) -> slice | None:
    """The slice that covers some indices in their order, if there is one."""
    first = int(indices[0])
    return slice(first, first + len(indices)) if np.array_equal(np.diff(indices), np.ones(len(indices) - 1)) else None


class Plant:
    """A MuJoCo model of one robot.

    Args:
        model_path: MJCF file.
        robot: Its joints name the model's joints.
        variation: How far this robot is from its model; None for not at all.
        seed: Chooses the variation.

    Attributes:
        model, data: MuJoCo's own, for tests and tools that look inside.
        timestep_s: Of the physics: the model's own, or the next shorter one that divides the control period.
        position_rad, velocity_rad_per_s: (n,) true joint state, robot order; written in place by each step.
        gravity_in_world_m_per_s2: (3,).

    Raises:
        SimulationError: The model cannot be loaded, or does not have what the robot file names.
    """

    def __init__(
        self, model_path: Path, robot: RobotConfig, *, variation: Variation | None = None, seed: int = 0
    ) -> None:
        if robot.simulation is None:
            raise SimulationError(f"robot {robot.name} has no `simulation` section: it cannot be simulated")
        self._config: SimulationConfig = robot.simulation
        self._mujoco = mujoco = import_mujoco()
        try:
            self.model = mujoco.MjModel.from_xml_path(str(model_path))
        except ValueError as error:
            raise SimulationError(f"{model_path}: {error}") from None
        self._body = self._find(mujoco.mjtObj.mjOBJ_BODY, self._config.base_body, "body", "simulation.base_body")
        self._site = -1
        if self._config.imu_site:
            self._site = self._find(mujoco.mjtObj.mjOBJ_SITE, self._config.imu_site, "site", "simulation.imu_site")
        self._find_joints(robot)
        self._configure(robot.control_period_s)
        if variation is not None:
            apply_variation(self.model, variation, seed, self._body)
            mujoco.mj_setConst(self.model, mujoco.MjData(self.model))
        self._nominal_mass_kg = float(self.model.body_mass[self._body])
        self._nominal_friction: tuple[Any, Any] = (self.model.geom_friction.copy(), self.model.pair_friction.copy())
        self.data = mujoco.MjData(self.model)
        self._bind()
        self._hang()

    def _find(self, kind: Any, name: str, what: str, key: str) -> int:
        index = int(self._mujoco.mj_name2id(self.model, kind, name))
        if index < 0:
            raise SimulationError(f"the model has no {what} {name!r}, named by {key} in the robot file")
        return index

    def _find_joints(self, robot: RobotConfig) -> None:
        mujoco, model = self._mujoco, self.model
        first = int(model.body_jntadr[self._body])
        if first < 0 or int(model.jnt_type[first]) != int(mujoco.mjtJoint.mjJNT_FREE):
            raise SimulationError(f"body {self._config.base_body!r} of the model has no free joint")
        self._base_q, self._base_v = int(model.jnt_qposadr[first]), int(model.jnt_dofadr[first])
        one_axis = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
        missing: list[str] = []
        addresses: list[tuple[int, int]] = []
        for name in robot.joints:
            joint = int(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name))
            if joint < 0 or int(model.jnt_type[joint]) not in one_axis:
                missing.append(name)
            else:
                addresses.append((int(model.jnt_qposadr[joint]), int(model.jnt_dofadr[joint])))
        if missing:
            raise SimulationError(f"the model has no one-axis joints named {', '.join(missing)}, as in the robot file")
        self._q_at = np.array([q for q, _ in addresses], dtype=np.intp)
        self._v_at = np.array([v for _, v in addresses], dtype=np.intp)

    def _configure(self, period_s: float) -> None:
        option, bits = self.model.opt, self._mujoco.mjtDisableBit
        # Actuators off: position servos in the model would fight the simulated motors. Sensors off: ours are devices.
        option.disableflags |= int(bits.mjDSBL_ACTUATION) | int(bits.mjDSBL_SENSOR)
        self.substeps = max(1, math.ceil(period_s / option.timestep - 1e-9))
        self.timestep_s = period_s / self.substeps
        option.timestep = self.timestep_s

    def _bind(self) -> None:
        """Keep views of MuJoCo's arrays: making them anew in each step costs more than using them."""
        data, base_q, base_v = self.data, self._base_q, self._base_v
        self._qpos, self._qvel, self._applied = data.qpos, data.qvel, data.qfrc_applied
        self._base_pose, self._base_velocity = data.qpos[base_q : base_q + 7], data.qvel[base_v : base_v + 6]
        self._wrench = data.xfrc_applied[self._body]
        rotation = data.xmat[self._body] if self._site < 0 else data.site_xmat[self._site]
        self._site_rotation: Rotation = rotation.reshape(3, 3)
        kinds = self._mujoco.mjtObj
        self._velocity_of = (kinds.mjOBJ_XBODY, self._body) if self._site < 0 else (kinds.mjOBJ_SITE, self._site)
        self._spatial = np.zeros(6)
        # Joints that lie side by side in the model are read and driven in place; others are gathered and scattered.
        where_q, where_v = _as_slice(self._q_at), _as_slice(self._v_at)
        self._is_in_place = where_q is not None and where_v is not None
        self._drive_at = self._v_at if where_v is None else where_v
        self.position_rad: Vector = data.qpos[self._q_at if where_q is None else where_q]
        self.velocity_rad_per_s: Vector = data.qvel[self._v_at if where_v is None else where_v]
        self._is_forced = True
        self._push = NO_PUSH
        self._mj_step = self._mujoco.mj_step
        self._read_joints()

    def _hang(self) -> None:
        """Put the robot on the gantry with limp limbs, and let them come to rest."""
        mujoco, model, data = self._mujoco, self.model, self.data
        if self._config.keyframe:
            key = self._find(mujoco.mjtObj.mjOBJ_KEY, self._config.keyframe, "keyframe", "simulation.keyframe")
            mujoco.mj_resetDataKeyframe(model, data, key)
        self._base_pose[2] = self._config.gantry.hang_height_m
        self._base_pose[3:] = (1.0, 0.0, 0.0, 0.0)
        data.qvel[:] = 0.0
        mujoco.mj_forward(model, data)
        mass, inertia = self._mass_properties()
        self.gravity_in_world_m_per_s2: Vector = model.opt.gravity.copy()
        self._gravity_m_per_s2 = float(np.linalg.norm(model.opt.gravity))
        place = (float(self._base_pose[0]), float(self._base_pose[1]), 0.0)
        self.gantry = Gantry(self._config.gantry, mass, self._gravity_m_per_s2, inertia, place)
        damping = RELAX_DAMPING_PER_S * model.dof_M0
        damping[self._base_v : self._base_v + 6] = 0.0
        still = 0
        for _ in range(round(RELAX_LIMIT_S / self.timestep_s)):
            data.qfrc_applied[:] = -damping * data.qvel
            self._hold()
            mujoco.mj_step(model, data)
            still = still + 1 if np.abs(data.qvel).max() < RELAX_SPEED_RAD_PER_S else 0
            if still >= 50:
                break
        data.qfrc_applied[:] = 0.0
        data.time = 0.0
        self._read_joints()

    def _mass_properties(self) -> tuple[float, float]:
        """Mass of the robot, and its mean inertia about the trunk's horizontal axes."""
        model, data = self.model, self.data
        root = int(model.body_rootid[self._body])
        own = np.flatnonzero(model.body_rootid == root)
        masses = model.body_mass[own]
        arm = data.xipos[own] - data.xpos[self._body]
        inertia = masses @ (0.5 * (arm[:, 0] ** 2 + arm[:, 1] ** 2) + arm[:, 2] ** 2)
        return float(masses.sum()), float(inertia + model.body_inertia[own].mean(axis=1).sum())

    def _read_joints(self) -> None:
        if self._is_in_place:
            return
        np.take(self._qpos, self._q_at, out=self.position_rad)
        np.take(self._qvel, self._v_at, out=self.velocity_rad_per_s)

    def _hold(self) -> None:
        gantry = self.gantry
        if not gantry.is_slack:
            wrench = gantry.wrench(self.timestep_s, self._base_pose.tolist(), self._base_velocity.tolist())
        elif self._is_forced or self._push != NO_PUSH:
            wrench = NO_WRENCH
        else:
            return
        px, py, pz = self._push
        fx, fy, fz, tx, ty, tz = wrench
        self._wrench[:] = (fx + px, fy + py, fz + pz, tx, ty, tz)
        self._is_forced = wrench is not NO_WRENCH or self._push != NO_PUSH

    def step(self, torque_nm: Vector) -> None:
        """Move one physics step.

        Args:
            torque_nm: (n,) joint torques, robot order.
        """
        self._applied[self._drive_at] = torque_nm
        self._hold()
        self._mj_step(self.model, self.data)
        self._read_joints()

    def site_motion(self) -> tuple[Rotation, NDArray[np.float64]]:
        """Orientation and velocity of the inertial unit's site, as of the start of the last step.

        Returns:
            (3, 3) rotation of the site's axes into the world, a view; (6,) angular then linear velocity, both in the
            world's axes, a buffer that the next call overwrites.
        """
        kind, index = self._velocity_of
        self._mujoco.mj_objectVelocity(self.model, self.data, kind, index, self._spatial, 0)
        return self._site_rotation, self._spatial

    def set_support(self, support: Support) -> None:
        """Begin to hang up, lower or let go."""
        self.gantry.set_support(support)

    def set_loads(self, push_n: tuple[float, float, float], payload_kg: float, friction: float | None) -> None:
        """Set what acts on the robot besides its motors and the gantry.

        Args:
            push_n: Force on the trunk, world frame.
            payload_kg: Extra mass at the trunk's centre of mass.
            friction: Sliding friction coefficient of every surface, or None for the model's own.
        """
        self._push = push_n
        model = self.model
        if model.body_mass[self._body] != self._nominal_mass_kg + payload_kg:
            model.body_mass[self._body] = self._nominal_mass_kg + payload_kg
            self._mujoco.mj_setConst(model, self._mujoco.MjData(model))
        geoms, pairs = self._nominal_friction
        model.geom_friction[:], model.pair_friction[:] = geoms, pairs
        if friction is not None:
            model.geom_friction[:, 0] = friction
            model.pair_friction[:, :2] = friction

    @property
    def position_base_in_world_m(self) -> tuple[float, float, float]:
        """Where the base is."""
        x, y, z = self._base_pose[:3].tolist()
        return x, y, z

    @property
    def tilt_rad(self) -> float:
        """Angle between the base's up axis and the vertical, as of the start of the last step."""
        return math.acos(min(1.0, max(-1.0, float(self._site_rotation[2, 2]))))

    @property
    def truth(self) -> Truth:
        """How the robot really stands and moves. Costs a few hundred microseconds."""
        rotation, spatial = self.site_motion()
        root = self.model.body_rootid == self.model.body_rootid[self._body]
        return Truth(
            position_base_in_world_m=self._base_pose[:3].copy(),
            velocity_base_in_base_m_per_s=rotation.T @ spatial[3:],
            angular_velocity_base_in_base_rad_per_s=rotation.T @ spatial[:3],
            tilt_rad=self.tilt_rad,
            floor_force_n=sum(self._vertical_forces()),
            weight_n=float(self.model.body_mass[root].sum()) * self._gravity_m_per_s2,
        )

    def _vertical_forces(self) -> Iterator[float]:
        """Vertical force of each contact between the robot and the world, upwards on the robot."""
        model, data = self.model, self.data
        root = model.body_rootid[self._body]
        force = np.zeros(6)
        for index in range(data.ncon):
            contact = data.contact[index]
            own = [bool(model.body_rootid[model.geom_bodyid[geom]] == root) for geom in contact.geom]
            if own[0] != own[1]:
                self._mujoco.mj_contactForce(model, data, index, force)
                # The first axis of the contact frame points from the first geom to the second.
                upwards = float(contact.frame.reshape(3, 3)[:, 2] @ force[:3])
                yield upwards if own[1] else -upwards

    @contextmanager
    def unforced(self) -> Generator[None]:
        """Inside, the gantry and pushes are absent: for tests of the body alone."""
        gantry, self._hold = self._hold, lambda: None
        self._wrench[:] = 0.0
        try:
            yield
        finally:
            self._hold = gantry
