"""Guards about time: of the loop, the stage, the mission and the clock."""

from __future__ import annotations

from supervisor.safety.guards.kinds import NOTHING, Sample
from supervisor.safety.inputs import GuardInputs


def loop_lag_mean(inputs: GuardInputs) -> Sample:
    """How late control cycles begin in the mean, s, against the control period."""
    return inputs.loop_lag_mean_s, inputs.period_s, -1


def loop_lag_worst(inputs: GuardInputs) -> Sample:
    """How late the latest control cycle began, s, against the control period."""
    return inputs.loop_lag_worst_s, inputs.period_s, -1


def stage_timeout(inputs: GuardInputs) -> Sample:
    """Time spent in the stage, s, against its limit. Counts on while the mission is silent."""
    output = inputs.output
    if output is None or not output.stage:
        return NOTHING
    return output.stage_elapsed_s + (inputs.now_s - output.stamp_s), output.stage_limit_s, -1


def mission_timeout(inputs: GuardInputs) -> Sample:
    """Time spent in the mission, s, against its limit. Counts on while the mission is silent."""
    output = inputs.output
    if output is None or not output.stage:
        return NOTHING
    return output.mission_elapsed_s + (inputs.now_s - output.stamp_s), output.mission_limit_s, -1


def clock_step(inputs: GuardInputs) -> Sample:
    """Step of the wall clock against the monotonic clock, s, either way."""
    return abs(inputs.clock_step_s), 1.0, -1
