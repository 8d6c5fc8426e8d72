"""`--live`: the same run on buses that somebody else serves, with a person who answers on another terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from drivers.plant_memory import PlantMemory
from supervisor.core.levels import Support
from supervisor.core.robot_file import load_robot
from supervisor.evidence.events import read_events
from supervisor.runtime.app import run_mission
from supervisor.runtime.options import RunOptions
from supervisor.runtime.processes.launcher import Launcher
from supervisor.runtime.processes.plant import PlantSetup
from supervisor.runtime.processes.setup import Child
from supervisor.runtime.served_robot import served_config
from tests.runtime.processes.patient import patient_robot, stages
from tests.runtime.processes.test_run import Culprit


@pytest.fixture
def served(tmp_path: Path, place: Path) -> Iterator[Path]:
    """A robot file whose buses lead to a simulated robot in another process, as cables would lead to a real one."""
    folder = patient_robot(tmp_path)
    robot = load_robot(folder)
    plant = Child("plant", "supervisor.runtime.processes.plant", PlantSetup(robot, place / "plant"))
    try:
        plant.wait_ready(30.0)
        content = yaml.safe_load((folder / "robot.yaml").read_text())
        for name, bus in served_config(robot.config, place / "plant").buses.items():
            if bus.kind == "can":
                content["buses"][name] |= {"interface": bus.interface, "channel": bus.channel}
            else:
                content["buses"][name]["port"] = bus.port
        content["estimator"] = "none"
        (folder / "robot.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        yield folder
    finally:
        plant.end()
        plant.wait(10.0)


class Person(threading.Thread):
    """Does what is asked: lifts the robot, then presses. Sees only what a person sees."""

    def __init__(self, launcher: Launcher, plant: Path) -> None:
        super().__init__(daemon=True)
        self.launcher, self.plant = launcher, plant
        self.is_over = False
        self.pressed: list[str] = []

    def run(self) -> None:
        hoist = PlantMemory(self.plant, create=False)
        while not self.is_over:
            time.sleep(0.05)
            prompt = self.launcher._desk.prompt
            if prompt is None or (self.pressed and self.pressed[-1] == prompt.key):
                continue
            hoist.set_support(prompt.support or Support.GANTRY)
            while not hoist.support_reached and not self.is_over:
                time.sleep(0.02)
            self.pressed.append(prompt.key)
            self.launcher._inputs.presses.press(prompt.action, "test", time.monotonic())


def test_a_live_run_asks_a_person_and_goes_on_when_answered(
    served: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: list[Person] = []
    watch = Launcher._watch

    def accompanied(self: Launcher, ended: object) -> None:
        people.append(Person(self, place / "plant"))
        people[0].start()
        watch(self, ended)  # type: ignore[arg-type]

    monkeypatch.setattr(Launcher, "_watch", accompanied)
    options = RunOptions(
        str(served), "pup_walk", str(stages(tmp_path, "preflight", "stand")), mode="live", runs=tmp_path / "runs"
    )
    progress = Culprit("", lambda: None)
    result = run_mission(options, progress)
    people[0].is_over = True
    assert result.summary["outcome"] == "completed", progress.lines
    assert result.summary["mode"] == "live"
    assert len(people[0].pressed) >= 3
    texts = [event.text for event in read_events(result.folder / "events.jsonl").events]
    assert any(text.startswith("confirm (test)") for text in texts), texts
    assert any(text.startswith("arm (test)") for text in texts), texts
