"""What every make of inertial unit has to do alike, from its bytes to the reading."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import Imu
from supervisor.core.state import NEVER_S, ImuReading
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.test_stream import parts_of
from tests.drivers.imu.units import LEVEL, STILL, UNITS

HALF = math.sqrt(0.5)
makes = pytest.mark.parametrize("name", UNITS)
component = st.floats(-1.0, 1.0)
vectors = st.tuples(component, component, component)
quaternions = (
    st.tuples(component, component, component, component)
    .filter(lambda q: sum(x * x for x in q) > 0.01)
    .map(lambda q: tuple(x / math.sqrt(sum(y * y for y in q)) for x in q))
)


def device(name: str, **changes: object) -> tuple[Imu, MemoryPort]:
    port = MemoryPort()
    return UNITS[name].device(replace(UNITS[name].config, **changes), port), port


def read(name: str, data: bytes, **changes: object) -> ImuReading:
    imu, port = device(name, **changes)
    port.pending = data
    return imu.read(3.0)


def matrix(wxyz) -> np.ndarray:
    """Rotation matrix of a unit quaternion, written apart from the driver's."""
    w, x, y, z = wxyz
    v = np.array([x, y, z])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * cross


def product(first, second) -> tuple[float, float, float, float]:
    w, x, y, z = first
    a, b, c, d = second
    return (
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    )


@makes
def test_before_the_first_sample_everything_is_nan(name: str) -> None:
    reading = read(name, b"")
    assert (reading.stamp_s, reading.sequence, reading.unchanged, reading.warning) == (NEVER_S, 0, 0, False)
    assert np.isnan(reading.orientation_base_in_world_wxyz).all()
    assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s).all()
    assert np.isnan(reading.acceleration_base_in_base_m_per_s2).all()
    assert np.isnan(reading.gravity_in_base).all()


@makes
def test_a_level_unit_at_rest_reads_gravity_down(name: str) -> None:
    reading = read(name, UNITS[name].sample(*STILL, 1))
    assert reading.gravity_in_base == pytest.approx([0.0, 0.0, -1.0], abs=1e-3)
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 0.0, 9.8], abs=0.01)
    assert (reading.stamp_s, reading.sequence, reading.warning) == (3.0, 1, False)


@makes
@given(quaternions, quaternions, vectors, vectors)
def test_units_and_mounting_are_right_whatever_they_are(name: str, base, mounting, force, rate) -> None:
    unit = UNITS[name]
    base_in_world, imu_in_base = matrix(base), matrix(mounting)
    seen_force, seen_rate = imu_in_base.T @ np.array(force) * 20.0, imu_in_base.T @ np.array(rate) * 10.0
    data = unit.sample(tuple(seen_force), tuple(seen_rate), product(base, mounting), 5)
    reading = read(name, data, orientation_imu_in_base_wxyz=mounting)
    force_step, rate_step, turn_step = unit.steps
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx(20.0 * np.array(force), abs=3 * force_step)
    if unit.has_rate:
        assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx(
            10.0 * np.array(rate), abs=3 * rate_step
        )
    else:
        assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s).all()
    # Attitude is compared up to heading where the make refers it to another axis: gravity is what counts.
    assert reading.gravity_in_base == pytest.approx(base_in_world.T @ [0.0, 0.0, -1.0], abs=10 * turn_step)
    assert np.linalg.norm(reading.orientation_base_in_world_wxyz) == pytest.approx(1.0)


@makes
def test_turning_about_the_vertical_turns_the_attitude_as_much(name: str) -> None:
    turned = (math.cos(0.4), 0.0, 0.0, math.sin(0.4))
    first = matrix(read(name, UNITS[name].sample(*STILL, 1)).orientation_base_in_world_wxyz)
    second = matrix(read(name, UNITS[name].sample(*STILL[:2], turned, 1)).orientation_base_in_world_wxyz)
    assert second @ first.T == pytest.approx(matrix(turned), abs=1e-3)


