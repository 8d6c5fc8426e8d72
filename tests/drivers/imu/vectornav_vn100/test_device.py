from __future__ import annotations

import numpy as np
import pytest

from drivers.imu.vectornav_vn100.device import VectornavImu
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.test_streaming import listen
from tests.drivers.imu.units import LEVEL, STILL, config, vectornav, vectornav_binary, vectornav_text

UPRIGHT = (0.0, 1.0, 0.0, 0.0)
"""How the unit's axes (z down) look from a base with z up, when it lies flat."""


def device(packet: str = "binary") -> tuple[VectornavImu, MemoryPort]:
    port = MemoryPort()
    return VectornavImu(config("vectornav_vn100", packet), port), port


def report_of(stream, packet: str = "binary"):
    return listen(*device(packet), lambda cycle: b"" if cycle % 2 else stream(cycle // 2))


@pytest.mark.parametrize("packet", ["binary", "vnymr", "vnqmr"])
def test_a_unit_lying_flat_reads_as_its_manual_says_and_its_mounting_turns_that_up(packet: str) -> None:
    port = MemoryPort()
    flat = config("vectornav_vn100", packet)
    imu = VectornavImu(type(flat)(flat.make, flat.bus, flat.packet, flat.rate_hz, UPRIGHT), port)
    # As the unit sends it: no rotation in its own north-east-down world, and -9.8 m/s² in z.
    words = {
        "binary": vectornav_binary(b"\x01\x30\x01", np.array([0, 0, 0, 1, 0, 0, 0.5, 0, 0, -9.8], "<f4").tobytes()),
        "vnymr": vectornav_text("VNYMR,0,0,0,1,0,2,0,0,-9.8,0,0,0.5"),
        "vnqmr": vectornav_text("VNQMR,0,0,0,1,1,0,2,0,0,-9.8,0,0,0.5"),
    }
    port.pending = words[packet]
    reading = imu.read(1.0)
    assert reading.gravity_in_base == pytest.approx([0.0, 0.0, -1.0])
    assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx([0.0, 0.0, 9.8])
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([0.0, 0.0, -0.5])
    assert np.abs(reading.orientation_base_in_world_wxyz) == pytest.approx(LEVEL)


@pytest.mark.parametrize(
    ("status", "expected", "is_warning"),
    [
        (0, "attitude excellent", False),
        (2, "attitude bad", True),
        (1 | 1 << 9, "attitude good, accelerometer saturated", True),
    ],
)
def test_the_status_is_told(status: int, expected: str, is_warning: bool) -> None:
    report = report_of(lambda number: vectornav(*STILL, number, status=status))
    assert report.facts["status"] == expected
    assert [problem.startswith("warns: ") for problem in report.problems] == [True] * is_warning


def test_errors_are_told_and_answers_are_no_samples() -> None:
    answers = vectornav_text("VNRRG,01,VN-100") + vectornav_text("VNERR,0C")
    report = report_of(lambda number: vectornav(*STILL, number) + answers)
    assert report.problems == ("reports error 12 (insufficient baud rate)",)


def test_binary_without_motion_is_no_sample() -> None:
    report = report_of(lambda number: vectornav_binary(b"\x01\x01\x00", bytes(8)))
    assert not report.answered
    assert report.problems[0].startswith("streams binary without acceleration, rate and attitude")


def test_text_that_nothing_vouches_for_is_no_sample() -> None:
    imu, port = device("vnymr")
    good = vectornav(*STILL, 1, "vnymr")
    unchecked = good[: good.index(b"*")] + b"*XX\r\n"
    short = vectornav_text("VNYMR,1,2,3")
    broken_error = vectornav_text("VNERR,zz")
    port.pending = unchecked + short + broken_error
    assert imu.read(1.0).sequence == 0
    assert port.counters.dropped == len(unchecked + short + broken_error)


def test_a_repeat_is_seen_though_the_magnetometer_goes_on() -> None:
    imu, port = device("vnymr")
    found = []
    for field in range(3):
        port.pending = vectornav_text(f"VNYMR,0,0,0,{field},0,2,0,0,-9.8,0,0,0.5")
        found.append(imu.read(1.0).unchanged)
    assert found == [0, 1, 2]
