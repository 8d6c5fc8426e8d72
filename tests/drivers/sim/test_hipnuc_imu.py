from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.imu.hipnuc.codec import FrameParser, Hi83, Hi91, decode_packets
from drivers.sim.imu.conditions import ImuCondition, Motion, quaternion_of, rotation_of, turn_about
from drivers.sim.imu.hipnuc import HipnucImu
from supervisor.core.errors import SimulationError
from supervisor.core.robot import ImuConfig

LEVEL = (1.0, 0.0, 0.0, 0.0)


def unit(packet: str = "hi91", mounting: tuple[float, float, float, float] = LEVEL, noise: float = 0.0) -> HipnucImu:
    return HipnucImu(ImuConfig("hipnuc", "imu0", packet, 250.0, mounting), seed=[1], noise_scale=noise)


def motion(
    rotation: np.ndarray | None = None, rate: tuple[float, ...] = (0.1, 0.2, 0.3), stamp_s: float = 1.0
) -> Motion:
    return Motion(np.eye(3) if rotation is None else rotation, np.array(rate), np.array([0.0, 0.0, 9.81]), stamp_s)


def packet_of(data: bytes) -> Hi91 | Hi83:
    (payload,) = FrameParser().feed(data)
    (packet,) = decode_packets(payload)
    assert isinstance(packet, (Hi91, Hi83))
    return packet


def test_hi91_carries_units_as_the_vendor_writes_them() -> None:
    packet = packet_of(unit().measure(motion()))
    assert isinstance(packet, Hi91)
    assert packet.acc_g == pytest.approx((0.0, 0.0, 9.81 / 9.8), abs=1e-6)
    assert packet.gyro_deg_per_s == pytest.approx([math.degrees(v) for v in (0.1, 0.2, 0.3)], rel=1e-6)
    assert packet.quat_wxyz == pytest.approx(LEVEL)
    assert packet.rpy_deg == pytest.approx((0.0, 0.0, 0.0), abs=1e-5)
    assert packet.time_ms == 1000


def test_hi83_carries_si_units_and_microseconds() -> None:
    packet = packet_of(unit("hi83").measure(motion(stamp_s=0.25)))
    assert isinstance(packet, Hi83)
    values = list(packet.fields.values())
    assert values[0] == pytest.approx((0.0, 0.0, 9.81))
    assert values[1] == pytest.approx((0.1, 0.2, 0.3), rel=1e-6)
    assert values[2] == pytest.approx(LEVEL)
    assert values[3][0] == 250_000


def test_a_tilted_unit_sees_gravity_and_rates_in_its_own_axes() -> None:
    rolled = turn_about("x", 0.5)
    packet = packet_of(unit().measure(motion(rolled, rate=(0.0, 0.0, 1.0))))
    assert isinstance(packet, Hi91)
    assert packet.acc_g == pytest.approx((0.0, math.sin(0.5) * 9.81 / 9.8, math.cos(0.5) * 9.81 / 9.8), abs=1e-6)
    assert packet.gyro_deg_per_s == pytest.approx(
        (0.0, math.degrees(math.sin(0.5)), math.degrees(math.cos(0.5))), abs=1e-4
    )
    assert packet.rpy_deg[0] == pytest.approx(math.degrees(0.5), abs=1e-4)


def test_the_mounting_turns_what_the_unit_says() -> None:
    half = math.sqrt(0.5)
    packet = packet_of(unit(mounting=(half, 0.0, 0.0, half)).measure(motion(rate=(1.0, 0.0, 0.0))))
    assert isinstance(packet, Hi91)
    assert packet.gyro_deg_per_s == pytest.approx((0.0, -math.degrees(1.0), 0.0), abs=1e-4)
    assert packet.quat_wxyz == pytest.approx((half, 0.0, 0.0, half), abs=1e-6)


def test_a_rotated_unit_is_one_that_is_mounted_so() -> None:
    half = math.sqrt(0.5)
    rotated, mounted = unit(), unit(mounting=(half, 0.0, half, 0.0))
    rotated.set_condition(ImuCondition(axis="y", angle_rad=math.pi / 2))
    sample = motion(turn_about("z", 0.3))
    first, second = packet_of(rotated.measure(sample)), packet_of(mounted.measure(sample))
    assert first.quat_wxyz == pytest.approx(second.quat_wxyz, abs=1e-6)  # type: ignore[union-attr]
    assert first.gyro_deg_per_s == pytest.approx(second.gyro_deg_per_s, abs=1e-4)  # type: ignore[union-attr]


