"""Faults of processes, in real time: what is done to a run, and what came of it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import can
import yaml

from benchmarks.faults.aftermath import ALONE_AT_MOST_S, SILENT_AT_MOST_S, Aftermath, judge
from benchmarks.faults.victim import Victim
from drivers.can.datagram import DatagramBus
from drivers.sim.served_folder import bus_folder
from supervisor.core.robot_file import load_robot
from supervisor.runtime.locate import find_mission, find_robot
from supervisor.runtime.processes.plant import PlantSetup
from supervisor.runtime.processes.setup import Child

PROCESSES: Final = ("mission", "control", "recorder", "guardian")

BOTH: Final = "control and guardian killed"
"""Nobody but the motors is left to stop the robot."""

STOPPED_S: Final = 4.0
"""A process that was stopped goes on after this long: what it does then matters too."""

AFTER_S: Final = {"stand": 2.5, "rollout": 4.0}
"""When a fault begins, after its stage began."""

END_S: Final = 60.0

POLLS: Final = 100
POLL_S: Final = 0.005


def _stall(names: tuple[str, ...], for_s: float) -> Callable[[Victim], None]:
    def deed(victim: Victim) -> None:
        for name in names:
            victim.send(name, signal.SIGSTOP)
        time.sleep(for_s)
        for name in names:
            victim.send(name, signal.SIGCONT)

    return deed


def _send(names: tuple[str, ...], number: signal.Signals) -> Callable[[Victim], None]:
    def deed(victim: Victim) -> None:
        for name in names:
            victim.send(name, number)

    return deed


def _restart_plant(victim: Victim) -> None:
    victim.send("plant", signal.SIGKILL)
    time.sleep(0.5)
    plant = Child(
        "plant", "supervisor.runtime.processes.plant", PlantSetup(load_robot(find_robot("pup")), victim.plant_folder)
    )
    plant.wait_ready(20.0)
    time.sleep(5.0)
    plant.end()
    plant.wait(5.0)


def _fill_disk(victim: Victim) -> None:
    size = (victim.run_folder / "cycles.bin").stat().st_size
    resource.prlimit(victim.pids["recorder"], resource.RLIMIT_FSIZE, (size, size))


def _kill_both(victim: Victim) -> None:
    """Nobody is left to command: the motors are asked, by another participant, whether they have let go."""
    robot = load_robot(find_robot("pup")).config
    wired = sorted({joint.motor.bus for joint in robot.joints.values()})
    buses = {name: DatagramBus(bus_folder(victim.plant_folder, name)) for name in wired}
    victim.mark()
    _send(("guardian", "control"), signal.SIGKILL)(victim)
    for _ in range(POLLS):
        for joint in robot.joints.values():
            data = bytes((joint.motor.id, 0, 0xCC, 0, 0, 0, 0, 0))
            with contextlib.suppress(can.CanError):
                buses[joint.motor.bus].send(can.Message(arbitration_id=0x7FF, data=data, is_extended_id=False))
        time.sleep(POLL_S)
    for bus in buses.values():
        bus.shutdown()


FAULTS: Final[dict[str, Callable[[Victim], None]]] = {
    **{f"{name} killed": _send((name,), signal.SIGKILL) for name in PROCESSES},
    **{f"{name} stopped for {STOPPED_S:g} s": _stall((name,), STOPPED_S) for name in PROCESSES},
    **{f"{name} stalled for {ms} ms": _stall((name,), ms / 1000) for name in PROCESSES for ms in (50, 500)},
    **{f"{name} busy in C for 1 s": _send((name,), signal.SIGUSR1) for name in PROCESSES},
    BOTH: _kill_both,
    "plant killed and started again": _restart_plant,
    "launcher killed": _send(("launcher",), signal.SIGKILL),
    "terminal closed": Victim.close_terminal,
    "disk full": _fill_disk,
    "Ctrl-C": _send(("launcher",), signal.SIGINT),
}
"""What is done, by its name in the table. No clock is stepped: it is the machine's, and others live by it; one step of
the interpreter's alone would part it from the stamps of the kernel. In lockstep it is tried (`clock_step`)."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One fault that was tried.

    Attributes:
        name: In `FAULTS`.
        aftermath: What came of it; None where the run never got there.
        remark: Why not, or what a person should know.
        load: Processes that wanted a core on the machine, a minute's mean.
    """

    name: str
    aftermath: Aftermath | None
    remark: str
    load: float


def write_mission(folder: Path, during: str) -> Path:
    """The default mission as far as a stage, and over few others; accepted whatever a slow machine makes of them."""
    content = yaml.safe_load(find_mission("deployment").read_text(encoding="utf-8"))
    names = ("preflight", "stand") if during == "stand" else ("preflight", "stand", "ramp_100", "rollout")
    content["stages"] = [stage for stage in content["stages"] if stage["name"] in names]
    for stage in content["stages"]:
        stage["timeout_s"] = 60.0
        stage["accept"] = [row for row in stage["accept"] if row["metric"] == "devices_ok_fraction"] or stage["accept"][
            :1
        ]
    if during == "stand":
        content["stages"][-1]["duration"] = {"minimum_s": 20.0, "maximum_s": 20.0}
    path = folder / "mission.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def try_faults(names: Sequence[str], robot: str, during: str, tries: int) -> Iterator[Tried]:
    """Try faults one after the other, and each so often; runs that never got so far are tried once more."""
    for name in names:
        for _ in range(tries):
            tried = try_fault(name, robot, during)
            yield tried if tried.aftermath is not None else try_fault(name, robot, during)


def try_fault(name: str, robot: str, during: str) -> Tried:
    """Start a run, do it, wait for the end, and judge."""
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        folder = Path(place)
        try:
            with Victim(folder, robot, write_mission(folder, during)) as victim:
                victim.find()
                victim.wait_for(f"stage {during} began", 90.0)
                due_s = time.monotonic() + AFTER_S[during]
                while time.monotonic() < due_s:
                    victim.look()
                    time.sleep(0.02)
                victim.must_be_well()
                victim.mark()
                FAULTS[name](victim)
                left = victim.wait_end(END_S)
                aftermath = judge(victim, left, ALONE_AT_MOST_S if name == BOTH else SILENT_AT_MOST_S)
                return Tried(name, aftermath, victim.told, os.getloadavg()[0])
        except (TimeoutError, StopIteration) as error:
            return Tried(name, None, f"{type(error).__name__}: {error}"[-1500:], os.getloadavg()[0])
