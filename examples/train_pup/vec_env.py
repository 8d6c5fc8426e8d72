"""A batch of randomised pups, stepped together by MuJoCo's multithreaded rollout.

The PD loop runs at the physics rate. In training it lives in the actuators: an affine MuJoCo
actuator with gain kp and bias (0, -kp, -kd) under the Euler integrator computes the same torque,
from the same state, as `clip(kp * (target - q) - kd * dq)` written outside the model.
"""

import copy
import dataclasses

import mujoco
import mujoco.rollout
import numpy as np
import pup


@dataclasses.dataclass(frozen=True)
class Randomisation:
    """Ranges drawn once per episode, or per push or step where the name says so."""

    friction: tuple[float, float] = (0.3, 1.6)
    trunk_mass_scale: tuple[float, float] = (0.8, 1.4)
    trunk_com_shift_m: float = 0.015
    motor_strength: tuple[float, float] = (0.9, 1.1)
    joint_zero_error_rad: float = 0.015
    delay_s: tuple[float, float] = (0.0, 0.02)
    long_delay_s: tuple[float, float] = (0.02, 0.04)
    long_delay_probability: float = 0.3
    low_gain_probability: float = 0.12  # episodes whose action is scaled down by a supervisor
    low_gain: tuple[float, float] = (0.1, 1.0)
    push_m_per_s: float = 0.6
    push_rad_per_s: float = 0.6
    push_period_s: float = 4.0
    noise_angular_velocity_rad_per_s: float = 0.15
    noise_gravity: float = 0.03
    noise_position_rad: float = 0.01
    noise_velocity_rad_per_s: float = 0.5


@dataclasses.dataclass(frozen=True)
class RewardWeights:
    """Weights of the reward terms; see `VecEnv._reward`."""

    track_linear: float = 1.6
    track_angular: float = 0.8
    gait_contact: float = 0.8
    swing_height: float = 0.5
    vertical_velocity: float = -1.5
    roll_pitch_rate: float = -0.04
    tilt: float = -8.0
    height: float = -30.0
    torque: float = -2.0e-4
    joint_acceleration: float = -1.5e-7
    action_rate: float = -0.02
    action_size: float = -0.01
    foot_slip: float = -0.15
    hip_position: float = -0.6
    stand_position: float = -0.6
    stand_velocity: float = -0.02
    fall: float = -20.0


