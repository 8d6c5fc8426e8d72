"""What a fault script does to processes: stopped and let go, killed, kept from writing, and nothing left behind."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from typing import Any, get_args, get_type_hints

import pytest

from drivers.sim.fault_kinds import PROCESS_FAULTS, ClockStep, ProcessFault
from supervisor.runtime.processes import sabotage
from supervisor.runtime.processes.sabotage import KINDS, Sabotage
from tests.drivers.sim.simulated import script

STOP, CONT, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL


class FakeVictim:
    """A process that keeps what is done to it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit_code: int | None = None
        self.signals: list[signal.Signals] = []

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.signals.append(number)


class Bench:
    """A run's processes under a fault script."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        names = ("mission", "control", "recorder", "guardian")
        self.victims = {name: FakeVictim(number) for number, name in enumerate(names, 100)}
        self.sabotage = Sabotage(script(*faults), self.victims, 10.0)

    def suffered(self) -> dict[str, list[signal.Signals]]:
        return {name: victim.signals for name, victim in self.victims.items() if victim.signals}


def fault(kind: str, stage: str = "stand", after_s: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "at": {"stage": stage, "after_s": after_s}, **more}


@pytest.mark.parametrize(
    ("kind", "name"), [("mission_stalled", "mission"), ("control_stalled", "control"), ("recorder_blocked", "recorder")]
)
def test_a_stalled_process_is_stopped_at_its_time_and_goes_on_after_it(kind: str, name: str) -> None:
    bench = Bench(fault(kind, after_s=1.0, for_s=0.5))
    assert bench.sabotage.look("preflight", 11.0) == []
    assert bench.sabotage.look("stand", 12.0) == []
    assert bench.sabotage.look("stand", 12.98) == []
    assert bench.suffered() == {}
    assert bench.sabotage.look("stand", 13.0) == [f"fault script: {kind} begins"]
    assert bench.sabotage.look("stand", 13.4) == []
    assert bench.suffered() == {name: [STOP]}
    assert bench.sabotage.look("zero_action", 13.5) == [f"fault script: {kind} ends"]
    assert bench.suffered() == {name: [STOP, CONT]}


@pytest.mark.parametrize(
    ("kind", "name"), [("mission_killed", "mission"), ("control_killed", "control"), ("guardian_killed", "guardian")]
)
def test_a_process_is_killed_once(kind: str, name: str) -> None:
    bench = Bench(fault(kind))
    for now_s in (11.0, 11.02, 12.0):
        bench.sabotage.look("stand", now_s)
    bench.sabotage.relent()
    assert bench.suffered() == {name: [KILL]}


def test_a_fault_of_the_start_needs_no_stage() -> None:
    bench = Bench(fault("mission_stalled", "start", 0.5))
    assert bench.sabotage.look("", 10.4) == []
    assert bench.sabotage.look("", 10.5) == ["fault script: mission_stalled begins"]


def test_of_two_stalls_that_overlap_the_last_lets_go() -> None:
    bench = Bench(fault("mission_stalled", for_s=1.0), fault("mission_stalled", after_s=0.5, for_s=1.0))
    for tick in range(100):
        bench.sabotage.look("stand", 11.0 + 0.02 * tick)
        if tick == 60:
            assert bench.suffered() == {"mission": [STOP]}
    assert bench.suffered() == {"mission": [STOP, CONT]}


def test_relenting_lets_everything_go_on_once() -> None:
    bench = Bench(fault("mission_stalled"), fault("recorder_blocked"))
    bench.sabotage.look("stand", 11.0)
    bench.sabotage.relent()
    bench.sabotage.relent()
    assert bench.suffered() == {"mission": [STOP, CONT], "recorder": [STOP, CONT]}


def test_faults_of_others_and_processes_that_are_not_there_are_told_and_let_be() -> None:
    bench = Bench(fault("policy_nan"), fault("push", force_n=[1, 0, 0]), fault("mission_killed"))
    del bench.victims["mission"]
    assert bench.sabotage.look("stand", 11.0) == [
        f"fault script: {kind} begins" for kind in ("mission_killed", "policy_nan", "push")
    ]
    assert bench.suffered() == {}


def test_a_full_disk_keeps_the_recorder_from_writing_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, ...]] = []

    def prlimit(pid: int, kind: int, pair: tuple[int, int] | None = None) -> tuple[int, int]:
        assert kind == resource.RLIMIT_FSIZE
        if pair is not None:
            limits.append((pid, *pair))
        return (5000, 9000)

    monkeypatch.setattr(sabotage.resource, "prlimit", prlimit)
    bench = Bench(fault("disk_full", for_s=1.0))
    for now_s in (11.0, 11.5, 12.0, 12.5):
        bench.sabotage.look("stand", now_s)
    bench.sabotage.relent()
    assert limits == [(102, 0, 9000), (102, 5000, 9000)]
    again = Bench(fault("disk_full"))
    again.victims["recorder"].exit_code = -9
    again.sabotage.look("stand", 11.0)
    assert len(limits) == 2


def test_a_real_process_cannot_write_to_a_full_disk_and_can_again(tmp_path: Any) -> None:
    code = (
        "import sys\n"
        "for line in sys.stdin:\n"
        "    try:\n"
        f"        with open({str(tmp_path / 'file')!r}, 'a') as file:\n"
        "            file.write(line)\n"
        "        print('written', flush=True)\n"
        "    except OSError:\n"
        "        print('full', flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    bench = Bench(fault("disk_full"))
    bench.victims["recorder"].pid = child.pid

    def tries() -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("x\n")
        child.stdin.flush()
        return child.stdout.readline().strip()

    try:
        seen = [tries()]
        bench.sabotage.look("stand", 11.0)
        seen.append(tries())
        bench.sabotage.relent()
        seen.append(tries())
    finally:
        child.communicate(timeout=10.0)
    assert seen == ["written", "full", "written"]


def test_a_recorder_that_ends_just_now_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(sabotage.resource, "prlimit", gone)
    bench = Bench(fault("disk_full", for_s=1.0))
    assert bench.sabotage.look("stand", 11.0) == ["fault script: disk_full begins"]
    assert bench.sabotage.look("stand", 12.0) == ["fault script: disk_full ends"]


def test_every_fault_of_a_process_but_the_clock_is_carried_out() -> None:
    assert set(get_args(get_type_hints(ProcessFault)["kind"])) == KINDS
    assert set(PROCESS_FAULTS) == {ProcessFault, ClockStep}
