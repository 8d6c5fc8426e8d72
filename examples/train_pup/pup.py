"""What the trained policy assumes about the robot: joints, gains, observation and gait clock.

Everything here is batched: arrays lead with the number of robots. Training imports this file;
`evaluate.py` deliberately does not, and rebuilds the same things from `contract.yaml`.
"""

from pathlib import Path

import numpy as np

ROBOT_FOLDER = Path(__file__).resolve().parents[2] / "config" / "robots" / "pup"
MODEL_PATH = ROBOT_FOLDER / "pup.xml"

LEGS = ("fl", "fr", "rl", "rr")
JOINT_ORDER = tuple(f"{leg}_{joint}" for leg in LEGS for joint in ("hip", "thigh", "calf"))

DEFAULT_POSITION_RAD = np.array([0.06, 0.80, -1.60, -0.06, 0.80, -1.60, 0.06, 0.80, -1.60, -0.06, 0.80, -1.60])
KP_NM_PER_RAD = 35.0
KD_NM_S_PER_RAD = 0.8
TORQUE_LIMIT_NM = 20.0
VELOCITY_LIMIT_RAD_PER_S = 18.0

PHYSICS_TIMESTEP_S = 0.002
DECIMATION = 10
POLICY_PERIOD_S = PHYSICS_TIMESTEP_S * DECIMATION

ACTION_SCALE_RAD = 0.4  # enough for a 6 cm swing at 0.6 m/s, too little to reach a joint limit
GAIT_FREQUENCY_HZ = 2.5  # exactly 20 policy steps per stride
MOVING_COMMAND_THRESHOLD = 0.1  # norm of (vx, vy, wz) below which the robot stands, clock at zero

# (name, dimension, unit, frame, scale inside the network)
OBSERVATION_TERMS = (
    ("base_angular_velocity", 3, "rad/s", "base", 0.25),
    ("projected_gravity", 3, "1", "base", 1.0),
    ("velocity_command", 3, "m/s m/s rad/s", "base", (2.0, 2.0, 1.5)),
    ("joint_position_minus_default", 12, "rad", "joint", 1.0),
    ("joint_velocity", 12, "rad/s", "joint", 0.05),
    ("last_action", 12, "1", "joint", 1.0),
    ("gait_clock", 2, "1", "none", 1.0),
)
OBSERVATION_DIM = sum(term[1] for term in OBSERVATION_TERMS)
ACTION_DIM = 12
OBSERVATION_SCALE = np.concatenate(
    [np.broadcast_to(np.asarray(scale, np.float32), dim) for _, dim, _, _, scale in OBSERVATION_TERMS]
)

# Left-right mirror: swap the legs of each pair and change the sign of the hips, which all turn
# about +x. The clock moves by half a stride because the diagonal pairs trade places.
_JOINT_MIRROR_INDEX = np.array([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8])
_JOINT_MIRROR_SIGN = np.tile(np.array([-1.0, 1.0, 1.0], np.float32), 4)
ACTION_MIRROR = (_JOINT_MIRROR_INDEX, _JOINT_MIRROR_SIGN)
LEG_MIRROR_INDEX = np.array([1, 0, 3, 2])
OBSERVATION_MIRROR = (
    np.concatenate([np.arange(9)] + [9 + 12 * k + _JOINT_MIRROR_INDEX for k in range(3)] + [[45, 46]]),
    np.concatenate([[-1, 1, -1], [1, -1, 1], [1, -1, -1], np.tile(_JOINT_MIRROR_SIGN, 3), [-1, -1]]).astype(np.float32),
)


def rotate_world_to_base(quaternion_base_in_world: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Express world vectors in the base frame.

    Args:
        quaternion_base_in_world: (N, 4), w x y z, unit length.
        vectors: (N, 3) in the world frame.

    Returns:
        (N, 3) in the base frame.
    """
    w, axis = quaternion_base_in_world[:, :1], -quaternion_base_in_world[:, 1:]
    twice = 2.0 * np.cross(axis, vectors)
    return vectors + w * twice + np.cross(axis, twice)


def is_moving(command: np.ndarray) -> np.ndarray:
    """Say which commands ask for motion, (N, 3) -> (N,) bool."""
    return np.linalg.norm(command, axis=1) >= MOVING_COMMAND_THRESHOLD


def gait_clock(phase: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return (N, 2) sin and cos of the stride phase; both zero for a robot told to stand.

    Args:
        phase: (N,) in [0, 1); advances by frequency * period each policy step while moving,
            and returns to 0 on standing.
        moving: (N,) bool.
    """
    angle = 2.0 * np.pi * phase
    return np.stack([np.sin(angle), np.cos(angle)], axis=1) * moving[:, None]
