from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.frame_bytes import unpack
from drivers.can.slcan.codec import LineParser
from drivers.capabilities import ControlLoop
from drivers.registry import MOTOR_MAKES
from drivers.stop_frames import SPACING_S, WITHOUT_DAMP, stop_frames
from supervisor.core.command import Drive
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.state import MotorStatus
from supervisor.core.stop_frames import Turn
from tests.drivers.sim.fitted import FITTINGS, Rig, fitted
from tests.drivers.sim.simulated import pup

DAMPED = [
    make
    for make in FITTINGS
    if MOTOR_MAKES[make].capabilities.control is ControlLoop.MOTOR and make not in WITHOUT_DAMP
]


def frames_of(turn: Turn) -> list[Frame]:
    found = [unpack(raw) for raw in turn]
    return [Frame(raw.number, raw.data, raw.is_extended, raw.is_fd) for raw in found if raw is not None]


def say(rig: Rig, name: str, turn: Turn) -> None:
    """Put one turn on a bus of the simulation, as the guardian would."""
    wire, config = rig.world.wires[name], rig.config.buses[name]
    if isinstance(config, CanBusConfig):
        wire.send(frames_of(turn))
    else:
        wire.write(turn[0])


def guard(rig: Rig, which: str, seconds: float):
    """Let nobody but the guardian speak."""
    stops = stop_frames(rig.config, pup().safety).buses
    state = rig.robot.read(rig.now_s)
    began_s, turn = rig.now_s, 0
    while rig.now_s < began_s + seconds:
        if rig.now_s >= began_s + turn * SPACING_S - 1e-9:
            for stop in stops:
                turns = getattr(stop, which)
                say(rig, stop.bus, turns[turn % len(turns)])
            turn += 1
        state = rig.step(None)
    return state


def running(make: str, **kwargs) -> Rig:
    """A robot whose motors are on and hold a pose."""
    rig = Rig(fitted(make, independent_cut_off="a contactor", **kwargs))
    rig.inventory()
    rig.settle(Drive.POLL)
    state = rig.settle(Drive.ENABLE)
    rig.target = replace(rig.target, position_rad=state.position_rad)
    state = rig.settle(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    return rig


@pytest.mark.parametrize("make", FITTINGS)
def test_the_bytes_of_cut_alone_switch_every_motor_off(make: str) -> None:
    rig = running(make)
    guard(rig, "cut", 0.06)
    np.testing.assert_array_equal(rig.world._torque(rig.now_s), 0.0)
    state = rig.settle(Drive.POLL)
    assert not (state.motor_status == MotorStatus.ENABLED).any()


@pytest.mark.parametrize("make", DAMPED)
def test_the_bytes_of_damp_alone_damp_without_stiffness(make: str) -> None:
    rig = running(make)
    state = guard(rig, "damp", 0.3)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    kd = pup().safety.profile.damp_kd_nm_s_per_rad
    expected = -kd * rig.world.plant.velocity_rad_per_s
    # Quantised to the motor's range, and the body has moved on since.
    np.testing.assert_allclose(rig.world._torque(rig.now_s), expected, atol=0.35)


@pytest.mark.parametrize("make", [make for make in FITTINGS if make not in DAMPED])
def test_who_cannot_damp_by_itself_is_cut_and_says_why(make: str) -> None:
    stops = stop_frames(fitted(make, independent_cut_off="a contactor").config, pup().safety)
    assert [stop.damp for stop in stops.buses] == [()] * len(stops.buses)
    assert stops.undamped[make]


def test_two_makes_on_one_bus_are_stopped_together() -> None:
    stops = stop_frames(fitted("damiao", "odrive", independent_cut_off="a contactor").config, pup().safety)
    (first, *_) = stops.buses
    idle = {number << 5 | 7 for number in range(1, 8)}
    assert len({len(turn) for turn in first.damp}) == 1
    # In DAMP the ODrives are switched off, in the same turn in which the others damp.
    assert {frame.arbitration_id for frame in frames_of(first.damp[0])} & idle
    assert {frame.arbitration_id for frame in frames_of(first.cut[0])} & idle
    assert first.damp != first.cut


def test_the_demo_robot_is_guarded_on_every_bus_with_motors() -> None:
    robot = pup()
    stops = stop_frames(robot.config, robot.safety)
    assert {stop.bus for stop in stops.buses} == {joint.motor.bus for joint in robot.config.joints.values()}
    assert (dict(stops.unguarded), dict(stops.undamped)) == ({}, {})
    assert {stop.kind for stop in stops.buses} == {"socketcan"}
    assert all(stop.damp and stop.spacing_s == SPACING_S for stop in stops.buses)


@pytest.mark.parametrize(
    ("interface", "kind"), [("handrail_datagram", "datagram"), ("slcan", "line"), ("socketcan", "socketcan")]
)
def test_each_interface_has_its_way(interface: str, kind: str) -> None:
    robot = pup()
    buses = {n: replace(b, interface=interface) if b.kind == "can" else b for n, b in robot.config.buses.items()}
    stops = stop_frames(replace(robot.config, buses=buses), robot.safety)
    assert {stop.kind for stop in stops.buses} == {kind}


def test_a_serial_adapter_is_told_whole_lines_after_the_end_of_a_torn_one() -> None:
    robot = pup()
    plain = stop_frames(robot.config, robot.safety).buses[0]
    buses = {n: replace(b, interface="slcan") if b.kind == "can" else b for n, b in robot.config.buses.items()}
    stop = stop_frames(replace(robot.config, buses=buses), robot.safety).buses[0]
    parser = LineParser()
    parser.feed(b"t1238")
    heard = parser.feed(stop.cut[0][0])
    assert [(f.arbitration_id, f.data) for f in heard] == [frame[:2] for frame in frames_of(plain.cut[0])]


def test_an_adapter_for_one_program_only_is_not_guarded_and_says_so() -> None:
    robot = pup()
    buses = {n: replace(b, interface="gs_usb") if b.kind == "can" else b for n, b in robot.config.buses.items()}
    stops = stop_frames(replace(robot.config, buses=buses), robot.safety)
    assert stops.buses == ()
    assert all("one program only" in reason for reason in stops.unguarded.values())
    assert len(stops.unguarded) == 4


def test_a_slow_line_is_given_time_for_each_turn() -> None:
    robot = fitted("dynamixel", independent_cut_off="a contactor").config
    buses = {
        n: replace(b, baud_bps=57_600) if isinstance(b, SerialBusConfig) and n != robot.imu.bus else b
        for n, b in robot.buses.items()
    }
    slow = stop_frames(replace(robot, buses=buses, control_hz=20.0), pup().safety).buses[0]
    assert slow.spacing_s == pytest.approx(2.0 * len(slow.cut[0][0]) * 10 / 57_600)


def test_flexible_frames_stay_flexible() -> None:
    stops = stop_frames(fitted("moteus", independent_cut_off="a contactor").config, pup().safety)
    assert all(stop.is_fd for stop in stops.buses)
    assert {frame.is_fd for frame in frames_of(stops.buses[0].cut[0])} == {True}
