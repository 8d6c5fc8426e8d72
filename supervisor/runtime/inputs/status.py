"""How a run is, for `handrail status`, as values."""

from __future__ import annotations

import math
from typing import Any, Final

from supervisor.core.exchange import Snapshot
from supervisor.core.ports import Prompt
from supervisor.runtime.inputs.helm import FRESH_S
from supervisor.runtime.shared.memory import RunMemory

PROCESSES: Final = ("control", "mission", "recorder", "guardian")


def run_status(memory: RunMemory, snapshot: Snapshot | None, prompt: Prompt | None, now_s: float) -> dict[str, Any]:
    """How a run is, as values that JSON can carry.

    Args:
        memory: The run's shared memory.
        snapshot: The control loop's newest, None before the first.
        prompt: What the operator is asked.
        now_s: Clock.
    """
    status: dict[str, Any] = {
        "question": None if prompt is None else {"text": prompt.text, "action": prompt.action.value},
        "stage": _stage(memory),
        "steering": _steering(memory, now_s),
        "ages_s": {name: _age_s(memory, name, now_s) for name in PROCESSES},
    }
    if snapshot is None:
        return status | {"level": None, "arming": None}
    stop = snapshot.stop
    return status | {
        "level": snapshot.level.name,
        "arming": snapshot.arming.value,
        "is_at_rest": snapshot.is_at_rest,
        "snapshot_age_s": _number(now_s - snapshot.state.now_s),
        "stop": None
        if stop is None
        else {
            "level": stop.level.name,
            "guard": stop.guard,
            "measured": _number(stop.measured),
            "limit": _number(stop.limit),
            "unit": stop.unit,
            "stage": stop.stage,
            "joints": list(stop.joints),
            "further": list(stop.further),
            "planned": stop.planned,
        },
        "refusals": list(snapshot.refusals),
        "tripped": [reading.id for reading in snapshot.board if reading.tripped],
        "buses": {
            name: {
                "sent": bus.sent,
                "received": bus.received,
                "expected": bus.expected,
                "dropped": bus.dropped,
                "errors": bus.errors,
                "is_off": bus.is_off,
            }
            for name, bus in snapshot.buses.items()
        },
    }


def _stage(memory: RunMemory) -> str:
    found = memory.output.read()
    output = None if found is None else memory.codec.decode(found[1])
    return "" if output is None else output.stage


def _steering(memory: RunMemory, now_s: float) -> dict[str, Any] | None:
    """What the policy is told while a person steers, None while nobody does."""
    told = memory.steered.asked()
    if told is None or not now_s - told.stamp_s <= FRESH_S:
        return None
    return {"told": str(told.velocity), "source": told.source, "reason": told.absence}


def _age_s(memory: RunMemory, name: str, now_s: float) -> float | None:
    """Age of a process's last word, None where it has said nothing yet."""
    health = getattr(memory, name).read()
    return None if health is None else _number(now_s - health.stamp_s)


def _number(value: float) -> float | None:
    """JSON has no infinities."""
    return round(value, 6) if math.isfinite(value) else None
