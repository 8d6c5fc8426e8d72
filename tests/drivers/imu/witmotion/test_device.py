from __future__ import annotations

import numpy as np
import pytest

from drivers.imu.witmotion.device import WitmotionImu
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.test_streaming import listen
from tests.drivers.imu.units import config, witmotion_frame

TIME, ACC, RATE = witmotion_frame(0x50, 1), witmotion_frame(0x51, 0, 0, 2048), witmotion_frame(0x52)
MAG, QUAT = witmotion_frame(0x54), witmotion_frame(0x59, 32767)


def device(packet: str = "acc_gyro_quaternion") -> tuple[WitmotionImu, MemoryPort]:
    port = MemoryPort()
    return WitmotionImu(config("witmotion", packet), port), port


@pytest.mark.parametrize(
    ("frames", "samples", "dropped_frames"),
    [
        ((ACC, RATE, QUAT), 1, 0),
        ((TIME, ACC, RATE, QUAT, TIME, ACC, RATE, QUAT), 2, 0),
        ((ACC, RATE, witmotion_frame(0x5F, 7), QUAT), 1, 0),
        ((RATE, QUAT, ACC, RATE, QUAT), 1, 2),
        ((ACC, RATE, ACC, RATE, QUAT), 1, 2),
        ((ACC, QUAT, ACC, RATE, QUAT), 1, 2),
        ((ACC, RATE, TIME, QUAT), 0, 3),
        ((ACC, RATE, RATE, QUAT), 0, 4),
        ((ACC, RATE, MAG, QUAT), 1, 1),
        ((ACC, RATE, witmotion_frame(0x59, 100, 200), ACC, RATE, QUAT), 1, 3),
    ],
)
def test_only_a_whole_burst_is_a_sample(frames: tuple[bytes, ...], samples: int, dropped_frames: int) -> None:
    imu, port = device()
    port.pending = b"".join(frames)
    assert imu.read(1.0).sequence == samples
    assert port.counters.dropped == 11 * dropped_frames


def test_a_unit_without_attitude_reads_nan_and_the_inventory_says_so() -> None:
    imu, port = device()
    report = listen(imu, port, lambda cycle: b"" if cycle % 2 else ACC + RATE + witmotion_frame(0x59))
    assert report.problems == ("sends no usable quaternion: switch on attitude output",)
    assert np.isnan(imu.read(9.0).gravity_in_base).all()


def test_lost_bursts_are_told() -> None:
    imu, port = device()
    report = listen(imu, port, lambda cycle: b"" if cycle % 2 else ACC + RATE + QUAT * (cycle % 100 != 0))
    assert report.facts["lost"] == 3.0


def test_a_saturated_sensor_is_a_warning() -> None:
    imu, port = device()
    report = listen(imu, port, lambda cycle: b"" if cycle % 2 else witmotion_frame(0x51, 32767) + RATE + QUAT)
    assert report.problems == ("warns: saturated; keep it still, or power it up again",)
