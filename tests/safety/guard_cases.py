"""For every guard: how to make it measure a given value. One entry per guard of the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from supervisor.core.exchange import MissionOutput
from supervisor.core.levels import ArmingState
from supervisor.core.state import MotorStatus
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import COUNT, HIGH, PERIOD_S, ROBOT, make_command, make_output, make_state

JOINT = 4


@dataclass(frozen=True)
class GuardCase:
    """How to drive one guard.

    Attributes:
        put: Makes the guard measure a value, in the unit of the row.
        is_number: False for flags and counts, which have no value that is not a number.
        tolerance: How far rounding may move the boundary, as a fraction of the limit.
    """

    put: Callable[[GuardInputs, float], None]
    is_number: bool = True
    tolerance: float = 1e-9


def _state(inputs: GuardInputs, **changes: object) -> None:
    assert inputs.state is not None
    inputs.state = replace(inputs.state, **changes)


def _imu(inputs: GuardInputs, **changes: object) -> None:
    assert inputs.state is not None
    _state(inputs, imu=replace(inputs.state.imu, **changes))


def _joint(attribute: str, scale: float = 1.0, offset: float = 0.0) -> Callable[[GuardInputs, float], None]:
    def put(inputs: GuardInputs, value: float) -> None:
        assert inputs.state is not None
        vector = getattr(inputs.state, attribute).copy()
        vector[JOINT] = offset + value * scale
        _state(inputs, **{attribute: vector})

    return put


def _motor_age(inputs: GuardInputs, value: float) -> None:
    _joint("motor_stamp_s")(inputs, inputs.now_s - value)


def _status(status: MotorStatus) -> Callable[[GuardInputs, float], None]:
    def put(inputs: GuardInputs, value: float) -> None:
        inputs.expects_power = True
        wanted = np.full(COUNT, int(MotorStatus.ENABLED))
        if value > 0.0:
            wanted[JOINT] = status
        _state(inputs, motor_status=wanted)

    return put


def _tilt(inputs: GuardInputs, value: float) -> None:
    _imu(inputs, gravity_in_base=np.array([0.0, np.sin(value), -np.cos(value)]))


def _imu_gravity(inputs: GuardInputs, value: float) -> None:
    _imu(inputs, acceleration_base_in_base_m_per_s2=9.81 * np.array([np.sin(value), 0.0, np.cos(value)]))


def _tracking(inputs: GuardInputs, value: float) -> None:
    assert inputs.state is not None
    position = inputs.state.position_rad.copy()
    position[JOINT] -= value
    inputs.applied = make_command(position)


def _jump(inputs: GuardInputs, value: float) -> None:
    """The cycle before, one period earlier, at the same place less a step."""
    assert inputs.state is not None
    here = inputs.state.position_rad
    before = here.copy()
    before[JOINT] -= value * ROBOT.vector("velocity_rad_per_s")[JOINT] * PERIOD_S
    stamp = inputs.state.motor_stamp_s - PERIOD_S
    inputs.joints.fill(replace(inputs.state, position_rad=before, motor_stamp_s=stamp), None, inputs.now_s - PERIOD_S)


def _health(attribute: str, scale: float = 1.0) -> Callable[[GuardInputs, float], None]:
    def put(inputs: GuardInputs, value: float) -> None:
        output = make_output(inputs.now_s)
        inputs.output = replace(output, policy=replace(output.policy, **{attribute: value * scale}))

    return put


def _policy_age(inputs: GuardInputs, value: float) -> None:
    output = make_output(inputs.now_s)
    stamp = inputs.now_s - value * output.policy.period_s
    inputs.output = replace(output, policy=replace(output.policy, stamp_s=stamp))


def _action_finite(inputs: GuardInputs, value: float) -> None:
    output = make_output(inputs.now_s)
    inputs.output = replace(output, policy=replace(output.policy, is_finite=not value > 0.0))


def _proposal_age(inputs: GuardInputs, value: float) -> None:
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, float("-inf")
    output: MissionOutput = make_output(inputs.now_s)
    assert output.proposal is not None
    inputs.output = replace(output, proposal=replace(output.proposal, stamp_s=inputs.now_s - value))


def _timeout(elapsed: str, limit: str) -> Callable[[GuardInputs, float], None]:
    def put(inputs: GuardInputs, value: float) -> None:
        inputs.output = replace(make_output(inputs.now_s), **{elapsed: value * 100.0, limit: 100.0})

    return put


def _field(name: str, scale: float = 1.0) -> Callable[[GuardInputs, float], None]:
    return lambda inputs, value: setattr(inputs, name, value * scale)


def _count(name: str) -> Callable[[GuardInputs, float], None]:
    return lambda inputs, value: setattr(inputs, name, int(np.ceil(value)))


def _flag(name: str, healthy: bool) -> Callable[[GuardInputs, float], None]:
    return lambda inputs, value: setattr(inputs, name, healthy if value <= 0.0 else not healthy)


def _unchanged(inputs: GuardInputs, value: float) -> None:
    _imu(inputs, unchanged=int(np.ceil(value)))


def _warning(inputs: GuardInputs, value: float) -> None:
    _imu(inputs, warning=value > 0.0)


def _guard_count(inputs: GuardInputs, value: float) -> None:
    limits = {f"no_such_guard_{i}": 1.0 for i in range(int(np.ceil(value)))}
    inputs.output = replace(make_output(inputs.now_s), guard_limits=limits)


CASES: dict[str, GuardCase] = {
    "emergency_stop": GuardCase(_flag("emergency_stop", False), is_number=False),
    "motor_age": GuardCase(_motor_age, tolerance=1e-6),
    "imu_age": GuardCase(lambda inputs, value: _imu(inputs, stamp_s=inputs.now_s - value), tolerance=1e-6),
    "motor_fault": GuardCase(_status(MotorStatus.FAULT), is_number=False),
    "motor_disabled": GuardCase(_status(MotorStatus.DISABLED), is_number=False),
    "motor_temperature": GuardCase(_joint("temperature_degc")),
    "tilt": GuardCase(_tilt),
    "base_angular_rate": GuardCase(
        lambda inputs, value: _imu(inputs, angular_velocity_base_in_base_rad_per_s=np.array([0.0, value, 0.0]))
    ),
    "joint_velocity": GuardCase(_joint("velocity_rad_per_s", ROBOT.vector("velocity_rad_per_s")[JOINT])),
    "joint_position": GuardCase(_joint("position_rad", offset=HIGH[JOINT])),
    "joint_torque": GuardCase(_joint("torque_nm", -ROBOT.vector("torque_nm")[JOINT])),
    "tracking_error": GuardCase(_tracking),
    "encoder_jump": GuardCase(_jump, tolerance=1e-6),
    "imu_norm": GuardCase(
        lambda inputs, value: _imu(inputs, orientation_base_in_world_wxyz=np.array([0.0, 1.0 + value, 0.0, 0.0]))
    ),
    "imu_gravity": GuardCase(_imu_gravity),
    "imu_frozen": GuardCase(_unchanged, is_number=False),
    "imu_warning": GuardCase(_warning, is_number=False),
    "proposal_age": GuardCase(_proposal_age, tolerance=1e-6),
    "policy_age": GuardCase(_policy_age, tolerance=1e-6),
    "policy_deadline": GuardCase(_health("elapsed_s", 0.02)),
    "action_finite": GuardCase(_action_finite, is_number=False),
    "action_bound": GuardCase(_health("action_peak")),
    "action_rate": GuardCase(_health("action_step_peak")),
    "action_saturated": GuardCase(_health("saturated_fraction")),
    "observation_range": GuardCase(_health("observation_excess")),
    "loop_lag_mean": GuardCase(_field("loop_lag_mean_s", PERIOD_S)),
    "loop_lag_worst": GuardCase(_field("loop_lag_worst_s", PERIOD_S)),
    "stage_timeout": GuardCase(_timeout("stage_elapsed_s", "stage_limit_s")),
    "mission_timeout": GuardCase(_timeout("mission_elapsed_s", "mission_limit_s")),
    "clock_step": GuardCase(_field("clock_step_s", -1.0)),
    "operator_link": GuardCase(_field("operator_link_age_s")),
    "guardian": GuardCase(_field("guardian_age_s")),
    "bus_off": GuardCase(_count("bus_off"), is_number=False),
    "bus_loss": GuardCase(_field("bus_loss")),
    "bus_errors": GuardCase(_count("bus_errors"), is_number=False),
    "second_writer": GuardCase(_count("foreign_commands"), is_number=False),
    "recorder": GuardCase(_flag("recorder_ok", True), is_number=False),
    "hashes": GuardCase(_flag("hashes_match", True), is_number=False),
    "guard_count": GuardCase(_guard_count, is_number=False),
}


def fresh(inputs: GuardInputs) -> None:
    """Healthy measurements again, at the same time."""
    inputs.state = make_state(inputs.now_s)
