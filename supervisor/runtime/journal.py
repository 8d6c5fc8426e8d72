"""Turns what changed between two snapshots into events. Called once per control cycle, so cheap when nothing did."""

from __future__ import annotations

from supervisor.core.exchange import DeviceReport, DrillReport, GateCounts, MissionOutput, Snapshot
from supervisor.core.guard import GuardReading
from supervisor.core.levels import ArmingState, Level
from supervisor.core.ports import Prompt
from supervisor.evidence.events import EventKind, EventLog
from supervisor.runtime.operator import answer_text
from supervisor.runtime.progress import Progress

GATE_PERIOD_S = 1.0
"""The gate may change something in every cycle; its counters are written at most this often."""


class Journal:
    """Writes a run's events and shows the important ones.

    Args:
        log: The event log.
        progress: Where a person looks.
    """

    def __init__(self, log: EventLog, progress: Progress) -> None:
        self._log = log
        self._progress = progress
        self._arming: ArmingState | None = None
        self._level = Level.NONE
        self._tripped: frozenset[str] = frozenset()
        self._refusals: tuple[str, ...] = ()
        self._has_stop = False
        self._request_number = 0
        self._inventory: tuple[DeviceReport, ...] = ()
        self._drill: DrillReport | None = None
        self._gate = GateCounts()
        self._gate_due_s = 0.0
        self._stage = ""

    def observe(self, snapshot: Snapshot, now_s: float) -> None:
        """Write what changed in the control loop."""
        if snapshot.arming is not self._arming:
            self._arming = snapshot.arming
            self._write(EventKind.ARMING, now_s, f"robot is {snapshot.arming.value}")
        if snapshot.refusals != self._refusals:
            self._refusals = snapshot.refusals
            if snapshot.refusals:
                self._write(EventKind.ARMING, now_s, "arming refused: " + "; ".join(snapshot.refusals))
        if snapshot.level is not self._level:
            self._level = snapshot.level
            self._write(EventKind.LEVEL, now_s, f"level {snapshot.level.name}", latching=snapshot.level.latches)
        self._observe_guards(snapshot, now_s)
        stop = snapshot.stop
        if stop is not None and not self._has_stop:
            joints = f" ({', '.join(stop.joints)})" if stop.joints else ""
            limit = f" {stop.measured:.4g} of {stop.limit:.4g} {stop.unit}" if stop.unit else ""
            before = ", from before this run" if stop.inherited else ""
            text = f"{stop.level.name} because of {stop.guard}{limit}{joints}{before}"
            self._write(EventKind.LEVEL, now_s, text, latching=not stop.planned)
        self._has_stop = stop is not None
        self._observe_results(snapshot, now_s)
        if snapshot.gate != self._gate and now_s >= self._gate_due_s:
            self._gate_due_s = now_s + GATE_PERIOD_S
            self._gate = snapshot.gate
            counts = snapshot.gate
            self._log.append(
                EventKind.GATE,
                now_s,
                "the gate changed proposals",
                {
                    "position": counts.position,
                    "velocity": counts.velocity,
                    "torque": counts.torque,
                    "rate": counts.rate,
                    "rejected": counts.rejected,
                },
            )

    def observe_mission(self, output: MissionOutput) -> None:
        """Write what changed in the mission."""
        if output.stage != self._stage:
            if self._stage:
                self._log.append(EventKind.STAGE, output.stamp_s, f"stage {self._stage} ended")
            if output.stage:
                self._log.append(EventKind.STAGE, output.stamp_s, f"stage {output.stage} began")
            self._stage = output.stage
        if output.request_number != self._request_number:
            self._request_number = output.request_number
            name = output.request.value if output.request else "none"
            self._log.append(EventKind.REQUEST, output.stamp_s, f"mission asks for {name}")

    def answered(self, prompt: Prompt, now_s: float) -> None:
        """Write and show the stand-in's answer."""
        self._log.append(EventKind.OPERATOR, now_s, f"operator: {prompt.text}", {"press": prompt.action.value})
        self._progress.message(now_s, answer_text(prompt))

    def note(self, now_s: float, text: str) -> None:
        """Write and show anything else."""
        self._write(EventKind.NOTE, now_s, text)

    def _observe_guards(self, snapshot: Snapshot, now_s: float) -> None:
        # The board's level is NONE in nearly every cycle: only then is there nothing to look through.
        if snapshot.board.level is Level.NONE and not self._tripped:
            return
        tripped = {reading.id: reading for reading in snapshot.board if reading.tripped}
        # With the motors off a guard only stands in the way of arming: every run begins with sensors not heard yet.
        shown = snapshot.arming is not ArmingState.DISARMED
        for name, reading in tripped.items():
            if name not in self._tripped:
                text = describe(reading, snapshot)
                self._write(EventKind.GUARD, now_s, text, latching=shown and reading.level.latches, shown=shown)
        for name in sorted(self._tripped - tripped.keys()):
            self._write(EventKind.GUARD, now_s, f"guard {name} is clear", shown=shown)
        self._tripped = frozenset(tripped)

    def _observe_results(self, snapshot: Snapshot, now_s: float) -> None:
        # A stage that is tried again asks again; each answer is an object of its own, even where it says the same.
        if snapshot.inventory is not self._inventory:
            self._inventory = snapshot.inventory
            for device in snapshot.inventory:
                state = "; ".join(device.problems) or "ok"
                self._log.append(
                    EventKind.REQUEST_RESULT, now_s, f"{device.name} on {device.bus}: {state}", dict(device.facts)
                )
        if snapshot.drill is not self._drill:
            self._drill = snapshot.drill
            if snapshot.drill is None:
                return
            text = "drill passed" if snapshot.drill.passed else "drill failed: " + "; ".join(snapshot.drill.problems)
            self._write(EventKind.REQUEST_RESULT, now_s, f"{text}; off after {snapshot.drill.off_after_s:.3f} s")

    def _write(self, kind: EventKind, now_s: float, text: str, *, latching: bool = False, shown: bool = True) -> None:
        self._log.append(kind, now_s, text, latching=latching)
        if shown:
            self._progress.message(now_s, text)


def describe(reading: GuardReading, snapshot: Snapshot) -> str:
    """A guard's reading in one line: measured against allowed, and where."""
    joint = f" ({snapshot.state.order.names[reading.joint]})" if reading.joint >= 0 else ""
    return (
        f"guard {reading.id} {reading.value.name}: {reading.measured:.4g} of {reading.limit:.4g} "
        f"{reading.unit}{joint}, level {reading.level.name}"
    )
