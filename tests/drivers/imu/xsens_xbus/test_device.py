from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.imu.xsens_xbus.device import XsensImu
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.test_streaming import listen
from tests.drivers.imu.units import STILL, config, xsens, xsens_item, xsens_message


def device() -> tuple[XsensImu, MemoryPort]:
    port = MemoryPort()
    return XsensImu(config("xsens_xbus", "mtdata2"), port), port


def report_of(stream):
    return listen(*device(), lambda cycle: b"" if cycle % 2 else stream(cycle // 2))


@pytest.mark.parametrize(
    ("status", "is_warning", "expected"),
    [
        (3, False, "self test passed, filter valid"),
        (0, True, "filter not valid"),
        (2 | 1 << 11 | 1 << 19, True, "filter valid, gyro x clipped, clipped"),
    ],
)
def test_the_status_word_is_a_warning_where_it_should_be(status: int, is_warning: bool, expected: str) -> None:
    report = report_of(lambda number: xsens(*STILL, number, status=status))
    assert report.facts["status"] == expected
    assert [problem.startswith("warns: ") for problem in report.problems] == [True] * is_warning


def test_a_unit_that_sends_no_status_is_told_to() -> None:
    data = xsens_item(0x2010, ">4f", 1, 0, 0, 0) + xsens_item(0x4020, ">3f", 0, 0, 9.8)
    report = report_of(lambda number: xsens_message(0x36, data + xsens_item(0x8020, ">3f", 0, 0, 0)))
    assert report.problems == ("sends no status word: switch on output 0xE020",)


def test_gaps_of_the_counter_are_told_and_a_restart_is_none() -> None:
    # Two packets in 20 are lost, the counter wraps, and the unit starts anew at the end.
    numbers = [n for n in range(65500, 65700) if n % 20 not in (3, 4)]
    report = report_of(lambda number: xsens(*STILL, numbers[number] if number < 100 else number - 100))
    lost = numbers[99] - numbers[0] - 99
    assert report.facts["lost"] == lost


def test_messages_that_are_no_samples_are_no_samples() -> None:
    imu, port = device()
    parts = [
        xsens_message(0x3E, b""),
        xsens_message(0x36, xsens_item(0x0810, ">f", 30.0)),
        xsens_message(0x36, b"\x20\x10"),
        xsens(*STILL, 1).replace(b"\xfa\xff", b"\xfa\x01", 1)[:-1] + b"\x00",
    ]
    chained = xsens_message(0x36, xsens(*STILL, 1)[4:-1], bus_id=1)
    port.pending = b"".join(parts) + chained
    assert imu.read(1.0).sequence == 0
    assert port.counters.received == 0
    assert port.counters.dropped >= len(parts[2]) + len(chained)


def test_a_unit_of_a_chain_and_errors_are_told() -> None:
    chained = xsens_message(0x36, xsens(*STILL, 1)[4:-1], bus_id=1)
    report = report_of(lambda number: chained)
    assert report.problems == (
        "streams messages of unit 1 of a chain, the robot file expects mtdata2: see handrail configure",
    )
    report = report_of(lambda number: xsens(*STILL, number) + xsens_message(0x42, b"\x03"))
    assert report.problems == ("reports error 3 (invalid period)",)


def test_what_is_not_sent_reads_nan() -> None:
    imu, port = device()
    port.pending = xsens_message(0x36, xsens_item(0x4020, ">3f", 0, 0, 9.8))
    reading = imu.read(1.0)
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 0.0, 9.8])
    assert np.isnan(reading.gravity_in_base).all()
    assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s).all()


@pytest.mark.parametrize(
    ("quat", "samples"),
    [((1, 0, 0, 0), 1), ((0, 0, 0, 0), 1), ((math.nan, 0, 0, 0), 1), ((0.9, 0, 0, 0), 0), ((1e30, 0, 0, 0), 0)],
)
def test_a_quaternion_that_is_none_is_no_sample(quat: tuple[float, ...], samples: int) -> None:
    imu, port = device()
    port.pending = xsens(*STILL[:2], quat, 1)
    assert imu.read(1.0).sequence == samples
