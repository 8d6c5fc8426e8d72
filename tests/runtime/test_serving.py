from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from supervisor.core.errors import ConfigError, SimulationError
from supervisor.runtime import serving
from supervisor.runtime.realtime.scheduling import Effect
from supervisor.runtime.serving import serve_robot
from tests.drivers.sim.plants import short_folder

FAULT = "schema: 1\nfaults:\n  - {{kind: {kind}, at: {{stage: {stage}}}}}\n"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    # For a process of its own: here it would be the end of garbage collection in every other test.
    monkeypatch.setattr(serving, "freeze_garbage", lambda: None)
    with short_folder() as path:
        yield path


def served_lines(place: Path | None, *, priority: int = 0) -> list[str]:
    """What the command prints when it is interrupted at once."""
    said: list[str] = []

    def echo(line: str) -> None:
        said.append(line)
        if "in another terminal" in line:
            os.kill(os.getpid(), signal.SIGINT)

    serve_robot("pup", echo, folder=place, fifo_priority=priority)
    return said


def test_it_says_where_the_buses_are_and_what_to_try_and_leaves_nothing(folder: Path) -> None:
    place = folder / "here"
    said = served_lines(place)
    text = "\n".join(said)
    assert f"can0  CAN, handrail_datagram  {place}/buses/can0" in text
    assert "imu0  serial                  /dev/pts/" in text
    assert f"  handrail scan pup --at {place}" in said
    assert f"  handrail monitor pup --at {place}" in said
    assert f"  handrail run pup --policy POLICY --at {place}" in said
    assert any(line.startswith(f"  handrail run pup --policy POLICY --shadow --at {place}") for line in said)
    assert said[-1].startswith("simulated 0.0 s; 0.000 s dropped")
    assert list(folder.iterdir()) == []


def test_without_a_folder_it_takes_the_usual_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert f"  handrail scan pup --at {folder}/handrail/pup" in served_lines(None)


def test_a_priority_is_asked_for_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "take_priority", lambda number: Effect(f"SCHED_FIFO {number}", "no", is_met=False))
    assert "SCHED_FIFO 7: no" in served_lines(folder / "here", priority=7)


@pytest.mark.parametrize(
    ("kind", "stage", "error", "says"),
    [
        ("policy_nan", "start", SimulationError, "policy_nan concern the policy: none runs here"),
        ("control_killed", "start", SimulationError, "control_killed concern the supervisor"),
        ("imu_lost", "stand", ConfigError, "one of start"),
    ],
)
def test_faults_that_could_never_happen_are_refused(
    kind: str, stage: str, error: type[Exception], says: str, folder: Path
) -> None:
    script = folder / "faults.yaml"
    script.write_text(FAULT.format(kind=kind, stage=stage))
    with pytest.raises(error, match=says):
        serve_robot("pup", print, folder=folder / "here", fault=script)
    assert [path.name for path in folder.iterdir()] == ["faults.yaml"]
