"""A control loop on the simulated robot, recorded into a run's folder, that takes whatever it is given."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import Knobs, MissionOutput, PolicyHealth, Request, Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.robot_file import load_robot
from supervisor.core.state import RobotState
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import create_run_folder
from supervisor.runtime.control import ControlCore
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.lockstep_run import fill_inputs
from supervisor.safety.restart import LatchMemory

ROOT = Path(__file__).resolve().parents[2]
PUP = load_robot(ROOT / "config" / "robots" / "pup")
COUNT = len(PUP.config.order)
CYCLES_PER_TICK = 10
CLIMBING = (OperatorAction.RESET, OperatorAction.ARM, OperatorAction.START)
PRESSES = (*OperatorAction, *CLIMBING * 10)
STRANGE = (float("nan"), float("inf"), float("-inf"), -1.0, 1e9)


class Port(RobotIO):
    """Buses that may lie."""

    lie: dict[str, Any] | None = None

    def read(self, now_s: float) -> RobotState:
        state = super().read(now_s)
        return state if self.lie is None else replace(state, **self.lie)


class Session:
    """The loop."""

    def __init__(self, folder: Path, latch: LatchMemory | None = None) -> None:
        inputs = {"robot": PUP.path, "safety": PUP.safety_path}
        made = create_run_folder(folder, "pup", "none", inputs, minimum_free_bytes=0)
        self.folder = made.path
        self._world = SimulatedWorld(PUP, seed=1)
        self.port = Port(PUP.config, self._world, self._world)
        self.link = MemoryLink()
        layout = RecordLayout.of(PUP.config.order, PUP.safety.guards)
        self.recorder = CycleRecorder(made.cycles, layout, "pup", PUP.config.control_hz)
        self.control = ControlCore(PUP.config, PUP.safety, self.port, self.link, self.recorder, latch=latch)
        fill_inputs(self.control)
        self.inputs = self.control.inputs
        self.cycle = self._tick = self._requests = 0
        self.output: dict[str, Any] = {}
        self._request: Request | None = None
        self.pose_rad = PUP.config.vector("rest_rad")

    @property
    def now_s(self) -> float:
        return self.cycle * PUP.config.control_period_s

    def step(self, *actions: OperatorAction) -> Snapshot:
        if self.cycle % CYCLES_PER_TICK == 0:
            self.link.post_output(self._next_output())
        for action in actions:
            self.link.post_action(action)
        snapshot = self.control.step(self.now_s)
        self.cycle += 1
        self._world.advance_to(self.now_s)
        return snapshot

    def steps(self, count: int) -> Snapshot:
        for _ in range(count - 1):
            self.step()
        return self.step()

    def proposal(self, position_rad: Any = None, stamp_s: float | None = None) -> Proposal:
        zeros, config = np.zeros(COUNT), PUP.config
        position_rad = self.pose_rad if position_rad is None else position_rad
        gains = config.vector("kp_nm_per_rad"), config.vector("kd_nm_s_per_rad")
        command = JointCommand(position_rad, zeros, *gains, zeros)
        return Proposal(command, "session", "stand", self._tick, self.now_s if stamp_s is None else stamp_s)

    def _next_output(self) -> MissionOutput:
        self._tick += 1
        health = PolicyHealth(True, self.now_s, 1e-4, 0.02, True, 0.3, 0.05, 0.0, 0.0, -1)
        made = MissionOutput(
            self._tick, self.now_s, self.proposal(), self._request, self._requests, "stand", 0.0, 100.0, 0.0, 1000.0,
            Knobs(1.0, 0.8, 0.2), {"tilt": 0.5}, health, needs_motion=True,
        )  # fmt: skip
        return replace(made, **self.output)

    def request(self, request: Request) -> None:
        self._request, self._requests = request, self._requests + 1

    def ask(self, request: Request, cycles: int) -> Snapshot:
        self.request(request)
        return self.steps(cycles)

    def ready(self) -> Snapshot:
        """Motors off, and everything there that arming needs."""
        self.steps(500)
        self.ask(Request.INVENTORY, 300)
        return self.ask(Request.DRILL, 400)

    def running(self) -> Snapshot:
        self.ready()
        self.step(OperatorAction.ARM)
        self.pose_rad = self.steps(600).state.position_rad
        self.step(OperatorAction.START)
        snapshot = self.steps(20)
        assert snapshot.arming is ArmingState.RUNNING, snapshot.refusals
        return snapshot

    def close(self) -> Path:
        self.recorder.close()
        self.port.close()
        return self.folder


class Mischief:
    """Whatever may come to a control loop, drawn by chance."""

    def __init__(self, session: Session, seed: int) -> None:
        self._session = session
        self._chance = random.Random(seed)

    def cycles(self, count: int) -> None:
        """Long stretches of peace with something strange in between."""
        session, chance = self._session, self._chance
        for _ in range(count):
            if chance.random() < 0.01:
                self._strange()
            elif chance.random() < 0.03:
                self._sound()
            presses = [chance.choice(PRESSES) for _ in range(chance.randrange(1, 4))]
            session.step(*(presses if chance.random() < 0.03 else ()))

    def _sound(self) -> None:
        session = self._session
        fill_inputs(session.control)
        session.control.recording_fails = False
        session.inputs.clock_step_s = 0.0
        session.port.lie, session.output = None, {}

    def _strange(self) -> None:
        session, chance = self._session, self._chance
        inputs, strange = session.inputs, chance.choice(STRANGE)
        position = session.pose_rad + chance.uniform(-0.3, 0.3)
        deeds: list[Any] = [
            lambda: setattr(inputs, "emergency_stop", chance.choice((True, None))),
            lambda: setattr(inputs, "loop_lag_worst_s", strange),
            lambda: setattr(inputs, "operator_link_age_s", strange),
            lambda: setattr(inputs, "guardian_age_s", strange),
            lambda: setattr(inputs, "clock_step_s", strange),
            lambda: setattr(inputs, "hashes_match", None),
            lambda: setattr(session.control, "recording_fails", True),
            lambda: setattr(session.port, "lie", {"position_rad": np.full(COUNT, strange)}),
            lambda: setattr(session.port, "lie", {"torque_nm": np.full(COUNT, chance.uniform(-60.0, 60.0))}),
            lambda: setattr(session.port, "lie", {"motor_status": np.full(COUNT, chance.randrange(4))}),
            lambda: setattr(session, "pose_rad", position),
            lambda: session.output.update(proposal=None),
            lambda: session.output.update(proposal=session.proposal(np.full(COUNT, strange))),
            lambda: session.output.update(proposal=session.proposal(stamp_s=session.now_s + strange)),
            lambda: session.output.update(proposal=session.proposal(position), knobs=Knobs(1.0, 0.5, chance.random())),
            lambda: session.output.update(knobs=Knobs(1.0, strange, 1.0)),
            lambda: session.output.update(guard_limits={"joint_velocity": chance.uniform(0.0, 1.0)}),
            lambda: session.output.update(stage_elapsed_s=strange),
            lambda: session.output.update(policy=PolicyHealth(True, strange, strange, 0.02, False)),
            lambda: session.ask(chance.choice(tuple(Request)), chance.randrange(1, 30)),
        ]
        chance.choice(deeds)()
