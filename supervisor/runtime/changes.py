"""What the safety core was given and changes seldom, on its way into the record and back.

Only what the core reads is kept here: of an inventory not the facts, which the log of events has.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from supervisor.core.command import Proposal
from supervisor.core.exchange import DeviceReport, MissionOutput, Stop
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.evidence.changes import Change, ChangeKind
from supervisor.evidence.row import PRESSES
from supervisor.runtime.shared.messages import decode_stop
from supervisor.safety.restart import Found, Kept


class ChangeSink(Protocol):
    """Where changes are kept."""

    def change(self, change: Change) -> None:
        """Keep one. Never raises."""
        ...


class OutputEncoder(Protocol):
    """Puts the mission's outputs into bytes."""

    def encode(self, output: MissionOutput) -> bytes:
        """An output as bytes.

        Raises:
            ValueError, TypeError, AttributeError, struct.error: It cannot be put into bytes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """What a safety core was made with besides its files.

    Attributes:
        damping_maximum_nm_s_per_rad: (n,) what the motors can be told; None where nothing bounds it.
        found: What the process before has left; None where nothing is kept.
    """

    damping_maximum_nm_s_per_rad: Vector | None
    found: Found | None


class ChangeWatch:
    """Sees what is another object than in the decision before, and has it kept.

    Args:
        sink: Where changes are kept.
        encoder: For the mission's outputs.
        guards: Ids of the guards that the encoder knows.
        start: What the core was made with.
    """

    __slots__ = ("_encoder", "_guards", "_inventory", "_latch_missing", "_output", "_proposal", "_sink")

    def __init__(self, sink: ChangeSink, encoder: OutputEncoder, guards: Sequence[str], start: Start) -> None:
        self._sink = sink
        self._encoder = encoder
        self._guards = frozenset(guards)
        self._output: MissionOutput | None = None
        self._proposal: Proposal | None = None
        self._inventory: tuple[DeviceReport, ...] = ()
        self._latch_missing = ""
        self._keep(0, ChangeKind.START, encode_start(start))

    def look(
        self,
        decision: int,
        output: MissionOutput | None,
        inventory: tuple[DeviceReport, ...],
        latch_missing: str,
        presses: Sequence[OperatorAction],
    ) -> None:
        """Look at what the core was given for a decision. Never raises.

        Args:
            decision: Its number.
            output: The mission's.
            inventory: The last one.
            latch_missing: Why the latch was not on the disk when the core asked last; empty when it was.
            presses: The operator's.
        """
        if output is not self._output:
            self._output = output
            self._keep_output(decision, output)
        if inventory is not self._inventory:
            self._inventory = inventory
            self._keep(decision, ChangeKind.INVENTORY, encode_inventory(inventory))
        if latch_missing != self._latch_missing:
            self._latch_missing = latch_missing
            self._keep(decision, ChangeKind.LATCH, latch_missing.encode())
        if len(presses) > PRESSES:
            self._lose(decision, f"{len(presses)} presses in one cycle; a row holds {PRESSES}")

    def _keep_output(self, decision: int, output: MissionOutput | None) -> None:
        """A new output. That its proposal is an old one matters: the gate refuses or accepts each but once."""
        if output is None:
            self._keep(decision, ChangeKind.OUTPUT, b"")
            return
        is_same = output.proposal is not None and output.proposal is self._proposal
        self._proposal = output.proposal or self._proposal
        limits = output.guard_limits
        if not all(guard in self._guards and limit == limit for guard, limit in limits.items()):
            self._lose(decision, f"guard limits of the mission that no declared guard can take: {dict(limits)}")
            return
        try:
            content = self._encoder.encode(output)
        except (ValueError, TypeError, AttributeError, struct.error) as error:
            self._lose(decision, f"the mission's output: {error}")
            return
        self._keep(decision, ChangeKind.SAME_PROPOSAL if is_same else ChangeKind.OUTPUT, content)

    def _lose(self, decision: int, reason: str) -> None:
        self._keep(decision, ChangeKind.LOST, reason.encode())

    def _keep(self, decision: int, kind: ChangeKind, content: bytes) -> None:
        self._sink.change(Change(decision, kind, content))


def encode_start(start: Start) -> bytes:
    """What a core was made with, as JSON; numbers that are none by their names in JavaScript."""
    damping, found = start.damping_maximum_nm_s_per_rad, start.found
    kept = None if found is None or found.kept is None else found.kept
    content = {
        "damping_maximum_nm_s_per_rad": None if damping is None else damping.tolist(),
        "found": None
        if found is None
        else {
            "problem": found.problem,
            "now_s": found.now_s,
            "notes": list(found.notes),
            "kept": None
            if kept is None
            else {
                "arming": kept.arming.value,
                "stop": None if kept.stop is None else asdict(kept.stop),
                "trips": {cause: list(times) for cause, times in kept.trips.items()},
            },
        },
    }
    return json.dumps(content, separators=(",", ":")).encode()


def decode_start(raw: bytes) -> Start:
    """What a core was made with.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: These are not the bytes of it.
    """
    content: dict[str, Any] = json.loads(raw)
    damping, found = content["damping_maximum_nm_s_per_rad"], content["found"]
    return Start(
        None if damping is None else np.array(damping, dtype=np.float64),
        None
        if found is None
        else Found(_kept(found["kept"]), str(found["problem"]), float(found["now_s"]), tuple(found["notes"])),
    )


def _kept(content: dict[str, Any] | None) -> Kept | None:
    if content is None:
        return None
    stop: Stop | None = None if content["stop"] is None else decode_stop(content["stop"])
    trips = {str(cause): tuple(map(float, times)) for cause, times in content["trips"].items()}
    return Kept(ArmingState(content["arming"]), stop, trips)


def encode_inventory(inventory: Sequence[DeviceReport]) -> bytes:
    """What the core reads of an inventory, as JSON."""
    reports = [[report.name, report.bus, report.answered, list(report.problems)] for report in inventory]
    return json.dumps(reports, separators=(",", ":")).encode()


def decode_inventory(raw: bytes) -> tuple[DeviceReport, ...]:
    """What the core reads of an inventory.

    Raises:
        ValueError, TypeError: These are not the bytes of one.
    """
    return tuple(
        DeviceReport(name, bus, answered, tuple(problems), {}) for name, bus, answered, problems in json.loads(raw)
    )