class VecEnv:
    """N pups on flat ground following velocity commands.

    Args:
        count: Number of robots.
        threads: Physics threads.
        seed: Seed of all randomness.
        timestep_s: Physics timestep. Twice the deployed one halves the cost of early training.
    """

    EPISODE_STEPS = 500
    STAND_HEIGHT_M = 0.25
    SWING_HEIGHT_M = 0.055
    PRIVILEGED_DIM = 3 + 1 + 4 + 4 + 5  # velocity, height, contacts, foot heights, randomisation
    COMMAND_START = np.array([0.5, 0.15, 0.4])
    COMMAND_END = np.array([0.8, 0.35, 0.9])

    def __init__(self, count: int, threads: int, seed: int, timestep_s: float = pup.PHYSICS_TIMESTEP_S):
        self.count = count
        self.rng = np.random.default_rng(seed)
        self.random = Randomisation()
        self.weights = RewardWeights()
        self.command_level = 0.0  # 0: narrow commands, 1: full range

        self._nominal = mujoco.MjModel.from_xml_path(str(pup.MODEL_PATH))
        nominal = self._nominal
        nominal.actuator_biastype[:] = mujoco.mjtBias.mjBIAS_AFFINE
        nominal.actuator_ctrllimited[:] = 0
        nominal.opt.timestep = timestep_s
        self._substep_s = np.arange(round(pup.POLICY_PERIOD_S / timestep_s)) * timestep_s
        self._models = [copy.copy(nominal) for _ in range(count)]
        self._scratch = mujoco.MjData(nominal)
        self._threads = [mujoco.MjData(nominal) for _ in range(threads)]
        self._rollout = mujoco.rollout.Rollout(nthread=threads)

        self._state_dim = mujoco.mj_stateSize(nominal, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        assert self._state_dim == 1 + nominal.nq + nominal.nv
        self._trunk = nominal.body("trunk").id
        self._feet = [nominal.geom(f"{leg}_foot").id for leg in pup.LEGS]
        self._touch = self._sensor_columns("touch", 1)[:, 0]
        self._foot_position = self._sensor_columns("foot_pos", 3)
        self._foot_velocity = self._sensor_columns("foot_vel", 3)
        low, high = nominal.jnt_range[1:].T
        self._joint_low_rad, self._joint_high_rad = low, high

        n = count
        self.state = np.zeros((n, self._state_dim))
        self.command = np.zeros((n, 3))
        self.phase = np.zeros(n)
        self.action = np.zeros((n, 12))
        self._targets = np.zeros((3, n, 12))  # newest first
        self._velocity_before = np.zeros((n, 12))
        self._contact = np.ones((n, 4))
        self._foot_height = np.full((n, 4), 0.02)
        self._steps = np.zeros(n, int)
        self._command_steps_left = np.zeros(n, int)
        self._friction = np.ones(n)
        self._mass_scale = np.ones(n)
        self._strength = np.ones(n)
        self._delay_s = np.zeros(n)
        self._gain = np.ones(n)
        self._zero_error = np.zeros((n, 12))
        self.reset(np.arange(n))
        self._steps[:] = self.rng.integers(0, self.EPISODE_STEPS, n)  # no synchronised resets

    def _sensor_columns(self, suffix: str, width: int) -> np.ndarray:
        starts = [self._nominal.sensor(f"{leg}_{suffix}").adr[0] for leg in pup.LEGS]
        return np.array(starts)[:, None] + np.arange(width)

    # --- randomisation and resets ------------------------------------------------------------

    def _randomise_model(self, i: int) -> None:
        """Draw a new body, floor and motor for robot i."""
        r, rng, model, nominal = self.random, self.rng, self._models[i], self._nominal
        self._friction[i] = rng.uniform(*r.friction)
        self._mass_scale[i] = scale = rng.uniform(*r.trunk_mass_scale)
        self._strength[i] = strength = rng.uniform(*r.motor_strength)
        model.geom_friction[:, 0] = self._friction[i]
        model.body_mass[self._trunk] = nominal.body_mass[self._trunk] * scale
        model.body_inertia[self._trunk] = nominal.body_inertia[self._trunk] * scale
        shift = rng.uniform(-1, 1, 3) * r.trunk_com_shift_m * np.array([1, 1, 0])
        model.body_ipos[self._trunk] = nominal.body_ipos[self._trunk] + shift
        model.actuator_gainprm[:, 0] = pup.KP_NM_PER_RAD * strength
        model.actuator_biasprm[:, 1] = -pup.KP_NM_PER_RAD * strength
        model.actuator_biasprm[:, 2] = -pup.KD_NM_S_PER_RAD * strength
        model.actuator_forcerange[:, 0] = -pup.TORQUE_LIMIT_NM * strength
        model.actuator_forcerange[:, 1] = pup.TORQUE_LIMIT_NM * strength
        mujoco.mj_setConst(model, self._scratch)

    def reset(self, index: np.ndarray) -> None:
        """Put the given robots back on their feet with new randomisation."""
        k, r, rng = len(index), self.random, self.rng
        if k == 0:
            return
        for i in index:
            self._randomise_model(i)
        long_delay = rng.random(k) < r.long_delay_probability
        self._delay_s[index] = np.where(
            long_delay,
            rng.uniform(*r.long_delay_s, k),
            rng.uniform(*r.delay_s, k),
        )
        low_gain = rng.random(k) < r.low_gain_probability
        self._gain[index] = np.where(low_gain, rng.uniform(*r.low_gain, k), 1.0)
        self._zero_error[index] = rng.uniform(-1, 1, (k, 12)) * r.joint_zero_error_rad

        state = np.zeros((k, self._state_dim))
        state[:, 3] = self.STAND_HEIGHT_M + rng.uniform(0.0, 0.02, k)
        tilt = rng.uniform(-0.06, 0.06, (k, 2))
        state[:, 4] = 1.0
        state[:, 5:7] = tilt
        state[:, 4:8] /= np.linalg.norm(state[:, 4:8], axis=1, keepdims=True)
        position = pup.DEFAULT_POSITION_RAD + rng.uniform(-0.12, 0.12, (k, 12))
        state[:, 8:20] = position
        state[:, 20:26] = rng.uniform(-0.3, 0.3, (k, 6))
        self.state[index] = state
        self._targets[:, index] = pup.DEFAULT_POSITION_RAD
        self.action[index] = 0.0
        self._velocity_before[index] = 0.0
        self._contact[index] = 1.0
        self._foot_height[index] = 0.02
        self._steps[index] = 0
        self._draw_command(index)
        # Start anywhere in the stride so that every phase is seen early in training.
        self.phase[index] = rng.integers(0, 20, k) / 20.0

    def _draw_command(self, index: np.ndarray) -> None:
        k, rng = len(index), self.rng
        limit = self.COMMAND_START + self.command_level * (self.COMMAND_END - self.COMMAND_START)
        command = rng.uniform(-1, 1, (k, 3)) * limit
        backwards = command[:, 0] < 0
        command[backwards, 0] *= 0.5  # half the forward speed
        single = rng.random(k) < 0.5  # a single axis, as operators mostly ask for
        axis = rng.choice(3, k, p=(0.3, 0.4, 0.3))  # sideways is the hardest to learn
        command[single] *= np.eye(3)[axis[single]]
        low_gain = self._gain[index] < 1.0
        command[low_gain] *= 0.4
        stand = rng.random(k) < np.where(low_gain, 0.6, 0.15)
        command[stand] = 0.0
        command[~pup.is_moving(command)] = 0.0
        was_standing = ~pup.is_moving(self.command[index])
        self.command[index] = command
        self.phase[index] = np.where(was_standing, 0.0, self.phase[index])
        self._command_steps_left[index] = rng.integers(100, 250, k)

    # --- stepping ----------------------------------------------------------------------------

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
        """Advance all robots by one policy period.

        Args:
            action: (N, 12), clipped to [-1, 1] here as in the exported network.

        Returns:
            Reward (N,), fallen (N,) bool, timed out (N,) bool, and the mean of each reward term.
            Robots that ended have been reset; observe them with `observe`.
        """
        n, r, rng = self.count, self.random, self.rng
        action = np.clip(action, -1.0, 1.0)
        self._targets = np.roll(self._targets, 1, axis=0)
        target = pup.DEFAULT_POSITION_RAD + self._gain[:, None] * pup.ACTION_SCALE_RAD * action
        self._targets[0] = np.clip(target, self._joint_low_rad, self._joint_high_rad)

        # A physics step at time t into the period applies the newest target at least `delay` old.
        age = np.ceil((self._delay_s[:, None] - self._substep_s) / pup.POLICY_PERIOD_S - 1e-6)
        age = np.clip(age, 0, 2).astype(int)
        control = self._targets[age, np.arange(n)[:, None]]

        pushed = rng.random(n) < pup.POLICY_PERIOD_S / r.push_period_s
        self.state[pushed, 20:22] += rng.uniform(-1, 1, (pushed.sum(), 2)) * r.push_m_per_s
        self.state[pushed, 25] += rng.uniform(-1, 1, pushed.sum()) * r.push_rad_per_s

        states, sensors = self._rollout.rollout(self._models, self._threads, self.state, control, skip_checks=False)
        self.state = states[:, -1].copy()
        reward, fallen, terms = self._reward(action, control, states, sensors)

        self.action = action
        self._velocity_before = self.state[:, 26:38].copy()
        self._steps += 1
        moving = pup.is_moving(self.command)
        advance = pup.GAIT_FREQUENCY_HZ * pup.POLICY_PERIOD_S
        self.phase = np.where(moving, (self.phase + advance) % 1.0, 0.0)

        timed_out = (self._steps >= self.EPISODE_STEPS) & ~fallen
        self._command_steps_left -= 1
        self._draw_command(np.flatnonzero(self._command_steps_left <= 0))
        return reward, fallen, timed_out, terms

    def _reward(self, action, control, states, sensors):
        w = self.weights
        state, sensor = self.state, sensors[:, -1]
        quaternion = state[:, 4:8]
        velocity = pup.rotate_world_to_base(quaternion, state[:, 20:23])
        angular = state[:, 23:26]
        gravity = pup.rotate_world_to_base(quaternion, np.tile([0.0, 0.0, -1.0], (self.count, 1)))
        position, joint_velocity = state[:, 8:20], state[:, 26:38]
        moving = pup.is_moving(self.command)

        contact = (sensors[:, :, self._touch] > 0.5).mean(axis=1)
        foot_height = sensor[:, self._foot_position[:, 2]]
        foot_velocity = sensor[:, self._foot_velocity]
        self._contact, self._foot_height = contact, foot_height

        # Stride wave per leg: positive in stance, negative in swing. fl and rr move together.
        wave = np.sin(2 * np.pi * self.phase)[:, None] * np.array([1.0, -1.0, -1.0, 1.0])
        stance = np.where(moving[:, None], wave > 0, True)
        certain = np.where(moving[:, None], np.minimum(1.0, np.abs(wave) / 0.3), 1.0)
        match = np.where(stance, contact, 1.0 - contact)
        lift = np.where(stance, 0.0, np.abs(wave) * self.SWING_HEIGHT_M) + 0.02
        swing_error = np.where(stance, 0.0, (foot_height - lift) ** 2).sum(axis=1)

        torque_limit = pup.TORQUE_LIMIT_NM
        torque = pup.KP_NM_PER_RAD * (control - states[:, :, 8:20])
        torque = np.clip(torque - pup.KD_NM_S_PER_RAD * states[:, :, 26:38], -torque_limit, torque_limit)

        linear_error = ((self.command[:, :2] - velocity[:, :2]) ** 2).sum(axis=1)
        angular_error = (self.command[:, 2] - angular[:, 2]) ** 2
        slip = (contact * (foot_velocity[:, :, :2] ** 2).sum(axis=2)).sum(axis=1)
        error_position = position - pup.DEFAULT_POSITION_RAD

        fallen = (gravity[:, 2] > -0.6) | (state[:, 3] < 0.13) | ~np.isfinite(state).all(axis=1)
        terms = {
            "track_linear": np.exp(-linear_error / 0.04),
            "track_angular": np.exp(-angular_error / 0.06),
            "gait_contact": (match * certain).mean(axis=1),
            "swing_height": np.where(moving, np.exp(-swing_error / 0.0008), 1.0),
            "vertical_velocity": velocity[:, 2] ** 2,
            "roll_pitch_rate": (angular[:, :2] ** 2).sum(axis=1),
            "tilt": (gravity[:, :2] ** 2).sum(axis=1),
            "height": (state[:, 3] - self.STAND_HEIGHT_M) ** 2,
            "torque": (torque**2).sum(axis=2).mean(axis=1),
            "joint_acceleration": (((joint_velocity - self._velocity_before) / 0.02) ** 2).sum(axis=1),
            "action_rate": ((action - self.action) ** 2).sum(axis=1),
            "action_size": (action**2).sum(axis=1),
            "foot_slip": slip,
            "hip_position": (error_position[:, 0::3] ** 2).sum(axis=1),
            "stand_position": np.where(moving, 0.0, (error_position**2).sum(axis=1)),
            "stand_velocity": np.where(moving, 0.0, (joint_velocity**2).sum(axis=1)),
            "fall": fallen.astype(float),
        }
        total = np.zeros(self.count)
        for name, value in terms.items():
            total += getattr(w, name) * np.clip(np.nan_to_num(value, nan=0.0), 0.0, 1e4)
        means = {name: float(np.nanmean(value)) for name, value in terms.items()}
        means["linear_error_m_per_s"] = float(np.nanmean(np.sqrt(linear_error)))
        means["angular_error_rad_per_s"] = float(np.nanmean(np.sqrt(angular_error)))
        return total * 0.05, fallen, means

    # --- observations ------------------------------------------------------------------------

    def observe(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what the policy sees, with noise, and what only the critic sees, without.

        Returns:
            (N, 47) float32 in the order of `pup.OBSERVATION_TERMS`, unscaled; and
            (N, 47 + PRIVILEGED_DIM) float32.
        """
        n, r, rng, state = self.count, self.random, self.rng, self.state
        quaternion = state[:, 4:8]
        gravity = pup.rotate_world_to_base(quaternion, np.tile([0.0, 0.0, -1.0], (n, 1)))
        velocity = pup.rotate_world_to_base(quaternion, state[:, 20:23])
        clock = pup.gait_clock(self.phase, pup.is_moving(self.command))
        clean = [
            state[:, 23:26],
            gravity,
            self.command,
            state[:, 8:20] - pup.DEFAULT_POSITION_RAD,
            state[:, 26:38],
            self.action,
            clock,
        ]
        noisy = list(clean)
        noisy[0] = clean[0] + rng.uniform(-1, 1, (n, 3)) * r.noise_angular_velocity_rad_per_s
        noisy[1] = clean[1] + rng.uniform(-1, 1, (n, 3)) * r.noise_gravity
        noisy[3] = clean[3] + self._zero_error + rng.uniform(-1, 1, (n, 12)) * r.noise_position_rad
        noisy[4] = clean[4] + rng.uniform(-1, 1, (n, 12)) * r.noise_velocity_rad_per_s
        privileged = [
            velocity,
            10.0 * (state[:, 3:4] - self.STAND_HEIGHT_M),
            self._contact,
            10.0 * self._foot_height,
            np.stack([self._friction, self._mass_scale, self._strength, 25.0 * self._delay_s, self._gain], axis=1),
        ]
        policy = np.concatenate(noisy, axis=1).astype(np.float32)
        critic = np.concatenate(clean + privileged, axis=1).astype(np.float32)
        return policy, critic
