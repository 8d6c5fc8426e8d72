"""What a guard row would have said to a recorded run: hysteresis and persistence as the board applies them.

For questions about limits ("how often would this row have tripped?"). The persistence is that of the board, object and
all; a test holds the replay of a real run against what its board said, cycle by cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supervisor.core.guard import Persistence
from supervisor.core.joints import Vector
from supervisor.core.levels import GuardValue
from supervisor.safety.persistence import TripBudget

Bytes = NDArray[np.uint8]
"""`GuardValue` numbers, one per cycle."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a row would have said.

    Attributes:
        values: (cycles,) `GuardValue` of each cycle.
        tripped: (cycles,) whether it was tripped.
    """

    values: Bytes
    tripped: Flags


def replay_row(measured: Vector, values: Bytes, limits: Vector, hysteresis: Vector, persistence: Persistence) -> Replay:
    """Judge the readings of one guard anew.

    What was no number stays what it was: STALE and ERROR count as failures whatever the limit, and a cycle in which
    nothing was evaluated counts as nothing.

    Args:
        measured: (cycles,) what the guard measured, NaN where it measured nothing.
        values: (cycles,) what the board made of it.
        limits: (cycles,) limit in force, in the unit of `measured`.
        hysteresis: (cycles,) in the unit of `measured`.
        persistence: How often it must fail before it trips.
    """
    new_values = values.copy()
    tripped = np.zeros(len(values), dtype=np.bool_)
    is_number = values <= GuardValue.VIOLATED
    new_values[is_number] = GuardValue.OK
    # Without a failure to remember a reading at or below its limit changes nothing: only the others are walked.
    with np.errstate(invalid="ignore"):
        is_above = is_number & (measured > limits)
        is_held = is_number & (measured > limits - hysteresis)
    wakes = np.flatnonzero(is_above | (values == GuardValue.STALE) | (values == GuardValue.ERROR)).tolist()
    budget, end = TripBudget(persistence), 0
    for start in wakes:
        if start < end:
            continue
        i, was_violated = start, False
        while i < len(values):
            if values[i] != GuardValue.NOT_EVALUATED:
                was_violated = bool(is_above[i] or (was_violated and is_held[i]))
                if was_violated:
                    new_values[i] = GuardValue.VIOLATED
                tripped[i] = budget.update(new_values[i] != GuardValue.OK)
                if budget.is_empty and not tripped[i]:
                    break
            else:
                was_violated = False
            i += 1
        end = i + 1
    return Replay(new_values, tripped)
