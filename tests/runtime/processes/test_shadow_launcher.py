"""Who starts and ends a run that commands nothing, with processes that are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supervisor.core.errors import RefusedError
from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.robot import RealtimeConfig
from supervisor.core.robot_inputs import CanFrameStopConfig, SerialLineStopConfig
from supervisor.core.state import NEVER_S
from supervisor.runtime.inputs.places import sockets
from supervisor.runtime.options import Voice
from supervisor.runtime.processes import launcher
from supervisor.runtime.processes.control import ControlSetup
from supervisor.runtime.processes.ended import Ended
from supervisor.runtime.processes.mission import FINISHED, MissionSetup
from supervisor.runtime.processes.setup import Shared
from supervisor.runtime.processes.shadow_launcher import GONE_S, ShadowLauncher, guest
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.shared.memory import Health
from tests.safety.bench import ROBOT, SAFETY
from tests.trees.stand_ins import make_snapshot, make_stop
from trees.values import MissionResult


class Child:
    """A process that does nothing, until it is told to end."""

    made: dict[str, Child]

    def __init__(self, name: str, module: str, setup: Any, *, inherited: Sequence[int] = (), **_: object) -> None:
        self.setup, self.inherited, self.lines = setup, inherited, ()
        self.exit_code: int | None = None
        Child.made[name] = self

    def wait_ready(self, timeout_s: float, meanwhile: Callable[[], None]) -> None:
        meanwhile()

    def end(self) -> None:
        """Nothing: it ends when it is waited for."""

    def wait(self, timeout_s: float) -> None:
        self.exit_code = self.exit_code or 0
        Child.made["control"].exit_code = 0  # It has seen that nothing is energised.


class Said(SilentProgress):
    """Keeps what a person is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, now_s: float, text: str) -> None:
        self.lines.append(text)


class Interrupts:
    """So many interrupts have come."""

    count = 0

    def take(self) -> int:
        count, self.count = self.count, 0
        return count


