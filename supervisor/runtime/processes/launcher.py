"""Who starts the processes of a run, watches them, is the operator's hand, and ends them in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from drivers.sim.fault_kinds import NO_FAULTS
from supervisor.core.exchange import MissionOutput, Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.evidence.events import EventKind
from supervisor.runtime.closing import MissionPart
from supervisor.runtime.guarding import guardian_setup, guardian_socket
from supervisor.runtime.inputs.helm import SteeredMission
from supervisor.runtime.inputs.operator_inputs import OperatorInputs, open_operator_inputs, press_note, press_text
from supervisor.runtime.inputs.pressing import Press
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.parts import ControlPart
from supervisor.runtime.processes.control import END, ControlSetup
from supervisor.runtime.processes.ended import Ended
from supervisor.runtime.processes.mission import FINISHED, MissionSetup
from supervisor.runtime.processes.recorder import RecorderSetup
from supervisor.runtime.processes.sabotage import Sabotage
from supervisor.runtime.processes.setup import Child, Shared
from supervisor.runtime.progress import Progress
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.shared.desk import Desk
from supervisor.runtime.shared.links import SnapshotReader
from supervisor.runtime.shared.memory import Health, Note, RunMemory

PERIOD_S: Final = 0.02
"""How often the operator's sign of life is renewed."""

READY_S: Final = 30.0
"""How long a process may take to start: it imports, and opens buses."""

END_S: Final = 10.0
"""How long a process may take to end, before it is killed."""

GUARDIAN: Final = "supervisor.guardian.process"
PROCESSES: Final = "supervisor.runtime.processes."

GUARDIAN_S: Final = 15.0
"""A guardian that has stopped the motors goes on telling them for a while after it was told to end."""

OFF_S: Final = 20.0
"""How long the motors are given to be off once everything was told to end."""

OVERTIME_S: Final = 120.0
"""Beyond the mission's own limit: long enough for every level to run its course."""

_CONSEQUENCES: Final[Mapping[str, str]] = {
    "control": "the guardian stops the motors, and their own timeout does; find out why before you start again: the "
    "next run begins stopped, and waits until you reset it",
    "mission": "the robot comes to rest by itself; start the run again",
    "recorder": "the robot comes to rest by itself, because nothing it does would be on record",
    "guardian": "the robot comes to rest by itself, because nobody would stop it if control died",
    "plant": "the simulated robot is gone",
}


