"""How a drive that turns anybody's motor is assumed to be set up, for a robot that has none yet."""

from __future__ import annotations

from collections.abc import Collection

from supervisor.core.robot import DriveConfig

TORQUE_HEADROOM = 1.25
"""Above what the joint asks: a drive at its own limit can neither damp nor be measured beyond it."""

DRIVE_SPEED_RAD_PER_S = 20.0
"""A third above what walking needs."""

MOTOR_TURNS = 9.0
"""Of the gearbox: those of legged robots have 6 to 10."""

ENCODER_COUNTS = 16_384
"""14 bits, as most magnetic encoders on a motor's shaft have."""

PEAK_TO_RATED = 3.0
"""For seconds, joint motors give about three times what they can give for ever."""

REMARK = "drive: assumed, from what the joint needs; confirm each number against how the drive is set up"


def usual_drive(keys: Collection[str], torque_nm: float, stiffness_nm_per_rad: float, damping: float) -> DriveConfig:
    """What a drive must be set to for a joint.

    Args:
        keys: What the make must be told besides torque and speed.
        torque_nm: Torque limit of the joint.
        stiffness_nm_per_rad: What it may be asked for.
        damping: The same, N·m·s/rad.
    """
    torque_max_nm = _rounded(TORQUE_HEADROOM * torque_nm)
    values = {
        "encoder_counts_per_turn": ENCODER_COUNTS,
        "rated_torque_nm": _rounded(torque_max_nm / MOTOR_TURNS / PEAK_TO_RATED),
        "kp_max_nm_per_rad": _rounded(stiffness_nm_per_rad),
        "kd_max_nm_s_per_rad": _rounded(damping),
    }
    asked = {key: value for key, value in values.items() if key in keys}
    return DriveConfig(torque_max_nm, DRIVE_SPEED_RAD_PER_S, MOTOR_TURNS, **asked)  # pyright: ignore[reportArgumentType]


def _rounded(value: float) -> float:
    """To three digits: nobody sets a drive up to more."""
    return float(f"{value:.3g}")
