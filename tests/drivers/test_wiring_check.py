from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.registry import IMU_MAKES, MOTOR_MAKES
from drivers.wiring_check import wiring_problems
from supervisor.core.robot import CanBusConfig, ImuConfig, MotorConfig, RobotConfig, SerialBusConfig
from tests.drivers.fake_devices import joint, robot_config


def problems_of(**changes: object) -> list[str]:
    """Problems of a robot with one joint that is changed in one way."""
    return wiring_problems(robot_config({"knee": replace(joint("can0", 1), **changes)}))


def test_a_robot_that_can_work_has_no_problems() -> None:
    assert wiring_problems(robot_config()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"position_rad": (-12.6, 1.0)}, "position_rad with offset_rad asks 12.6 rad"),
        ({"position_rad": (-12.0, 1.0), "offset_rad": -0.6}, "asks 12.6 rad"),
        ({"position_rad": (-2.0, 2.0), "gear": 7.0}, "asks 14 rad of the motor (gear 7)"),
        ({"velocity_rad_per_s": 46.0}, "velocity_rad_per_s asks 46 rad/s"),
        ({"torque_nm": 55.0}, "torque_nm asks 55 N·m"),
        ({"torque_nm": 30.0, "gear": 0.5}, "torque_nm asks 60 N·m"),
        ({"kp_nm_per_rad": 501.0}, "kp_nm_per_rad asks 501"),
        ({"kd_nm_s_per_rad": 5.1}, "kd_nm_s_per_rad asks 5.1"),
        ({"kp_nm_per_rad": 200.0, "gear": 0.5}, "kp_nm_per_rad asks 800"),
    ],
)
def test_what_the_messages_cannot_carry_is_named(changes: dict[str, object], expected: str) -> None:
    found = problems_of(**changes)
    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("joint knee: ") for problem in found)


@pytest.mark.parametrize(
    "changes",
    [
        {"position_rad": (-12.5, 12.5)},
        {"velocity_rad_per_s": 45.0},
        {"torque_nm": 54.0},
        {"kp_nm_per_rad": 500.0},
        {"kd_nm_s_per_rad": 5.0},
        {"torque_nm": 100.0, "gear": 2.0},
        {"kp_nm_per_rad": 1900.0, "gear": 2.0},
    ],
)
def test_a_limit_itself_is_allowed(changes: dict[str, object]) -> None:
    assert problems_of(**changes) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"make": "acme"}, "unknown make 'acme'; known: damiao"),
        ({"model": "DM1"}, "unknown model 'DM1' of damiao; known: DM3507"),
        ({"id": 0}, "id 0 is not possible; allowed: 1 to 2046"),
        ({"feedback_id": 0}, "feedback_id 0 is not possible"),
        ({"id": 2047}, "id 2047"),
        ({"feedback_id": 1}, "which is the id knee listens to"),
    ],
)
def test_a_motor_that_cannot_be_is_named(changes: dict[str, object], expected: str) -> None:
    config = joint("can0", 1)
    found = problems_of(motor=replace(config.motor, **changes))
    assert len(found) == 1
    assert expected in found[0]


def loaded(motors: int, control_hz: float, bitrate_bps: int = 1_000_000) -> RobotConfig:
    joints = {f"j{i}": joint("can0", i) for i in range(1, motors + 1)}
    buses = {"can0": CanBusConfig("can", "virtual", "0", bitrate_bps), "imu0": SerialBusConfig("serial", "", 921_600)}
    return robot_config(joints, control_hz=control_hz, buses=buses)


@pytest.mark.parametrize(
    ("motors", "control_hz", "fits"),
    [(3, 500.0, True), (5, 500.0, True), (6, 500.0, False), (12, 200.0, True), (12, 400.0, False), (1, 2592.0, True)],
)
def test_bus_load_is_held_against_the_worst_case(motors: int, control_hz: float, fits: bool) -> None:
    # 270 bits per motor and cycle at worst; 70 % of 1 Mbit/s.
    assert (270 * motors * control_hz <= 700_000) == fits
    assert (wiring_problems(loaded(motors, control_hz)) == []) == fits


def test_an_overloaded_bus_is_explained_with_arithmetic_and_a_way_out() -> None:
    (problem,) = wiring_problems(loaded(7, 500.0))
    assert problem.startswith("bus can0: 7 motors at 500 Hz and 1000000 bit/s load it by 94% at worst, allowed 70%")
    assert "keep 5 motors here and move j6, j7 to another bus" in problem
    assert "lower control_hz to 370" in problem
    assert wiring_problems(loaded(7, 370.0)) == []
    assert wiring_problems(loaded(5, 500.0)) == []


