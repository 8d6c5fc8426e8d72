from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.hipnuc.device import HipnucImu
from supervisor.core.robot import ImuConfig
from supervisor.core.state import NEVER_S, ImuReading
from tests.drivers.fake_devices import MemoryPort, hi91, hipnuc_frame

CONFIG = ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0))
HALF = math.sqrt(0.5)
component = st.floats(-1.0, 1.0)
quaternions = (
    st.tuples(component, component, component, component)
    .filter(lambda q: sum(x * x for x in q) > 0.01)
    .map(lambda q: tuple(x / math.sqrt(sum(y * y for y in q)) for x in q))
)


def device(**changes: object) -> tuple[HipnucImu, MemoryPort]:
    port = MemoryPort()
    return HipnucImu(replace(CONFIG, **changes), port), port


def read(data: bytes, **changes: object) -> ImuReading:
    imu, port = device(**changes)
    port.pending = data
    return imu.read(3.0)


def matrix(wxyz) -> np.ndarray:
    """Rotation matrix of a unit quaternion, written apart from the device's."""
    w, x, y, z = wxyz
    v = np.array([x, y, z])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * cross


def test_before_the_first_sample_everything_is_nan() -> None:
    reading = read(b"")
    assert reading.stamp_s == NEVER_S
    assert (reading.sequence, reading.unchanged, reading.warning) == (0, 0, False)
    for array in (
        reading.orientation_base_in_world_wxyz,
        reading.angular_velocity_base_in_base_rad_per_s,
        reading.acceleration_base_in_base_m_per_s2,
        reading.gravity_in_base,
    ):
        assert np.isnan(array).all()


def test_units_are_converted() -> None:
    reading = read(hi91(acc_g=(0.0, 0.5, 1.0), gyro_deg_per_s=(180.0, -90.0, 0.0)))
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 4.9, 9.8])
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([math.pi, -math.pi / 2, 0.0])
    assert reading.gravity_in_base == pytest.approx([0.0, 0.0, -1.0])
    assert (reading.stamp_s, reading.sequence) == (3.0, 1)


def test_a_unit_pitched_nose_down_sees_gravity_ahead() -> None:
    # Turned by +90 degrees about y, the x axis points down.
    reading = read(hi91(quat_wxyz=(HALF, 0.0, HALF, 0.0)))
    assert reading.gravity_in_base == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


def test_a_unit_mounted_turned_by_90_degrees_about_z_is_turned_back() -> None:
    # Its x axis points to the base's left.
    mounting = (HALF, 0.0, 0.0, HALF)
    reading = read(hi91(acc_g=(1.0, 0.0, 0.0), gyro_deg_per_s=(180.0, 0.0, 0.0)), orientation_imu_in_base_wxyz=mounting)
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 9.8, 0.0], abs=1e-6)
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([0.0, math.pi, 0.0], abs=1e-6)


@given(quaternions, quaternions, st.tuples(component, component, component))
def test_mounting_is_removed_whatever_it_is(base, mounting, vector) -> None:
    base_in_world, imu_in_base = matrix(base), matrix(mounting)
    w, x, y, z = base
    a, b, c, d = mounting
    imu_in_world = (
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    )
    seen = imu_in_base.T @ np.array(vector)
    reading = read(hi91(acc_g=seen, gyro_deg_per_s=seen, quat_wxyz=imu_in_world), orientation_imu_in_base_wxyz=mounting)
    assert matrix(reading.orientation_base_in_world_wxyz) == pytest.approx(base_in_world, abs=1e-5)
    assert reading.gravity_in_base == pytest.approx(base_in_world.T @ [0.0, 0.0, -1.0], abs=1e-5)
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx(9.8 * np.array(vector), abs=1e-4)
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx(np.radians(vector), abs=1e-6)


def test_a_quaternion_is_normalised() -> None:
    reading = read(hi91(quat_wxyz=(2.0, 0.0, 0.0, 0.0)))
    assert reading.orientation_base_in_world_wxyz == pytest.approx([1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("quat", [(0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0), (math.inf, 0.0, 0.0, 0.0)])
def test_a_quaternion_that_is_none_comes_through_as_nan(quat: tuple[float, ...]) -> None:
    reading = read(hi91(quat_wxyz=quat))
    assert np.isnan(reading.orientation_base_in_world_wxyz).all()
    assert np.isnan(reading.gravity_in_base).all()
    assert reading.stamp_s == 3.0


def test_nan_in_one_sensor_comes_through_as_nan() -> None:
    reading = read(hi91(gyro_deg_per_s=(math.nan, 0.0, 0.0)))
    assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s[0])
    assert reading.gravity_in_base == pytest.approx([0.0, 0.0, -1.0])


def test_the_newest_of_several_samples_counts_and_all_are_numbered() -> None:
    imu, port = device()
    port.pending = b"".join(hi91(acc_g=(0.1 * i, 0.0, 1.0)) for i in range(5))
    reading = imu.read(1.0)
    assert reading.sequence == 5
    assert reading.acceleration_base_in_base_m_per_s2[0] == pytest.approx(0.4 * 9.8)
    assert imu.read(2.0) is reading


def test_samples_that_repeat_bit_for_bit_are_counted() -> None:
    imu, port = device()
    counts = []
    for time_ms, acc in enumerate((0.0, 0.0, 0.0, 0.1, 0.1)):
        port.pending = hi91(acc_g=(acc, 0.0, 1.0), time_ms=time_ms)
        counts.append(imu.read(1.0).unchanged)
    assert counts == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("bit", range(16))
def test_saturation_and_convergence_are_a_warning(bit: int) -> None:
    assert read(hi91(status=1 << bit)).warning == (bit in (3, 5, 6, 7))


def hi83(bitmap: int, *floats: float, time_us: int | None = None) -> bytes:
    tail = b"" if time_us is None else struct.pack("<Q", time_us)
    return hipnuc_frame(struct.pack(f"<BHBI{len(floats)}f", 0x83, 0, 0, bitmap, *floats) + tail)


def test_hi83_is_in_si_units_already() -> None:
    data = hi83(0b110011, 0.0, 1.0, 9.8, 0.1, 0.2, 0.3, HALF, 0.0, HALF, 0.0, time_us=5)
    reading = read(data, packet="hi83")
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 1.0, 9.8])
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([0.1, 0.2, 0.3])
    assert reading.gravity_in_base == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


