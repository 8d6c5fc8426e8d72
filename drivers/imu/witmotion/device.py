"""One WitMotion unit: bursts of frames in, samples in the base frame out. It streams by itself.

A burst has no number and, by default, no time of its own: what belongs together is known by the order of the types
alone. Types ascend within a burst, so a type that does not begins a new one; a burst with a frame missing is no sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from drivers.bus import SerialPort
from drivers.imu.asking import UnitSettings
from drivers.imu.measurement import Measurement
from drivers.imu.streaming import StreamingImu
from drivers.imu.witmotion import codec, settings
from drivers.imu.witmotion.tables import (
    FRAME_BYTES_EACH,
    PACKET_TYPES,
    TYPE_NAMES,
    TYPE_QUATERNION,
    TYPE_REGISTER,
    TYPE_TIME,
)
from supervisor.core.robot import ImuConfig

Burst = Mapping[int, bytes]


class WitmotionImu(StreamingImu[Burst]):
    """One WitMotion unit. Implements `Imu`.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    kept: ClassVar[UnitSettings | None] = settings

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        super().__init__(config, port, codec.FrameParser())
        self._wanted = PACKET_TYPES[config.packet]
        self._last_type = 0
        self._burst: dict[int, bytes] = {}

    def _samples(self, frames: list[bytes]) -> Iterator[tuple[bytes, Burst]]:
        """The bursts that these frames complete."""
        wanted = self._wanted
        for frame in frames:
            kind = frame[1]
            if kind == TYPE_REGISTER:
                continue
            if kind <= self._last_type:
                self._abandon()
            self._last_type = kind
            if kind not in wanted:
                if kind != TYPE_TIME:
                    self._refuse(FRAME_BYTES_EACH, TYPE_NAMES.get(kind, f"0x{kind:02X}"))
                continue
            if kind == TYPE_QUATERNION and not codec.is_plausible_quaternion(frame):
                self._refuse(FRAME_BYTES_EACH)
                continue
            self._burst[kind] = frame
            if kind == wanted[-1]:
                if len(self._burst) == len(wanted):
                    # The fourth word is temperature, voltage or version: not a measurement of motion.
                    motion = b"".join([self._burst[k][2 : 10 if k == TYPE_QUATERNION else 8] for k in wanted])
                    yield motion, self._burst
                    self._burst = {}
                else:
                    self._abandon()

    def _abandon(self) -> None:
        """Give up the burst that is being put together, if any."""
        if self._burst:
            self._lost += 1
            self._refuse(FRAME_BYTES_EACH * len(self._burst))
            self._burst = {}

    def _measure(self, sample: Burst) -> Measurement:
        return codec.measure(sample)

    def _status_text(self) -> str:
        return "saturated" if self._measured.is_doubtful else ""
