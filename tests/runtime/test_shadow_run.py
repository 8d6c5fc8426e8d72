"""A shadow of a simulated run: it judges all of it, and not one frame of it is its own."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.sim.tap import TappedBuses
from supervisor.core.levels import ArmingState, Level
from supervisor.core.safety import SafetyConfig
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.row import ARMING_NUMBER
from supervisor.runtime import shadow_run
from supervisor.runtime.app import run_mission
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.replay import Replayed, replay_run
from supervisor.runtime.shadow_port import ShadowPort, shadow_safety
from tests.acceptance.running import part_of_deployment

STAGES = ("preflight", "stand")


class Watched:
    """Runs shadows, and keeps what a second computer on the buses could have said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taps: list[TappedBuses] = []
        self._folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(shadow_run, "TappedBuses", self._tap)

    def _tap(self, buses: Any) -> TappedBuses:
        self.taps.append(TappedBuses(buses))
        return self.taps[-1]

    def run(self, *stages: str, **rows: dict[str, Any]) -> RunResult:
        """A shadow whose safety file has some rows changed; the robot is driven with the shipped one."""

        def changed(safety: SafetyConfig) -> SafetyConfig:
            guards = tuple(replace(row, **rows.get(row.id, {})) for row in safety.guards)
            return shadow_safety(replace(safety, guards=guards))

        self._monkeypatch.setattr(shadow_run, "shadow_safety", changed)
        mission = part_of_deployment(self._folder, stages or STAGES)
        options = RunOptions("pup", "pup_walk", str(mission), fast=True, shadow=True, runs=self._folder / "runs")
        return run_mission(options, SilentProgress())

    @property
    def said(self) -> list[Any]:
        """Every frame and byte of the shadow's."""
        (tap,) = self.taps
        return [*(bus.sent for bus in tap.second_cans.values()), *(bus.sent for bus in tap.second_serials.values())]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(tmp_path, monkeypatch)


def would_have(result: RunResult) -> dict[str, Any]:
    return json.loads((result.folder / "would_have.json").read_text())


def record(result: RunResult) -> CycleRecord:
    return read_record(result.folder / "cycles.bin")


def test_the_shadow_of_a_sound_run_would_have_done_the_same_and_says_nothing(watched: Watched) -> None:
    result = watched.run()
    assert (result.exit_code, result.summary["outcome"], result.summary["mode"]) == (0, "completed", "dry_run")
    assert watched.said == [[], [], [], [], b""]
    assert {bus["sent"] for bus in result.summary["buses"].values()} == {0}
    found = would_have(result)
    assert (found["stops"], found["nuisance_stops_per_hour"]) == (0, 0.0)
    assert found["running_s"] > 1.5
    assert replay_run(result.folder) == Replayed(len(record(result)), len(record(result)), None, "")
    assert found["cycles_by_drive"]["command"] > 750
    assert {stage["name"] for stage in result.summary["stages"]} == set(STAGES)
    assert "Nothing was commanded" in (result.folder / "report.txt").read_text()


def test_every_stop_that_would_have_been_is_told_and_the_judging_goes_on(watched: Watched) -> None:
    # A row that no robot can move under.
    result = watched.run(joint_velocity={"limit": 0.02, "hysteresis": 0.0, "level": Level.CUT})
    assert (result.exit_code, result.summary["outcome"]) == (20, "guard_stop")
    assert result.summary["stop"]["guard"] == "joint_velocity"
    assert result.summary["stop"]["level"] == "CUT"
    found = would_have(result)
    assert found["stops"] == 2
    assert found["trips"][0]["guard"] == "joint_velocity"
    assert found["nuisance_stops_per_hour"] == pytest.approx(2.0 / (found["powered_s"] / 3600.0))
    assert watched.said == [[], [], [], [], b""]
    # What a signature predicts are the answers to our own moves.
    assert not any("signature_distance" in cause["evidence"] for cause in result.summary["diagnosis"])
    # Another mission climbs from the beginning.
    assert [stage["name"] for stage in result.summary["stages"]].count("preflight") == 2


def test_a_hold_that_would_have_been_is_reset_and_started_again(watched: Watched) -> None:
    result = watched.run(joint_velocity={"limit": 0.02, "hysteresis": 0.0, "level": Level.HOLD})
    assert (result.summary["stop"]["guard"], result.summary["stop"]["level"]) == ("joint_velocity", "HOLD")
    assert watched.said == [[], [], [], [], b""]
    arming = record(result).column("arming")
    stopped = int((arming == ARMING_NUMBER[ArmingState.STOPPED]).argmax())
    assert (arming[stopped:] == ARMING_NUMBER[ArmingState.RUNNING]).any()


def test_a_shadow_that_could_never_be_armed_says_why(watched: Watched) -> None:
    result = watched.run("preflight", motor_temperature={"limit": 1.0, "hysteresis": 0.0})
    assert result.summary["outcome"] == "refused"
    assert would_have(result)["powered_s"] == 0.0
    assert watched.said == [[], [], [], [], b""]


def test_a_shadow_that_breaks_closes_its_record(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object, actuation: object, now_s: float) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(ShadowPort, "write", broken)
    # A library that sets up logging in another test turns off every logger that it does not know.
    monkeypatch.setattr(logging.getLogger("supervisor.runtime.shadow_run"), "disabled", False)
    result = watched.run("preflight")
    assert (result.exit_code, result.summary["outcome"]) == (70, "error")
    assert "the shadow broke" in caplog.text
    assert len(record(result)) == 0
