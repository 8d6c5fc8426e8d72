"""Everything by which an operator reaches a run, polled together by who started it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from supervisor.core.errors import RefusedError
from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_inputs import OperatorConfig
from supervisor.evidence.events import EventKind
from supervisor.runtime.inputs.gamepad import Gamepad, open_gamepad
from supervisor.runtime.inputs.helm import Helm, SteeredMission
from supervisor.runtime.inputs.keys import DEADMAN_LEGEND, LEGEND, STEERING_LEGEND
from supervisor.runtime.inputs.pressing import Outcome, Press, PressDesk, Presses
from supervisor.runtime.inputs.server import CommandServer
from supervisor.runtime.inputs.status import run_status
from supervisor.runtime.inputs.terminal import Terminal
from supervisor.runtime.shared.memory import Note, RunMemory

TERMINAL: Final = "terminal"
GAMEPAD: Final = "gamepad"


@dataclass(frozen=True, slots=True)
class OperatorLink:
    """Whether the operator is there.

    Attributes:
        is_well: What `RunMemory.operator` is to say.
        reason: Why not, "" where it is well.
    """

    is_well: bool = True
    reason: str = ""


class OperatorInputs:
    """The local socket, and the terminal and the gamepad where there are any.

    Args:
        operator: What the robot file says of them.
        desk: Where presses go.
        terminal: The terminal, None without one.
        gamepad: The gamepad, None without one.
        has_stand_in: Whether a stand-in operates: nobody has to hold a deadman then.
        helm: Where a wish for a velocity goes, None where nobody steers.
        on_done: Called with each press when its outcome is known.

    Attributes:
        presses: What became of presses.
        server: The local socket, None without one.
        remark: What a person should know before the run, "" for nothing.
    """

    def __init__(
        self,
        operator: OperatorConfig,
        desk: PressDesk,
        terminal: Terminal | None,
        gamepad: Gamepad | None,
        *,
        has_stand_in: bool = False,
        helm: Helm | None = None,
        on_done: Callable[[Press], None] | None = None,
    ) -> None:
        self._helm = helm
        self._deadman = "none" if has_stand_in else operator.deadman
        self._button = "" if operator.gamepad is None else operator.gamepad.buttons.get("deadman", "")
        self._terminal = terminal
        self._gamepad = gamepad
        self._now_s = float("-inf")
        self._snapshot: Snapshot | None = None
        self.presses = Presses(desk, self._hindrance, on_done)
        self.server: CommandServer | None = None
        self.remark = ""

    @property
    def snapshot(self) -> Snapshot | None:
        """What the last poll was given."""
        return self._snapshot

    def poll(self, snapshot: Snapshot | None, now_s: float) -> OperatorLink:
        """Take every press, post it, and see what became of earlier ones. To be called at 50 Hz; never waits.

        Args:
            snapshot: The control loop's newest, None before the first.
            now_s: Clock.

        Returns:
            Whether the operator is there.
        """
        self._now_s, self._snapshot = now_s, snapshot
        presses = self.presses
        presses.look(snapshot, now_s)
        if self._terminal is not None:
            for action in self._terminal.poll(now_s):
                presses.press(action, TERMINAL, now_s)
        if self._gamepad is not None:
            for action in self._gamepad.poll(now_s):
                presses.press(action, GAMEPAD, now_s)
        if self.server is not None:
            self.server.poll(now_s)
        link = self._link(snapshot)
        if self._helm is not None:
            self._steer(self._helm, link, now_s)
        return link

    def _steer(self, helm: Helm, link: OperatorLink, now_s: float) -> None:
        """Say what is asked now. Whoever does not hold the deadman asks nothing, at rest as in motion."""
        absence = link.reason or (self._hindrance() and "the deadman is not held")
        gamepad = (0.0, 0.0, 0.0) if self._gamepad is None else self._gamepad.steered
        terminal = (0.0, 0.0, 0.0) if self._terminal is None else self._terminal.steered(now_s)
        helm.tell(absence, gamepad, terminal, now_s)

    def _link(self, snapshot: Snapshot | None) -> OperatorLink:
        if self._terminal is not None and not self._terminal.is_there:
            return OperatorLink(False, "the terminal was closed")
        if self._gamepad is not None and not self._gamepad.is_there:
            return OperatorLink(False, "the gamepad is gone")
        runs = snapshot is not None and snapshot.arming is ArmingState.RUNNING
        hindrance = self._hindrance() if runs else ""
        return OperatorLink(not hindrance, hindrance and "the deadman was let go")

    def _hindrance(self) -> str:
        """Why nobody may set the robot in motion, "" for nothing."""
        if self._deadman == "terminal":
            is_held = self._terminal is not None and self._terminal.is_held(self._now_s)
            return "" if is_held else "the deadman held: a key of the terminal, d"
        if self._deadman == "gamepad":
            is_held = self._gamepad is not None and self._gamepad.is_deadman_held
            return "" if is_held else f"the deadman held: {self._button} of the gamepad"
        return ""

    def legend(self) -> tuple[str, ...]:
        """What may be pressed in the terminal, if there is one, after what else a person should know."""
        remark = (self.remark,) if self.remark else ()
        if self._terminal is None:
            return remark
        steering = () if self._helm is None else (STEERING_LEGEND,)
        return (*remark, *LEGEND, *steering, *((DEADMAN_LEGEND,) if self._deadman == "terminal" else ()))

    def close(self) -> None:
        """Let go of all of it, the terminal as it was found. Idempotent, never raises."""
        if self.server is not None:
            self.server.close()
        if self._gamepad is not None:
            self._gamepad.close()
        if self._terminal is not None:
            self._terminal.close()


def open_operator_inputs(
    robot: RobotConfig,
    memory: RunMemory,
    desk: PressDesk,
    *,
    has_stand_in: bool = False,
    steered: SteeredMission | None = None,
    on_done: Callable[[Press], None] | None = None,
    descriptor: int | None = None,
    clock_s: Callable[[], float] = time.monotonic,
) -> OperatorInputs:
    """Open what a robot file names, and the local socket. The terminal is set up by the first poll.

    Args:
        robot: The robot.
        memory: The run's shared memory, for `handrail status`.
        desk: Where presses go: a `Desk`.
        has_stand_in: Whether a stand-in operates; its gamepad is opened only where a person steers.
        steered: What a person steers, None for nothing.
        on_done: Called with each press when its outcome is known: for the record, and to show it.
        descriptor: Of the terminal; standard input where it is None.
        clock_s: Monotonic.

    Raises:
        RefusedError: Something that the robot file names is not there, or another supervisor of this robot runs.
        LinkError: There is no place for the socket.
    """
    operator = robot.operator
    terminal_descriptor = _terminal_descriptor(descriptor)
    if operator.deadman == "terminal" and terminal_descriptor is None and not has_stand_in:
        reason = "operator.deadman is terminal, but this run was not started in one; start it there, without a pipe"
        raise RefusedError([reason])
    gamepad, remark = None, ""
    if operator.gamepad is not None and (not has_stand_in or steered is not None):
        try:
            gamepad = open_gamepad(operator.gamepad)
        except RefusedError as error:
            if not has_stand_in:
                raise
            # Nobody must own a gamepad to try a mission in simulation.
            remark = f"{error}; the simulated robot goes on without it"
    terminal = None if terminal_descriptor is None else Terminal(terminal_descriptor)
    helm = None if steered is None else Helm(steered, memory.wish.write, memory.steered.asked)
    inputs = OperatorInputs(operator, desk, terminal, gamepad, has_stand_in=has_stand_in, helm=helm, on_done=on_done)
    inputs.remark = remark
    try:
        inputs.server = CommandServer(
            robot.name,
            inputs.presses.press,
            lambda: run_status(memory, inputs.snapshot, desk.prompt, clock_s()),
            None if helm is None else helm.command,
        )
    except BaseException:
        inputs.close()
        raise
    return inputs


def _terminal_descriptor(given: int | None) -> int | None:
    """The terminal's descriptor, None where it is none of ours."""
    try:
        descriptor = sys.stdin.fileno() if given is None else given
        # Fails where it is no terminal, or not the one that this process belongs to.
        os.tcgetpgrp(descriptor)
    except (ValueError, OSError, AttributeError):
        return None
    return descriptor


def press_text(press: Press) -> str:
    """A press and what became of it, as one line."""
    reasons = "; ".join(press.lines)
    told = {Outcome.ACCEPTED: "", Outcome.REFUSED: "refused: "}.get(press.outcome, "")
    return f"{press.action.value} ({press.source}): {told}{reasons}"


def press_note(press: Press) -> Note:
    """A press and what became of it, for the record."""
    data = {"press": press.action.value, "source": press.source, "outcome": press.outcome.value}
    return Note(EventKind.OPERATOR.value, press.pressed_s, press_text(press), data)
