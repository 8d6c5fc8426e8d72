"""All guards that a safety file may declare, by id. Plain functions: nothing here decides, latches or acts."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.safety.guards import buses, imu, motion, motors, policy, system, timing
from supervisor.safety.guards.kinds import NOTHING, GuardKind, Sample, Source

__all__ = ["GUARDS", "NOTHING", "REQUIRED", "GuardKind", "Sample", "Source"]

_IMU, _MOTORS = Source.IMU, Source.MOTORS

GUARDS: Mapping[str, GuardKind] = {
    "emergency_stop": GuardKind(
        system.emergency_stop, "flag", "flag", "SAF-001", "The emergency-stop input is pressed, or cannot be read."
    ),
    "motor_age": GuardKind(
        motors.motor_age, "s", "s", "SAF-002", "Age of the oldest motor feedback; infinite for a motor never heard."
    ),
    "imu_age": GuardKind(
        imu.imu_age, "s", "s", "SAF-003", "Age of the newest inertial sample; infinite before the first."
    ),
    "motor_fault": GuardKind(motors.motor_fault, "flag", "flag", "SAF-004", "A motor reports a fault."),
    "motor_disabled": GuardKind(
        motors.motor_disabled,
        "flag",
        "flag",
        "SAF-005",
        "A motor reports that it is off while the robot is armed, running, holding or settling.",
    ),
    "motor_temperature": GuardKind(motors.motor_temperature, "degC", "degC", "SAF-006", "The hottest motor.", _MOTORS),
    "tilt": GuardKind(motion.tilt, "rad", "rad", "SAF-007", "Angle between the body's up axis and the vertical.", _IMU),
    "base_angular_rate": GuardKind(
        motion.base_angular_rate, "rad/s", "rad/s", "SAF-008", "Magnitude of the body's angular velocity.", _IMU
    ),
    "joint_velocity": GuardKind(
        motors.joint_velocity,
        "fraction",
        "rad/s",
        "SAF-009",
        "Joint speed, as a fraction of the joint's limit.",
        _MOTORS,
    ),
    "joint_position": GuardKind(
        motors.joint_position, "rad", "rad", "SAF-010", "How far a joint is beyond its position limits.", _MOTORS
    ),
    "joint_torque": GuardKind(
        motors.joint_torque, "fraction", "N·m", "SAF-011", "Joint torque, as a fraction of the joint's limit.", _MOTORS
    ),
    "tracking_error": GuardKind(
        motors.tracking_error,
        "rad",
        "rad",
        "SAF-012",
        "Distance between the applied target and the measured position, while commands are sent.",
        _MOTORS,
    ),
    "encoder_jump": GuardKind(
        motors.encoder_jump,
        "fraction",
        "fraction",
        "SAF-013",
        "Step between two readings, as a fraction of what the joint's velocity limit makes possible in that time.",
        _MOTORS,
    ),
    "imu_norm": GuardKind(
        imu.imu_norm,
        "fraction",
        "fraction",
        "SAF-014",
        "How far the quaternion or the gravity vector is from unit length.",
        _IMU,
    ),
    "imu_gravity": GuardKind(
        imu.imu_gravity,
        "rad",
        "rad",
        "SAF-015",
        "Angle between gravity by the attitude and by the accelerometer, while the body is at rest.",
        _IMU,
    ),
    "imu_frozen": GuardKind(
        imu.imu_frozen, "samples", "samples", "SAF-016", "Inertial samples in a row that were identical bit for bit."
    ),
    "imu_warning": GuardKind(
        imu.imu_warning,
        "flag",
        "flag",
        "SAF-017",
        "The unit itself reports saturation or an attitude that has not converged.",
    ),
    "proposal_age": GuardKind(
        policy.proposal_age, "s", "s", "SAF-018", "Age of the newest proposal, while running a stage that needs motion."
    ),
    "policy_age": GuardKind(
        policy.policy_age,
        "periods",
        "s",
        "SAF-019",
        "Age of the newest accepted policy output, in policy periods, while a policy runs.",
    ),
    "policy_deadline": GuardKind(
        policy.policy_deadline,
        "periods",
        "s",
        "SAF-020",
        "Duration of the newest policy step, in policy periods, while a policy runs.",
    ),
    "action_finite": GuardKind(
        policy.action_finite, "flag", "flag", "SAF-021", "An observation or an output of the policy was not finite."
    ),
    "action_bound": GuardKind(
        policy.action_bound, "fraction", "fraction", "SAF-022", "Largest action, as a fraction of the contract's bound."
    ),
    "action_rate": GuardKind(
        policy.action_rate,
        "fraction",
        "fraction",
        "SAF-023",
        "Largest change of an action in one step, as a fraction of the contract's bound.",
    ),
    "action_saturated": GuardKind(
        policy.action_saturated,
        "fraction",
        "fraction",
        "SAF-024",
        "Share of actions at their bound over the last second.",
    ),
    "observation_range": GuardKind(
        policy.observation_range,
        "fraction",
        "fraction",
        "SAF-025",
        "Distance of the observation from the training range, as a fraction of that range's width.",
    ),
    "loop_lag_mean": GuardKind(
        timing.loop_lag_mean,
        "periods",
        "s",
        "SAF-026",
        "How late control cycles begin in the mean, in control periods.",
    ),
    "loop_lag_worst": GuardKind(
        timing.loop_lag_worst, "periods", "s", "SAF-027", "How late the latest control cycle began, in control periods."
    ),
    "stage_timeout": GuardKind(
        timing.stage_timeout,
        "fraction",
        "s",
        "SAF-028",
        "Time spent in the stage, as a fraction of its limit; counts on while the mission is silent.",
    ),
    "mission_timeout": GuardKind(
        timing.mission_timeout,
        "fraction",
        "s",
        "SAF-029",
        "Time spent in the mission, as a fraction of its limit; counts on while the mission is silent.",
    ),
    "clock_step": GuardKind(
        timing.clock_step, "s", "s", "SAF-030", "Step of the wall clock against the monotonic clock."
    ),
    "operator_link": GuardKind(system.operator_link, "s", "s", "SAF-031", "Age of the operator's newest sign of life."),
    "guardian": GuardKind(
        system.guardian,
        "s",
        "s",
        "SAF-039",
        "Age of the guardian's newest echo; infinite where the guardian has stopped the robot.",
    ),
    "bus_off": GuardKind(buses.bus_off, "buses", "buses", "SAF-032", "Buses that take no frames."),
    "bus_loss": GuardKind(
        buses.bus_loss, "fraction", "fraction", "SAF-033", "Share of replies missing on the worst bus over the window."
    ),
    "bus_errors": GuardKind(
        buses.bus_errors,
        "frames",
        "frames",
        "SAF-034",
        "Failed writes and error frames on the worst bus over the window.",
    ),
    "second_writer": GuardKind(
        buses.second_writer,
        "frames",
        "frames",
        "SAF-035",
        "Frames over the window that command our motors and were not sent by us.",
    ),
    "recorder": GuardKind(system.recorder, "flag", "flag", "SAF-036", "The recorder loses cycles or cannot write."),
    "hashes": GuardKind(
        system.hashes, "flag", "flag", "SAF-037", "The files in use are not those that were armed with."
    ),
    "guard_count": GuardKind(
        system.guard_count,
        "guards",
        "guards",
        "SAF-038",
        "Declared guards that were not evaluated, plus limits of the mission that name no guard. Stands last.",
    ),
}

REQUIRED = ("emergency_stop", "motor_age", "imu_age")
"""A safety file without these is refused: the others lean on the two ages, and nothing replaces the stop input."""
