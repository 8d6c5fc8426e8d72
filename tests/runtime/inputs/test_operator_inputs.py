"""All inputs of a run together: who is there, what was pressed, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.null_buses import NullBuses
from drivers.robot_io import RobotIO
from supervisor.core.errors import RefusedError
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.robot_file import load_robot
from supervisor.core.robot_inputs import GamepadConfig, OperatorConfig
from supervisor.core.velocity import Velocity, VelocityAsk
from supervisor.runtime.control import ControlCore
from supervisor.runtime.inputs import operator_inputs
from supervisor.runtime.inputs.client import running
from supervisor.runtime.inputs.helm import SteeredMission
from supervisor.runtime.inputs.operator_inputs import (
    OperatorInputs,
    OperatorLink,
    open_operator_inputs,
    press_note,
    press_text,
)
from supervisor.runtime.inputs.pressing import Outcome, Press
from supervisor.runtime.shared.desk import Desk
from supervisor.runtime.shared.links import ControlLink, RingRecorder, SnapshotReader
from supervisor.runtime.shared.memory import RunMemory
from tests.runtime.inputs.desks import FakeDesk, snapshot

PUP = load_robot(Path(__file__).resolve().parents[3] / "config" / "robots" / "pup")
PAD = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST", "deadman": "BTN_TL"})
STOP, START, ARM = OperatorAction.STOP, OperatorAction.START, OperatorAction.ARM
RUNNING = snapshot(1.0, ArmingState.RUNNING)


class FakeInput:
    """A terminal or a gamepad."""

    def __init__(self) -> None:
        self.is_there = True
        self.is_deadman_held = False
        self.steered_by = (0.0, 0.0, 0.0)
        self.pressed: list[OperatorAction] = []
        self.closed = 0

    def poll(self, now_s: float) -> list[OperatorAction]:
        pressed, self.pressed = self.pressed, []
        return pressed

    def is_held(self, now_s: float) -> bool:
        return self.is_deadman_held

    def close(self) -> None:
        self.closed += 1


class FakeTerminal(FakeInput):
    def steered(self, now_s: float) -> tuple[float, float, float]:
        return self.steered_by


class FakePad(FakeInput):
    @property
    def steered(self) -> tuple[float, float, float]:
        return self.steered_by


def make(deadman: Any = "none", *, terminal: Any = None, gamepad: Any = None, **more: Any) -> OperatorInputs:
    config = OperatorConfig(deadman, None if gamepad is None else PAD)
    return OperatorInputs(config, FakeDesk(), terminal, gamepad, **more)


def test_nothing_but_the_socket_is_a_link_that_is_well() -> None:
    assert make().poll(RUNNING, 1.0) == OperatorLink(True, "")


def test_presses_of_all_inputs_reach_the_desk_with_their_source() -> None:
    terminal, gamepad, desk, done = FakeInput(), FakeInput(), FakeDesk(), list[Press]()
    inputs = OperatorInputs(OperatorConfig(gamepad=PAD), desk, terminal, gamepad, on_done=done.append)
    terminal.pressed, gamepad.pressed = [ARM], [STOP]
    inputs.poll(None, 1.0)
    assert desk.pressed == [ARM, STOP]
    for now_s in (1.02, 1.04):
        inputs.poll(snapshot(now_s, ArmingState.DISARMED), now_s)
    assert [press_text(one) for one in done] == [
        "arm (terminal): refused: overtaken by STOP",
        "stop (gamepad): the robot is disarmed, level NONE",
    ]


@pytest.mark.parametrize("arming", list(ArmingState))
@pytest.mark.parametrize(
    ("name", "reason"), [("terminal", "the terminal was closed"), ("gamepad", "the gamepad is gone")]
)
def test_a_lost_input_is_a_lost_link(name: str, reason: str, arming: ArmingState) -> None:
    lost = FakeInput()
    inputs = make(**{name: lost})
    assert inputs.poll(snapshot(1.0, arming), 1.0) == OperatorLink()
    lost.is_there = False
    assert inputs.poll(snapshot(1.0, arming), 1.0) == OperatorLink(False, reason)


@pytest.mark.parametrize("deadman", ["terminal", "gamepad"])
@pytest.mark.parametrize("arming", [None, *ArmingState])
def test_the_deadman_is_needed_while_the_robot_runs(deadman: str, arming: ArmingState | None) -> None:
    terminal, gamepad = FakeInput(), FakeInput()
    inputs = make(deadman, terminal=terminal, gamepad=gamepad)
    seen = None if arming is None else snapshot(1.0, arming)
    needs_it = arming is ArmingState.RUNNING
    assert inputs.poll(seen, 1.0).is_well is not needs_it
    (terminal if deadman == "terminal" else gamepad).is_deadman_held = True
    assert inputs.poll(seen, 1.02).is_well


@pytest.mark.parametrize(("deadman", "what"), [("terminal", "a key of the terminal, d"), ("gamepad", "BTN_TL")])
def test_nothing_starts_without_the_deadman(deadman: str, what: str) -> None:
    terminal, gamepad, desk = FakeInput(), FakeInput(), FakeDesk()
    inputs = OperatorInputs(OperatorConfig(deadman, PAD), desk, terminal, gamepad)
    inputs.poll(None, 1.0)
    press = inputs.presses.press(START, "command", 1.0)
    assert (press.outcome, desk.pressed) == (Outcome.REFUSED, [])
    assert what in press.lines[0]
    (terminal if deadman == "terminal" else gamepad).is_deadman_held = True
    inputs.presses.press(START, "command", 1.0)
    assert desk.pressed == [START]


def test_a_deadman_of_another_input_does_not_count() -> None:
    terminal, gamepad = FakeInput(), FakeInput()
    terminal.is_deadman_held = True
    link = make("gamepad", terminal=terminal, gamepad=gamepad).poll(RUNNING, 1.0)
    assert link == OperatorLink(False, "the deadman was let go")


def test_a_stand_in_holds_no_deadman() -> None:
    assert make("terminal", has_stand_in=True).poll(RUNNING, 1.0) == OperatorLink()


def test_the_legend_names_the_deadman_where_it_is_a_key() -> None:
    assert make().legend() == ()
    plain, with_deadman = make(terminal=FakeInput()).legend(), make("terminal", terminal=FakeInput()).legend()
    assert with_deadman[: len(plain)] == plain
    assert "deadman" in with_deadman[-1]


def test_closing_lets_go_of_everything() -> None:
    terminal, gamepad = FakeInput(), FakeInput()
    inputs = make(terminal=terminal, gamepad=gamepad)
    inputs.close()
    assert (terminal.closed, gamepad.closed) == (1, 1)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[RunMemory]:
    made = RunMemory(tmp_path, PUP.config, PUP.safety, create=True)
    yield made
    made.close()


def test_opening_makes_the_socket_and_closing_takes_it_away(memory: RunMemory, folder: Path) -> None:
    inputs = open_operator_inputs(PUP.config, memory, Desk(memory), descriptor=-1)
    assert list(running()) == ["pup"]
    assert inputs.poll(None, 1.0) == OperatorLink()
    assert inputs.server is not None
    assert inputs.server._status()["arming"] is None
    inputs.close()
    assert running() == {}
    inputs.close()


def test_a_press_over_the_desk_reaches_the_control_loop(memory: RunMemory, folder: Path) -> None:
    inputs = open_operator_inputs(PUP.config, memory, Desk(memory), descriptor=-1)
    inputs.presses.press(STOP, "command", 1.0)
    assert memory.operator_presses.take() == [STOP]
    inputs.close()


def test_a_second_supervisor_is_refused_and_lets_go(memory: RunMemory, folder: Path) -> None:
    first = open_operator_inputs(PUP.config, memory, Desk(memory), descriptor=-1)
    with pytest.raises(RefusedError, match="running already"):
        open_operator_inputs(PUP.config, memory, Desk(memory), descriptor=-1)
    first.close()


def test_a_deadman_in_the_terminal_needs_a_terminal(memory: RunMemory, folder: Path) -> None:
    robot = replace(PUP.config, operator=OperatorConfig("terminal"))
    with pytest.raises(RefusedError, match="not started in one"):
        open_operator_inputs(robot, memory, Desk(memory), descriptor=-1)
    open_operator_inputs(robot, memory, Desk(memory), descriptor=-1, has_stand_in=True).close()


def test_the_gamepad_of_the_robot_file_is_opened(
    memory: RunMemory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gamepad = FakeInput()
    monkeypatch.setattr(operator_inputs, "open_gamepad", lambda config: gamepad)
    robot = replace(PUP.config, operator=OperatorConfig("gamepad", PAD))
    inputs = open_operator_inputs(robot, memory, Desk(memory), descriptor=-1)
    gamepad.is_there = False
    assert not inputs.poll(None, 1.0).is_well
    inputs.close()
    assert gamepad.closed == 1


def test_a_press_is_kept_in_the_record() -> None:
    note = press_note(Press(STOP, "command", 3.0, Outcome.UNANSWERED, ("silent",)))
    assert note == (
        "operator",
        3.0,
        "stop (command): silent",
        {"press": "stop", "source": "command", "outcome": "unanswered"},
    )


# Steering


class FakeHelm:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def tell(self, *told: object) -> None:
        self.told.append(told)


AWAY, AT_REST = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)


def test_what_is_pushed_reaches_the_helm_in_every_poll() -> None:
    terminal, gamepad, helm = FakeTerminal(), FakePad(), FakeHelm()
    terminal.steered_by, gamepad.steered_by = (0.0, 0.5, 0.0), AWAY
    inputs = make(terminal=terminal, gamepad=gamepad, helm=helm)
    inputs.poll(RUNNING, 1.0)
    inputs.poll(None, 1.02)
    assert helm.told == [("", AWAY, (0.0, 0.5, 0.0), 1.0), ("", AWAY, (0.0, 0.5, 0.0), 1.02)]
    alone = FakeHelm()
    make(helm=alone).poll(RUNNING, 1.0)
    assert alone.told == [("", AT_REST, AT_REST, 1.0)]


@pytest.mark.parametrize("arming", [ArmingState.RUNNING, ArmingState.ARMED])
def test_who_does_not_hold_the_deadman_asks_nothing(arming: ArmingState) -> None:
    gamepad, helm = FakePad(), FakeHelm()
    inputs = make("gamepad", gamepad=gamepad, helm=helm)
    for is_held in (False, True, False):
        gamepad.is_deadman_held = is_held
        inputs.poll(snapshot(1.0, arming), 1.0)
    reasons = [told[0] for told in helm.told]
    assert [bool(reason) for reason in reasons] == [True, False, True]
    assert all("deadman" in str(reason) for reason in reasons if reason)


@pytest.mark.parametrize("lost", ["terminal", "gamepad"])
def test_a_lost_link_asks_nothing(lost: str) -> None:
    terminal, gamepad, helm = FakeTerminal(), FakePad(), FakeHelm()
    {"terminal": terminal, "gamepad": gamepad}[lost].is_there = False
    make(terminal=terminal, gamepad=gamepad, helm=helm).poll(RUNNING, 1.0)
    assert lost in str(helm.told[0][0])


def test_the_keys_that_steer_are_in_the_legend_where_they_steer() -> None:
    assert any("arrows" in line for line in make(terminal=FakeTerminal(), helm=FakeHelm()).legend())
    assert not any("arrows" in line for line in make(terminal=FakeTerminal()).legend())
    assert make(helm=FakeHelm()).legend() == ()


STEERED = SteeredMission(("drive",), Velocity(-0.3, -0.2, -0.5), Velocity(0.6, 0.2, 0.5))


def test_a_wish_over_the_socket_is_asked_of_the_mission(memory: RunMemory, folder: Path) -> None:
    inputs = open_operator_inputs(PUP.config, memory, Desk(memory), descriptor=-1, steered=STEERED)
    assert inputs.server is not None
    assert inputs.server._steer is not None
    assert inputs.server._steer(Velocity(0.3), 1.0).kind == "refused"
    memory.steered.write(VelocityAsk(Velocity(), 1.0))
    assert inputs.server._steer(Velocity(0.3), 1.0).kind == "accepted"
    inputs.poll(None, 1.02)
    assert memory.wish.asked() == VelocityAsk(Velocity(0.3), 1.0, "command")
    inputs.close()


def test_in_simulation_a_gamepad_that_is_not_there_is_told_and_done_without(
    memory: RunMemory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[GamepadConfig] = []

    def refuse(config: GamepadConfig) -> None:
        opened.append(config)
        raise RefusedError(["no gamepad"])

    monkeypatch.setattr(operator_inputs, "open_gamepad", refuse)
    robot = replace(PUP.config, operator=OperatorConfig("gamepad", PAD))
    open_operator_inputs(robot, memory, Desk(memory), descriptor=-1, has_stand_in=True).close()
    assert opened == []
    inputs = open_operator_inputs(robot, memory, Desk(memory), descriptor=-1, has_stand_in=True, steered=STEERED)
    assert opened == [PAD]
    assert "no gamepad; the simulated robot goes on without it" in inputs.legend()[0]
    inputs.close()
    with pytest.raises(RefusedError, match="no gamepad"):
        open_operator_inputs(robot, memory, Desk(memory), descriptor=-1, steered=STEERED)


class Bench:
    """A control loop and its operator over shared memory, in one process and in no time."""

    def __init__(self, memory: RunMemory) -> None:
        self.done: list[Press] = []
        self.inputs = OperatorInputs(OperatorConfig(), Desk(memory), None, None, on_done=self.done.append)
        port = RobotIO(PUP.config, NullBuses())
        self.core = ControlCore(PUP.config, PUP.safety, port, ControlLink(memory), RingRecorder(memory))
        self.core.inputs.emergency_stop = False
        self.reader = SnapshotReader(memory, PUP.config)
        self.cycle = 0

    def run(self, seconds: float) -> None:
        """Control at 500 Hz, poll at 50 Hz."""
        for _ in range(round(seconds * 500)):
            now_s = 100.0 + 0.002 * self.cycle
            self.core.step(now_s)
            if self.cycle % 10 == 0:
                self.inputs.poll(self.reader.newest(), now_s + 0.001)
            self.cycle += 1

    def press(self, action: OperatorAction) -> Press:
        press = self.inputs.presses.press(action, "command", 100.0 + 0.002 * self.cycle)
        self.run(0.1)
        return press


def test_a_real_control_loop_answers_each_press(memory: RunMemory) -> None:
    bench = Bench(memory)
    bench.run(0.1)
    arm = bench.press(ARM)
    assert arm.outcome is Outcome.REFUSED
    assert len(arm.lines) > 3, "every reason"
    assert any("imu_age" in line for line in arm.lines)
    hold = bench.press(OperatorAction.HOLD)
    assert (hold.outcome, hold.lines) == (Outcome.REFUSED, ("HOLD needs a robot under power; it is disarmed",))
    assert bench.press(STOP).lines == ("the robot is disarmed, level WARN",)
    cut = bench.press(OperatorAction.CUT)
    assert (cut.outcome, cut.lines) == (Outcome.ACCEPTED, ("the robot is stopped, level CUT",))
    start = bench.press(START)
    assert (start.outcome, start.lines) == (Outcome.REFUSED, ("START needs an armed robot; it is stopped",))
    bench.run(1.0)
    reset = bench.press(OperatorAction.RESET)
    assert (reset.outcome, reset.lines) == (Outcome.ACCEPTED, ("the robot is disarmed, level WARN",))
    assert [one.outcome for one in bench.done].count(Outcome.UNANSWERED) == 0


def test_a_control_loop_that_stands_still_is_told(memory: RunMemory) -> None:
    bench = Bench(memory)
    bench.run(0.1)
    press = bench.inputs.presses.press(STOP, "terminal", 100.1)
    for number in range(40):
        bench.inputs.poll(bench.reader.newest(), 100.1 + 0.02 * number)
    assert press.outcome is Outcome.UNANSWERED
