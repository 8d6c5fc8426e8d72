"""Every simulated inertial unit, read by the driver of its make: through bytes, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import Imu
from drivers.imu.vectornav_vn100 import codec as vectornav
from drivers.imu.vectornav_vn100 import commands as vectornav_commands
from drivers.imu.vectornav_vn100.tables import BINARY_OUTPUT
from drivers.imu.witmotion import codec as witmotion
from drivers.imu.xsens_xbus import codec as xsens
from drivers.registry import IMU_MAKES
from drivers.sim.imu.conditions import ImuCondition, Motion, rotation_of, turn_about
from drivers.sim.imu.unit import SimulatedUnit
from drivers.sim.world import IMU_MAKES as TWINS
from drivers.sim.world import SimulatedWorld
from drivers.wiring_check import wiring_problems
from supervisor.core.errors import SimulationError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import ImuConfig
from supervisor.core.state import ImuReading
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.sim.simulated import pup, script

HALF = math.sqrt(0.5)
LEVEL, UPSIDE_DOWN, ON_ITS_SIDE = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.5, 0.5, -0.5, 0.5)
PACKETS = [(make, packet) for make in TWINS for packet in IMU_MAKES[make].frame_bytes]
every_packet = pytest.mark.parametrize(("make", "packet"), PACKETS)
WORDS_WITHOUT_NAN = ("witmotion", "vectornav_vn100-vnymr", "vectornav_vn100-vnqmr")


def config(make: str, packet: str, mounting: tuple[float, float, float, float] = LEVEL) -> ImuConfig:
    return ImuConfig(make, "imu0", packet, 250.0, mounting)


def pair(unit: ImuConfig, noise: float = 0.0) -> tuple[SimulatedUnit, Imu, MemoryPort]:
    """The twin, and the driver that reads it."""
    port = MemoryPort()
    twin = TWINS[unit.make](unit, seed=[1], noise_scale=noise)
    assert isinstance(twin, SimulatedUnit)
    return twin, IMU_MAKES[unit.make].make(unit, port), port


def motion(rotation: np.ndarray, number: int = 0) -> Motion:
    rate, force = np.array([0.3, -0.5, 0.7]), np.array([1.0, -2.0, 9.8 + number])
    return Motion(rotation, rate, force, 1.0 + 0.004 * number)


def sample(twin: SimulatedUnit, imu: Imu, port: MemoryPort, moved: Motion) -> ImuReading:
    port.pending = twin.measure(moved)
    return imu.read(moved.stamp_s)


@every_packet
@pytest.mark.parametrize("mounting", [LEVEL, UPSIDE_DOWN, ON_ITS_SIDE])
def test_the_driver_reads_the_motion_that_the_twin_was_given(
    make: str, packet: str, mounting: tuple[float, float, float, float]
) -> None:
    twin, imu, port = pair(config(make, packet, mounting))
    for roll, pitch, yaw in ((0.0, 0.0, 0.0), (0.4, -0.3, 0.0), (-1.0, 0.6, 2.0), (2.5, -1.2, -3.0)):
        rotation = turn_about("z", yaw) @ turn_about("y", pitch) @ turn_about("x", roll)
        moved = motion(rotation)
        reading = sample(twin, imu, port, moved)
        found = rotation_of(tuple(reading.orientation_base_in_world_wxyz.tolist()))
        assert reading.gravity_in_base == pytest.approx(rotation.T @ [0.0, 0.0, -1.0], abs=1e-3)
        expected = rotation.T @ moved.angular_velocity_base_in_world_rad_per_s
        assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx(expected, abs=2e-3)
        expected = rotation.T @ moved.specific_force_in_world_m_per_s2
        assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx(expected, abs=1e-2)
        assert found == pytest.approx(rotation, abs=2e-3)
        assert not reading.warning


@every_packet
def test_a_packet_is_as_long_as_the_load_of_its_line_is_computed_with(make: str, packet: str) -> None:
    twin, _, _ = pair(config(make, packet), noise=1.0)
    size = len(twin.measure(motion(np.eye(3))))
    short_checksum = 2 * packet.startswith("vn")
    assert size + short_checksum == IMU_MAKES[make].frame_bytes[packet]


@every_packet
def test_no_two_noisy_samples_repeat_and_a_frozen_unit_does(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet), noise=1.0)
    still = motion(np.eye(3))
    assert [sample(twin, imu, port, still).unchanged for _ in range(50)] == [0] * 50
    twin.set_condition(ImuCondition(is_frozen=True))
    frozen = [sample(twin, imu, port, motion(turn_about("x", 0.1 * i), i)).unchanged for i in range(5)]
    assert frozen == [1, 2, 3, 4, 5]


@every_packet
def test_a_unit_gone_mad_never_reads_as_a_sound_one(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet))
    twin.set_condition(ImuCondition(is_nan=True))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.sequence == 1
    force = reading.acceleration_base_in_base_m_per_s2
    if f"{make}-{packet}".startswith(WORDS_WITHOUT_NAN):
        assert np.linalg.norm(force) == 0.0
    else:
        assert np.isnan(force).all()
        assert np.isnan(reading.gravity_in_base).all()


@every_packet
def test_a_lost_a_biased_and_a_turned_unit(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet))
    twin.set_condition(ImuCondition(is_lost=True))
    assert sample(twin, imu, port, motion(np.eye(3))).sequence == 0
    twin.set_condition(ImuCondition(gyro_bias_rad_per_s=(0.5, 0.0, 0.0)))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([0.8, -0.5, 0.7], abs=2e-3)
    twin.set_condition(ImuCondition(axis="x", angle_rad=math.pi / 2))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.gravity_in_base == pytest.approx([0.0, -1.0, 0.0], abs=1e-3)


def test_a_packet_that_a_twin_does_not_send_is_refused() -> None:
    for make in TWINS:
        with pytest.raises(SimulationError, match="not 'smoke'"):
            TWINS[make](config(make, "smoke"), seed=[1])


@every_packet
def test_pup_reads_gravity_and_rates_through_the_bytes_of_any_make(make: str, packet: str) -> None:
    robot = pup()
    # A VectorNav mounted upright has its z axis down; the others have it up.
    mounting = UPSIDE_DOWN if make == "vectornav_vn100" else (HALF, 0.0, 0.0, HALF)
    changed = replace(robot.config, imu=config(make, packet, mounting))
    assert wiring_problems(changed) == []
    push = {"kind": "push", "force_n": [75.0, 50.0, 0.0], "at": {"stage": "start", "after_s": 0.1}, "for_s": 0.3}
    world = SimulatedWorld(replace(robot, config=changed), faults=script(push))
    imu = IMU_MAKES[make].make(changed.imu, world.open_serial("imu0", changed.buses["imu0"]))  # type: ignore[arg-type]
    truths: list[tuple[np.ndarray, np.ndarray]] = []
    errors: list[np.ndarray] = []
    fastest = 0.0
    for cycle in range(1, 251):
        world.advance_to(0.002 * cycle)
        rotation, spatial = world.plant.site_motion()
        truths.append((rotation.T @ [0.0, 0.0, -1.0], rotation.T @ spatial[:3]))
        reading = imu.read(0.002 * cycle)
        if reading.stamp_s == 0.002 * cycle and cycle > 3:
            # A sample is one or two cycles old when it arrives: the nearest of the last truths is its own.
            errors.append(
                np.array(
                    [
                        min(np.abs(reading.gravity_in_base - down).max() for down, _ in truths[-4:]),
                        min(np.abs(reading.angular_velocity_base_in_base_rad_per_s - r).max() for _, r in truths[-4:]),
                    ]
                )
            )
            fastest = max(fastest, float(np.abs(truths[-1][1]).max()))
    assert fastest > 0.2
    assert reading.sequence == pytest.approx(125, abs=2)
    worst = np.max(errors, axis=0)
    # Five standard deviations of the noise.
    assert worst[0] < 5 * 0.0003 + 1e-3
    assert worst[1] < 5 * 0.003 + 5e-3


def inventory(twin: SimulatedUnit, imu: Imu, port: MemoryPort) -> DeviceReport:
    probe = imu.probe()
    next(probe)
    for number in range(1000):
        moved = motion(np.eye(3))._replace(stamp_s=0.004 * number)
        sample(twin, imu, port, moved)
        try:
            probe.send(moved.stamp_s)
        except StopIteration as done:
            (report,) = done.value
            return report
    raise AssertionError("the inventory does not end")


@every_packet
def test_the_inventory_of_every_simulated_unit_finds_nothing_wrong(make: str, packet: str) -> None:
    report = inventory(*pair(config(make, packet), noise=1.0))
    assert (report.answered, report.problems) == (True, ())
    assert report.facts["rate_hz"] == pytest.approx(250.0)


# What the twins understand


def twin_of(make: str, packet: str) -> SimulatedUnit:
    return pair(config(make, packet))[0]


def streams(twin: SimulatedUnit, stamp_s: float = 1.0) -> bytes:
    return twin.measure(motion(np.eye(3))._replace(stamp_s=stamp_s))


def test_a_witmotion_unit_takes_writes_for_ten_seconds_after_the_unlock() -> None:
    twin = twin_of("witmotion", "acc_gyro_quaternion")
    streams(twin)
    assert twin.hear(witmotion.make_register_write(3, 9)) == b""
    assert twin.period_s == 1.0 / 250.0
    unlock = witmotion.make_register_write(0x69, 0xB588)
    # Split anywhere, and after noise.
    assert twin.hear(b"\xff\x00" + unlock[:2]) == twin.hear(unlock[2:]) == b""
    twin.hear(witmotion.make_register_write(3, 9) + witmotion.make_register_write(2, 0x1E))
    assert twin.period_s == 0.01
    assert [frame[1] for frame in witmotion.FrameParser().feed(streams(twin, 10.9))] == [0x51, 0x52, 0x53, 0x54]
    answer = witmotion.decode_frame(twin.hear(witmotion.make_register_read(2)))
    assert answer == witmotion.Other((0x1E, 9, 0, 0))
    streams(twin, 11.0)
    twin.hear(witmotion.make_register_write(3, 0x0D))
    assert twin.period_s == 0.01
    twin.hear(unlock + witmotion.make_register_write(3, 0x0D))
    assert streams(twin) == b""


def xsens_answers(twin: SimulatedUnit, *frames: bytes) -> list[tuple[int, bytes]]:
    return [xsens.split_message(frame)[1:] for frame in xsens.FrameParser().feed(twin.hear(b"".join(frames)))]


def test_an_xsens_unit_is_configured_between_config_and_measurement() -> None:
    twin = twin_of("xsens_xbus", "mtdata2")
    outputs = [(0x1020, 0xFFFF), (0x2010, 100), (0x4020, 100), (0x8020, 100), (0xE020, 0xFFFF)]
    request = xsens.make_output_configuration(outputs)
    assert xsens_answers(twin, request) == [(0x42, b"\x04")]
    assert xsens_answers(twin, xsens.make_message(0x30)) == [(0x31, b"")]
    assert streams(twin) == b""
    damaged = bytearray(request)
    damaged[-1] ^= 1
    assert xsens_answers(twin, bytes(damaged)) == []
    ((kind, data),) = xsens_answers(twin, b"\x00" + request)
    assert (kind, xsens.decode_output_configuration(data)) == (0xC1, outputs)
    assert twin.period_s == 0.01
    found = xsens_answers(twin, xsens.make_message(0x00), xsens.make_message(0x12), xsens.make_message(0x77))
    assert [kind for kind, _ in found] == [0x01, 0x13, 0x42]
    assert xsens_answers(twin, xsens.make_message(0x10)) == [(0x11, b"")]
    items = xsens.decode_items(xsens.split_message(streams(twin)).data)
    assert [item.data_id for item in items] == [kind for kind, _ in outputs]


@pytest.mark.parametrize(
    ("outputs", "code"),
    [([(0x2010, 7)], 3), ([(0x2010, 0)], 3), ([(0x1020, 0xFFFF)], 3), ([(0x5040, 1)], 0x21)],
)
def test_an_xsens_unit_refuses_outputs_that_it_cannot_send(outputs: list[tuple[int, int]], code: int) -> None:
    twin = twin_of("xsens_xbus", "mtdata2")
    found = xsens_answers(twin, xsens.make_message(0x30), xsens.make_output_configuration(outputs))
    assert found[1] == (0x42, bytes((code,)))


def vectornav_answers(twin: SimulatedUnit, *lines: bytes) -> list[str]:
    answers = [vectornav.decode_text(line) for line in vectornav.FrameParser().feed(twin.hear(b"".join(lines)))]
    return [",".join((answer.kind, *answer.parameters)) for answer in answers]


def test_a_vectornav_unit_changes_its_packet_and_pauses() -> None:
    twin = twin_of("vectornav_vn100", "binary")
    assert vectornav_answers(twin, vectornav_commands.make_register_read(1)) == ["VNRRG,01,VN-100"]
    assert vectornav_answers(twin, vectornav_commands.make_register_read(75, "crc16")) == ["VNRRG,75,1,3,11,131,1"]
    assert vectornav_answers(
        twin, vectornav_commands.make_register_write(6, [14]), vectornav_commands.make_register_write(7, [40])
    ) == [
        "VNWRG,06,14",
        "VNWRG,07,40",
    ]
    assert twin.period_s == 0.025
    assert b"$VNYMR," in streams(twin)
    output = vectornav_commands.make_binary_output(BINARY_OUTPUT, port_mask=1, divisor=4)
    assert vectornav_answers(twin, output[:9]) == []
    assert vectornav_answers(twin, output[9:]) == ["VNWRG,75,1,4,11,131,1"]
    assert twin.period_s == 0.005
    assert streams(twin)[0] == 0xFA
    assert vectornav_answers(twin, b"$VNASY,0*XX\r\n") == ["VNASY,0"]
    assert streams(twin) == b""
    assert vectornav_answers(twin, b"$VNASY,1*XX\r\n", vectornav_commands.make_command("tare")) == ["VNASY,1", "VNTAR"]
    assert streams(twin) != b""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"$VNRRG,01*00\r\n", "03"),
        (b"$VNDANCE*XX\r\n", "04"),
        (b"$VNWRG,06*XX\r\n", "05"),
        (b"$VNWRG,06,77*XX\r\n", "07"),
        (b"$VNWRG,75,1,0,11,131,1*XX\r\n", "07"),
        (b"$VNRRG,99*XX\r\n", "08"),
        (b"$VNWRG,99,1*XX\r\n", "08"),
        (b"$VNWRG,\xff\xfe,1*XX\r\n", "08"),
    ],
)
def test_a_vectornav_unit_answers_what_it_cannot_do_with_an_error(line: bytes, code: str) -> None:
    assert vectornav_answers(twin_of("vectornav_vn100", "binary"), b"noise\r\n", line) == [f"VNERR,{code}"]


@pytest.mark.parametrize("make", TWINS)
@given(parts=st.lists(st.binary(max_size=40), max_size=5))
def test_no_bytes_make_a_twin_raise(make: str, parts: list[bytes]) -> None:
    twin = twin_of(make, next(iter(IMU_MAKES[make].frame_bytes)))
    starts = (b"\xff\xaa", b"\xfa\xff\xc0", b"$VNWRG,75,", b"LOG ")
    for part in parts:
        for start in starts:
            twin.hear(start + part + b"\r\n")
    streams(twin)