class Bench:
    """A launcher, its processes, and what they are said to have measured."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, voice: Voice = Voice.NOTHING) -> None:
        Child.made = {}
        monkeypatch.setattr(launcher, "Child", Child)
        shared = Shared(ROBOT, SAFETY, folder, folder, voice=voice)
        mission = MissionSetup(shared, "pup", "pup_walk", "deployment", 0.02, has_stand_in=False)
        self.said, self.interrupts, self.snapshot = Said(), Interrupts(), make_snapshot()
        self.launcher = ShadowLauncher(shared, mission, self.said, self.interrupts, ["a remark"])
        self.memory = self.launcher._memory
        self.pressed: list[OperatorAction] = []
        monkeypatch.setattr(self.launcher, "_reader", self)
        monkeypatch.setattr(self.launcher._desk, "press", lambda action, now_s: self.pressed.append(action))
        self.turns = 0
        self.deed: Callable[[], None] = self.finish

    def newest(self) -> Snapshot:
        """As a `SnapshotReader`. What happens, happens in the third turn."""
        self.turns += 1
        if self.turns == 3:
            self.deed()
        return self.snapshot

    def finish(self) -> None:
        self.memory.mission.write(Health(0.0, True, FINISHED))

    def run(self, deed: Callable[[], None] | None = None) -> Ended:
        self.deed = deed or self.deed
        return self.launcher.run()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_it_has_no_guardian_and_nobody_commands_it(bench: Bench, place: Path) -> None:
    found: list[Mapping[str, Path]] = []
    ended = bench.run(lambda: (found.append(sockets()), bench.finish()))  # type: ignore[func-returns-value]
    assert list(Child.made) == ["recorder", "control", "mission"]
    assert Child.made["control"].setup == ControlSetup(Child.made["recorder"].setup.shared, None, b"")
    assert Child.made["control"].inherited == ()
    # `handrail stop` is for the program that drives the robot.
    assert found == [{}]
    assert list(place.iterdir()) == []
    assert not ended.failure
    assert not ended.was_interrupted


@pytest.mark.parametrize(
    ("voice", "says"), [(Voice.NOTHING, "nothing is sent on any bus"), (Voice.QUESTIONS, "at most asked for feedback")]
)
def test_it_says_first_what_it_will_not_do(
    voice: Voice, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch, voice)
    bench.run()
    assert says in bench.said.lines[0]
    assert "Ctrl-C ends it with a report" in bench.said.lines[0]
    assert bench.said.lines[1] == "a remark"


def test_what_is_told_of_the_robot_is_told_as_if(bench: Bench) -> None:
    bench.launcher._on_message({"message": "robot is running", "time_s": 1.0})
    assert bench.said.lines == ["as if: robot is running"]


def test_the_first_stop_of_a_guard_is_kept_and_the_run_goes_on(bench: Bench) -> None:
    first, later = replace(make_stop(Level.CUT), time_s=0.0), make_stop(Level.DAMP, guard="imu_age")

    def trip() -> None:
        bench.snapshot, bench.turns = make_snapshot(stop=first, is_at_rest=True, arming=ArmingState.STOPPED), -10
        bench.deed = trip_again

    def trip_again() -> None:
        bench.snapshot = make_snapshot(stop=later)
        bench.finish()

    ended = bench.run(trip)
    assert ended.first_stop == first
    assert ended.has_moved
    assert not ended.failure


def heard(ago_s: float, **changes: Any) -> Snapshot:
    """A snapshot of now, whose motors were heard last so long ago."""
    snapshot = make_snapshot(**changes)
    state = replace(snapshot.state, motor_stamp_s=np.array([snapshot.state.now_s - ago_s, NEVER_S]))
    return replace(snapshot, state=state)


def test_it_ends_when_the_program_that_drove_the_robot_has_left(bench: Bench) -> None:
    stop = replace(make_stop(guard="motor_age"), time_s=make_snapshot().state.now_s - GONE_S)

    def leave() -> None:
        bench.snapshot = heard(GONE_S + 0.5, stop=stop)

    ended = bench.run(leave)
    assert bench.said.lines[-1] == "no motor was heard for 6 s: the program that asked them has ended"
    assert ended.mission.result is MissionResult.COMPLETED
    # Whose silence it was is known by now.
    assert ended.first_stop is None
    assert not ended.failure


def test_a_stop_for_a_silence_that_ends_stays_one(bench: Bench) -> None:
    stop = replace(make_stop(guard="motor_age"), time_s=make_snapshot().state.now_s - 3.0)

    def be_silent() -> None:
        bench.snapshot, bench.turns, bench.deed = heard(3.1, stop=stop), -10, speak

    def speak() -> None:
        bench.snapshot = heard(0.0)
        bench.finish()

    assert bench.run(be_silent).first_stop == stop


def test_motors_that_were_never_heard_have_not_fallen_silent(bench: Bench) -> None:
    bench.snapshot = heard(float("inf"))
    assert bench.run().mission.result is MissionResult.RUNNING
    assert not any("no motor was heard" in line for line in bench.said.lines)


def test_an_interrupt_ends_it_at_once_as_if_all_were_cut(bench: Bench) -> None:
    ended = bench.run(lambda: setattr(bench.interrupts, "count", 1))
    assert ended.was_interrupted
    assert OperatorAction.CUT in bench.pressed
    assert OperatorAction.STOP not in bench.pressed
    assert bench.said.lines[-1] == "interrupted: cut"


def test_nobody_presses_where_nothing_is_on(bench: Bench) -> None:
    bench.snapshot = make_snapshot(arming=ArmingState.DISARMED)
    bench.run()
    assert bench.pressed == []


@pytest.mark.parametrize("name", ["control", "mission", "recorder"])
def test_a_process_that_is_lost_ends_it_and_nothing_has_happened_to_the_robot(bench: Bench, name: str) -> None:
    ended = bench.run(lambda: setattr(Child.made[name], "exit_code", -9))
    assert ended.failure.startswith(f"the {name} process was killed by signal 9")
    assert ended.failure.endswith(": nothing was commanded, and nothing more is judged; start the run again")


def test_a_process_that_cannot_start_refuses_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Child, timeout_s: float, meanwhile: Callable[[], None]) -> None:
        raise RefusedError(["imu0 is taken"])

    monkeypatch.setattr(Child, "wait_ready", refuse)
    with pytest.raises(RefusedError, match="imu0 is taken"):
        bench.run()


def test_a_guest_comes_after_who_drives_the_robot() -> None:
    robot, remarks = guest(replace(ROBOT, realtime=RealtimeConfig(fifo_priority=60, control_core=1)))
    assert robot.realtime == RealtimeConfig(fifo_priority=1, control_core=None, keep_awake=False)
    assert "comes first" in remarks[0]
    polite = replace(ROBOT, realtime=RealtimeConfig(fifo_priority=0, keep_awake=False))
    assert guest(polite) == (polite, [])


def test_a_guest_hears_a_stop_button_and_takes_no_line_of_one() -> None:
    polite = replace(ROBOT, realtime=RealtimeConfig(fifo_priority=0, keep_awake=False))
    heard = replace(polite, emergency_stop=CanFrameStopConfig("can_frame", "can0", 0x701, (1,), (0,), 0.1))
    assert guest(heard) == (heard, [])
    wired = replace(polite, emergency_stop=SerialLineStopConfig("serial_line", "/dev/ttyS0", "cts", "low"))
    robot, remarks = guest(wired)
    assert robot == polite
    assert "counts as released" in remarks[0]
