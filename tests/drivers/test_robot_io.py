from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivers import registry, robot_io, wiring_check
from drivers.bus import Frame
from drivers.can.identifiers import none_of_11_bits
from drivers.null_buses import NullBuses, NullSerial
from drivers.robot_io import RobotIO
from supervisor.core.command import Drive
from supervisor.core.errors import BusError, RefusedError
from supervisor.core.ports import RobotPort
from supervisor.core.robot import RobotConfig
from supervisor.core.state import NEVER_S, BaseVelocity, MotorStatus
from tests.drivers.fake_devices import (
    FakeDamiao,
    MemoryBuses,
    TroubledBus,
    actuation,
    hi91,
    joint,
    populate,
    robot_config,
)
from tests.drivers.sim.fitted import fitted


@pytest.fixture
def rig() -> tuple[RobotConfig, MemoryBuses, dict[str, FakeDamiao], RobotIO]:
    robot = robot_config()
    buses = MemoryBuses()
    motors = populate(buses, robot)
    return robot, buses, motors, RobotIO(robot, buses)


def run_inventory(io: RobotIO, buses: MemoryBuses, period_s: float = 0.002, start_s: float = 10.0):
    """As the control loop does it: read, resume, poll."""
    now_s = start_s
    generator = io.inventory(now_s)
    cycle = 0
    while True:
        now_s = start_s + cycle * period_s
        if cycle % 2 == 0:
            buses.serial["imu0"].pending += hi91(acc_g=(0.0, 0.001 * (cycle % 5), 1.0), time_ms=cycle)
        io.read(now_s)
        try:
            generator.send(now_s)
        except StopIteration as end:
            return {report.name: report for report in end.value}, now_s - start_s
        io.write(actuation(Drive.POLL, len(io.order)), now_s)
        cycle += 1
        assert cycle < 5000


def test_is_a_robot_port(rig) -> None:
    port: RobotPort = rig[3]
    assert port.order == rig[0].order


def test_before_the_first_feedback_nothing_is_known(rig) -> None:
    state = rig[3].read(1.0)
    assert np.isnan([state.position_rad, state.velocity_rad_per_s, state.torque_nm, state.temperature_degc]).all()
    assert (state.motor_stamp_s == NEVER_S).all()
    assert (state.motor_status == MotorStatus.UNKNOWN).all()
    assert (state.fault_code == 0).all()
    assert state.imu.stamp_s == NEVER_S
    assert np.isnan(state.imu.gravity_in_base).all()
    assert state.base_velocity.stamp_s == NEVER_S


def test_a_poll_brings_feedback_with_the_stamp_of_its_arrival(rig) -> None:
    _, _, motors, io = rig
    motors["joint02"].position = 0xFFFF
    motors["joint02"].temperatures = (55, 40)
    io.write(actuation(Drive.POLL, 12), 1.0)
    state = io.read(1.25)
    index = io.order.index("joint02")
    assert state.position_rad[index] == pytest.approx(12.5)
    assert state.temperature_degc[index] == 55.0
    assert (state.motor_stamp_s == 1.25).all()
    assert (state.motor_status == MotorStatus.DISABLED).all()


def test_a_silent_motor_stays_unknown_while_the_others_are_read(rig) -> None:
    _, _, motors, io = rig
    motors["joint11"].is_silent = True
    io.write(actuation(Drive.POLL, 12), 1.0)
    state = io.read(1.0)
    index = io.order.index("joint11")
    assert state.motor_status[index] == MotorStatus.UNKNOWN
    assert np.isnan(state.position_rad[index])
    assert np.isnan(state.position_rad).sum() == 1


def test_a_motor_that_goes_silent_keeps_its_old_stamp(rig) -> None:
    _, _, motors, io = rig
    io.write(actuation(Drive.POLL, 12), 1.0)
    io.read(1.0)
    motors["joint00" if "joint00" in motors else "joint01"].is_silent = True
    io.write(actuation(Drive.POLL, 12), 2.0)
    state = io.read(2.0)
    assert state.motor_stamp_s[io.order.index("joint01")] == 1.0
    assert (np.delete(state.motor_stamp_s, io.order.index("joint01")) == 2.0).all()