def test_noise_makes_no_two_samples_alike_and_a_frozen_unit_repeats_itself() -> None:
    noisy = unit(noise=1.0)
    samples = [packet_of(noisy.measure(motion(stamp_s=0.004 * i))) for i in range(300)]
    assert len({sample._replace(time_ms=0) for sample in samples}) == 300  # type: ignore[call-arg]
    noisy.set_condition(ImuCondition(is_frozen=True))
    frozen = [packet_of(noisy.measure(motion(rate=(i, 0.0, 0.0), stamp_s=2.0 + i))) for i in range(3)]
    assert len({sample._replace(time_ms=0) for sample in frozen}) == 1  # type: ignore[call-arg]
    assert len({sample.time_ms for sample in frozen}) == 3  # type: ignore[union-attr]


def test_noise_has_the_size_it_says() -> None:
    noisy = unit(noise=1.0)
    samples = [packet_of(noisy.measure(motion(rate=(0.0, 0.0, 0.0)))) for _ in range(500)]
    rates = np.radians([sample.gyro_deg_per_s for sample in samples])  # type: ignore[union-attr]
    assert np.std(rates) == pytest.approx(0.003, rel=0.15)
    tilts = np.array([sample.quat_wxyz[1:3] for sample in samples])  # type: ignore[union-attr]
    assert 2.0 * np.std(tilts) == pytest.approx(0.0003, rel=0.15)


def test_faults_of_the_unit_show_in_its_packets() -> None:
    faulty = unit()
    faulty.set_condition(ImuCondition(is_nan=True))
    packet = packet_of(faulty.measure(motion()))
    assert isinstance(packet, Hi91)
    assert all(map(math.isnan, (*packet.acc_g, *packet.gyro_deg_per_s, *packet.quat_wxyz, *packet.rpy_deg)))
    faulty.set_condition(ImuCondition(is_lost=True))
    assert faulty.measure(motion()) == b""
    faulty.set_condition(ImuCondition(gyro_bias_rad_per_s=(0.5, 0.0, -0.5)))
    biased = packet_of(faulty.measure(motion(rate=(0.0, 0.0, 0.0))))
    assert biased.gyro_deg_per_s == pytest.approx((math.degrees(0.5), 0.0, -math.degrees(0.5)))  # type: ignore[union-attr]
    faulty.set_condition(ImuCondition())
    assert packet_of(faulty.measure(motion())).gyro_deg_per_s[0] == pytest.approx(math.degrees(0.1))  # type: ignore[union-attr]


def test_text_commands_stop_start_and_change_the_stream() -> None:
    device = unit()
    assert device.hear(b"LOG DISA") == b""
    assert device.hear(b"BLE\r\n") == b"OK\r\n"
    assert device.measure(motion()) == b""
    assert device.hear(b"LOG ENABLE\r\n") == b"OK\r\n"
    assert device.measure(motion()) != b""
    assert device.hear(b"LOG HI83 ONTIME 0.01\r\n") == b"OK\r\n"
    assert device.period_s == 0.01
    assert isinstance(packet_of(device.measure(motion())), Hi83)
    assert device.hear(b"LOG HI91 ONTIME 0\r\nLOG HI91 ONTIME nonsense\r\n") == b"ERR\r\n" * 2
    assert device.hear(b"LOG VERSION\r\n").endswith(b"OK\r\n")
    assert device.hear(b"MAKE COFFEE\r\n\xff\xfe\r\n") == b""


def test_a_packet_that_the_twin_does_not_know_is_refused() -> None:
    with pytest.raises(SimulationError, match="hi81"):
        unit("hi81")


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("angle_rad", [0.0, 0.3, -2.0, math.pi / 2, math.pi, 3.1])
def test_rotations_and_quaternions_say_the_same(axis: str, angle_rad: float) -> None:
    rotation = turn_about(axis, angle_rad)
    assert rotation_of(quaternion_of(rotation)) == pytest.approx(rotation, abs=1e-9)
    unit_vector = np.eye(3)["xyz".index(axis)]
    assert rotation @ unit_vector == pytest.approx(unit_vector)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
