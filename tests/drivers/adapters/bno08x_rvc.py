"""BNO08x units in UART-RVC mode: `drivers.imu.bno08x_rvc` against vectors."""

from __future__ import annotations

from drivers.imu.bno08x_rvc import codec
from drivers.imu.bno08x_rvc.device import Bno08xRvcImu
from supervisor.core.robot import ImuConfig
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of


def values_of(frame: bytes) -> dict[str, object]:
    """One frame under the vectors' names."""
    rvc = codec.decode_frame(frame)
    found: dict[str, object] = dict(zip(("yaw_deg", "pitch_deg", "roll_deg"), rvc.ypr_deg, strict=True))
    return found | {"index": rvc.number, "acc_ms2": codec.acceleration_m_per_s2(rvc), "acc_mg": rvc.acc_mg}


def lost_of(data: bytes) -> float:
    """How many frames the device says were lost, when it is asked while these bytes arrive."""
    port = MemoryPort()
    imu = Bno08xRvcImu(ImuConfig("bno08x_rvc", "imu0", "rvc", 100.0, (1.0, 0.0, 0.0, 0.0)), port)
    probe = imu.probe()
    next(probe)
    probe.send(0.0)
    port.pending = data
    imu.read(0.1)
    probe.send(0.1)
    try:
        probe.send(1.0)
    except StopIteration as done:
        (report,) = done.value
        return float(report.facts.get("lost", 0.0))
    raise AssertionError("the inventory does not end")


def check(case: Case) -> None:
    """Every case is bytes in, frames out, whatever it is called."""
    expect = case.get("expect", {})
    if case["direction"] != "decode" or not ("frames" in expect or "frames_count" in expect):
        raise UnknownOperationError(case["op"])
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = codec.FrameParser(), codec.FrameParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    assert len(frames) == expect.get("frames_count", len(expect.get("frames", frames)))
    if "dropped_by_index" in expect:
        assert lost_of(data) == expect["dropped_by_index"]
    for frame, expected in zip(frames, expect.get("frames", ()), strict="frames" in expect):
        found = values_of(frame)
        for key, value in expected.items():
            assert_close(found[key], value, tolerance_of(case, key), key)
