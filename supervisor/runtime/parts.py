"""What is left of a control loop when it has ended, wherever it ran."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.evidence.timing import Percentiles


@dataclass(frozen=True, slots=True)
class ControlPart:
    """What is left of the control loop.

    Attributes:
        cycle_us: How long cycles took.
        overruns: Cycles that took longer than their period.
        wake_us: How late cycles began; zeros in lockstep, where there is no late.
        missed: Periods without a cycle.
        cycles: How many cycles there were.
    """

    cycle_us: Percentiles = field(default_factory=Percentiles)
    overruns: int = 0
    wake_us: Percentiles = field(default_factory=Percentiles)
    missed: int = 0
    cycles: int = 0