class Launcher:
    """Runs a mission in processes.

    Args:
        shared: What every process needs; its `memory` is made here.
        mission: What the mission process is to do.
        progress: Where a person looks.
        interrupts: Ctrl-C and SIGTERM.
        mission_limit_s: The mission's own limit.
        others: Processes that run already, and are watched too.
        state: Folder that outlives the run, where the guardian keeps its latch.
        steered: What a person steers in the mission, None for nothing.

    Attributes:
        first_interrupt: What Ctrl-C asks for; a second one cuts.
        consequences: What follows from the loss of each process.
    """

    first_interrupt = OperatorAction.STOP
    consequences: Mapping[str, str] = _CONSEQUENCES

    def __init__(
        self,
        shared: Shared,
        mission: MissionSetup,
        progress: Progress,
        interrupts: Interrupts,
        mission_limit_s: float,
        others: Mapping[str, Child],
        state: Path,
        steered: SteeredMission | None = None,
    ) -> None:
        self._shared, self._mission_setup = shared, mission
        self._progress, self._interrupts = progress, interrupts
        self._limit_s = mission_limit_s
        self._memory = RunMemory(shared.memory, shared.robot, shared.safety, create=True)
        self._reader = SnapshotReader(self._memory, shared.robot)
        self._desk = Desk(self._memory)
        self._inputs = self._open_inputs(steered)
        self._others = others
        self._state = state
        self._children: dict[str, Child] = {}
        self._lost: dict[str, int] = {}
        self._sabotage = Sabotage(mission.faults or NO_FAULTS, self._children, time.monotonic())
        self._asked_to_end = 0
        self._shown_prompt = self._absence = self._guardian_said = ""

    def _open_inputs(self, steered: SteeredMission | None) -> OperatorInputs:
        return open_operator_inputs(
            self._shared.robot,
            self._memory,
            self._desk,
            has_stand_in=self._mission_setup.has_stand_in,
            steered=steered,
            on_done=self._on_press,
        )

    def run(self) -> Ended:
        """Start, watch and end everything.

        Raises:
            RefusedError: A process could not start; nothing was energised, and all others have ended.
        """
        ended = Ended()
        try:
            self._start()
            self._watch(ended)
        finally:
            self._inputs.close()
            self._end(ended)
        return ended

    def _start(self) -> None:
        """One after the other, each with what it needs already there: who watches first, who is watched last."""
        self._sign(0)
        for line in self._legend():
            self._progress.message(time.monotonic(), line)
        self._begin("recorder", PROCESSES + "recorder", RecorderSetup(self._shared))
        self._begin_control()
        self._begin("mission", PROCESSES + "mission", self._mission_setup)
        for name, child in self._children.items():
            child.wait_ready(READY_S, lambda: self._sign(0))
            for line in child.lines:
                self._note(f"{name}: {line}")

    def _legend(self) -> Sequence[str]:
        """What the operator should know from the first."""
        return self._inputs.legend()

    def _begin_control(self) -> None:
        """The control process, and before it who watches over it."""
        shared = self._shared
        ours, theirs = guardian_socket()
        with ours, theirs:
            guardian = guardian_setup(
                shared.robot, shared.safety, descriptor=theirs.fileno(), run=shared.run, state=self._state
            )
            control = ControlSetup(shared, ours.fileno(), guardian.key)
            self._begin("guardian", GUARDIAN, guardian, (theirs.fileno(),))
            self._children["guardian"].wait_ready(READY_S, lambda: self._sign(0))
            self._begin("control", PROCESSES + "control", control, (ours.fileno(),))

    def _begin(self, name: str, module: str, setup: object, inherited: Sequence[int] = ()) -> None:
        self._children[name] = Child(name, module, setup, inherited=inherited, on_message=self._on_message)

    def _on_message(self, message: Mapping[str, Any]) -> None:
        """What a process wants a person to see."""
        if "message" in message:
            self._progress.message(float(message["time_s"]), str(message["message"]))
        elif "shown" in message:  # What is in the record as one of the lines with which a process began.
            self._progress.message(time.monotonic(), str(message["shown"]))
        elif "guardian" in message and message["guardian"] != self._guardian_said:
            # It says at its end what it has found; where that was told at once, it was told.
            self._guardian_said = str(message["guardian"])
            self._note(f"guardian: {self._guardian_said}")
            self._progress.message(time.monotonic(), f"guardian: {self._guardian_said}")

    def _watch(self, ended: Ended) -> None:
        pacer = Pacer(PERIOD_S)
        began_s = pacer.wait()
        while True:
            now_s = pacer.wait()
            snapshot = self._reader.newest()
            if snapshot is not None:
                self._take(ended, snapshot)
            self._listen(snapshot, now_s)
            self._obey_interrupts(ended, snapshot, now_s)
            output = self._output()
            self._suffer(output, now_s)
            self._look_after_children(ended, now_s)
            self._show(snapshot, output, now_s)
            if now_s > began_s + self._limit_s + OVERTIME_S and not self._asked_to_end:
                ended.failure = "the run took too long"
                self._press(OperatorAction.CUT, now_s)
            if self._is_over(ended, snapshot):
                return

    def _take(self, ended: Ended, snapshot: Snapshot) -> None:
        """What is told of the run at its end, whichever process is lost: the mission's may be stopped."""
        ended.last = snapshot
        ended.has_moved |= snapshot.arming is ArmingState.RUNNING

    def _sign(self, number: int) -> None:
        """A sign of life while nobody has to be there: before the run has begun, and when it is over."""
        self._memory.operator.write(Health(time.monotonic(), True, number))

    def _listen(self, snapshot: Snapshot | None, now_s: float) -> None:
        """Take the operator's presses, and say whether the operator is there."""
        link = self._inputs.poll(snapshot, now_s)
        self._memory.operator.write(Health(now_s, link.is_well, 0))
        if link.reason != self._absence:
            self._absence = link.reason
            text = f"operator: {link.reason}" if link.reason else "operator: there again"
            self._note(text)
            self._progress.message(now_s, text)

    def _on_press(self, press: Press) -> None:
        """One press whose outcome is known."""
        self._memory.operator_notes.post(press_note(press))
        self._progress.message(time.monotonic(), press_text(press))

    def _press(self, action: OperatorAction, now_s: float) -> None:
        self._asked_to_end += 1
        self._desk.press(action, now_s)

    def _obey_interrupts(self, ended: Ended, snapshot: Snapshot | None, now_s: float) -> None:
        """The first interrupt settles, the next one cuts."""
        count = self._interrupts.take()
        if not count:
            return
        action = OperatorAction.CUT if ended.was_interrupted or count > 1 else self.first_interrupt
        ended.was_interrupted = True
        self._note(f"interrupted: {action.value}")
        self._progress.message(now_s, f"interrupted: {action.value}")
        if snapshot is not None and snapshot.arming is not ArmingState.DISARMED:
            self._press(action, now_s)

    def _suffer(self, output: MissionOutput | None, now_s: float) -> None:
        """Do to the processes what the fault script says."""
        for line in self._sabotage.look("" if output is None else output.stage, now_s):
            self._note(line)
            self._progress.message(now_s, line)

    def _output(self) -> MissionOutput | None:
        """What the mission said last."""
        found = self._memory.output.read()
        return None if found is None else self._memory.codec.decode(found[1])

    def _look_after_children(self, ended: Ended, now_s: float) -> None:
        """Say at once which process is gone; what that means for the robot is decided by the guards."""
        for name, child in {**self._children, **self._others}.items():
            code = child.exit_code
            if code is None or name in self._lost:
                continue
            self._lost[name] = code
            text = f"the {name} process {_ending(code)}: {self.consequences[name]}"
            self._note(text)
            self._progress.message(now_s, text)
            ended.failure = ended.failure or text
            if name == "control":
                # The display would go on showing how the robot was.
                self._progress.close()

    def _show(self, snapshot: Snapshot | None, output: MissionOutput | None, now_s: float) -> None:
        prompt = self._desk.prompt
        if prompt is not None and prompt.key != self._shown_prompt:
            self._shown_prompt = prompt.key
            self._progress.message(now_s, f"{prompt.text} [{prompt.action.value}]")
        if snapshot is not None and output is not None:
            left_s = output.stage_limit_s - output.stage_elapsed_s
            self._progress.update(now_s, output.stage, "" if prompt is None else prompt.text, left_s, snapshot)

    def _is_over(self, ended: Ended, snapshot: Snapshot | None) -> bool:
        """Nothing is energised any more, and nothing will be; or control, which would know, is gone."""
        if "control" in self._lost:
            return True
        if snapshot is None:
            return bool(self._lost) or ended.was_interrupted
        is_off = snapshot.is_at_rest or (snapshot.arming is ArmingState.DISARMED and snapshot.stop is None)
        if not is_off:
            return False
        mission = self._memory.mission.read()
        is_finished = "mission" in self._lost or (mission is not None and mission.number == FINISHED)
        stop = snapshot.stop
        is_stopped = stop is not None and not stop.planned and not stop.awaits_reset
        return is_finished or is_stopped or ended.was_interrupted or self._asked_to_end > 0

    def _end(self, ended: Ended) -> None:
        """The mission first, which leaves what it knows; control when the motors are off; the recorder last."""
        self._sabotage.relent()
        mission = self._finish("mission", END_S)
        ended.mission = mission if isinstance(mission, MissionPart) else ended.mission
        self._sign(END)
        control = self._finish("control", OFF_S)
        ended.control = control if isinstance(control, ControlPart) else ended.control
        ended.last = self._reader.newest() or ended.last
        ended.mission = replace(ended.mission, has_moved=ended.mission.has_moved or ended.has_moved)
        self._finish("guardian", GUARDIAN_S)
        self._finish("recorder", END_S)
        ended.now_s = time.monotonic()
        self._memory.close()

    def _finish(self, name: str, timeout_s: float) -> Any:
        child = self._children.get(name)
        if child is None:
            return None
        if name != "control":
            child.end()
            return child.wait(timeout_s)
        # Control ends by itself when the motors are off; until then it needs the operator's sign of life.
        deadline_s = time.monotonic() + timeout_s
        while child.exit_code is None and time.monotonic() < deadline_s:
            self._sign(END)
            time.sleep(PERIOD_S)
        return child.wait(0.0 if child.exit_code is None else 1.0)

    def _note(self, text: str) -> None:
        self._memory.operator_notes.post(Note(EventKind.NOTE.value, time.monotonic(), text, {}))


def _ending(code: int) -> str:
    """How a process has ended, in words."""
    if code >= 0:
        return f"ended with {code}"
    if -code == signal.SIGXCPU:
        return "ran on without a pause, and was ended by the kernel for that"
    return f"was killed by signal {-code} ({signal.strsignal(-code)})"
