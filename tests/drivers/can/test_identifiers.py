"""Which identifiers each make uses, held against what its driver really sends and answers in simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.registry import MOTOR_MAKES
from drivers.wiring_check import wiring_problems
from supervisor.core.command import Drive
from supervisor.core.robot import CanBusConfig, RobotConfig
from tests.drivers.sim.fitted import FITTINGS, Rig, fitted

ON_CAN = tuple(make for make, row in MOTOR_MAKES.items() if row.bus_kind == "can")
OF_11_BITS = ("damiao", "robstride_mit", "cubemars", "myactuator", "canopen", "odrive")


def shared(first: str, first_id: int, second: str, second_id: int, feedback_id: int = 0x30) -> RobotConfig:
    """Two joints of two makes on one bus, and the others on theirs."""
    config = fitted("damiao").config
    joints = dict(config.joints)
    for name, make, number in (("fl_hip", first, first_id), ("fl_thigh", second, second_id)):
        row, fitting = fitted(make).config.joints[name], FITTINGS[make]
        answer = feedback_id if fitting.has_feedback_id else 0
        joints[name] = replace(row, motor=replace(row.motor, bus="shared", id=number, feedback_id=answer))
    buses = {**config.buses, "shared": CanBusConfig("can", "socketcan", "shared", 1_000_000)}
    return replace(config, joints=joints, buses=buses, independent_cut_off="contactor K1")


@pytest.mark.parametrize("make", OF_11_BITS)
def test_no_motor_uses_an_identifier_that_is_not_listed(make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(fitted(make, independent_cut_off="contactor K1"))
    seen: dict[str, set[int]] = {name: set() for name in rig.robot._can}
    for name, bus in rig.robot._can.items():
        send, receive, ids = bus.send, bus.receive, seen[name]
        monkeypatch.setattr(bus, "send", lambda frames, send=send, ids=ids: (note(ids, frames), send(frames))[1])
        monkeypatch.setattr(bus, "receive", lambda now_s, receive=receive, ids=ids: note(ids, receive(now_s)))
    rig.inventory()
    for drive in (Drive.ENABLE, Drive.COMMAND, Drive.DISABLE, Drive.CLEAR_FAULT, Drive.POLL):
        rig.settle(drive)
    uses = MOTOR_MAKES[make].uses_identifiers
    motors = [joint.motor for joint in rig.config.joints.values()]
    listed = {name: {i for motor in motors if motor.bus == name for i in uses(motor)} for name in seen}
    assert {hex(identifier) for name, ids in seen.items() for identifier in ids - listed[name]} == set()
    assert all(seen.values())


def note(ids: set[int], frames):
    ids |= {frame.arbitration_id for frame in frames if not frame.is_extended}
    return frames


@pytest.mark.parametrize(
    ("first", "first_id", "second", "second_id", "identifier"),
    [
        ("damiao", 0x61, "odrive", 3, 0x061),
        ("damiao", 0x142, "myactuator", 2, 0x142),
        ("damiao", 0x182, "canopen", 2, 0x182),
        ("robstride_mit", 0x41, "myactuator", 1, 0x141),
        ("robstride_mit", 0x20, "odrive", 1, 0x020),
        ("cubemars", 5, "canopen", 6, 0x000),
        ("canopen", 5, "odrive", 4, 0x080),
        ("myactuator", 3, "odrive", 18, 0x243),
    ],
)
def test_makes_whose_identifiers_meet_on_a_bus_are_refused(
    first: str, first_id: int, second: str, second_id: int, identifier: int
) -> None:
    expected = (
        f"bus shared: fl_hip ({first} {first_id}) and fl_thigh ({second} {second_id}) both use identifier "
        f"0x{identifier:03X}: give one of them another id, or each make a bus of its own"
    )
    assert wiring_problems(shared(first, first_id, second, second_id)) == [expected]


@pytest.mark.parametrize(
    ("first", "first_id", "second", "second_id"),
    [
        ("damiao", 1, "odrive", 3),
        ("damiao", 1, "robstride", 2),
        ("damiao", 1, "myactuator", 2),
        ("damiao", 1, "canopen", 2),
        ("robstride", 1, "odrive", 3),
        ("robstride", 1, "cybergear", 2),
    ],
)
def test_makes_whose_identifiers_stay_clear_share_a_bus(first: str, first_id: int, second: str, second_id: int) -> None:
    assert wiring_problems(shared(first, first_id, second, second_id)) == []


@pytest.mark.parametrize("make", [make for make in ON_CAN if make != "moteus"])
def test_classic_can_shares_no_bus_with_fd(make: str) -> None:
    config = shared(make, 1, "moteus", 2)
    buses = {**config.buses, "shared": replace(config.buses["shared"], fd=True, data_bitrate_bps=5_000_000)}
    (problem,) = wiring_problems(replace(config, buses=buses))
    assert problem.startswith(f"bus shared: motors of {make} and moteus cannot share a bus: ")
