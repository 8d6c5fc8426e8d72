"""What a guard function is, and what the registry knows about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from supervisor.safety.inputs import GuardInputs

Sample = tuple[float, float, int]
"""(measured, reference, joint).

The guard is OK while `measured <= row limit * reference`. A reference other than 1 gives a row without unit a
physical meaning: a row says "0.95 of the joint's velocity limit", the function returns rad/s and the limit of the
worst joint in rad/s. `joint` is the worst joint, -1 where the guard is not about a joint.
"""

NOTHING: Sample = (0.0, 1.0, -1)
"""The sample of a guard that has nothing to watch now: a policy guard while no policy runs."""


class Source(IntEnum):
    """Whose age makes a guard's value STALE."""

    OWN = 0
    """None: the guard judges an age itself, or an input without one."""
    IMU = 1
    MOTORS = 2


@dataclass(frozen=True, slots=True)
class GuardKind:
    """One guard that a safety file may declare.

    Attributes:
        function: Measures. May raise: the wrapper makes an ERROR of it.
        unit: Unit of the row's limit and hysteresis.
        reading_unit: Unit of what is reported; differs from `unit` where the row is a fraction.
        requirement: Id in SAFETY.md.
        description: What it watches, and when.
        source: Whose age makes it STALE.
    """

    function: Callable[[GuardInputs], Sample]
    unit: str
    reading_unit: str
    requirement: str
    description: str
    source: Source = Source.OWN