def test_states_are_read_only_and_do_not_change_afterwards(rig) -> None:
    _, _, motors, io = rig
    io.write(actuation(Drive.POLL, 12), 1.0)
    first = io.read(1.0)
    kept = first.position_rad.copy()
    for motor in motors.values():
        motor.position = 0x1234
        motor.status = 9
    io.write(actuation(Drive.POLL, 12), 2.0)
    io.read(2.0)
    assert (first.position_rad == kept).all()
    assert (first.motor_status == MotorStatus.DISABLED).all()
    assert (first.fault_code == 0).all()
    for array in (first.position_rad, first.motor_stamp_s, first.motor_status, first.imu.gravity_in_base):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_drives_become_the_frames_of_the_protocol(rig) -> None:
    _, buses, motors, io = rig
    ends = {Drive.ENABLE: "fc", Drive.DISABLE: "fd", Drive.CLEAR_FAULT: "fb"}
    for drive, end in ends.items():
        io.write(actuation(drive, 12), 1.0)
        assert all(motor.log[-1].hex() == "ff" * 7 + end for motor in motors.values())
    io.write(actuation(Drive.ENABLE, 12), 1.0)
    assert (io.read(1.0).motor_status == MotorStatus.ENABLED).all()
    io.write(actuation(Drive.COMMAND, 12), 1.0)
    assert all(motor.log[-1].hex() == "7fff7ff0000007ff" for motor in motors.values())
    assert len(buses.can["can0"].sent) == 3 * 5


def test_a_fault_is_reported_with_its_code_and_name(rig) -> None:
    _, _, motors, io = rig
    motors["joint21"].status = 0xD
    io.write(actuation(Drive.POLL, 12), 1.0)
    state = io.read(1.0)
    index = io.order.index("joint21")
    assert state.motor_status[index] == MotorStatus.FAULT
    assert io.fault_name(index, int(state.fault_code[index])) == "LOST_COMM"


def test_counters_tell_what_was_sent_expected_received_and_dropped(rig) -> None:
    _, buses, motors, io = rig
    motors["joint01"].is_silent = True
    for cycle in range(10):
        io.write(actuation(Drive.POLL, 12), cycle)
        io.read(cycle)
    buses.can["can0"].pending.append(Frame(0x123, bytes(8)))
    buses.can["can0"].pending.append(Frame(0x7FF, bytes.fromhex("0100cc0000000000")))
    buses.can["can0"].pending.append(Frame(0x002, bytes(8)))
    io.read(11.0)
    counts = io.statistics()["can0"]
    assert (counts.sent, counts.expected, counts.received) == (30, 30, 20)
    assert (counts.dropped, counts.foreign_commands) == (1, 2)
    assert io.statistics()["can1"].received == 30


def test_a_command_that_the_wire_cannot_carry_is_not_sent_and_counted(rig) -> None:
    _, _, motors, io = rig
    position = [0.0] * 12
    position[io.order.index("joint12")] = float("nan")
    io.write(actuation(Drive.COMMAND, 12, position_rad=position), 1.0)
    assert motors["joint12"].log == []
    assert sum(len(motor.log) for motor in motors.values()) == 11
    assert io.statistics()["can1"].errors == 1
    assert io.statistics()["can0"].errors == 0


def test_direction_gear_and_offset_are_applied_both_ways() -> None:
    joints = {
        "a": joint("can0", 1, direction=-1, offset=0.25, gear=2.0),
        "b": joint("can1", 1),
    }
    robot = robot_config(joints)
    buses = MemoryBuses()
    motors = populate(buses, robot)
    io = RobotIO(robot, buses)
    io.write(actuation(Drive.COMMAND, 2, position_rad=[0.5, 0.5], kp_nm_per_rad=[40.0, 40.0]), 0.0)
    raw = motors["a"].log[-1]
    motor_position = int.from_bytes(raw[:2], "big") / 65535 * 25.0 - 12.5
    assert motor_position == pytest.approx(-1 * 2.0 * (0.5 + 0.25), abs=5e-4)
    kp = ((raw[3] & 0xF) << 8 | raw[4]) / 4095 * 500
    assert kp == pytest.approx(40.0 / 4.0, abs=0.13)
    motors["a"].position = int.from_bytes(raw[:2], "big")
    io.write(actuation(Drive.POLL, 2), 0.0)
    assert io.read(0.0).position_rad[0] == pytest.approx(0.5, abs=5e-4)


