"""One Xsens unit: MTData2 messages in, samples in the base frame out. A run leaves it as it is configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from drivers.bus import SerialPort
from drivers.imu.asking import UnitSettings
from drivers.imu.measurement import Measurement
from drivers.imu.streaming import StreamingImu
from drivers.imu.xsens_xbus import codec, settings
from drivers.imu.xsens_xbus.codec import DataItem
from drivers.imu.xsens_xbus.tables import (
    ACCELERATION,
    BUS_ID_MASTER,
    ERROR,
    ERROR_NAMES,
    EULER,
    FILTER_VALID_MASK,
    MTDATA,
    MTDATA2,
    PACKET_COUNTER,
    QUATERNION,
    RATE_OF_TURN,
    STATUS_BITS,
    STATUS_BYTE,
    STATUS_WORD,
)
from supervisor.core.errors import FrameError
from supervisor.core.robot import ImuConfig

_MOTION = (ACCELERATION, RATE_OF_TURN, QUATERNION, EULER)
_RESTART_GAP = 0x8000
"""A counter that seems to jump by half its range or more has begun anew."""

Items = Mapping[int, DataItem]


class XsensImu(StreamingImu[Items]):
    """One Xsens unit. Implements `Imu`.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    kept: ClassVar[UnitSettings | None] = settings

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        super().__init__(config, port, codec.FrameParser())
        self._counter = -1
        self._has_status = False

    def _samples(self, frames: list[bytes]) -> Iterator[tuple[bytes, Items]]:
        """The data messages of the unit that hangs on this line alone."""
        for frame in frames:
            bus_id, message_id, data = codec.split_checked(frame)
            if bus_id != BUS_ID_MASTER:
                self._refuse(len(frame), f"messages of unit {bus_id} of a chain")
            elif message_id == MTDATA2:
                try:
                    items = codec.by_kind(codec.decode_items(data))
                except FrameError:
                    self._refuse(len(frame))
                    continue
                if not codec.is_plausible(items):
                    self._refuse(len(frame))
                    continue
                self._count(items.get(PACKET_COUNTER))
                motion = b"".join([items[kind].raw for kind in _MOTION if kind in items])
                if motion:
                    self._has_status = STATUS_WORD in items or STATUS_BYTE in items
                    yield motion, items
            elif message_id == MTDATA:
                self._refuse(len(frame), "mtdata (third generation)")
            elif message_id == ERROR and data:
                self._complaints.add(f"error {data[0]} ({ERROR_NAMES.get(data[0], 'not documented')})")

    def _count(self, item: DataItem | None) -> None:
        """Watch the packet counter for gaps."""
        if item is None:
            return
        counter = int(item.values[0])
        gap = (counter - self._counter - 1) & 0xFFFF
        if self._counter >= 0 and gap < _RESTART_GAP:
            self._lost += gap
        self._counter = counter

    def _measure(self, sample: Items) -> Measurement:
        return codec.measure(sample)

    def _status_text(self) -> str:
        if not self._has_status:
            return ""
        status = self._measured.status
        names = [name for bit, name in STATUS_BITS.items() if status >> bit & 1]
        if not status & FILTER_VALID_MASK:
            names.insert(0, "filter not valid")
        return ", ".join(names)

    def _complains(self) -> str:
        return "" if self._has_status else "sends no status word: switch on output 0xE020"
