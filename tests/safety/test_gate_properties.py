"""Whatever the gate is given, in whatever order: its commands are within limits, finite, no faster than the rate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from supervisor.core.command import Actuation, Drive, JointCommand, Proposal
from supervisor.core.exchange import Knobs
from supervisor.core.levels import Level
from supervisor.core.state import MotorStatus
from supervisor.safety.gate import Gate, Mode
from tests.safety.bench import COUNT, DEFAULT, HIGH, KD, LOW, PERIOD_S, ROBOT, SAFETY, make_state

SPEED, TORQUE = ROBOT.vector("velocity_rad_per_s"), ROBOT.vector("torque_nm")
MARGIN = SAFETY.gate.position_margin_rad
STEP = SPEED * SAFETY.gate.target_speed_fraction * PERIOD_S
POSES = (Mode.HOLD, Mode.FOLLOW, Mode.SETTLE)
DAMPING = np.full(COUNT, 5.0)

ANY = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-3.0, 3.0)
VECTOR = arrays(np.float64, COUNT, elements=ANY) | arrays(np.float64, st.integers(0, 3), elements=ANY)
MEASURED = arrays(np.float64, COUNT, elements=ANY)
COMMAND = st.builds(JointCommand, VECTOR, VECTOR, VECTOR, VECTOR, VECTOR) | st.none() | st.just("a command")
STAMP = st.floats(-1.0, 1.0) | ANY
NUMBER = st.floats(0.01, 1.0) | ANY


@dataclass
class Cycle:
    """Everything that one cycle may bring."""

    position: np.ndarray
    velocity: np.ndarray
    status: list[int]
    maker: str
    level: Level
    command: object
    stamp_s: float
    knobs: Knobs
    elapsed_s: float = field(default=PERIOD_S)


MAKERS = ("off", "clear_faults", "relax", "enable", "hold", "follow", "follow again", "stop", "last_resort")
CYCLE = st.builds(
    Cycle, MEASURED, MEASURED, st.lists(st.sampled_from([int(s) for s in MotorStatus]), min_size=COUNT, max_size=COUNT),
    st.sampled_from(MAKERS), st.sampled_from(list(Level)), COMMAND, STAMP,
    st.builds(Knobs, NUMBER, NUMBER, NUMBER), st.sampled_from([PERIOD_S, 0.5, 10.0]),
)  # fmt: skip


class Bench:
    """A gate, and what it was given last."""

    def __init__(self) -> None:
        self.gate = Gate(ROBOT, SAFETY, DAMPING)
        self.now_s = 0.0
        self.proposal: Proposal | None = None

    def make(self, cycle: Cycle) -> Actuation:
        gate, level = self.gate, cycle.level
        self.now_s += cycle.elapsed_s
        state = make_state(
            self.now_s, position_rad=cycle.position, velocity_rad_per_s=cycle.velocity,
            motor_status=np.array(cycle.status),
        )  # fmt: skip
        gate.measure(state)
        if cycle.maker in ("follow", "follow again"):
            if cycle.maker == "follow":
                self.proposal = Proposal(cycle.command, "test", "walk", 0, self.now_s + cycle.stamp_s)
            return gate.follow(self.proposal, cycle.knobs, 0.0, level, self.now_s)
        if cycle.maker == "stop":
            return gate.stop(level, state, self.now_s)
        # The core clears faults only of motors that are off.
        if cycle.maker == "clear_faults" and gate.mode is Mode.OFF:
            return gate.clear_faults(level)
        if cycle.maker in ("off", "clear_faults"):
            return gate.off(state, level, self.now_s)
        if cycle.maker in ("relax", "enable"):
            return gate.relax(self.now_s, enable=cycle.maker == "enable")
        return gate.hold(level, self.now_s) if cycle.maker == "hold" else gate.last_resort(level, self.now_s)


@settings(max_examples=200, deadline=None)
@given(st.lists(CYCLE, min_size=1, max_size=8))
def test_no_sequence_of_inputs_leads_beyond_a_limit(cycles: list[Cycle]) -> None:
    bench = Bench()
    mode, target = bench.gate.mode, DEFAULT
    for cycle in cycles:
        actuation = bench.make(cycle)
        command = actuation.command
        everything = np.array([getattr(command, name) for name in JointCommand.__slots__])
        assert everything.shape == (5, COUNT)
        assert np.isfinite(everything).all()
        assert (command.position_rad >= LOW + MARGIN).all()
        assert (command.position_rad <= HIGH - MARGIN).all()
        assert (np.abs(command.velocity_rad_per_s) <= SPEED).all()
        assert (np.abs(command.torque_nm) <= TORQUE).all()
        assert (command.kp_nm_per_rad >= 0.0).all()
        assert (command.kd_nm_s_per_rad >= 0.0).all()
        if actuation.drive is Drive.COMMAND and bench.gate.mode in POSES and bench.gate.mode is mode:
            assert (np.abs(command.position_rad - target) <= STEP * (1.0 + 1e-9) + 1e-12).all()
        if actuation.drive is Drive.COMMAND and bench.gate.mode not in POSES:
            assert not command.kp_nm_per_rad.any()
            assert (command.kd_nm_s_per_rad <= np.maximum(DAMPING, KD)).all()
        mode, target = bench.gate.mode, command.position_rad


@settings(max_examples=100, deadline=None)
@given(st.lists(CYCLE, min_size=1, max_size=8), st.sampled_from([level for level in Level if level.latches]))
def test_after_any_sequence_a_stop_never_switches_motors_on(cycles: list[Cycle], level: Level) -> None:
    bench = Bench()
    for cycle in cycles:
        bench.make(cycle)
    was_on = bench.gate.is_powered
    for cycle in cycles:
        cycle.maker, cycle.level = "stop", level
        drive = bench.make(cycle).drive
        assert drive is Drive.DISABLE or (was_on and drive is Drive.COMMAND)
        was_on = drive is Drive.COMMAND