def test_hi83_without_a_field_reads_nan_there() -> None:
    reading = read(hi83(0b000001, 0.0, 1.0, 9.8), packet="hi83")
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 1.0, 9.8])
    assert np.isnan(reading.gravity_in_base).all()
    assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s).all()


def test_hi83_samples_that_repeat_are_seen_through_other_fields() -> None:
    imu, port = device(packet="hi83")
    motion = (0.0, 1.0, 9.8, 0.1, 0.2, 0.3)
    counts = []
    for mag, quat in ((1.0, 0.5), (2.0, 0.5), (3.0, 0.25)):
        port.pending = hi83(0b110111, *motion, mag, mag, mag, quat, 0.5, 0.5, 0.5, time_us=int(mag))
        counts.append(imu.read(1.0).unchanged)
    assert counts == [0, 1, 0]


def test_damage_and_other_packets_are_dropped_and_counted() -> None:
    imu, port = device()
    port.pending = b"garbage" + hi83(1, 0.0, 0.0, 0.0) + hi91() + hipnuc_frame(b"\x91\x00") + hipnuc_frame(b"")
    assert imu.read(1.0).sequence == 1
    assert port.counters.received == 1
    assert port.counters.dropped == 7 + 20 + 2


@given(st.lists(st.one_of(st.binary(max_size=300), st.binary(max_size=120).map(hipnuc_frame)), max_size=5))
def test_no_bytes_make_it_raise(parts: list[bytes]) -> None:
    for packet in ("hi91", "hi83"):
        imu, port = device(packet=packet)
        for part in parts:
            port.pending = part
            imu.read(1.0)


@given(st.sampled_from([0x91, 0x83]), st.binary(max_size=150))
def test_no_accepted_payload_makes_it_raise(tag: int, rest: bytes) -> None:
    read(hipnuc_frame(bytes((tag,)) + rest), packet={0x91: "hi91", 0x83: "hi83"}[tag])


def listen(imu: HipnucImu, port: MemoryPort, stream) -> tuple:
    """Run the inventory while `stream(cycle)` says what arrives each 2 ms."""
    probe = imu.probe()
    next(probe)
    try:
        for cycle in range(1000):
            port.pending = stream(cycle)
            imu.read(cycle * 0.002)
            probe.send(cycle * 0.002)
    except StopIteration as end:
        (report,) = end.value
        return report
    raise AssertionError("the inventory does not end")


def every(cycles: int, **fields: object):
    return lambda cycle: hi91(time_ms=cycle, **fields) if cycle % cycles == 0 else b""


def test_the_inventory_measures_the_rate() -> None:
    imu, port = device()
    report = listen(imu, port, every(2))
    assert (report.name, report.bus, report.answered, report.problems) == ("imu", "imu0", True, ())
    assert report.facts["rate_hz"] == pytest.approx(250.0)
    assert report.facts["status"] == "none"


@pytest.mark.parametrize(
    ("stream", "answered", "expected"),
    [
        (lambda cycle: b"", False, "no hi91 packet in 0.5 s"),
        (lambda cycle: b"\x00\xff", False, "no hi91 packet in 0.5 s"),
        (lambda cycle: hi83(1, 0.0, 0.0, 0.0), False, "streams hi83, the robot file expects hi91"),
        (every(5), True, "streams 100.0 packets/s, the robot file expects 250"),
        (every(2, quat_wxyz=(0.0, 0.0, 0.0, 0.0)), True, "no usable quaternion"),
        (every(2, status=0x48), True, "warns: gyro bias not converged, gyro saturated"),
    ],
)
def test_the_inventory_names_what_is_wrong(stream, answered: bool, expected: str) -> None:
    imu, port = device()
    report = listen(imu, port, stream)
    assert report.answered == answered
    assert len(report.problems) == 1
    assert expected in report.problems[0]


def test_infinity_never_raises_and_never_reads_as_a_number() -> None:
    reading = read(hi91(acc_g=(math.inf, 0.0, 1.0)))
    assert not np.isfinite(reading.acceleration_base_in_base_m_per_s2).all()
