"""What the safety core hands back after a cycle."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core.command import Actuation
from supervisor.core.exchange import DrillReport, GateCounts, Stop
from supervisor.core.guard import GuardBoard
from supervisor.core.levels import ArmingState, Level
from supervisor.core.quick import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Decision:
    """What the safety core decided in one cycle.

    Attributes:
        board: All guards.
        level: Level in force.
        arming: State of arming.
        refusals: Why the last press or request did nothing; empty when it did something.
        stop: The latched stop.
        actuation: What must be written in this cycle.
        gate: What the gate changed or refused since the start.
        is_at_rest: True when DISABLE is written and no motor that can be heard says that it is on.
        drill: Result of the last drill, None before one has ended.
        inventory_requested: True in the one cycle in which the runtime is to start an inventory.
    """

    board: GuardBoard
    level: Level
    arming: ArmingState
    refusals: tuple[str, ...]
    stop: Stop | None
    actuation: Actuation
    gate: GateCounts
    is_at_rest: bool
    drill: DrillReport | None
    inventory_requested: bool
