"""`--shadow` and `--dry-run` in processes, on buses on which somebody notes who says what."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.can.damiao.tables import BROADCAST_ID
from drivers.can.frame_layout import unpack_message
from drivers.hardware import HardwareBuses
from drivers.robot_io import RobotIO
from drivers.sim.served import ServedCounters
from drivers.sim.served_folder import BUSES
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import Vector, frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot_file import load_robot
from supervisor.runtime.app import run_mission
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.processes.plant import PlantSetup
from supervisor.runtime.processes.setup import Child
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.served_robot import served_config
from tests.runtime.processes.patient import patient_robot, stages
from tests.runtime.processes.test_run import assert_whole

SPEED_FRACTION = 0.06
"""Limit of the guard on joint speeds here, 1.1 rad/s: the driver below stays far below until it is told to swing."""

SWING_RAD, SWING_HZ = 0.8, 1.0
"""2.5 rad/s at most."""

PERIOD_S = 0.005


class Witness(threading.Thread):
    """Takes part in every CAN bus of a served robot, and notes which process has sent which frame."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.heard: dict[int, list[int]] = {}
        self.is_over = False
        self._sockets: list[socket.socket] = []
        for bus in sorted((folder / BUSES).iterdir()):
            own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            own.bind(str(bus / f"{os.getpid()}-witness.can"))
            self._sockets.append(own)

    def run(self) -> None:
        while not self.is_over:
            for ready in select.select(self._sockets, (), (), 0.05)[0]:
                self._note(ready)

    def _note(self, own: socket.socket) -> None:
        raw, ancillary, _, _ = own.recvmsg(72, socket.CMSG_SPACE(12))
        message = unpack_message(raw, 0.0)
        assert message is not None
        sender = int.from_bytes(ancillary[0][2][:4], "little")
        self.heard.setdefault(sender, []).append(message.arbitration_id)

    def close(self) -> None:
        self.is_over = True
        self.join()
        for own in self._sockets:
            own.close()


class Driver(threading.Thread):
    """Another program: holds every joint where it found it, and swings one leg while it is told to."""

    def __init__(self, robot: RobotIO) -> None:
        super().__init__(daemon=True)
        self._robot = robot
        self._zeros = frozen_vector([0.0] * len(robot.order))
        self.swings = self.is_over = False

    def run(self) -> None:
        stiff, damped = (frozen_vector([gain] * len(self._zeros)) for gain in (30.0, 1.0))
        self._make_patient()
        for _ in range(50):
            hold = self._say(Drive.ENABLE)
        swung_s = 0.0
        while not self.is_over:
            swung_s = swung_s + PERIOD_S if self.swings else 0.0
            target = hold.copy()
            target[1] += 0.5 * SWING_RAD * (1.0 - math.cos(2.0 * math.pi * SWING_HZ * swung_s))
            self._say(Drive.COMMAND, JointCommand(target, self._zeros, stiff, damped, self._zeros))
        for _ in range(10):
            self._say(Drive.DISABLE)
        self._robot.close()

    def _make_patient(self) -> None:
        """Motors that do not let go when this thread, on a busy machine, is late."""
        inventory = self._robot.inventory(time.monotonic())
        with suppress(StopIteration):
            while True:
                self._say(Drive.POLL)
                inventory.send(time.monotonic())

    def _say(self, drive: Drive, command: JointCommand | None = None) -> Vector:
        """One cycle; where the joints are."""
        self._robot.write(Actuation(drive, command or JointCommand(*[self._zeros] * 5), Level.NONE), time.monotonic())
        time.sleep(PERIOD_S)
        return self._robot.read(time.monotonic()).position_rad


class Script(SilentProgress):
    """Carries out one deed after the other, each when the run says a certain thing."""

    def __init__(self, *acts: tuple[str, Callable[[], None]]) -> None:
        self._acts = list(acts)
        self._lock = threading.Lock()
        self.lines: list[str] = []

    def message(self, now_s: float, text: str) -> None:
        with self._lock:
            self.lines.append(text)
            is_due = bool(self._acts) and self._acts[0][0] == text
            deed = self._acts.pop(0)[1] if is_due else None
        if deed is not None:
            deed()