def test_motors_of_several_makes_keep_the_order_of_the_joints(monkeypatch: pytest.MonkeyPatch) -> None:
    damiao = registry.MOTOR_MAKES["damiao"]
    makes = {"damiao": damiao, "twin": replace(damiao, uses_identifiers=none_of_11_bits)}
    for module in (registry, wiring_check, robot_io):
        monkeypatch.setattr(module, "MOTOR_MAKES", makes)
    joints = {}
    for number, make in enumerate(("twin", "damiao", "damiao", "twin", "twin"), 1):
        plain = joint("can0", number)
        joints[f"j{number}"] = replace(plain, motor=replace(plain.motor, make=make))
    robot = robot_config(joints, control_hz=200.0)
    buses = MemoryBuses()
    motors = populate(buses, robot)
    io = RobotIO(robot, buses)
    for number, motor in enumerate(motors.values(), 1):
        motor.position = 1000 * number
    motors["j4"].status = 0xA
    io.write(actuation(Drive.POLL, 5), 1.0)
    state = io.read(1.0)
    expected = [1000 * number * 25.0 / 65535 - 12.5 for number in range(1, 6)]
    assert state.position_rad == pytest.approx(expected)
    assert state.motor_status.tolist() == [1, 1, 1, 3, 1]
    assert io.fault_name(3, int(state.fault_code[3])) == "OVER_CURRENT"
    position = [0.1, 0.2, 0.3, 0.4, 0.5]
    io.write(actuation(Drive.COMMAND, 5, position_rad=position), 1.0)
    sent = [int.from_bytes(motor.log[-1][:2], "big") * 25.0 / 65535 - 12.5 for motor in motors.values()]
    assert sent == pytest.approx(position, abs=5e-4)
    assert io.statistics()["can0"].dropped == 0


def test_an_impossible_wiring_is_refused_with_all_reasons() -> None:
    robot = robot_config({"a": joint("can0", 1, model="DM1"), "b": joint("can0", 0)})
    with pytest.raises(RefusedError) as refused:
        RobotIO(robot, MemoryBuses())
    assert len(refused.value.reasons) == 2


def test_a_bus_that_cannot_be_opened_leaves_none_open() -> None:
    class Failing(MemoryBuses):
        def open_serial(self, name, config):
            raise BusError("no such port")

    buses = Failing()
    with pytest.raises(BusError):
        RobotIO(robot_config(), buses)
    assert len(buses.can) == 4
    assert all(bus.is_closed for bus in buses.can.values())


def test_close_closes_every_bus_and_may_be_repeated(rig) -> None:
    _, buses, _, io = rig
    io.close()
    io.close()
    assert all(bus.is_closed for bus in (*buses.can.values(), *buses.serial.values()))


def test_the_estimator_is_asked_for_the_base_velocity(rig) -> None:
    class Fixed:
        def base_velocity(self, now_s: float) -> BaseVelocity:
            return BaseVelocity(np.array([1.0, 2.0, 3.0]), now_s)

    io = RobotIO(rig[0], rig[1], Fixed())
    assert io.read(5.0).base_velocity.stamp_s == 5.0


def test_inventory_reads_everything_and_sets_mode_and_timeout(rig) -> None:
    robot, buses, motors, io = rig
    reports, took_s = run_inventory(io, buses)
    assert list(reports) == [*robot.order.names, "imu"]
    assert all(report.answered and report.problems == () for report in reports.values()), reports
    facts = reports["joint03" if "joint03" in reports else "joint01"].facts
    assert facts["timeout_s"] == 0.1
    assert facts["control_mode"] == "MIT"
    assert facts["torque_max_nm"] == 54.0
    assert all(motor.registers[9] == (2000).to_bytes(4, "little") for motor in motors.values())
    assert all(motor.registers[10] == (1).to_bytes(4, "little") for motor in motors.values())
    assert reports["imu"].facts["rate_hz"] == pytest.approx(250.0, rel=0.01)
    assert took_s < 1.0


def test_inventory_never_energises(rig) -> None:
    _, buses, motors, io = rig
    run_inventory(io, buses)
    enable = bytes.fromhex("fffffffffffffffc")
    for motor in motors.values():
        assert motor.status == 0
        assert enable not in motor.log
        assert all(data[2] in (0x33, 0x55, 0xCC) for data in motor.log)


def test_inventory_does_not_disturb_the_feedback(rig) -> None:
    _, _, _, io = rig
    positions: list[float] = []
    generator = io.inventory(0.0)
    for cycle in range(200):
        now_s = cycle * 0.002
        state = io.read(now_s)
        positions += state.position_rad[state.motor_status != MotorStatus.UNKNOWN].tolist()
        generator.send(now_s)
        io.write(actuation(Drive.POLL, 12), now_s)
    assert len(positions) > 2000
    assert max(abs(position) for position in positions) < 0.01


