"""One BNO08x in UART-RVC mode: frames in, samples without angular rate out. Nothing can be sent to it."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.bus import SerialPort
from drivers.imu.bno08x_rvc import codec
from drivers.imu.bno08x_rvc.codec import Rvc
from drivers.imu.bno08x_rvc.tables import FRAME_BYTES_EACH, INDEX_COUNT
from drivers.imu.measurement import Measurement
from drivers.imu.streaming import StreamingImu
from supervisor.core.robot import ImuConfig

_MOTION = slice(3, 15)
"""Angles and accelerations within a frame."""


class Bno08xRvcImu(StreamingImu[Rvc]):
    """One BNO08x in UART-RVC mode. Implements `Imu`; its angular velocity is NaN.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        super().__init__(config, port, codec.FrameParser())
        self._index = -1

    def _samples(self, frames: list[bytes]) -> Iterator[tuple[bytes, Rvc]]:
        """The frames with angles that can be."""
        for frame in frames:
            rvc = codec.decode_frame(frame)
            if not codec.is_plausible(rvc):
                self._refuse(FRAME_BYTES_EACH)
                continue
            if self._index >= 0:
                self._lost += (rvc.number - self._index - 1) % INDEX_COUNT
            self._index = rvc.number
            yield frame[_MOTION], rvc

    def _measure(self, sample: Rvc) -> Measurement:
        return codec.measure(sample)

    def _complains(self) -> str:
        return "measures no angular rate, which the safety guards need: use another unit"
