from __future__ import annotations

import numpy as np

from drivers.imu.bno08x_rvc.device import Bno08xRvcImu
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.test_streaming import listen
from tests.drivers.imu.units import STILL, config, rvc, rvc_frame


def device() -> tuple[Bno08xRvcImu, MemoryPort]:
    port = MemoryPort()
    return Bno08xRvcImu(config("bno08x_rvc", "rvc"), port), port


def test_angular_velocity_is_never_a_number() -> None:
    imu, port = device()
    port.pending = rvc(*STILL, 1)
    reading = imu.read(1.0)
    assert np.isnan(reading.angular_velocity_base_in_base_rad_per_s).all()
    assert np.isfinite(reading.gravity_in_base).all()


def test_gaps_of_the_index_are_told_in_the_inventory() -> None:
    imu, port = device()
    # One index in ten is missing, and the index wraps at 256.
    indices = [n for n in range(200, 1200) if n % 10]
    report = listen(imu, port, lambda cycle: b"" if cycle % 2 else rvc(*STILL, indices[cycle // 2]))
    # Half a second is 126 samples, up to index 339 mod 256: 210, 220, ... 330 are missing.
    assert report.facts["lost"] == 13


def test_angles_that_cannot_be_are_no_sample() -> None:
    imu, port = device()
    port.pending = rvc_frame(0, 20000, 0, 0, 0, 0, 1000)
    assert imu.read(1.0).sequence == 0
    assert port.counters.dropped == 19
