from __future__ import annotations

import numpy as np

from supervisor.core.state import MotorStatus
from supervisor.runtime.workbench.bench import RealTime, open_workbench
from tests.drivers.sim.simulated import pup
from tests.runtime.workbench.benches import bench_of


def test_a_robot_on_the_bench_is_heard_and_stays_off() -> None:
    with bench_of() as bench:
        for _ in range(10):
            state = bench.step()
        assert (state.motor_status == MotorStatus.DISABLED).all()
        assert state.now_s == 10 * pup().config.control_period_s == bench.now_s


def test_one_that_listens_sends_nothing() -> None:
    with bench_of(is_listening=True) as bench:
        for _ in range(10):
            state = bench.step()
        assert (state.motor_status == MotorStatus.UNKNOWN).all()
        assert {statistics.sent for statistics in bench.robot.statistics().values()} == {0}
        assert np.isfinite(state.imu.stamp_s)


def test_what_takes_several_cycles_is_carried_out() -> None:
    with open_workbench(pup(), live=False) as bench:
        reports = bench.finish(bench.robot.inventory(bench.now_s), is_started=True)
    assert [report.answered for report in reports] == [True] * 13


def test_real_time_takes_as_long_as_it_says() -> None:
    passing = RealTime(0.01)
    began_s = passing.now_s()
    for _ in range(3):
        reached_s = passing.wait()
    assert reached_s - began_s >= 0.029
    assert reached_s <= passing.now_s()
