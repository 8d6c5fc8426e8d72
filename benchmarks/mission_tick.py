"""One mission tick, hot, and the lockstep run around it.

The default mission is run on the simulated robot until the rollout; its speed against real time and MuJoCo's share are
taken on the way. Then ticks are repeated back to back on the measurements of the rollout.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco

from benchmarks.harness import Measurement, Row, Stopwatch, below, timed
from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.clock import VirtualClock
from supervisor.core.exchange import Snapshot
from supervisor.core.state import RobotState
from supervisor.diagnosis.judge import StageJudge
from supervisor.policy.policy import Policy
from supervisor.runtime.control import ControlCore
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.preparation import Prepared, prepare
from trees.context import MissionContext
from trees.missions.root import create_root

ROLLOUT = "rollout"
ROLLOUT_S = 3.0
"""Into the rollout before measuring: the robot walks."""

TICKS = 150
WARM_UP = 30
LIMIT_S = 900.0


class NoRecorder:
    """Records nothing: the record's own cost is measured with the control cycle."""

    is_healthy = True

    def change(self, _change: object) -> None:
        """Nothing."""

    def append(self, *_arguments: object, **_keys: object) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Lockstep:
    """How fast the whole thing ran.

    Attributes:
        factor: Simulated time over wall time.
        factor_of_core: Simulated time over processor time: the factor on a machine that does nothing else.
        mujoco_share: Share of the wall time spent in MuJoCo's step.
    """

    factor: float
    factor_of_core: float
    mujoco_share: float


class MissionBench:
    """The default mission with the demo robot and policy, as `handrail run` wires it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.prepared: Prepared = prepare("pup", "pup_walk", "deployment", self.clock)
        robot = self.prepared.robot
        self.period_s = robot.config.control_period_s
        self.link = MemoryLink()
        self.world = SimulatedWorld(robot, seed=1)
        port = RobotIO(robot.config, self.world, self.world)
        self.control = ControlCore(robot.config, robot.safety, port, self.link, NoRecorder())  # type: ignore[arg-type]
        inputs = self.control.inputs
        inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = inputs.operator_link_age_s = 0.0
        inputs.guardian_age_s = 0.0
        inputs.emergency_stop = False
        inputs.hashes_match = True
        self.policy: Policy = self.prepared.policy
        judge = StageJudge(robot.config, self.policy.command_names, self.prepared.signature)
        self.operator = AutoOperator(self.link, self.world, lambda *_arguments: None)
        self.context = MissionContext(robot.config, self.policy, judge, self.operator)
        self.root = create_root(self.context, self.prepared.mission, robot.safety)
        self.mission = MissionCore(self.root, self.context, self.link)
        self.cycles_per_tick = round(self.policy.period_s / self.period_s)

    def run_to_rollout(self) -> Lockstep:
        """Climb the ladder until the robot walks at full gain."""
        data_step = Stopwatch(self.world.plant._mj_step)  # only here can MuJoCo's share be seen
        self.world.plant._mj_step = data_step
        begin, begin_core = time.perf_counter(), time.process_time()
        cycle, stage, rollout_since_s = 0, "", float("inf")
        while self.clock.now_s() - rollout_since_s < ROLLOUT_S:
            now_s = self.clock.now_s()
            if now_s > LIMIT_S or self.context.is_finished:
                raise RuntimeError(f"the mission did not reach its rollout: {self.context.failure}")
            self.control.step(now_s)
            if cycle % self.cycles_per_tick == 0:
                self.operator.tick(now_s)
                output = self.mission.tick(now_s)
                if output is not None and output.stage != stage:
                    stage = output.stage
                    self.world.enter_stage(stage, now_s)
                    rollout_since_s = now_s if stage == ROLLOUT else rollout_since_s
            self.clock.advance(self.period_s)
            self.world.advance_to(self.clock.now_s())
            cycle += 1
        wall_s = time.perf_counter() - begin
        self.world.plant._mj_step = mujoco.mj_step
        simulated_s, core_s = self.clock.now_s(), time.process_time() - begin_core
        return Lockstep(simulated_s / wall_s, simulated_s / core_s, sum(data_step.durations) / wall_s)

    def measure_tick(self) -> tuple[Measurement, Measurement]:
        """The whole tick, and the policy step in it, repeated on the rollout's newest snapshot."""
        count = 3 * TICKS + WARM_UP
        snapshot = self.link.snapshot()
        if snapshot is None:
            raise RuntimeError("there is no snapshot to tick on")
        start_s = self.clock.now_s()
        times = [start_s + (i + 1) * self.policy.period_s for i in range(count)]
        snapshots = [at(snapshot, now_s) for now_s in times]
        post, tick = self.link.post_snapshot, self.mission.tick
        watch = Stopwatch(self.policy.step)
        self.context.policy = _Watched(self.policy, watch)  # type: ignore[assignment]

        def one(i: int) -> None:
            post(snapshots[i])
            tick(times[i])

        total = timed(one, TICKS, warm_up=WARM_UP)
        if self.context.is_finished or self.context.failure or len(watch.durations) < count:
            raise RuntimeError(f"the rollout ended while it was measured: {self.context.failure}")
        return total, Measurement.of([watch.durations[WARM_UP:]])


class _Watched:
    """A policy whose step is watched."""

    def __init__(self, policy: Policy, watch: Stopwatch) -> None:
        self._policy = policy
        self.step = watch

    def __getattr__(self, name: str) -> object:
        return getattr(self._policy, name)


def at(snapshot: Snapshot, now_s: float) -> Snapshot:
    """The same snapshot as if it had just been measured."""
    state: RobotState = snapshot.state
    stamps = state.motor_stamp_s + (now_s - state.now_s)
    imu = replace(state.imu, stamp_s=state.imu.stamp_s + (now_s - state.now_s))
    return replace(snapshot, state=replace(state, now_s=now_s, motor_stamp_s=stamps, imu=imu))


def rows() -> Iterator[Row]:
    """Tick, tree and lockstep."""
    bench = MissionBench()
    lockstep = bench.run_to_rollout()
    total, policy = bench.measure_tick()
    yield below("mission tick, default mission in its rollout", total, 400.0)
    yield Row("— policy step", f"{policy.median_us:.0f} µs")
    yield Row("— tree, judge, snapshot and proposal", f"{total.median_us - policy.median_us:.0f} µs")
    yield Row(
        "lockstep simulation, whole ladder",
        f"{lockstep.factor:.1f} × real time ({lockstep.factor_of_core:.1f} × by processor time)",
        "≥ 8 ×, better 15 ×",
        lockstep.factor >= 8.0,
    )
    yield Row("— of it MuJoCo", f"{100.0 * lockstep.mujoco_share:.0f} %")


if __name__ == "__main__":
    for row in rows():
        print(row.name, row.value, row.goal)
