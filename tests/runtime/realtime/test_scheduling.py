"""Each request is tried in a process of its own: what it changes must not reach the other tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.core.robot import RealtimeConfig
from supervisor.runtime.realtime.scheduling import Effect, take_all

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_{}, (0, 0));"
UNPRIVILEGED = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
IMPORT = "from supervisor.runtime.realtime import scheduling;"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A program, run to its end."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def may_run_in_front() -> bool:
    """Whether this user gets SCHED_FIFO."""
    code = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return run(code).returncode == 0


def tell(code: str) -> str:
    """What a program prints."""
    ended = run(code)
    ended.check_returncode()
    return ended.stdout.strip()


def test_garbage_is_frozen_and_never_collected_again() -> None:
    told = tell(IMPORT + "import gc; scheduling.freeze_garbage(); print(gc.isenabled(), gc.get_freeze_count() > 1000)")
    assert told == "False True"


def test_a_core_that_is_not_there_is_refused_with_those_that_are() -> None:
    told = tell(IMPORT + "print(scheduling.take_core(4095))")
    assert told.startswith("core 4095: Invalid argument; take one of 0")


def test_a_core_that_is_there_is_taken() -> None:
    told = tell(
        IMPORT + "import os; core = min(os.sched_getaffinity(0));"
        "e = scheduling.take_core(core); print(e.is_met, os.sched_getaffinity(0) == {core})"
    )
    assert told == "True True"


@pytest.mark.parametrize(
    ("call", "asked", "advice"),
    [("take_priority(60)", "SCHED_FIFO 60: ", "ulimit -r 99"), ("lock_memory()", "memory locked: ", "ulimit -l")],
)
def test_what_is_refused_is_told_with_what_to_do(call: str, asked: str, advice: str) -> None:
    limits = LIMITED.format("RTPRIO") + LIMITED.format("MEMLOCK")
    told = tell(IMPORT + limits + UNPRIVILEGED + f"e = scheduling.{call}; print(e.is_met); print(e)")
    lines = told.splitlines()
    assert lines[0] == "False"
    assert lines[1].startswith(asked)
    assert advice in lines[1]


@pytest.mark.skipif(not may_run_in_front(), reason="SCHED_FIFO is not given here")
def test_who_runs_on_in_front_of_everything_is_ended() -> None:
    code = "e = scheduling.limit_turn(0.05); print(e, flush=True); scheduling.take_priority(1)\nwhile True: pass"
    ended = run(IMPORT + code)
    assert ended.returncode == -signal.SIGXCPU
    assert ended.stdout == "ended after 0.05 s without a pause: limited\n"


def test_a_priority_can_be_given_up() -> None:
    code = "import os; scheduling.take_priority(1); scheduling.give_up_priority(); print(os.sched_getscheduler(0))"
    assert tell(IMPORT + code) == "0"


def test_a_turn_that_cannot_be_limited_is_told() -> None:
    told = tell(IMPORT + LIMITED.format("RTTIME") + UNPRIVILEGED + "print(scheduling.limit_turn(0.05))")
    assert told.startswith("ended after 0.05 s without a pause: not allowed to raise")


def test_the_wish_to_stay_awake_is_held_until_the_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "latency"
    path.write_bytes(b"")
    told = tell(
        IMPORT + f"import os; scheduling.IDLE_LATENCY = {str(path)!r}; print(scheduling.keep_awake());"
        "print(sum(os.path.samefile(f'/proc/self/fd/{n}', scheduling.IDLE_LATENCY)"
        " for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')))"
    )
    assert told.splitlines() == ["processors kept awake: awake", "1"]
    assert path.read_bytes() == bytes(4)


@pytest.mark.parametrize("path", ["/dev/full", "/nowhere/latency"])
def test_a_wish_to_stay_awake_that_is_refused_is_told_and_leaves_nothing_open(path: str) -> None:
    told = tell(
        IMPORT + f"import os; scheduling.IDLE_LATENCY = {path!r}; n = len(os.listdir('/proc/self/fd'));"
        "e = scheduling.keep_awake(); print(e.is_met, len(os.listdir('/proc/self/fd')) - n, e)"
    )
    assert told.startswith("False 0 processors kept awake: No ")
    assert told.endswith(f"a udev rule that lets you write {path}; or keep_awake: false")


def test_only_what_was_configured_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def note(name: str):
        def ask(*values: float) -> Effect:
            asked.append(name)
            return Effect(name, name, is_met=True)

        return ask

    everything = ["freeze_garbage", "lock_memory", "take_priority", "limit_turn", "take_core", "keep_awake"]
    for name in everything:
        monkeypatch.setattr(f"supervisor.runtime.realtime.scheduling.{name}", note(name))
    take_all(RealtimeConfig(0, False, None, keep_awake=False))
    take_all(RealtimeConfig(60, True, 1))
    assert asked == ["freeze_garbage", *everything]
