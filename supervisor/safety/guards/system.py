"""Guards about the operator, the computer and the guards themselves."""

from __future__ import annotations

from supervisor.safety.guards.kinds import Sample
from supervisor.safety.inputs import GuardInputs


def operator_link(inputs: GuardInputs) -> Sample:
    """Age of the operator's newest sign of life, s."""
    return inputs.operator_link_age_s, 1.0, -1


def guardian(inputs: GuardInputs) -> Sample:
    """Age of the guardian's newest echo, s."""
    return inputs.guardian_age_s, 1.0, -1


def emergency_stop(inputs: GuardInputs) -> Sample:
    """1 while the emergency-stop input is pressed, or cannot be read."""
    return 0.0 if inputs.emergency_stop is False else 1.0, 1.0, -1


def recorder(inputs: GuardInputs) -> Sample:
    """1 while the recorder loses cycles or cannot write."""
    return 0.0 if inputs.recorder_ok is True else 1.0, 1.0, -1


def hashes(inputs: GuardInputs) -> Sample:
    """1 when the files in use are not those that were armed with."""
    return 0.0 if inputs.hashes_match is True else 1.0, 1.0, -1


def guard_count(inputs: GuardInputs) -> Sample:
    """How many declared guards were not evaluated before this one, which stands last, plus unknown tightenings."""
    missing = abs(inputs.expected_guards - 1 - inputs.evaluated_guards)
    return float(missing + inputs.unknown_tightenings), 1.0, -1
