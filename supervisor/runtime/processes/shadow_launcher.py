"""A run that commands nothing, in processes: no operator, no guardian, and nothing to bring to rest at its end."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_inputs import CanFrameStopConfig
from supervisor.core.state import NEVER_S
from supervisor.runtime.inputs.helm import SteeredMission
from supervisor.runtime.inputs.operator_inputs import OperatorInputs
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.options import Voice
from supervisor.runtime.processes.control import ControlSetup
from supervisor.runtime.processes.ended import Ended
from supervisor.runtime.processes.launcher import PROCESSES, Launcher
from supervisor.runtime.processes.mission import FINISHED, MissionSetup
from supervisor.runtime.processes.setup import Shared
from supervisor.runtime.progress import Progress
from supervisor.runtime.shadow_mission import stop_that_would_be
from trees.values import MissionResult

GONE_S: Final = 5.0
"""Where no motor was heard for so long, whoever drove the robot has left."""

LOWEST_PRIORITY: Final = 1
"""Of SCHED_FIFO: every program that asked for a priority comes before a shadow."""

_INTRODUCTIONS: Final = {
    Voice.QUESTIONS: "nothing is commanded: motors are at most asked for feedback, until another program commands them",
    Voice.NOTHING: "nothing is sent on any bus: this run listens beside the program that drives the robot",
}

_CONSEQUENCES: Final[Mapping[str, str]] = dict.fromkeys(
    ("control", "mission", "recorder"), "nothing was commanded, and nothing more is judged; start the run again"
)


def guest(robot: RobotConfig) -> tuple[RobotConfig, list[str]]:
    """A robot as a guest may use it beside the program that drives it, and what is otherwise than declared.

    Args:
        robot: As declared.
    """
    remarks: list[str] = []
    realtime = robot.realtime
    if realtime.fifo_priority > LOWEST_PRIORITY or realtime.control_core is not None or realtime.keep_awake:
        priority = min(realtime.fifo_priority, LOWEST_PRIORITY)
        realtime = replace(realtime, fifo_priority=priority, control_core=None, keep_awake=False)
        remarks.append(
            "the program that drives the robot comes first: control runs at the lowest priority, on any core, and lets "
            "idle processors sleep"
        )
    stop = robot.emergency_stop
    if stop is not None and not isinstance(stop, CanFrameStopConfig):
        stop = None
        remarks.append("the emergency-stop input is left to the program that drives the robot, and counts as released")
    return replace(robot, realtime=realtime, emergency_stop=stop), remarks


class ShadowLauncher(Launcher):
    """Runs a mission that commands nothing until it is over, no motor is heard any more, or somebody interrupts.

    It has no limit of its own: each mission has one, and a cause that stops them again and again becomes terminal.

    Args:
        shared: What every process needs.
        mission: What the mission process is to do.
        progress: Where a person looks.
        interrupts: Ctrl-C and SIGTERM.
        remarks: What to tell at the start.
    """

    first_interrupt = OperatorAction.CUT
    consequences: Mapping[str, str] = _CONSEQUENCES

    def __init__(
        self,
        shared: Shared,
        mission: MissionSetup,
        progress: Progress,
        interrupts: Interrupts,
        remarks: Sequence[str],
    ) -> None:
        self._remarks = remarks
        self._heard_s = NEVER_S
        self._is_left = False
        super().__init__(shared, mission, progress, interrupts, math.inf, others={}, state=shared.run)

    def _open_inputs(self, steered: SteeredMission | None) -> OperatorInputs:  # noqa: ARG002 (nobody steers what we do)
        """None: stop, hold and the others are for the program that drives the robot, which may be one of ours."""
        return OperatorInputs(self._shared.robot.operator, self._desk, None, None, has_stand_in=True)

    def _legend(self) -> Sequence[str]:
        return f"{_INTRODUCTIONS[self._shared.voice]}; Ctrl-C ends it with a report", *self._remarks

    def _start(self) -> None:
        for remark in self._remarks:
            self._note(remark)
        super()._start()

    def _begin_control(self) -> None:
        self._begin("control", PROCESSES + "control", ControlSetup(self._shared))

    def _on_message(self, message: Mapping[str, Any]) -> None:
        """What a process wants a person to see, who must not take it for what the robot does."""
        if "message" in message:
            message = {**message, "message": f"as if: {message['message']}"}
        super()._on_message(message)

    def run(self) -> Ended:
        """See `Launcher.run`. What came after the last word of any motor is no stop, and ends no mission badly."""
        ended = super().run()
        if ended.first_stop is not None and ended.first_stop.time_s > self._heard_s:
            ended.first_stop = None
        if self._is_left and ended.mission.result is not MissionResult.REFUSED:
            ended.mission = replace(ended.mission, result=MissionResult.COMPLETED)
        return ended

    def _take(self, ended: Ended, snapshot: Snapshot) -> None:
        super()._take(ended, snapshot)
        ended.first_stop = ended.first_stop or stop_that_would_be(snapshot)
        self._heard_s = float(snapshot.state.motor_stamp_s.max())
        silent_s = snapshot.state.now_s - self._heard_s
        if not self._is_left and GONE_S < silent_s < math.inf:
            self._is_left = True
            text = f"no motor was heard for {silent_s:.0f} s: the program that asked them has ended"
            self._note(text)
            self._progress.message(snapshot.state.now_s, text)

    def _is_over(self, ended: Ended, snapshot: Snapshot | None) -> bool:  # noqa: ARG002 (nothing has to come to rest)
        """The mission has ended, or nobody can tell or wants to know any more."""
        mission = self._memory.mission.read()
        is_finished = mission is not None and mission.number == FINISHED
        return is_finished or self._is_left or bool(self._lost) or ended.was_interrupted

    def _finish(self, name: str, timeout_s: float) -> Any:
        if name == "control":
            # It ends where nothing is energised: as if all were cut. The mission, which would wonder, has ended.
            snapshot = self._reader.newest()
            if snapshot is not None and snapshot.arming is not ArmingState.DISARMED:
                self._desk.press(OperatorAction.CUT, time.monotonic())
        return super()._finish(name, timeout_s)
