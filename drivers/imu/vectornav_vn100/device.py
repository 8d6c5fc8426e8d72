"""One VectorNav unit: binary packets or text in, samples in the base frame out. A run leaves it as it is configured."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import ClassVar

from drivers.bus import SerialPort
from drivers.imu.asking import UnitSettings
from drivers.imu.measurement import Measurement
from drivers.imu.streaming import StreamingImu
from drivers.imu.vectornav_vn100 import codec, settings
from drivers.imu.vectornav_vn100.tables import (
    ATTITUDE_QUALITY,
    DOLLAR,
    ERROR_NAMES,
    MOTION_FIELDS,
    PACKETS,
    STATUS_BITS,
    TEXT_FIELDS,
)
from supervisor.core.errors import FrameError
from supervisor.core.robot import ImuConfig

Fields = Mapping[str, tuple[float, ...]]


class VectornavImu(StreamingImu[Fields]):
    """One VectorNav unit. Implements `Imu`.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    kept: ClassVar[UnitSettings | None] = settings

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        super().__init__(config, port, codec.FrameParser())
        self._wanted_text = PACKETS[config.packet]
        self._has_status = False

    def _samples(self, frames: list[bytes]) -> Iterator[tuple[bytes, Fields]]:
        """The packets of the expected kind."""
        for frame in frames:
            sample = self._text_sample(frame) if frame[0] == DOLLAR else self._binary_sample(frame)
            if sample is not None:
                yield sample

    def _binary_sample(self, packet: bytes) -> tuple[bytes, Fields] | None:
        if self._wanted_text:
            self._refuse(len(packet), "binary")
            return None
        layout = codec.layout_of_packet(packet)
        motion = b"".join([packet[start:end] for start, end in layout.motion])
        if not motion:
            self._refuse(len(packet), "binary without acceleration, rate and attitude")
            return None
        fields = {name: packed.unpack_from(packet, place) for name, packed, place in layout.fields}
        self._has_status = "vpe_status" in fields
        return motion, fields

    def _text_sample(self, line: bytes) -> tuple[bytes, Fields] | None:
        try:
            text = codec.decode_text(line)
            if not text.is_checked:
                # Nothing says that it arrived as it was sent.
                self._refuse(len(line))
            elif text.kind == "VNERR":
                code = codec.decode_error(text)
                self._complaints.add(f"error {code} ({ERROR_NAMES.get(code, 'not documented')})")
            elif text.kind == self._wanted_text:
                fields = codec.decode_streamed(text)
                motion = [value for name, values in fields.items() if name in MOTION_FIELDS for value in values]
                return struct.pack(f"{len(motion)}d", *motion), fields
            elif text.kind in TEXT_FIELDS:
                self._refuse(len(line), text.kind.lower())
        except FrameError:
            self._refuse(len(line))
        return None

    def _measure(self, sample: Fields) -> Measurement:
        return codec.measure(sample)

    def _status_text(self) -> str:
        if not self._has_status:
            return ""
        status = self._measured.status
        names = [name for bit, name in STATUS_BITS.items() if status >> bit & 1]
        return ", ".join([f"attitude {ATTITUDE_QUALITY[status & 3]}", *names])
