"""Guards about joints and motors. Each reports the worst joint."""

from __future__ import annotations

from supervisor.safety.guards.kinds import NOTHING, Sample
from supervisor.safety.inputs import (
    AGE,
    DISABLED,
    FAULT,
    JUMP,
    POSITION,
    TEMPERATURE,
    TORQUE,
    TRACKING,
    VELOCITY,
    GuardInputs,
)


def joint_velocity(inputs: GuardInputs) -> Sample:
    """Joint speed against the joint's limit, rad/s."""
    joint = inputs.joints.worst[VELOCITY]
    measured: float = inputs.newest().velocity_rad_per_s.item(joint)
    return abs(measured), inputs.joints.velocity_rad_per_s.item(joint), joint


def joint_position(inputs: GuardInputs) -> Sample:
    """How far a joint is beyond its position limits, rad; negative inside."""
    joint = inputs.joints.worst[POSITION]
    return inputs.joints.rows[POSITION].item(joint), 1.0, joint


def joint_torque(inputs: GuardInputs) -> Sample:
    """Joint torque against the joint's limit, N·m."""
    joint = inputs.joints.worst[TORQUE]
    measured: float = inputs.newest().torque_nm.item(joint)
    return abs(measured), inputs.joints.torque_nm.item(joint), joint


def tracking_error(inputs: GuardInputs) -> Sample:
    """Distance between the applied target and the measured position, rad; only while commands are sent."""
    if inputs.applied is None:
        return NOTHING
    joint = inputs.joints.worst[TRACKING]
    return inputs.joints.rows[TRACKING].item(joint), 1.0, joint


def encoder_jump(inputs: GuardInputs) -> Sample:
    """Step between two readings of a joint against what its velocity limit makes possible in that time, fraction."""
    joint = inputs.joints.worst[JUMP]
    return inputs.joints.rows[JUMP].item(joint), 1.0, joint


def motor_temperature(inputs: GuardInputs) -> Sample:
    """Hottest motor, degC."""
    joint = inputs.joints.worst[TEMPERATURE]
    return inputs.joints.rows[TEMPERATURE].item(joint), 1.0, joint


def motor_fault(inputs: GuardInputs) -> Sample:
    """1 when a motor reports a fault."""
    joint = inputs.joints.worst[FAULT]
    measured: float = inputs.joints.rows[FAULT].item(joint)
    return measured, 1.0, joint if measured else -1


def motor_disabled(inputs: GuardInputs) -> Sample:
    """1 when a motor reports that it is off while it should hold or follow."""
    if not inputs.expects_power:
        return NOTHING
    joint = inputs.joints.worst[DISABLED]
    measured: float = inputs.joints.rows[DISABLED].item(joint)
    return measured, 1.0, joint if measured else -1


def motor_age(inputs: GuardInputs) -> Sample:
    """Age of the oldest motor feedback, s; infinite for a motor that was never heard."""
    joint = inputs.joints.worst[AGE]
    return inputs.joints.rows[AGE].item(joint), 1.0, joint
