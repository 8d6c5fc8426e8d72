"""The guardian's `main`, in this process; `test_guarding_processes.py` has it beside others."""

from __future__ import annotations

import gc
import io
import json
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.core.stop_frames import BusStop, StopFrames
from supervisor.guardian import process
from supervisor.guardian.latch import Latch, LatchFile, Left
from supervisor.guardian.messages import KEY_BYTES, Kind, Tokens, beat_body, hello_body, sealed
from supervisor.guardian.process import CANNOT_BEGIN, HAS_STOPPED, guarded_lines, main
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.watch import Fault
from tests.guardian.beats import DISARMED, LEVELS, PERIOD_S, WINDOW_S, beat

KEY = b"k" * KEY_BYTES
TOKENS = Tokens(KEY)


class Bench:
    """What starts a guardian: its setup, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.control, guardian = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        (folder / "can0").mkdir(mode=0o700)
        stop = BusStop("leg", "datagram", str(folder / "can0"), False, 0.005, ((b"cut",),))
        self.latches = (str(folder / "kept"), str(folder / "run"))
        self.setup = GuardianSetup(
            guardian.detach(), KEY, WINDOW_S, PERIOD_S, LEVELS, 1.0, StopFrames((stop,)), self.latches, 0, False
        )
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def main(self, monkeypatch: pytest.MonkeyPatch) -> int:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pickle.dumps(self.setup))))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: self.writer))
        return main()

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in os.read(self.reader, 65536).splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    made = Bench(tmp_path)
    yield made
    made.control.close()
    for descriptor in (made.reader, made.writer):
        os.close(descriptor)
    for number, handler in signals.items():
        signal.signal(number, handler)
    gc.unfreeze()
    gc.enable()


def test_it_says_what_it_guards_and_ends_with_who_never_began(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.control.close()
    assert bench.main(monkeypatch) == 0
    ready, last = bench.said()
    assert ready["ready"] is True
    assert ready["lines"][0].startswith("guards leg (datagram ")
    assert last == {"guardian": "nothing was found", "fault": 0, "beats": 0, "ended": True}


def test_it_ends_when_it_is_told_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def ready(content: dict[str, Any]) -> None:
        if content.get("ready"):
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                os.kill(os.getpid(), number)

    monkeypatch.setattr(process, "say", ready)
    assert bench.main(monkeypatch) == 0


def test_its_exit_code_says_that_it_has_stopped_the_motors(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        pidfd = os.pidfd_open(other.pid)
        socket.send_fds(bench.control, [sealed(TOKENS, hello_body(()))], [pidfd])
        os.close(pidfd)
        bench.control.send(sealed(TOKENS, beat_body(beat(1, *DISARMED))))
        bench.control.send(b"nonsense")
        said: list[dict[str, Any]] = []

        def say(content: dict[str, Any]) -> None:
            said.append(dict(content))
            if "fault" in content:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(process, "say", say)
        assert bench.main(monkeypatch) == HAS_STOPPED
        assert other.wait(5.0) == -signal.SIGKILL
    _, found, last = said
    assert (found["fault"], last["fault"], last["ended"]) == (Fault.TOKEN, Fault.TOKEN, True)


@pytest.mark.parametrize(
    ("latch", "words"),
    [
        (Latch(Left.LIVE), "LATCHED: the last run ended with motors that may have been on"),
        (
            Latch(Left.STOPPED, Fault.SILENT),
            "LATCHED: the guardian has stopped the last run (the control process is silent)",
        ),
    ],
)
def test_what_an_earlier_run_left_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, latch: Latch, words: str
) -> None:
    file = LatchFile(Path(bench.latches[0]))
    file.write(latch)
    file.close()
    bench.control.close()
    bench.main(monkeypatch)
    assert bench.said()[0]["lines"][-1] == words


def test_a_bus_that_cannot_be_opened_is_said_and_nothing_begins(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (gone,) = bench.setup.stops.buses
    os.close(bench.setup.socket)
    bench.setup = replace(bench.setup, stops=StopFrames((replace(gone, where="/nowhere"),)))
    assert bench.main(monkeypatch) == CANNOT_BEGIN
    (said,) = bench.said()
    assert said["ready"] is False
    assert "the guardian cannot open leg: /nowhere" in said["lines"][0]


def test_it_is_run_as_a_module(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.control.close()
    monkeypatch.delitem(sys.modules, "supervisor.guardian.process")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pickle.dumps(bench.setup))))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: bench.writer))
    with pytest.raises(SystemExit) as end:
        runpy.run_module("supervisor.guardian.process", run_name="__main__")
    assert end.value.code == 0


def test_nobody_listening_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: writer))
    process.say({"ready": True})
    os.close(writer)


def test_what_is_guarded_is_said_with_what_is_sent() -> None:
    leg = BusStop("leg", "socketcan", "can0", False, 0.005, ((b"",),), ((b"",),))
    arm = BusStop("arm", "line", "/dev/ttyUSB0", False, 0.005, ((b"",),))
    assert guarded_lines(StopFrames((leg, arm), {"tail": "it is too long"})) == [
        "guards leg (socketcan can0): DAMP, then CUT",
        "guards arm (line /dev/ttyUSB0): CUT",
    ]


def test_what_is_not_guarded_is_said_to_a_person_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = replace(bench.setup.stops, unguarded={"tail": "it is too long"}, undamped={"unitree": "it is too proud"})
    bench.setup = replace(bench.setup, stops=stops)
    bench.control.close()
    assert bench.main(monkeypatch) == 0
    ready, *told, _ = bench.said()
    words = ["does NOT guard tail: it is too long", "cuts unitree where it would damp: it is too proud"]
    assert ready["lines"][1:3] == words
    assert told == [{"shown": f"guardian: {line}"} for line in words]


def test_a_farewell_is_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pidfd = os.pidfd_open(os.getpid())
    socket.send_fds(bench.control, [sealed(TOKENS, hello_body(()))], [pidfd])
    os.close(pidfd)
    bench.control.send(sealed(TOKENS, beat_body(beat(1, *DISARMED))))
    bench.control.send(sealed(TOKENS, beat_body(beat(2, *DISARMED, kind=Kind.FAREWELL))))
    assert bench.main(monkeypatch) == 0
    assert bench.said()[-1]["beats"] == 2


def test_it_loads_nothing_but_pythons_own_and_the_core() -> None:
    code = "import supervisor.guardian.process, sys; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign = ("numpy", "can", "serial", "drivers", "pydantic", "yaml", "mujoco")
    assert [name for name in foreign if f"'{name}'" in done.stdout] == []


def test_what_it_asks_of_the_system_is_what_it_was_told_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, bool]] = []

    def take(priority: int, *, locks_memory: bool) -> list[str]:
        asked.append((priority, locks_memory))
        return ["taken"]

    monkeypatch.setattr(process, "take", take)
    bench.setup = replace(bench.setup, priority=61, locks_memory=True)
    bench.control.close()
    bench.main(monkeypatch)
    assert asked == [(61, True)]
    assert bench.said()[0]["lines"][-1] == "taken"


def test_nobody_who_reads_too_slowly_holds_it_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.control.close()
    bench.main(monkeypatch)
    assert os.get_blocking(bench.writer) is False


def test_an_output_that_is_closed_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "output").open("w") as output:
        pass
    monkeypatch.setattr(sys, "stdout", output)
    process.say({"ready": True})
