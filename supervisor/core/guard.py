"""Guard rows as declared, guard readings as measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from supervisor.core.levels import GuardValue, Level
from supervisor.core.quick import quickly_made

ClearRule = Literal["automatic", "operator", "never"]


@dataclass(frozen=True, slots=True)
class Persistence:
    """A guard trips when it was not OK in `cycles` of the last `of_cycles` control cycles."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    cycles: int
    of_cycles: int


@dataclass(frozen=True, slots=True)
class GuardRow:
    """One guard, as the safety file declares it.

    Attributes:
        id: Which guard; the functions are in `supervisor/safety/guards`.
        limit: Threshold in `unit`; a value above it is a violation.
        unit: The guard's unit; a wrong one is refused at load.
        hysteresis: The value must fall this far below the limit before the guard is OK again, in `unit`.
        persistence: How often it must fail before it trips.
        level: What happens when it trips.
        clear: Who may clear it: `automatic` only below HOLD, `operator` by reset, `never` in this process.
        reason: Why this number.
        derived: True when `handrail new` computed the number and nobody has confirmed it yet.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    id: str
    limit: float
    unit: str
    hysteresis: float
    persistence: Persistence
    level: Level
    clear: ClearRule
    reason: str
    derived: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class GuardReading:
    """What one guard found in one cycle.

    Attributes:
        id: The guard.
        value: OK or one of the four that are not.
        measured: The measured quantity in `unit`; NaN where there was none.
        limit: The limit in force (the stage may have tightened it), in `unit`.
        unit: Physical unit of both.
        joint: Index of the worst joint, -1 where the guard is not about a joint.
        tripped: True when the persistence was met; only then does the level act.
        level: The row's level.
        since_s: When it last left OK; NaN while OK.
    """

    id: str
    value: GuardValue
    measured: float
    limit: float
    unit: str
    joint: int
    tripped: bool
    level: Level
    since_s: float

    @property
    def margin(self) -> float:
        """Distance to the limit in `unit`: negative when beyond it, NaN when not measured."""
        return self.limit - self.measured

    @property
    def margin_fraction(self) -> float:
        """The margin as a fraction of the limit, for comparing guards; NaN when not measured."""
        return self.margin / self.limit if self.limit > 0.0 else float("nan")


@quickly_made
@dataclass(frozen=True, slots=True)
class GuardBoard:
    """All guards of one cycle, in the order they were declared.

    Attributes:
        readings: One per declared row.
        level: The largest level over the tripped guards.
    """

    readings: tuple[GuardReading, ...]
    level: Level

    def __iter__(self) -> Iterator[GuardReading]:
        return iter(self.readings)

    def by_id(self) -> Mapping[str, GuardReading]:
        """The readings keyed by guard."""
        return {reading.id: reading for reading in self.readings}
