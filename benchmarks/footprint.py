"""Memory of a supervisor without simulation, and how soon the command answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row
from drivers.bus import BusCounters, Frame
from drivers.robot_io import RobotIO
from supervisor.core.clock import VirtualClock
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventLog
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.runtime.control import ControlCore
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.preparation import prepare
from trees.context import MissionContext
from trees.missions.root import create_root

ROOT = Path(__file__).resolve().parent.parent
STARTS = 7
CYCLES = 500


class SilentCan:
    """A CAN bus with nobody on it."""

    def __init__(self) -> None:
        self.counters = BusCounters()

    def send(self, frames: Sequence[Frame]) -> int:
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        del now_s
        return []

    def close(self) -> None:
        pass


class SilentSerial:
    """A serial port with nobody on it."""

    def __init__(self) -> None:
        self.counters = BusCounters()

    def write(self, data: bytes) -> int:
        return len(data)

    def read(self, now_s: float) -> bytes:
        del now_s
        return b""

    def close(self) -> None:
        pass


class SilentBuses:
    """Opens buses with nobody on them."""

    def open_can(self, *_arguments: object) -> SilentCan:
        return SilentCan()

    def open_serial(self, *_arguments: object) -> SilentSerial:
        return SilentSerial()


class NoHoist:
    """A gantry that does nothing."""

    support_reached = True

    def set_support(self, support: object) -> None:
        del support


def supervise() -> None:
    """Run everything that supervises, without simulation, for some cycles; print its memory in megabytes."""
    folder = Path(tempfile.mkdtemp())
    clock = VirtualClock()
    prepared = prepare("pup", "pup_walk", "deployment", clock)
    config, safety = prepared.robot.config, prepared.robot.safety
    port = RobotIO(config, SilentBuses())
    link, log = MemoryLink(), EventLog(folder / "events.jsonl")
    recorder = CycleRecorder(folder / "cycles.bin", RecordLayout.of(config.order, safety.guards), "pup", 500.0)
    control = ControlCore(config, safety, port, link, recorder)
    operator = AutoOperator(link, NoHoist(), lambda *_arguments: None)
    judge = StageJudge(config, prepared.policy.command_names, prepared.signature)
    context = MissionContext(config, prepared.policy, judge, operator)
    mission = MissionCore(create_root(context, prepared.mission, safety), context, link)
    for _ in range(CYCLES):
        control.step(clock.now_s())
        mission.tick(clock.now_s())
        clock.advance(config.control_period_s)
    recorder.close()
    log.close()
    shutil.rmtree(folder)
    if "mujoco" in sys.modules:
        raise RuntimeError("MuJoCo was loaded: this is not the memory of a robot without it")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    print(int(line.split()[1]) / 1024.0)


def rows() -> Iterator[Row]:
    """Memory and start."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.footprint", "supervise"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    megabytes = float(run.stdout)
    yield Row("memory of the supervisor without simulation", f"{megabytes:.0f} MB", "≤ 150 MB", megabytes <= 150.0)
    durations = []
    for _ in range(STARTS):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "from supervisor.cli import main; main()", "--help"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        durations.append(time.perf_counter() - begin)
    median_s = float(np.median(durations))
    yield Row("`handrail --help`", f"{median_s:.2f} s", "≤ 0.35 s", median_s <= 0.35)


if __name__ == "__main__":
    if sys.argv[1:] == ["supervise"]:
        supervise()
    else:
        for row in rows():
            print(row.name, row.value, row.goal)
