"""Under a shadow port nothing but a question for feedback ever reaches a bus, whatever is decided."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.robot_io import RobotIO
from drivers.sim.tap import TappedBuses
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Actuation, Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.levels import Level
from supervisor.core.ports import RobotPort
from supervisor.core.state import NEVER_S, BusStatistics, MotorStatus, RobotState
from supervisor.runtime.shadow_port import LISTEN_S, NEEDS_OUR_POWER, ShadowPort, open_shadow, shadow_safety
from tests.drivers.recording_buses import RecordingBuses
from tests.drivers.sim.fitted import FITTINGS, fitted
from tests.safety.bench import COUNT, ROBOT, SAFETY, make_command, make_state

ON, OFF, FAULTY, UNHEARD = (
    MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT, MotorStatus.UNKNOWN,
)  # fmt: skip


def actuation(drive: Drive, level: Level = Level.NONE) -> Actuation:
    return Actuation(drive, make_command(), level)


class Robot:
    """A port that keeps what is written to it."""

    order = ROBOT.order
    damping_maximum_nm_s_per_rad = np.full(COUNT, 5.0)

    def __init__(self) -> None:
        self.state = make_state()
        self.written: list[Drive] = []
        self.foreign_commands = 0
        self.is_closed = False

    def read(self, now_s: float) -> RobotState:
        return replace(self.state, now_s=now_s)

    def write(self, actuation: Actuation, now_s: float) -> None:
        self.written.append(actuation.drive)

    def inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        raise AssertionError("a shadow asks nobody who he is")

    def statistics(self) -> Mapping[str, BusStatistics]:
        return {"can0": BusStatistics(received=7, foreign_commands=self.foreign_commands), "can1": BusStatistics()}

    def fault_name(self, joint: int, code: int) -> str:
        return f"{joint}/{code}"

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def robot() -> Robot:
    return Robot()


def shadow(robot: Robot, *, may_poll: bool = False) -> ShadowPort:
    return ShadowPort(robot, ROBOT, may_poll=may_poll)


def test_it_is_a_robot_port(robot: Robot) -> None:
    port: RobotPort = shadow(robot)
    assert port.order is robot.order
    assert port.damping_maximum_nm_s_per_rad is robot.damping_maximum_nm_s_per_rad
    assert port.fault_name(2, 3) == "2/3"
    port.close()
    assert robot.is_closed


@pytest.mark.parametrize("make", FITTINGS)
def test_of_every_drive_at_every_level_only_the_question_for_feedback_reaches_the_buses(make: str) -> None:
    config = fitted(make).config
    buses, asked = RecordingBuses(), RecordingBuses()
    port = open_shadow(config, buses, None, listens=False)
    reference = RobotIO(config, asked)
    command = make_command()
    now_s = 0.0
    port.read(now_s)
    reference.read(now_s)
    port.write(Actuation(Drive.COMMAND, command, Level.NONE), now_s)
    assert buses.sent == []
    for drive in Drive:
        for level in Level:
            now_s += LISTEN_S
            port.read(now_s)
            reference.read(now_s)
            port.write(Actuation(drive, command, level), now_s)
            reference.write(Actuation(Drive.POLL, command, Level.NONE), now_s)
    assert buses.sent == asked.sent
    assert port.polls == len(Drive) * len(Level)


@given(
    cycles=st.lists(
        st.tuples(st.sampled_from(Drive), st.sampled_from(Level), st.booleans(), st.floats(0.0, 0.4)), max_size=60
    ),
    may_poll=st.booleans(),
)
def test_whatever_is_decided_and_seen_only_polls_go_out_and_none_beside_somebody_else(
    cycles: list[tuple[Drive, Level, bool, float]], may_poll: bool
) -> None:
    robot = Robot()
    port = shadow(robot, may_poll=may_poll)
    now_s, expected = 5.0, 0
    for drive, level, is_seen, wait_s in cycles:
        robot.foreign_commands += is_seen
        port.read(now_s)
        port.write(actuation(drive, level), now_s)
        expected += may_poll and not robot.foreign_commands and now_s - 5.0 >= LISTEN_S
        now_s += wait_s
    assert robot.written == [Drive.POLL] * expected
    assert sum(port.would_have.values()) == len(cycles)


def test_a_real_robots_foreign_commands_end_the_questions() -> None:
    config, buses = fitted("damiao").config, RecordingBuses()
    port = open_shadow(config, buses, None, listens=False)
    port.write(actuation(Drive.POLL), 0.0)
    port.write(actuation(Drive.POLL), LISTEN_S)
    before = len(buses.sent)
    buses.pending["can0"] = [Frame(1, bytes([0xFF] * 7 + [0xFC]))]
    port.read(LISTEN_S + 0.002)
    port.write(actuation(Drive.ENABLE), LISTEN_S + 0.002)
    port.write(actuation(Drive.ENABLE), 100.0)
    assert before == COUNT
    assert len(buses.sent) == before
    assert port.foreign_commands == 1


def test_a_port_that_listens_has_buses_that_take_nothing() -> None:
    config, buses = fitted("damiao").config, RecordingBuses()
    port = open_shadow(config, buses, None, listens=True)
    # Even where the shadow itself were wrong, and let everything through.
    port._may_poll = True
    for cycle in range(5):
        port.write(actuation(Drive.ENABLE), cycle * LISTEN_S)
    assert port.polls == 4
    assert buses.sent == []


def test_a_motor_that_we_would_have_switched_on_reads_as_on_and_off_again(robot: Robot) -> None:
    port = shadow(robot)
    robot.state = make_state(motor_status=np.full(COUNT, int(ON)), torque_nm=np.full(COUNT, 3.0))
    assert set(port.read(0.0).motor_status) == {OFF}
    for drive, expected in (
        (Drive.POLL, OFF), (Drive.ENABLE, ON), (Drive.COMMAND, ON), (Drive.CLEAR_FAULT, ON), (Drive.DISABLE, OFF),
        (Drive.POLL, OFF), (Drive.COMMAND, ON),
    ):  # fmt: skip
        port.write(actuation(drive), 0.0)
        assert set(port.read(0.0).motor_status) == {expected}, drive
    assert port.would_have[Drive.COMMAND] == 2


def test_faults_and_motors_never_heard_stay_what_they_are(robot: Robot) -> None:
    port = shadow(robot)
    stamps = np.array([0.0, NEVER_S, 0.0, 0.0] * 3)
    status = np.array([FAULTY, UNHEARD, ON, OFF] * 3)
    robot.state = make_state(motor_status=status, motor_stamp_s=stamps)
    port.write(actuation(Drive.ENABLE), 0.0)
    assert port.read(0.0).motor_status.tolist() == [FAULTY, UNHEARD, ON, ON] * 3


def test_a_motor_whose_make_does_not_say_whether_it_is_on_reads_as_we_would_have_it(robot: Robot) -> None:
    port = shadow(robot)
    robot.state = make_state(motor_status=np.full(COUNT, int(UNHEARD)))
    port.write(actuation(Drive.ENABLE), 0.0)
    assert set(port.read(0.0).motor_status) == {ON}


def test_a_motor_that_we_would_have_off_gives_no_torque_of_ours(robot: Robot) -> None:
    port = shadow(robot)
    torque = np.array([3.0, -3.0, np.nan, np.inf] * 3)
    robot.state = make_state(torque_nm=torque)
    assert port.read(0.0).torque_nm.tolist()[:2] == [0.0, 0.0]
    assert not np.isfinite(port.read(0.0).torque_nm[2:4]).any()
    port.write(actuation(Drive.ENABLE), 0.0)
    assert np.array_equal(port.read(0.0).torque_nm, torque, equal_nan=True)


def test_everything_else_is_passed_on_as_measured_and_read_only(robot: Robot) -> None:
    state = shadow(robot).read(3.0)
    assert state.position_rad is robot.state.position_rad
    assert state.imu is robot.state.imu
    assert state.motor_stamp_s is robot.state.motor_stamp_s
    assert not state.motor_status.flags.writeable
    assert not state.torque_nm.flags.writeable


def finish(generator: Generator[None, float, Any], port: ShadowPort, now_s: float) -> tuple[Any, float]:
    while True:
        try:
            port.read(now_s)
            generator.send(now_s)
        except StopIteration as end:
            return end.value, now_s
        now_s += 0.01


def test_an_inventory_is_who_is_heard_and_asks_nobody(robot: Robot) -> None:
    port = shadow(robot)
    reports, _ = finish(port.inventory(0.0), port, 0.01)
    assert [report.name for report in reports] == [*ROBOT.order.names, "imu"]
    assert all(report.answered and not report.problems for report in reports)
    assert {report.facts["inventory"] for report in reports} == {"heard, not asked"}
    assert {report.bus for report in reports} == set(ROBOT.buses)
    assert robot.written == []


@pytest.mark.parametrize(("may_poll", "waits_s"), [(False, LISTEN_S), (True, 2.0 * LISTEN_S)])
def test_a_device_that_is_not_heard_in_time_is_a_problem(robot: Robot, may_poll: bool, waits_s: float) -> None:
    port = shadow(robot, may_poll=may_poll)
    stamps = np.full(COUNT, 0.0)
    stamps[4] = NEVER_S
    robot.state = make_state(motor_stamp_s=stamps)
    robot.state = replace(robot.state, imu=replace(robot.state.imu, stamp_s=NEVER_S))
    reports, ended_s = finish(port.inventory(0.0), port, 0.01)
    assert [report.name for report in reports if not report.answered] == [ROBOT.order.names[4], "imu"]
    assert [bool(report.problems) for report in reports].count(True) == 2
    assert ended_s == pytest.approx(waits_s, abs=0.02)


def test_before_anything_was_read_nobody_was_heard(robot: Robot) -> None:
    generator = shadow(robot).inventory(0.0)
    generator.send(0.1)
    with pytest.raises(StopIteration) as end:
        generator.send(LISTEN_S)
    assert not any(report.answered for report in end.value.value)


def test_somebody_elses_commands_are_counted_and_no_guard_sees_them(robot: Robot) -> None:
    port = shadow(robot)
    robot.foreign_commands = 12
    assert port.statistics() == {"can0": BusStatistics(received=7), "can1": BusStatistics()}
    assert port.foreign_commands == 12


def test_guards_that_need_our_power_only_warn() -> None:
    rows, shown = SAFETY.rows_by_id(), shadow_safety(SAFETY).rows_by_id()
    assert {name for name in rows if rows[name] != shown[name]} == NEEDS_OUR_POWER == {"tracking_error"}
    assert shown["tracking_error"] == replace(rows["tracking_error"], level=Level.WARN, clear="automatic")
    assert list(shown) == list(rows)
    assert shadow_safety(shadow_safety(SAFETY)) == shadow_safety(SAFETY)


HEARD = ("damiao", "robstride", "robstride_mit", "cybergear", "cubemars", "myactuator", "moteus", "odrive")
"""Makes whose answers tell by themselves whose they are and what they say."""


@pytest.mark.parametrize(("make", "count"), [*((make, COUNT) for make in HEARD), ("canopen", 0)])
def test_a_robot_that_another_program_drives_is_seen_as_that_program_sees_it(make: str, count: int) -> None:
    robot = fitted(make)
    world = SimulatedWorld(robot)
    tap = TappedBuses(world)
    driver = RobotIO(robot.config, tap)
    port = open_shadow(robot.config, tap.second, None, listens=True)
    inventory: Generator[None, float, object] | None = driver.inventory(0.0)
    cycle, since = 0, 0
    while since < 60:
        now_s = 0.002 * cycle
        driven, seen = driver.read(now_s), port.read(now_s)
        if inventory is None:
            since += 1
        else:
            try:
                inventory.send(now_s)
            except StopIteration:
                inventory = None
        drive = Drive.POLL if inventory is not None else Drive.ENABLE if since < 3 else Drive.COMMAND
        driver.write(actuation(drive), now_s)
        port.write(actuation(drive), now_s)
        cycle += 1
        world.advance_to(0.002 * cycle)
    assert np.count_nonzero(seen.motor_stamp_s > NEVER_S) == count
    assert np.count_nonzero(seen.motor_status == ON) == count
    assert np.count_nonzero(seen.position_rad == driven.position_rad) == count
    assert port.foreign_commands == 0
    port.statistics()
    assert port.foreign_commands > 0
    assert [bus.sent for bus in tap.second_cans.values()] == [[]] * len(tap.second_cans)
