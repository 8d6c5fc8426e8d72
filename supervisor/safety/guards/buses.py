"""Guards about the wires."""

from __future__ import annotations

from supervisor.safety.guards.kinds import Sample
from supervisor.safety.inputs import GuardInputs


def bus_off(inputs: GuardInputs) -> Sample:
    """Number of buses that take no frames."""
    return float(inputs.bus_off), 1.0, -1


def bus_loss(inputs: GuardInputs) -> Sample:
    """Share of replies missing on the worst bus over the window."""
    return inputs.bus_loss, 1.0, -1


def bus_errors(inputs: GuardInputs) -> Sample:
    """Failed writes and error frames on the worst bus over the window."""
    return float(inputs.bus_errors), 1.0, -1


def second_writer(inputs: GuardInputs) -> Sample:
    """Frames over the window that command our motors and were not sent by us."""
    return float(inputs.foreign_commands), 1.0, -1