class Served:
    """A robot that is simulated in another process, and who takes part in its buses."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.robot = patient_robot(folder)
        self.plant = place / "plant"
        self._folder = folder
        self._quicken()
        loaded = load_robot(self.robot)
        self._child = Child(
            "plant", "supervisor.runtime.processes.plant", PlantSetup(loaded, self.plant, fifo_priority=50)
        )
        self._child.wait_ready(30.0)
        self.witness = Witness(self.plant)
        self.witness.start()
        self._driver: Driver | None = None

    def _quicken(self) -> None:
        """A guard that trips when a leg is swung."""
        path = self.robot / "safety.yaml"
        safety = yaml.safe_load(path.read_text())
        (row,) = (row for row in safety["guards"] if row["id"] == "joint_velocity")
        row |= {"limit": SPEED_FRACTION, "hysteresis": 0.0, "level": "CUT"}
        path.write_text(yaml.safe_dump(safety, sort_keys=False))

    def drive(self) -> Driver:
        """Let another program drive the robot."""
        config = served_config(load_robot(self.robot).config, self.plant)
        self._driver = Driver(RobotIO(config, HardwareBuses()))
        self._driver.start()
        return self._driver

    def run(self, progress: Script, mode: str, *, shadow: bool) -> RunResult:
        mission = stages(self._folder, "preflight", "stand")
        options = RunOptions(
            str(self.robot), "pup_walk", str(mission), mode, shadow, at=self.plant, runs=self._folder / "runs"
        )
        return run_mission(options, progress)

    def close(self) -> ServedCounters:
        """What the simulated robot leaves; once."""
        if self._driver is not None:
            self._driver.is_over = True
            self._driver.join()
        self.witness.close()
        self._child.end()
        return self._child.wait(10.0)


@pytest.fixture
def served(tmp_path: Path, place: Path) -> Iterator[Served]:
    robot = Served(tmp_path, place)
    yield robot
    robot.close()


def would_have(result: RunResult) -> dict[str, Any]:
    return json.loads((result.folder / "would_have.json").read_text())


def test_a_shadow_says_nothing_judges_on_after_a_stop_and_ends_with_a_report_on_ctrl_c(
    served: Served, place: Path, children: dict[str, Child]
) -> None:
    driver = served.drive()
    progress = Script(
        ("as if: robot is running", lambda: setattr(driver, "swings", True)),
        ("as if: robot is stopped", lambda: setattr(driver, "swings", False)),
        ("as if: robot is running", lambda: os.kill(os.getpid(), signal.SIGINT)),
    )
    result = served.run(progress, "dry_run", shadow=True)
    assert driver.is_alive()
    assert (result.exit_code, result.summary["mode"]) == (40, "dry_run"), "\n".join(progress.lines)
    assert (result.summary["stop"]["guard"], result.summary["stop"]["level"]) == ("joint_velocity", "CUT")
    names = [stage["name"] for stage in result.summary["stages"]]
    # Where the machine stalls, a mission in between may be refused.
    assert names[:3] == ["preflight", "stand", "preflight"]
    assert names[-1] == "stand"
    found = would_have(result)
    assert found["stops"] >= 1
    assert found["trips"][0]["guard"] == "joint_velocity"
    assert found["cycles_by_drive"]["command"] > 0
    assert_whole(result)
    assert "a person ended it" in (result.folder / "report.txt").read_text()
    assert {bus["sent"] for bus in result.summary["buses"].values()} == {0}
    assert "guardian" not in children
    assert served.witness.heard.keys() & {child.pid for child in children.values()} == set()
    assert len(served.witness.heard[os.getpid()]) > 1000
    assert not (place / "handrail").exists()


def test_a_shadow_of_a_robot_that_nobody_drives_says_what_is_missing_and_nothing_on_any_bus(served: Served) -> None:
    began_s = time.monotonic()
    progress = Script()
    result = served.run(progress, "dry_run", shadow=True)
    assert (result.exit_code, result.summary["outcome"]) == (10, "refused"), progress.lines
    assert result.summary["diagnosis"] == []
    assert "start the program that drives it" in " ".join((result.folder / "report.txt").read_text().split())
    assert would_have(result)["powered_s"] == 0.0
    assert served.witness.heard == {}
    # Its serial line, too: what a host says there, nobody but the device hears.
    assert served.close().heard_s < began_s


def test_a_dry_run_asks_for_feedback_and_for_nothing_else(served: Served, children: dict[str, Child]) -> None:
    progress = Script()
    result = served.run(progress, "dry_run", shadow=False)
    assert (result.exit_code, result.summary["outcome"]) == (0, "completed"), progress.lines
    assert would_have(result)["cycles_by_drive"]["command"] > 0
    asked = served.witness.heard[children["control"].pid]
    assert set(asked) == {BROADCAST_ID}
    assert len(asked) > 1000
    assert "guardian" not in children
    assert_whole(result)