def test_a_bus_too_slow_for_one_motor_says_so() -> None:
    (problem,) = wiring_problems(loaded(1, 500.0, 125_000))
    assert "keep 0 motors here" in problem
    (problem,) = wiring_problems(loaded(1, 500.0, 0))
    assert "bitrate_bps 0" in problem


def imu(**changes: object) -> ImuConfig:
    return replace(ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)), **changes)


@pytest.mark.parametrize(
    ("changes", "baud_bps", "expected"),
    [
        ({}, 115_200, "hi91 at 250 Hz is 82 bytes x 10 bits x 250 = 205000 bit/s; imu0 has 115200"),
        ({"make": "acme"}, 921_600, "unknown make 'acme'"),
        ({"packet": "hi92"}, 921_600, "unknown packet 'hi92' of hipnuc; known: hi91, hi83"),
        ({"bus": "can0"}, 921_600, "'can0' is not a serial bus"),
    ],
)
def test_an_inertial_unit_that_cannot_work_is_named(changes: dict[str, object], baud_bps: int, expected: str) -> None:
    buses = {"can0": CanBusConfig("can", "virtual", "0", 1_000_000), "imu0": SerialBusConfig("serial", "", baud_bps)}
    (problem,) = wiring_problems(robot_config({"knee": joint("can0", 1)}, imu=imu(**changes), buses=buses))
    assert problem.startswith("imu: ")
    assert expected in problem


def test_all_problems_are_listed_at_once() -> None:
    joints = {"a": replace(joint("can0", 1), torque_nm=99.0), "b": replace(joint("can0", 2), kp_nm_per_rad=999.0)}
    assert len(wiring_problems(robot_config(joints, imu=imu(make="acme")))) == 3


@pytest.mark.parametrize(
    ("changes", "motor", "expected"),
    [
        ({}, {}, None),
        ({"position_rad": (-12.0, 12.0)}, {}, None),
        ({"position_rad": (-12.1, 1.0)}, {}, "carry at most 12.07 rad"),
        ({}, {"id": 127}, None),
        ({}, {"id": 128}, "id 128 is not possible; allowed: 1 to 127"),
        ({}, {"feedback_id": 253}, "feedback_id 253 is not possible; allowed: 0 to 0"),
    ],
)
def test_robstride_motors_stay_away_from_their_wrap_and_answer_to_us(changes, motor, expected) -> None:
    config = joint("can0", 1, model="RS02")
    limits = {"velocity_rad_per_s": 20.0, "torque_nm": 17.0}
    config = replace(config, motor=replace(config.motor, make="robstride", feedback_id=0), **limits)
    config = replace(config, motor=replace(config.motor, **motor), **changes)
    found = wiring_problems(robot_config({"knee": config}))
    assert [expected in problem for problem in found] == [True] * (expected is not None)


def test_frames_with_29_bits_load_the_bus_more() -> None:
    motors = {f"j{i}": joint("can0", i, model="CyberGear") for i in range(1, 6)}
    joints = {
        name: replace(config, motor=replace(config.motor, make="cybergear", feedback_id=0), torque_nm=12.0)
        for name, config in motors.items()
    }
    limits = {name: replace(config, velocity_rad_per_s=20.0) for name, config in joints.items()}
    (problem,) = wiring_problems(robot_config(limits, control_hz=500.0))
    assert "5 motors at 500 Hz and 1000000 bit/s load it by 80%" in problem


@pytest.mark.parametrize("make", ["bno08x_rvc"])
def test_a_unit_without_angular_rate_is_refused_with_that_reason(make: str) -> None:
    buses = {"can0": CanBusConfig("can", "virtual", "0", 1_000_000), "imu0": SerialBusConfig("serial", "", 115_200)}
    unit = imu(make=make, packet="rvc", rate_hz=100.0)
    (problem,) = wiring_problems(robot_config({"knee": joint("can0", 1)}, imu=unit, buses=buses))
    assert problem == f"imu: {make} measures no angular rate, which the safety guards need: use another unit"
    assert not IMU_MAKES[make].has_angular_rate