def test_inventory_names_what_is_wrong(rig) -> None:
    _, buses, motors, io = rig
    motors["joint01"].is_silent = True
    motors["joint02"].registers[23] = bytes.fromhex("00002041")
    motors["joint11"].status = 0x9
    motors["joint12"].status = 1
    motors["joint21"].registers[7] = (99).to_bytes(4, "little")
    reports, _ = run_inventory(io, buses)
    assert not reports["joint01"].answered
    assert "does not answer" in reports["joint01"].problems[0]
    assert "TMAX 10 N·m" in reports["joint02"].problems[0]
    assert "UNDER_VOLTAGE" in reports["joint11"].problems[0]
    assert "is enabled" in reports["joint12"].problems[0]
    assert motors["joint12"].registers[9] == bytes(4)
    assert "MST_ID 99" in reports["joint21"].problems[0]
    assert reports["joint22"].problems == ()


def test_inventory_survives_lost_replies_and_a_slow_mode_change(rig) -> None:
    _, buses, motors, io = rig
    motors["joint01"].skip_register_replies = 3
    motors["joint02"].ignored_mode_writes = 5
    reports, _ = run_inventory(io, buses)
    assert reports["joint01"].problems == ()
    assert reports["joint02"].problems == ()


def test_inventory_may_be_started_with_next(rig) -> None:
    _, _, _, io = rig
    generator = io.inventory(0.0)
    next(generator)
    generator.send(0.002)
    generator.close()


def troubled_rig(**shares: float) -> tuple[MemoryBuses, dict[str, FakeDamiao], RobotIO]:
    """A robot of which can0 is in trouble."""
    robot = robot_config()
    buses = MemoryBuses()
    buses.can["can0"] = TroubledBus(seed=7, **shares)
    motors = populate(buses, robot)
    return buses, motors, RobotIO(robot, buses)


def test_inventory_gets_through_a_bus_that_loses_a_third_of_its_frames() -> None:
    buses, _, io = troubled_rig(drop=0.3)
    reports, _ = run_inventory(io, buses)
    assert [report.problems for report in reports.values()] == [()] * 13
    counts = io.statistics()["can0"]
    assert 0.4 < counts.received / counts.expected < 0.6


@pytest.mark.parametrize(
    "shares",
    [{"drop": 0.5}, {"delay": 0.5}, {"duplicate": 0.5}, {"corrupt": 0.5}, {"drop": 0.2, "delay": 0.2, "corrupt": 0.2}],
    ids="-".join,
)
def test_whatever_a_bus_does_reading_neither_raises_nor_leaves_the_range(shares: dict[str, float]) -> None:
    _, _, io = troubled_rig(**shares)
    for cycle in range(300):
        io.write(actuation(Drive.POLL if cycle % 2 else Drive.COMMAND, 12), cycle * 0.002)
        state = io.read(cycle * 0.002)
        heard = state.motor_stamp_s > NEVER_S
        assert np.abs(state.position_rad[heard]).max(initial=0.0) <= 12.5 + 1e-9
        assert np.abs(state.torque_nm[heard]).max(initial=0.0) <= 54.0 + 1e-9
        assert (state.motor_status[heard] != MotorStatus.UNKNOWN).all()
    healthy, troubled = io.statistics()["can1"], io.statistics()["can0"]
    assert (healthy.received, healthy.dropped) == (900, 0)
    assert (troubled.received, troubled.dropped) != (900, 0)


def test_inventory_over_a_lossy_bus_still_names_what_is_wrong() -> None:
    buses, motors, io = troubled_rig(drop=0.1)
    motors["joint01"].registers[22] = bytes.fromhex("0000a041")
    reports, _ = run_inventory(io, buses)
    assert "VMAX 20 rad/s" in reports["joint01"].problems[0]
    assert reports["joint02"].problems == ()


def test_what_the_motors_can_be_told_is_known_at_the_joint() -> None:
    robot = robot_config()
    first, *others = robot.joints
    geared = replace(robot, joints={**robot.joints, first: replace(robot.joints[first], gear=2.0)})
    found = dict(zip(robot.joints, RobotIO(geared, MemoryBuses()).damping_maximum_nm_s_per_rad, strict=True))
    assert found == {first: 20.0, **dict.fromkeys(others, 5.0)}


def test_lines_that_have_one_owner_can_be_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = RobotIO(fitted("dynamixel", independent_cut_off="a contactor").config, NullBuses())
    assert robot.line_descriptors() == {}
    monkeypatch.setattr(NullSerial, "fileno", lambda self: 7, raising=False)
    lines = robot.line_descriptors()
    assert set(lines.values()) == {7}
    # The inertial unit's line carries no commands.
    assert sorted(lines) == ["dynamixel_can0", "dynamixel_can1", "dynamixel_can2", "dynamixel_can3"]
