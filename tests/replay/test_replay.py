"""What a run recorded, put through the safety core again, gives the same decisions bit for bit.

Two ways. The rows of the record hold everything that the guards of motors and inertial unit look at; what the other
guards measured is in the rows as well, and is played back. The whole core also needs presses, requests and whole
proposals, which rows do not hold: they are caught at its door while the run goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from drivers.null_buses import NullBuses
from drivers.robot_io import RobotIO
from supervisor.core.command import Drive, JointCommand
from supervisor.core.exchange import MissionOutput
from supervisor.core.joints import JointOrder
from supervisor.core.levels import ArmingState, GuardValue, OperatorAction
from supervisor.core.robot_file import load_robot
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.runtime import app, control
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.core import SafetyCore
from supervisor.safety.decision import Decision
from supervisor.safety.guards import GUARDS
from supervisor.safety.inputs import GuardInputs

ROOT = Path(__file__).resolve().parents[2]
PUP = load_robot(ROOT / "config" / "robots" / "pup")
STAGES = ("preflight", "stand", "zero_action")
FAULT = """schema: 1
faults:
  - {kind: imu_lost, at: {stage: zero_action, after_s: 1.0}, for_s: 0.5}
"""
FROM_STATE = (
    "motor_age", "imu_age", "motor_fault", "motor_disabled", "motor_temperature", "tilt", "base_angular_rate",
    "joint_velocity", "joint_position", "joint_torque", "tracking_error", "encoder_jump", "imu_norm", "imu_gravity",
    "imu_frozen", "imu_warning",
)  # fmt: skip
"""The guards whose every input is in the rows."""


@dataclass
class Caught:
    """What came to the core in one cycle, and what left it."""

    inputs: dict[str, Any]
    actions: tuple[OperatorAction, ...]
    output: MissionOutput | None
    now_s: float
    decision: Decision
    bits: tuple[object, ...]


KEPT = [field.name for field in fields(GuardInputs) if field.name not in ("joints", "period_s")]


class Tap(SafetyCore):
    """A safety core at whose door everything is written down."""

    caught: list[Caught]

    def step(
        self, inputs: GuardInputs, actions: Sequence[OperatorAction], output: MissionOutput | None, now_s: float
    ) -> Decision:
        before = {name: getattr(inputs, name) for name in KEPT} | {"state": copy.deepcopy(inputs.state)}
        kept_actions = tuple(actions)
        decision = super().step(inputs, actions, output, now_s)
        self.caught.append(Caught(before, kept_actions, output, now_s, decision, bits(decision)))
        return decision


@dataclass
class Run:
    caught: list[Caught]
    record: CycleRecord


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short mission that loses its inertial unit while it stands."""
    folder = tmp_path_factory.mktemp("replay")
    mission = yaml.safe_load((ROOT / "config" / "missions" / "deployment.yaml").read_text())
    mission["stages"] = [stage for stage in mission["stages"] if stage["name"] in STAGES]
    (folder / "mission.yaml").write_text(yaml.safe_dump(mission))
    (folder / "fault.yaml").write_text(FAULT)
    options = RunOptions(
        "pup", "pup_walk", str(folder / "mission.yaml"), fast=True, fault=folder / "fault.yaml", runs=folder,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        Tap.caught = []
        patch.setattr(control, "SafetyCore", Tap)
        result = app.run_mission(options, SilentProgress())
    return Run(Tap.caught, read_record(result.folder / "cycles.bin"))


def bits(decision: Decision) -> tuple[object, ...]:
    """A decision in a form in which NaN equals itself and nothing else is rounded."""
    command = decision.actuation.command
    vectors = tuple(getattr(command, name).tobytes() for name in JointCommand.__slots__)
    return (vectors, repr(replace(decision, actuation=replace(decision.actuation, command=None))))


def test_the_run_has_something_to_decide(run: Run) -> None:
    decisions = [caught.decision for caught in run.caught]
    assert {decision.arming for decision in decisions} == set(ArmingState)
    assert {Drive.ENABLE, Drive.COMMAND, Drive.DISABLE, Drive.POLL} <= {d.actuation.drive for d in decisions}
    assert {d.stop.guard for d in decisions if d.stop is not None and not d.stop.planned} == {"imu_age"}
    assert len(run.record) == len(decisions) > 2000


def test_the_whole_core_decides_the_same_again(run: Run) -> None:
    core = SafetyCore(PUP.config, PUP.safety, run_damping())
    inputs = core.inputs()
    for caught in run.caught:
        for name, value in caught.inputs.items():
            setattr(inputs, name, value)
        decision = core.step(inputs, caught.actions, caught.output, caught.now_s)
        assert bits(decision) == caught.bits, caught.now_s


def run_damping() -> np.ndarray:
    """What the motors of the run could be told."""
    return RobotIO(PUP.config, NullBuses()).damping_maximum_nm_s_per_rad


def test_the_record_holds_what_was_decided(run: Run) -> None:
    rows = run.record.rows
    drives, armings = run.record.numbers["Drive"], run.record.numbers["ArmingState"]
    for row, caught in zip(rows, run.caught, strict=True):
        decision = caught.decision
        assert drives[row["drive"]] == decision.actuation.drive.value
        assert armings[row["arming"]] == decision.arming.value
        assert row["level"] == decision.level
        assert row["command_position_rad"].tobytes() == decision.actuation.command.position_rad.tobytes()


def state_of(row: Any, order: JointOrder) -> RobotState:
    """The measurements of one row."""
    imu = ImuReading(
        row["orientation_base_in_world_wxyz"], row["angular_velocity_base_in_base_rad_per_s"],
        row["acceleration_base_in_base_m_per_s2"], row["gravity_in_base"], float(row["imu_stamp_s"]),
        int(row["imu_sequence"]), int(row["imu_unchanged"]), bool(row["imu_warning"]),
    )  # fmt: skip
    return RobotState(
        order, float(row["time_s"]), int(row["cycle"]), row["position_rad"], row["velocity_rad_per_s"],
        row["torque_nm"], row["temperature_degc"], row["motor_stamp_s"], row["motor_status"].astype(np.int64),
        row["fault_code"].astype(np.int64), imu,
        BaseVelocity(row["linear_velocity_base_in_base_m_per_s"], float(row["base_velocity_stamp_s"])),
    )  # fmt: skip


def command_of(row: Any) -> JointCommand:
    """The command of one row."""
    names = ("position_rad", "velocity_rad_per_s", "kp_nm_per_rad", "kd_nm_s_per_rad", "torque_nm")
    return JointCommand(*(row[f"command_{name}"] for name in names))


def test_the_rows_of_the_record_give_the_same_guards_again(run: Run) -> None:
    order, numbers = PUP.config.order, run.record.numbers
    evaluator = GuardBoardEvaluator(PUP.safety)
    ids = [guard.id for guard in run.record.guards]
    played: dict[str, Any] = {}
    plan = [(i, _playing(ids[i], played) if ids[i] not in FROM_STATE else function, source)
            for i, function, source in evaluator._plan]  # fmt: skip
    evaluator._plan[:] = plan
    inputs, last = GuardInputs.of(PUP.config), None
    for row in run.record.rows:
        stiff = last is not None and numbers["Drive"][last["drive"]] == "command"
        stiff = stiff and bool(last["command_kp_nm_per_rad"].any())
        inputs.state, inputs.now_s = state_of(row, order), float(row["time_s"])
        inputs.applied = command_of(last) if stiff else None
        inputs.expects_power = stiff
        # The limit in force is in the row: a stage may have tightened it.
        scales = [_scale(guard, inputs) for guard in ids]
        evaluator._limits[:] = [float(limit) / scale for limit, scale in zip(row["guard_limit"], scales, strict=True)]
        played.update({guard: (row["guard_measured"][i], row["guard_value"][i]) for i, guard in enumerate(ids)})
        board = evaluator.evaluate(inputs)
        measured = np.array([reading.measured for reading in board])
        assert measured.tobytes() == row["guard_measured"].tobytes(), _difference(ids, measured, row["guard_measured"])
        assert [reading.value for reading in board] == row["guard_value"].tolist()
        assert [reading.tripped for reading in board] == row["guard_tripped"].astype(bool).tolist()
        assert [reading.joint for reading in board if reading.id in FROM_STATE] == [
            joint for guard, joint in zip(ids, row["guard_joint"].tolist(), strict=True) if guard in FROM_STATE
        ]
        last = row


def _playing(guard: str, played: dict[str, Any]) -> Any:
    """A guard that finds what the record says that it found."""

    def function(inputs: GuardInputs) -> tuple[float, float, int]:
        measured, value = played[guard]
        if value in (GuardValue.ERROR, GuardValue.NOT_EVALUATED):
            raise ValueError("as recorded")
        return float(measured), 1.0, -1

    return function


def _scale(guard: str, inputs: GuardInputs) -> float:
    """What turns the limit of a reading, in its unit, into that of the row, a fraction."""
    scales = {"joint_velocity": inputs.joints.velocity_rad_per_s, "joint_torque": inputs.joints.torque_nm}
    return float(scales[guard][0]) if guard in scales else 1.0


def _difference(ids: Sequence[str], one: np.ndarray, other: np.ndarray) -> dict[str, tuple[float, float]]:
    return {
        guard: (float(a), float(b)) for guard, a, b in zip(ids, one, other, strict=True) if a.tobytes() != b.tobytes()
    }


def test_the_guards_that_are_played_back_are_those_that_the_rows_cannot_feed() -> None:
    assert set(FROM_STATE) < set(GUARDS)
    assert {kind for kind in GUARDS if GUARDS[kind].source} <= set(FROM_STATE)
