"""The control loop: one step from the bytes of the buses to the bytes of the buses. It never waits.

Imports numpy and the standard library only, ours included: no tree, no network, no simulator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from supervisor.core.exchange import DeviceReport, MissionOutput, Snapshot
from supervisor.core.joints import Vector
from supervisor.core.levels import OperatorAction
from supervisor.core.ports import ControlEnd, RobotPort
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.state import RobotState
from supervisor.evidence.changes import Change
from supervisor.evidence.packing import Decided, Given
from supervisor.evidence.timing import DurationHistogram
from supervisor.runtime.changes import ChangeWatch, OutputEncoder, Start
from supervisor.runtime.shared.messages import OutputCodec
from supervisor.safety.buses import BusMonitor
from supervisor.safety.core import SafetyCore
from supervisor.safety.decision import Decision
from supervisor.safety.inputs import GuardInputs
from supervisor.safety.restart import LatchMemory

STATISTICS_CYCLES = 10
"""Bus counters are looked at every so many cycles: 20 ms at 500 Hz, a fiftieth of their window."""


class StopInput(Protocol):
    """An emergency-stop input."""

    def is_pressed(self, now_s: float) -> bool:
        """Whether it is pressed, or cannot be read. Never raises, never waits."""
        ...


class Recorder(Protocol):
    """Where every cycle is kept; see `CycleRecorder`, which writes a file by itself."""

    @property
    def is_healthy(self) -> bool:
        """Whether every cycle so far is kept, and there is room for more."""
        ...

    def change(self, change: Change) -> None:
        """Keep what holds from a decision on, before its cycle is kept. Never raises."""
        ...

    def append(
        self,
        decision: int,
        state: RobotState,
        given: Given,
        presses: Sequence[OperatorAction],
        decided: Decided,
        proposed_position_rad: Vector | None = None,
        cycle_us: float = float("nan"),
    ) -> None:
        """Keep one cycle. Never raises."""
        ...


class ControlCore:
    """Reads, guards, decides, writes, records, publishes: once per control cycle, in this order.

    Args:
        robot: The robot file.
        safety: Its safety file.
        port: All its buses and devices.
        link: To the mission loop and the operator.
        recorder: Where every cycle is kept.
        timer_s: The machine's clock, for the cycle's duration only.
        latch: Keeps the latch between runs; None keeps nothing.
        encoder: Puts the mission's outputs into bytes for the record, where they did not come as bytes.

    Attributes:
        notes: What a person should know of what the run before has left.
        inputs: What the guards read besides the measurements; the runtime fills what only it can know (recorder,
            emergency stop, operator link, clock steps, hashes, loop lag).
        durations: How long the cycles took.
        emergency_stop: The stop input; None where the runtime says otherwise whether it is pressed.
    """

    def __init__(
        self,
        robot: RobotConfig,
        safety: SafetyConfig,
        port: RobotPort,
        link: ControlEnd,
        recorder: Recorder,
        timer_s: Callable[[], float] = time.perf_counter,
        latch: LatchMemory | None = None,
        encoder: OutputEncoder | None = None,
    ) -> None:
        self._port = port
        self._link = link
        self._recorder = recorder
        self._timer_s = timer_s
        self._period_s = robot.control_period_s
        self._safety = SafetyCore(robot, safety, port.damping_maximum_nm_s_per_rad, latch)
        self.notes = self._safety.notes
        guards = [row.id for row in safety.guards]
        self._changes = ChangeWatch(
            recorder,
            encoder or OutputCodec(len(robot.order), guards),
            guards,
            Start(port.damping_maximum_nm_s_per_rad, self._safety.found),
        )
        self._buses = BusMonitor()
        self._statistics = port.statistics()
        self._cycle = self._decisions = 0
        self._cycle_us = float("nan")
        self._inventory: Generator[None, float, tuple[DeviceReport, ...]] | None = None
        self.inputs: GuardInputs = self._safety.inputs()
        self.durations = DurationHistogram()
        self.emergency_stop: StopInput | None = None
        self.overruns = 0
        self.recording_fails = False

    def step(self, now_s: float) -> Snapshot:
        """Run one cycle.

        Args:
            now_s: Clock.

        Returns:
            What was published on the link.
        """
        started_s = self._timer_s()
        port, inputs = self._port, self.inputs
        state = port.read(now_s)
        output = self._link.output()
        if self._cycle % STATISTICS_CYCLES == 0:
            self._statistics = port.statistics()
            self._buses.update(inputs, self._statistics, now_s)
        self._advance_inventory(now_s)
        inputs.state = state
        if self.emergency_stop is not None:
            # After the buses were read: a stop that came as a frame acts in this very cycle.
            inputs.emergency_stop = self.emergency_stop.is_pressed(now_s)
        inputs.recorder_ok = self._recorder.is_healthy and not self.recording_fails
        presses, inventory = self._link.take_actions(), inputs.inventory
        self._decisions += 1
        decision = self._safety.step(inputs, presses, output, now_s)
        port.write(decision.actuation, now_s)
        if decision.inventory_requested:
            inputs.inventory = ()
            self._inventory = port.inventory(now_s)
        # In the order of its fields, because naming them takes twice as long.
        snapshot = Snapshot(
            state,
            decision.board,
            decision.level,
            decision.arming,
            decision.refusals,
            decision.stop,
            decision.is_at_rest,
            decision.actuation.command,
            inputs.inventory,
            decision.drill,
            decision.gate,
            self._statistics,
        )
        self._link.post_snapshot(snapshot)
        self._record(state, presses, output, inventory, decision)
        self._cycle += 1
        elapsed_s = self._timer_s() - started_s
        self._cycle_us = elapsed_s * 1e6
        self.durations.add(elapsed_s)
        if elapsed_s > self._period_s:
            self.overruns += 1
        return snapshot

    def cut(self, now_s: float) -> None:
        """Switch every motor off now, outside a cycle: for a program that is about to end in an error."""
        inputs, presses = self.inputs, (OperatorAction.CUT,)
        self._decisions += 1
        decision = self._safety.step(inputs, presses, None, now_s)
        self._port.write(decision.actuation, now_s)
        if inputs.state is not None:  # what was written belongs in the record, with the newest there is to it
            self._record(inputs.state, presses, None, inputs.inventory, decision)

    def _record(
        self,
        state: RobotState,
        presses: Sequence[OperatorAction],
        output: MissionOutput | None,
        inventory: tuple[DeviceReport, ...],
        decision: Decision,
    ) -> None:
        """Keep all that the safety core was given, and what it decided."""
        number = self._decisions - 1
        self._changes.look(number, output, inventory, self._safety.latch_missing, presses)
        proposal = None if output is None else output.proposal
        self._recorder.append(
            number,
            state,
            self.inputs,
            presses,
            decision,
            None if proposal is None else proposal.command.position_rad,
            self._cycle_us,
        )

    def _advance_inventory(self, now_s: float) -> None:
        """Carry an inventory on a little in each cycle: a device may take its time, the loop may not."""
        if self._inventory is None:
            return
        try:
            self._inventory.send(now_s)
        except StopIteration as end:
            self.inputs.inventory = end.value
            self._inventory = None
