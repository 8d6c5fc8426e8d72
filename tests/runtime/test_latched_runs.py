"""Runs of one robot, one after the other: what stopped the first one stands at the beginning of the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.core.levels import ArmingState
from supervisor.runtime import app
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.progress import SilentProgress
from supervisor.safety.latch_file import FileMemory, read
from supervisor.safety.latch_format import Clocks
from supervisor.safety.restart import Kept
from tests.cli.test_commands import QUICK_MISSION

CLOCKS = Clocks(lambda: 0.0)
FAULT = """schema: 1
faults:
  - {kind: imu_lost, at: {stage: preflight, after_s: 0.9}, for_s: 1.0}
"""


class Robot:
    """A simulated robot whose runs share a state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mission, self.fault = folder / "quick.yaml", folder / "fault.yaml"
        self.mission.write_text(QUICK_MISSION.replace("LIMIT", "1.0"))
        self.fault.write_text(FAULT)
        self.latch = folder / "state" / "pup" / "latch.bin"

    def run(self, fault: Path | None = None) -> tuple[RunResult, list[str]]:
        options = RunOptions(
            "pup", "pup_walk", str(self.mission), fast=True, fault=fault, runs=self.folder / "runs",
            state=self.folder / "state",
        )  # fmt: skip
        result = app.run_mission(options, SilentProgress())
        lines = (result.folder / "events.jsonl").read_text().splitlines()
        return result, [event["text"] for event in map(json.loads, lines)]

    def left(self) -> Kept | None:
        return read(self.latch, "pup", CLOCKS).kept


@pytest.fixture
def robot(tmp_path: Path) -> Robot:
    return Robot(tmp_path)


def place(texts: list[str], part: str) -> int:
    """Where an event that contains `part` stands."""
    return next(index for index, text in enumerate(texts) if part in text)


def test_a_trip_stands_at_the_beginning_of_the_next_run_until_it_is_reset(robot: Robot) -> None:
    result, _ = robot.run(robot.fault)
    assert result.exit_code != 0
    assert (robot.left().arming, robot.left().stop.guard) == (ArmingState.STOPPED, "imu_age")
    result, texts = robot.run()
    assert result.exit_code == 0
    inherited = place(texts, "because of imu_age 0.04 of 0.04 s, from before this run")
    assert place(texts, "robot is stopped") < inherited < place(texts, "stopped by imu_age")
    assert place(texts, "stopped by imu_age") < place(texts, "robot is disarmed") < place(texts, "preflight began")
    assert robot.left().stop is None
    _, texts = robot.run()
    assert not [text for text in texts if "stopped" in text]


def test_the_third_trip_of_one_cause_is_terminal_over_several_runs(robot: Robot) -> None:
    levels = []
    for _ in range(3):
        result, _ = robot.run(robot.fault)
        levels.append(result.summary["stop"]["level"])
    assert levels == ["SETTLE", "SETTLE", "TERMINAL"]


def test_a_run_that_ended_under_power_stands_at_the_beginning_of_the_next(robot: Robot) -> None:
    dead = FileMemory(robot.latch, "pup", CLOCKS)
    dead.store(Kept(ArmingState.RUNNING))
    dead.close()
    result, texts = robot.run()
    assert result.exit_code == 0
    assert place(texts, "CUT because of unfinished_run, from before this run") < place(texts, "robot is disarmed")


def test_a_damaged_file_stops_the_next_run_and_says_why(robot: Robot) -> None:
    robot.run()
    raw = bytearray(robot.latch.read_bytes())
    raw[30] ^= 1
    robot.latch.write_bytes(raw)
    result, texts = robot.run()
    assert result.exit_code == 0
    assert place(texts, "torn, or changed by somebody else") < place(texts, "CUT because of state_file")
    assert not [text for text in robot.run()[1] if "state_file" in text]


def test_a_run_in_the_simulation_keeps_nothing_unless_it_is_asked_to(robot: Robot) -> None:
    options = RunOptions("pup", "pup_walk", str(robot.mission), fast=True, runs=robot.folder / "runs")
    app.run_mission(options, SilentProgress())
    assert not robot.latch.exists()
    assert [path.name for path in (robot.folder / "runs").iterdir() if path.name.startswith(".")] == []
