"""What all guards and the gate cost per control cycle, hot, for a robot of the given number of joints.

python benchmarks/guards.py [--joints 12] [--cycles 20000]
"""

from __future__ import annotations

import argparse
import gc
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import Knobs, MissionOutput, PolicyHealth
from supervisor.core.levels import ArmingState, Level
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import load_robot
from supervisor.core.state import BaseVelocity, ImuReading, RobotState
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.gate import Gate
from supervisor.safety.inputs import GuardInputs

FOLDER = Path(__file__).resolve().parent.parent
STATES = 64


def robot_of(config: RobotConfig, count: int) -> RobotConfig:
    joints = list(config.joints.values())
    return replace(config, joints={f"joint_{i}": joints[i % len(joints)] for i in range(count)})


def measured(robot: RobotConfig, cycle: int, noise: np.ndarray) -> RobotState:
    now_s, count = cycle * robot.control_period_s, len(robot.order)
    gravity = np.array([0.02 * noise[0], 0.0, -1.0])
    imu = ImuReading(
        np.array([1.0, 0.0, 0.0, 0.0]),
        0.1 * noise[:3],
        np.array([0.0, 0.0, 9.81]) + 0.1 * noise[3:6],
        gravity / np.linalg.norm(gravity),
        now_s,
        cycle,
        0,
        False,
    )
    position = robot.vector("default_rad") + 0.01 * noise[:count]
    stamps, status, faults = np.full(count, now_s), np.full(count, 2), np.zeros(count, np.int64)
    velocity, torque, heat = noise[count : 2 * count], 2.0 * noise[:count], np.full(count, 45.0)
    base = BaseVelocity(np.zeros(3), now_s)
    return RobotState(robot.order, now_s, cycle, position, velocity, torque, heat, stamps, status, faults, imu, base)


def report(name: str, durations: list[float]) -> None:
    sorted_us = np.sort(np.array(durations)) * 1e6
    print(f"{name:28s} median {np.median(sorted_us):6.1f} us   p99 {np.quantile(sorted_us, 0.99):6.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joints", type=int, default=12)
    parser.add_argument("--cycles", type=int, default=20_000)
    arguments = parser.parse_args()
    loaded = load_robot(FOLDER / "config/robots/pup")
    robot, safety, rng = robot_of(loaded.config, arguments.joints), loaded.safety, np.random.default_rng(0)
    count = arguments.joints
    noise = rng.normal(0.0, 1.0, (STATES, max(2 * count, 6)))
    inputs, evaluator, gate = GuardInputs.of(robot), GuardBoardEvaluator(safety), Gate(robot, safety)
    inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = inputs.operator_link_age_s = inputs.bus_loss = 0.0
    inputs.guardian_age_s = 0.0
    inputs.recorder_ok = inputs.hashes_match = True
    inputs.emergency_stop = False
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, 0.0
    zeros = np.zeros(count)
    gains = robot.vector("kp_nm_per_rad"), robot.vector("kd_nm_s_per_rad")
    targets = [robot.vector("default_rad") + rng.normal(0.0, 0.1, count) for _ in range(STATES)]
    guards_s, gate_s, clock = [], [], time.perf_counter
    gc.disable()
    output = None
    for cycle in range(arguments.cycles):
        state = measured(robot, cycle, noise[cycle % STATES])
        now_s = state.now_s
        if cycle % 10 == 0:
            proposal = Proposal(JointCommand(targets[cycle % STATES], zeros, *gains, zeros), "policy", "", cycle, now_s)
            health = PolicyHealth(
                True, now_s, 0.001 + 1e-6 * (cycle % 1000), 0.02, True, rng.random(), 0.1, 0.01, 0.0, -1
            )
            output = MissionOutput(
                cycle, now_s, proposal, None, 0, "walk", 0.0, 100.0, 0.0, 1e3, Knobs(1.0), {}, health, True
            )
        inputs.state, inputs.now_s, inputs.output = state, now_s, output
        begin = clock()
        board = evaluator.evaluate(inputs)
        middle = clock()
        gate.measure(state)
        actuation = gate.follow(output.proposal, output.knobs, float("-inf"), Level.NONE, now_s)
        end = clock()
        inputs.applied = actuation.command
        guards_s.append(middle - begin)
        gate_s.append(end - middle)
    bad = [reading.id for reading in board if reading.value]
    print(f"{len(board.readings)} guards, {count} joints, {arguments.cycles} cycles, not OK at the end: {bad}")
    report("guards", guards_s[1000:])
    report("gate", gate_s[1000:])


if __name__ == "__main__":
    main()
