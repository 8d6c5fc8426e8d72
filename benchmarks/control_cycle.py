"""One control cycle: decode, guards, gate, encode, record, with the share of each part.

A simulated robot is armed and follows a pose; what its buses say is remembered. Then the same bytes are played back
to the same control loop without the simulation: back to back from memory, and at the loop's rate over sockets and a
pseudo-terminal, where each cycle finds the caches as a sleep has left them, and pays for its system calls.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import BURST, REPEATS, Measurement, Row, Side, Stopwatch, below, paired, timed, us
from benchmarks.models import many_legs
from benchmarks.wires import RememberingBuses, StillEstimator
from drivers.robot_io import RobotIO
from drivers.sim.new_robot import new_robot
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import Knobs, MissionOutput, PolicyHealth, Request, Snapshot
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.moves import minimum_jerk
from supervisor.core.robot import RealtimeConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.runtime.control import ControlCore
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.locate import find_robot
from supervisor.runtime.realtime.scheduling import take_priority
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.gate import Gate

CYCLES = 2000
WARM_UP = 200
AT_RATE_CYCLES = 500
CYCLES_PER_TICK = 10
MOVE_S = 2.0
SETTLE_S = 2.0
PATIENCE_S = 30.0
"""Simulated time until the robot must be armed and running."""


class Bench:
    """One robot's control loop, armed, running and following its default pose."""

    def __init__(self, robot: Robot, folder: Path) -> None:
        config = robot.config
        self.period_s = config.control_period_s
        self._config = config
        self._world = SimulatedWorld(robot, seed=1)
        self.buses = RememberingBuses(self._world)
        still = StillEstimator(self._world.base_velocity(0.0))
        self.port = RobotIO(config, self.buses, still if config.estimator == "simulation" else None)
        self.link = MemoryLink()
        layout = RecordLayout.of(config.order, robot.safety.guards)
        self.recorder = CycleRecorder(folder / "cycles.bin", layout, config.name, config.control_hz)
        self.control = ControlCore(config, robot.safety, self.port, self.link, self.recorder)
        inputs = self.control.inputs
        inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = inputs.operator_link_age_s = 0.0
        inputs.guardian_age_s = 0.0
        inputs.emergency_stop = False
        inputs.hashes_match = True
        self.cycle = 0
        self._tick = 0
        self._request: Request | None = None
        self._request_number = 0
        self._zeros = np.zeros(len(config.order))
        self._gains = config.vector("kp_nm_per_rad"), config.vector("kd_nm_s_per_rad")
        self._target_rad = config.vector("default_rad")
        self._start_rad = self._target_rad
        self._start_s = 0.0

    @property
    def now_s(self) -> float:
        return self.cycle * self.period_s

    def step(self) -> Snapshot:
        """One cycle with the simulated robot."""
        self.tick()
        snapshot = self.control.step(self.now_s)
        self.cycle += 1
        self._world.advance_to(self.now_s)
        return snapshot

    def tick(self) -> None:
        """What the mission would say, at its rate."""
        if self.cycle % CYCLES_PER_TICK == 0:
            self.link.post_output(self.output())

    def output(self) -> MissionOutput:
        """A mission that runs a policy, as far as the control loop can see."""
        self._tick += 1
        now_s = self.now_s
        health = PolicyHealth(True, now_s, 1e-4, 0.02, True, 0.3, 0.05, 0.0, 0.0, -1)
        share = minimum_jerk((now_s - self._start_s) / MOVE_S)
        position_rad = self._start_rad + share * (self._target_rad - self._start_rad)
        command = JointCommand(position_rad, self._zeros, *self._gains, self._zeros)
        proposal = Proposal(command, "policy", "bench", self._tick, now_s)
        return MissionOutput(
            tick=self._tick,
            stamp_s=now_s,
            proposal=proposal,
            request=self._request,
            request_number=self._request_number,
            stage="bench",
            stage_limit_s=1e6,
            knobs=Knobs(1.0, 1.0, 1.0),
            policy=health,
            needs_motion=True,
        )

    def ask(self, request: Request, done: Callable[[Snapshot], object]) -> None:
        """Make a request and wait for its answer."""
        self._request, self._request_number = request, self._request_number + 1
        self.until(done, request.value)

    def press(self, action: OperatorAction, state: ArmingState) -> None:
        """Press and wait for the state it leads to."""
        self.link.post_action(action)
        self.until(lambda snapshot: snapshot.arming is state, action.value)

    def until(self, done: Callable[[Snapshot], object], what: str) -> None:
        """Step until something holds."""
        limit_s = self.now_s + PATIENCE_S
        while True:
            snapshot = self.step()
            if done(snapshot):
                return
            if self.now_s > limit_s:
                raise RuntimeError(f"the benchmark's robot got no further than {what}: {snapshot.refusals}")

    def run(self) -> None:
        """From motors off to following proposals, and on until enough is remembered."""
        for _ in range(round(1.0 / self.period_s)):
            self.step()
        self.ask(Request.INVENTORY, lambda snapshot: snapshot.inventory)
        self.ask(Request.DRILL, lambda snapshot: snapshot.drill)
        self.press(OperatorAction.ARM, ArmingState.ARMED)
        self._start_rad, self._start_s = self.step().state.position_rad, self.now_s
        self.press(OperatorAction.START, ArmingState.RUNNING)
        # What is played back must begin where it ends: a jump between the two would be a fault.
        for _ in range(round((MOVE_S + SETTLE_S) / self.period_s) + CYCLES + WARM_UP):
            self.step()

    def play(self, count: int) -> Callable[[int], object]:
        """Play `count` cycles back: the function to be timed, once per cycle."""
        self.buses.play(self.period_s, self.now_s, count)
        start = self.cycle
        outputs: list[MissionOutput] = []
        times: list[float] = []
        for i in range(count):
            self.cycle = start + i
            times.append(self.now_s)
            if i % CYCLES_PER_TICK == 0:
                outputs.append(self.output())
        self.cycle = start + count
        post, step = self.link.post_output, self.control.step

        def one(i: int) -> None:
            if i % CYCLES_PER_TICK == 0:
                post(outputs[i // CYCLES_PER_TICK])
            step(times[i])

        return one

    def check(self) -> None:
        """Whatever was measured must have been a robot in motion, without a stop."""
        snapshot = self.link.snapshot()
        if snapshot is None or snapshot.arming is not ArmingState.RUNNING or snapshot.level >= Level.HOLD:
            raise RuntimeError(f"the benchmark's robot did not keep running: {snapshot and snapshot.stop}")
        if not self.recorder.is_healthy:
            raise RuntimeError(self.recorder.problem)


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured of one robot's cycle.

    Attributes:
        hot: Back to back, from memory.
        parts: Of it, measured in another pass over the same bytes.
        at_rate: Once every period, over the kernel.
    """

    hot: Measurement
    parts: dict[str, Measurement]
    at_rate: Measurement


def measure(robot: Robot) -> Found:
    """The whole cycle, and its parts."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(robot, Path(folder))
        bench.run()
        totals = []
        for _ in range(REPEATS):
            function = bench.play(CYCLES + WARM_UP)
            totals.append(timed(function, CYCLES // REPEATS, warm_up=WARM_UP))
            bench.check()
        function = bench.play(CYCLES + WARM_UP)
        with stopwatches() as watches:
            watched = timed(function, CYCLES // REPEATS, warm_up=WARM_UP)
        bench.check()
        at_rate = _at_rate(bench)
        bench.recorder.close()
    parts = {name: Measurement.of([watch.durations[WARM_UP:]]) for name, watch in watches.items()}
    rest = watched.median_us - sum(part.median_us for part in parts.values())
    parts["the rest: latch, arming, snapshot, link"] = Measurement(rest, float("nan"))
    total = Measurement(float(np.median([t.median_us for t in totals])), min(t.p99_us for t in totals))
    return Found(total, parts, at_rate)


def _at_rate(bench: Bench) -> Measurement:
    """Once every period, over sockets and pseudo-terminals, before other programs as the loop is."""
    function = bench.play(BURST + REPEATS * AT_RATE_CYCLES)
    cycles = itertools.count()
    with bench.buses.over_the_kernel(), in_front():
        side = Side(lambda _: function(next(cycles)), lambda _: bench.buses.put())
        (found,) = paired([side], AT_RATE_CYCLES, period_s=bench.period_s)
    bench.check()
    return found


@contextmanager
def in_front() -> Iterator[None]:
    """With the priority that a robot file asks for, where the machine gives it."""
    take_priority(RealtimeConfig().fifo_priority)
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def stopwatches() -> Iterator[dict[str, Stopwatch]]:
    """Time the parts of the cycle where they are called."""
    places: list[tuple[str, Any, str]] = [
        ("read and decode", RobotIO, "read"),
        ("guards", GuardBoardEvaluator, "evaluate"),
        ("gate", Gate, "follow"),
        ("encode and write", RobotIO, "write"),
        ("record", CycleRecorder, "append"),
    ]
    watches: dict[str, Stopwatch] = {}
    originals = [(place, name, getattr(place, name)) for _, place, name in places]
    try:
        for label, place, name in places:
            watch = Stopwatch(getattr(place, name))
            watches[label] = watch
            setattr(place, name, lambda *arguments, _watch=watch, **keys: _watch(*arguments, **keys))
        yield watches
    finally:
        for place, name, function in originals:
            setattr(place, name, function)


def rows() -> Iterator[Row]:
    """12 joints of the demo robot, 29 of a made one."""
    found = measure(load_robot(find_robot("pup")))
    yield below("control cycle, 12 joints", found.hot, 130.0)
    for name, part in found.parts.items():
        yield Row(f"— {name}", f"{part.median_us:.0f} µs")
    yield _at_rate_row(found.at_rate, 180.0, 320.0)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "many_legs.xml"
        model.write_text(many_legs(29), encoding="utf-8")
        made = new_robot("many_legs", model, Path(folder) / "robot").robot
        made = replace(made, config=replace(made.config, estimator="none"))
        found = measure(made)
    yield below("control cycle, 29 joints", found.hot, 190.0)
    yield _at_rate_row(found.at_rate, 240.0, 420.0)


def _at_rate_row(found: Measurement, median_us: float, p99_us: float) -> Row:
    is_met = found.median_us <= median_us and found.p99_us <= p99_us
    goal = f"≤ {median_us:.0f} µs (p99 {p99_us:.0f})"
    return Row("— once every 2 ms, its system calls included", us(found), goal, is_met)


if __name__ == "__main__":
    for row in rows():
        print(row.name, row.value, row.goal)
