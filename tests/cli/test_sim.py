"""The command sim, and the other commands on the robot that it serves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, invoke, refused
from tests.drivers.sim.plants import short_folder

COMMANDS = [("scan", "pup"), ("monitor", "pup"), ("zero", "pup", "fl_hip"), ("configure", "pup")]


@pytest.mark.parametrize("command", COMMANDS)
def test_live_and_a_served_robot_exclude_each_other(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "exclude each other" in refused(*command, "--live", "--at", str(tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_robot_that_nobody_serves_is_refused_with_what_to_do(command: tuple[str, ...], tmp_path: Path) -> None:
    said = refused(*command, "--at", str(tmp_path / "none"), code=10)
    assert "no simulated robot is served at" in said
    assert "start one: handrail sim ROBOT --dir" in said


def test_a_bus_is_not_looked_for_on_a_served_robot(tmp_path: Path) -> None:
    assert "a robot, not a bus" in refused("scan", "can0", "--make", "damiao", "--at", str(tmp_path))


def test_a_served_robot_can_be_watched_by_another_command() -> None:
    with short_folder() as folder:
        place = str(folder / "pup")
        command = [sys.executable, "-m", "supervisor.cli", "sim", "pup", "--dir", place, "--seed", "1"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(11)]
            assert f"  handrail monitor pup --at {place}\n" in said
            result = invoke("monitor", "pup", "--at", place, "--seconds", "0.3", "--json")
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
        assert process.returncode == 0
        assert rest.startswith("simulated ")
        view = json.loads(result.stdout.splitlines()[-1])
        assert [joint["status"] for joint in view["joints"]] == ["disabled"] * 12
        assert list(folder.iterdir()) == []