@makes
def test_the_newest_of_several_samples_counts_and_all_are_numbered(name: str) -> None:
    imu, port = device(name)
    port.pending = b"".join(UNITS[name].sample((0.5 * i, 0.0, 9.8), *STILL[1:], i) for i in range(5))
    reading = imu.read(1.0)
    assert reading.sequence == 5
    assert reading.acceleration_base_in_base_m_per_s2[0] == pytest.approx(2.0, abs=0.02)
    assert imu.read(2.0) is reading
    assert (port.counters.received, port.counters.dropped) == (5, 0)


@makes
def test_a_sample_may_arrive_byte_by_byte(name: str) -> None:
    imu, port = device(name)
    for at, byte in enumerate(UNITS[name].sample(*STILL, 1)):
        assert imu.read(float(at)).sequence == 0
        port.pending = bytes((byte,))
    assert imu.read(99.0).stamp_s == 99.0


@makes
def test_samples_that_repeat_are_counted_though_their_number_goes_on(name: str) -> None:
    imu, port = device(name)
    found = []
    for number, acc in enumerate((0.0, 0.0, 0.0, 1.0, 1.0)):
        port.pending = UNITS[name].sample((acc, 0.0, 9.8), *STILL[1:], number)
        found.append(imu.read(1.0).unchanged)
    assert found == [0, 1, 2, 0, 1]


@makes
@given(data=st.data())
def test_no_bytes_make_it_raise_or_accept_what_is_damaged(name: str, data: st.DataObject) -> None:
    imu, port = device(name)
    for part in data.draw(parts_of(name)):
        port.pending = part
        reading = imu.read(1.0)
        assert reading.unchanged <= reading.sequence == port.counters.received


@makes
def test_garbage_is_counted_as_dropped(name: str) -> None:
    imu, port = device(name)
    port.pending = bytes(100) + UNITS[name].sample(*STILL, 1)
    assert imu.read(1.0).sequence == 1
    assert port.counters.dropped == 100


def listen(imu: Imu, port: MemoryPort, stream):
    """Run the inventory while `stream(cycle)` says what arrives each 2 ms."""
    probe = imu.probe()
    next(probe)
    try:
        for cycle in range(1000):
            port.pending = stream(cycle)
            imu.read(cycle * 0.002)
            probe.send(cycle * 0.002)
    except StopIteration as done:
        (report,) = done.value
        return report
    raise AssertionError("the inventory does not end")


def every(name: str, cycles: int, quat=LEVEL):
    return lambda cycle: b"" if cycle % cycles else UNITS[name].sample(*STILL[:2], quat, cycle // cycles)


def problems_of(name: str) -> tuple[str, ...]:
    """What the inventory of a healthy unit has to say all the same."""
    missing = ("measures no angular rate, which the safety guards need: use another unit",)
    return () if UNITS[name].has_rate else missing


@makes
def test_the_inventory_of_a_healthy_unit(name: str) -> None:
    report = listen(*device(name), every(name, 2))
    config = UNITS[name].config
    assert (report.name, report.bus, report.answered) == ("imu", "imu0", True)
    assert report.problems == problems_of(name)
    assert report.facts["rate_hz"] == pytest.approx(250.0)
    assert (report.facts["make"], report.facts["packet"]) == (config.make, config.packet)


@makes
def test_the_inventory_names_silence_noise_and_a_wrong_rate(name: str) -> None:
    packet = UNITS[name].config.packet
    for stream in (lambda cycle: b"", lambda cycle: b"\x00\xff"):
        report = listen(*device(name), stream)
        assert not report.answered
        assert report.problems == (f"no {packet} packet in 0.5 s on imu0: check cable, port, baud rate",)
    report = listen(*device(name), every(name, 5))
    assert report.answered
    assert report.problems == ("streams 100.0 packets/s, the robot file expects 250", *problems_of(name))


@pytest.mark.parametrize("name", [name for name, unit in UNITS.items() if unit.foreign[0]])
def test_the_inventory_names_a_packet_that_the_robot_file_does_not_expect(name: str) -> None:
    data, other = UNITS[name].foreign
    report = listen(*device(name), lambda cycle: data)
    assert not report.answered
    assert report.problems == (
        f"streams {other}, the robot file expects {UNITS[name].config.packet}: see handrail configure",
    )
