"""Guards about what the mission and its policy hand over. Quiet while there is nothing to hand over."""

from __future__ import annotations

from supervisor.core.levels import ArmingState
from supervisor.core.state import NEVER_S
from supervisor.safety.guards.kinds import NOTHING, Sample
from supervisor.safety.inputs import GuardInputs


def proposal_age(inputs: GuardInputs) -> Sample:
    """Age of the newest proposal, s; only while running, and never counted from before running began.

    In a stage without motion the output itself must be fresh: a silent mission is dead in either.
    """
    if inputs.arming is not ArmingState.RUNNING:
        return NOTHING
    output = inputs.output
    stamp = NEVER_S
    if output is not None and not output.needs_motion:
        stamp = output.stamp_s
    elif output is not None and output.proposal is not None:
        stamp = output.proposal.stamp_s
    if stamp > inputs.now_s + inputs.period_s:
        return float("inf"), 1.0, -1  # From the future: its age would read as fresh for ever.
    return inputs.now_s - max(stamp, inputs.running_since_s), 1.0, -1


def policy_age(inputs: GuardInputs) -> Sample:
    """Age of the newest accepted policy output, s, against the policy's period."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    age_s = inputs.now_s - output.policy.stamp_s
    return age_s if age_s > -inputs.period_s else float("inf"), output.policy.period_s, -1


def policy_deadline(inputs: GuardInputs) -> Sample:
    """Duration of the newest policy step, s, against the policy's period."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return output.policy.elapsed_s, output.policy.period_s, -1


def action_finite(inputs: GuardInputs) -> Sample:
    """1 when an observation or an output of the policy was not finite."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return 0.0 if output.policy.is_finite else 1.0, 1.0, -1


def action_bound(inputs: GuardInputs) -> Sample:
    """Largest action, as a fraction of the contract's bound."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return output.policy.action_peak, 1.0, -1


def action_rate(inputs: GuardInputs) -> Sample:
    """Largest change of an action from one step to the next, as a fraction of the contract's bound."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return output.policy.action_step_peak, 1.0, -1


def action_saturated(inputs: GuardInputs) -> Sample:
    """Share of actions at their bound over the last second."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return output.policy.saturated_fraction, 1.0, -1


def observation_range(inputs: GuardInputs) -> Sample:
    """Distance of the observation from the training range, as a fraction of that range's width."""
    output = inputs.output
    if output is None or not output.policy.is_active:
        return NOTHING
    return output.policy.observation_excess, 1.0, -1
