"""A status tells what a person at the robot wants to know, from what the processes have published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.null_buses import NullBuses
from drivers.robot_io import RobotIO
from supervisor.core.exchange import MissionOutput, Snapshot, Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.ports import Prompt
from supervisor.core.robot_file import load_robot
from supervisor.core.velocity import Velocity, VelocityAsk
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.runtime.control import ControlCore
from supervisor.runtime.inputs.status import run_status
from supervisor.runtime.inputs.status_text import status_lines
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.shared.memory import Health, RunMemory

PUP = load_robot(Path(__file__).resolve().parents[3] / "config" / "robots" / "pup")
STOP = Stop(Level.DAMP, "tilt", 0.83, 0.7, "rad", 12.0, 11.9, "ramp_50", ("fl_hip",), ("imu_age",))
PROMPT = Prompt("k", "Arm: the motors switch on.", OperatorAction.ARM)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[RunMemory]:
    made = RunMemory(tmp_path, PUP.config, PUP.safety, create=True)
    made.control.write(Health(9.998, True, 0))
    made.mission.write(Health(9.98, True, 0))
    made.output.write(made.codec.encode(MissionOutput(1, 9.98, stage="ramp_50")))
    yield made
    made.close()


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """A real one, of the shipped robot at rest."""
    recorder = CycleRecorder(
        tmp_path / "cycles.bin", RecordLayout.of(PUP.config.order, PUP.safety.guards), "pup", PUP.config.control_hz
    )
    core = ControlCore(PUP.config, PUP.safety, RobotIO(PUP.config, NullBuses()), MemoryLink(), recorder)
    made = core.step(9.999)
    recorder.close()
    return made


def test_before_the_first_snapshot_there_is_little_to_tell(memory: RunMemory) -> None:
    status = run_status(memory, None, None, 10.0)
    assert status["arming"] is None
    assert status_lines(status) == ["the control loop has said nothing yet"]


def test_everything_can_be_sent_and_read(memory: RunMemory, snapshot: Snapshot) -> None:
    stopped = replace(snapshot, arming=ArmingState.STOPPED, level=Level.DAMP, stop=STOP, refusals=("tilt", "imu"))
    status = json.loads(json.dumps(run_status(memory, stopped, PROMPT, 10.0), allow_nan=False))
    assert (status["arming"], status["level"], status["stage"]) == ("stopped", "DAMP", "ramp_50")
    assert status["stop"] == {
        "level": "DAMP",
        "guard": "tilt",
        "measured": 0.83,
        "limit": 0.7,
        "unit": "rad",
        "stage": "ramp_50",
        "joints": ["fl_hip"],
        "further": ["imu_age"],
        "planned": False,
    }
    assert status["ages_s"] == {"control": 0.002, "mission": 0.02, "recorder": None, "guardian": None}
    assert status["snapshot_age_s"] == 0.001
    assert set(status["buses"]) == set(PUP.config.buses)
    assert "motor_age" in status["tripped"]
    text = "\n".join(status_lines(status))
    for words in (
        "stopped, level DAMP",
        "ramp_50",
        "Arm: the motors switch on. (answer: handrail arm)",
        "DAMP by tilt at fl_hip: 0.83 of 0.7 rad",
        "then imu_age",
        "refused   tilt",
        "bus       can0: 0 received",
        "control 0.002 s, mission 0.02 s",
    ):
        assert words in text


def test_while_a_person_steers_it_says_what_the_policy_is_told(memory: RunMemory, snapshot: Snapshot) -> None:
    def line() -> str:
        status = json.loads(json.dumps(run_status(memory, snapshot, None, 10.0), allow_nan=False))
        return next((line for line in status_lines(status) if line.startswith("steering")), "")

    assert line() == ""
    memory.steered.write(VelocityAsk(Velocity(0.3), 9.9, "gamepad"))
    assert line() == "steering  told forward 0.30 m/s, left 0.00 m/s, yaw 0.00 rad/s by gamepad"
    memory.steered.write(VelocityAsk(Velocity(), 9.9, "gamepad", "the deadman is not held"))
    assert line().endswith("yaw 0.00 rad/s (the deadman is not held)")
    memory.steered.write(VelocityAsk(Velocity(), 10.01))
    assert line().endswith("by nobody")
    memory.steered.write(VelocityAsk(Velocity(0.3), 9.0, "gamepad"))
    assert line() == ""


def test_a_stop_that_somebody_asked_for_has_no_numbers(memory: RunMemory, snapshot: Snapshot) -> None:
    asked = Stop(Level.SETTLE, "operator", float("nan"), float("nan"), "", 1.0, 1.0, "stand")
    status = run_status(memory, replace(snapshot, stop=asked, is_at_rest=True), None, 10.0)
    text = "\n".join(status_lines(status))
    assert "stop      SETTLE by operator\n" in text
    assert "motors off" in text
    assert "question" not in text
