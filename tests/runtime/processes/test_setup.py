from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.shared.slot import Slot
from supervisor.runtime.processes.setup import ALONE_S, Child, Orphanage, Shared, say_ready
from supervisor.runtime.realtime.scheduling import Effect
from supervisor.runtime.shared.memory import SMALL_BYTES, Health, HealthSlot
from tests.safety.bench import ROBOT, SAFETY

STARTER, INIT = 4711, 1


@pytest.fixture
def control() -> HealthSlot:
    return HealthSlot(Slot(memoryview(bytearray(Slot.size(SMALL_BYTES))), SMALL_BYTES))


def test_what_the_system_refused_is_shown_to_a_person_too(capsys: pytest.CaptureFixture[str]) -> None:
    met, unmet = (
        Effect("memory locked", "locked", is_met=True),
        Effect("core 7", "none", is_met=False, advice="buy one"),
    )
    say_ready("control", [met, unmet], ["last time it fell"])
    ready, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready == {"ready": True, "lines": ["last time it fell", "memory locked: locked", "core 7: none; buy one"]}
    assert refused == {"shown": "control: core 7: none; buy one"}


@pytest.mark.parametrize(("asked", "given"), [(None, "1"), ("3", "3")])
def test_a_process_has_one_thread_of_blas_unless_it_is_told_otherwise(
    asked: str | None, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", asked)
    started: list[dict[str, str]] = []
    really = subprocess.Popen

    def note(*arguments: Any, **more: Any) -> Any:
        started.append(more["env"])
        return really(*arguments, **more)

    monkeypatch.setattr(subprocess, "Popen", note)
    Child("nobody", "this", None).wait(5.0)
    assert [env["OPENBLAS_NUM_THREADS"] for env in started] == [given]
    assert {**started[0], "OPENBLAS_NUM_THREADS": ""} == {**os.environ, "OPENBLAS_NUM_THREADS": ""}


def test_who_makes_the_setup_is_who_starts_the_others() -> None:
    assert Shared(ROBOT, SAFETY, Path(), Path()).starter == os.getpid()


@pytest.mark.parametrize(
    ("parent", "spoke_s", "now_s", "is_alone"),
    [
        (STARTER, None, 1000.0, False),
        (STARTER, 100.0, 1000.0, False),
        (INIT, None, 100.0 + ALONE_S, False),
        (INIT, None, 100.1 + ALONE_S, True),
        (INIT, 150.0, 150.0 + ALONE_S, False),
        (INIT, 150.0, 150.1 + ALONE_S, True),
    ],
)
def test_a_process_is_alone_when_its_starter_has_died_and_control_is_silent(
    control: HealthSlot, parent: int, spoke_s: float | None, now_s: float, is_alone: bool
) -> None:
    times = iter((100.0, now_s))
    orphanage = Orphanage(control, STARTER, lambda: next(times, now_s), lambda: parent)
    if spoke_s is not None:
        control.write(Health(spoke_s, True, 0))
    assert orphanage.is_alone is is_alone