@pytest.mark.parametrize(
    ("make", "packet"),
    [(make, packet) for make, known in IMU_MAKES.items() for packet in known.frame_bytes if known.has_angular_rate],
)
def test_every_packet_of_every_other_unit_works_at_a_rate_that_its_line_carries(make: str, packet: str) -> None:
    joints = {"knee": joint("can0", 1)}
    size = IMU_MAKES[make].frame_bytes[packet]
    for baud_bps, count in ((size * 10 * 200, 1), (size * 10 * 250, 0)):
        buses = {
            "can0": CanBusConfig("can", "virtual", "0", 1_000_000),
            "imu0": SerialBusConfig("serial", "", baud_bps),
        }
        unit = imu(make=make, packet=packet, rate_hz=200.0)
        assert len(wiring_problems(robot_config(joints, imu=unit, buses=buses))) == count


def geared(make: str, **changes: object) -> RobotConfig:
    """One joint, on a line of its own, with a motor of a make on a serial line."""
    config = joint("rs0", 1)
    motor = MotorConfig(make, next(iter(MOTOR_MAKES[make].models)), "rs0", 1)
    buses = {"rs0": SerialBusConfig("serial", "", 4_000_000), "imu0": SerialBusConfig("serial", "", 921_600)}
    return robot_config({"knee": replace(config, motor=motor, **changes)}, buses=buses)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"starts_within_rad": (0.0, 0.89)}, None),
        ({"starts_within_rad": (0.2, 0.2)}, None),
        ({"position_rad": (-0.4, 0.4)}, None),
        ({"starts_within_rad": (0.0, 0.9)}, "starts_within_rad spans 0.9 rad, allowed: 0 to 0.892"),
        ({"starts_within_rad": (0.2, 0.1)}, "starts_within_rad spans -0.1 rad"),
        ({"starts_within_rad": (0.0, 0.5), "gear": 2.0}, "starts_within_rad spans 0.5 rad, allowed: 0 to 0.446"),
        ({"position_rad": (-0.5, 0.5)}, "position_rad spans 1 rad, allowed: 0 to 0.892: give `starts_within_rad"),
    ],
)
def test_a_motor_that_knows_part_of_a_turn_must_be_told_where_it_starts(changes, expected: str | None) -> None:
    found = wiring_problems(geared("unitree", **changes))
    assert [expected in problem for problem in found] == [True] * (expected is not None)


def test_a_motor_that_knows_where_it_is_is_not_told() -> None:
    (problem,) = problems_of(starts_within_rad=(0.0, 0.1))
    assert "damiao motors know where they are: remove `starts_within_rad`" in problem


@pytest.mark.parametrize(("direction", "expected"), [(1, (0.6, 1.4)), (-1, (-1.4, -0.6))])
def test_where_a_joint_starts_is_told_to_its_motor_in_the_motors_frame(direction, expected) -> None:
    config = replace(joint("can0", 1), starts_within_rad=(0.1, 0.5), offset_rad=0.2, gear=2.0, direction=direction)
    assert config.motor_starts_within_rad == pytest.approx(expected)
    assert replace(config, starts_within_rad=None, position_rad=(0.1, 0.5)).motor_starts_within_rad == pytest.approx(
        expected
    )


def on_one_line(motors: int, control_hz: float) -> RobotConfig:
    one = geared("unitree", starts_within_rad=(0.0, 0.5))
    knee = one.joints["knee"]
    joints = {f"j{i}": replace(knee, motor=replace(knee.motor, id=i)) for i in range(motors)}
    return robot_config(joints, control_hz=control_hz, buses=dict(one.buses))


@pytest.mark.parametrize(("motors", "control_hz", "fits"), [(3, 500.0, True), (4, 500.0, False), (1, 100.0, True)])
def test_motors_that_take_turns_may_not_wait_for_long(motors: int, control_hz: float, fits: bool) -> None:
    assert (wiring_problems(on_one_line(motors, control_hz)) == []) == fits


def test_too_many_motors_that_take_turns_are_told_where_to_go() -> None:
    (problem,) = wiring_problems(on_one_line(5, 500.0))
    assert problem == (
        "bus rs0: 5 motors of unitree take turns, so that each waits 10 ms at 500 Hz, allowed 6 ms: "
        "keep 3 motors here and move j3, j4 to another line"
    )


def test_a_make_with_one_rate_is_refused_on_another() -> None:
    one = geared("unitree", starts_within_rad=(0.0, 0.5))
    buses = {**one.buses, "rs0": SerialBusConfig("serial", "", 2_000_000)}
    (problem,) = wiring_problems(replace(one, buses=buses))
    assert problem == "bus rs0: unitree motors speak 4000000 bit/s only, and baud_bps is 2000000"
