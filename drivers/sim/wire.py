"""In-memory buses between the robot's drivers and the simulated devices, and what can go wrong on them.

Each wire has two ends: the host's, which is the `CanBus` or `SerialPort` that drivers know, and the device's. What the
host sends in one control cycle is answered and readable in the next: nothing waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivers.bus import BusCounters, Frame


@dataclass(frozen=True, slots=True)
class WireFaults:
    """What is wrong with a bus. Rates are the share of frames or packets concerned, in each direction.

    A frame corrupted on its way to a motor is lost: the motor's CAN controller drops it for its checksum. On the way to
    the host it arrives with a flipped bit, as an adapter that spoils frames after the checksum would deliver it. A
    reordered frame arrives after the newer ones of the next cycle.
    """

    drop_rate: float = 0.0
    corrupt_rate: float = 0.0
    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0
    delay_s: float = 0.0
    is_off: bool = False


NO_FAULTS = WireFaults()


class _Noise:
    """Applies the random faults of a wire to a batch of frames or packets."""

    def __init__(self, seed: Sequence[int]) -> None:
        self._rng = np.random.default_rng(list(seed))
        self._held: list[Frame] = []

    def transmit(self, batch: list[Frame], faults: WireFaults, spoils: bool) -> list[Frame]:
        """What comes out at the far end of the wire.

        Args:
            batch: What goes in, oldest first.
            faults: In force.
            spoils: Whether a corrupted frame arrives spoilt; otherwise it is lost.
        """
        arrived: list[Frame] = []
        late, self._held = self._held, []
        chances = self._rng.random((len(batch), 4)).tolist()
        for frame, (drop, corrupt, duplicate, reorder) in zip(batch, chances, strict=True):
            if drop < faults.drop_rate:
                continue
            if corrupt < faults.corrupt_rate:
                if not spoils:
                    continue
                frame = self._spoil(frame)  # noqa: PLW2901
            if reorder < faults.reorder_rate:
                self._held.append(frame)
                continue
            arrived.append(frame)
            if duplicate < faults.duplicate_rate:
                arrived.append(frame)
        return arrived + late

    def release(self) -> list[Frame]:
        """What was held back, when the faults end."""
        held, self._held = self._held, []
        return held

    def _spoil(self, frame: Frame) -> Frame:
        data = bytearray(frame.data)
        if data:
            bit = int(self._rng.integers(len(data) * 8))
            data[bit // 8] ^= 1 << bit % 8
        return frame._replace(data=bytes(data))


class _Wire:
    """What both kinds of bus share: two queues, faults, and delays.

    Queued items are frames; a serial packet is a frame whose identifier means nothing. `stamp_s` is when the item can
    be taken at the far end.
    """

    def __init__(self, name: str, seed: Sequence[int]) -> None:
        self.name = name
        self.counters = BusCounters()
        self._to_devices: list[Frame] = []
        self._to_host: list[Frame] = []
        self._faults = NO_FAULTS
        self._is_noisy = False
        self._is_late = False
        self._out = _Noise([*seed, 0])
        self._back = _Noise([*seed, 1])

    def set_faults(self, faults: WireFaults) -> None:
        """Replace the faults of this bus. What is under way when a bus goes off is lost."""
        self._faults = faults
        self._is_noisy = replace(faults, delay_s=0.0, is_off=False) != NO_FAULTS
        self._is_late = self._is_late or faults.delay_s > 0.0
        self.counters.is_off = faults.is_off
        if not self._is_noisy:
            self._to_devices += self._out.release()
            self._to_host += self._back.release()
        if faults.is_off:
            self._to_devices.clear()
            self._to_host.clear()

    def take(self, now_s: float) -> list[Frame]:
        """Device end: what the host has sent and has arrived."""
        batch = self._to_devices
        if self._faults.delay_s:
            # A frame to the devices carries no stamp; it is given one when it is first seen here.
            due = [f if f.stamp_s else f._replace(stamp_s=now_s + self._faults.delay_s) for f in batch]
            batch = [frame for frame in due if frame.stamp_s <= now_s]
            self._to_devices = [frame for frame in due if frame.stamp_s > now_s]
        else:
            self._to_devices = []
        return self._out.transmit(batch, self._faults, spoils=False) if self._is_noisy else batch

    def give(self, frames: list[Frame]) -> None:
        """Device end: send to the host. Each frame's stamp says when it arrives there."""
        if self._faults.is_off:
            return
        if self._is_noisy:
            frames = self._back.transmit(frames, self._faults, spoils=True)
        if self._faults.delay_s:
            frames = [frame._replace(stamp_s=frame.stamp_s + self._faults.delay_s) for frame in frames]
        self._to_host += frames

    def arrived(self, now_s: float) -> list[Frame]:
        """Host end: take what has arrived."""
        batch = self._to_host
        if not self._is_late and (not batch or batch[-1].stamp_s <= now_s):
            self._to_host = []
            return batch
        self._to_host = [frame for frame in batch if frame.stamp_s > now_s]
        self._is_late = self._faults.delay_s > 0.0 or bool(self._to_host)
        return [frame for frame in batch if frame.stamp_s <= now_s]

    def next_arrival_s(self) -> float:
        """Host end: when something that is under way arrives next; infinite where nothing is."""
        return min((frame.stamp_s for frame in self._to_host), default=math.inf)


class SimulatedCan(_Wire):
    """One CAN bus in memory; the host's end of it is a `CanBus`."""

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the bus; a bus that is off takes none."""
        counters = self.counters
        if self._faults.is_off:
            counters.errors += len(frames)
            return 0
        self._to_devices += frames
        counters.sent += len(frames)
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived, oldest first."""
        return self.arrived(now_s)

    def close(self) -> None:
        """Drop what is queued. The devices go on without us."""
        self._to_host.clear()


class SimulatedSerial(_Wire):
    """One serial line in memory; the host's end of it is a `SerialPort`."""

    def write(self, data: bytes) -> int:
        """Hand bytes to the line; a line that is off takes none."""
        if self._faults.is_off:
            self.counters.errors += 1
            return 0
        self._to_devices.append(Frame(0, bytes(data)))
        self.counters.sent += 1
        return len(data)

    def read(self, now_s: float) -> bytes:
        """Take everything that has arrived."""
        if not self._to_host:
            return b""
        return b"".join([frame.data for frame in self.arrived(now_s)])

    def close(self) -> None:
        """Drop what is queued. The device goes on without us."""
        self._to_host.clear()


class DeafCan:
    """A CAN bus opened at another bit rate than its devices have: nothing but error frames, both ways.

    Args:
        name: Of the bus.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.counters = BusCounters()

    def send(self, frames: Sequence[Frame]) -> int:
        """Every frame is taken, and nobody acknowledges it."""
        self.counters.sent += len(frames)
        self.counters.errors += len(frames)
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:  # noqa: ARG002 (the signature of a bus)
        """Nothing is readable."""
        return []

    def close(self) -> None:
        """Nothing is queued."""


class GarbledSerial:
    """A serial line opened at another baud rate than its devices have: as many bytes, but not theirs.

    Args:
        line: The line.
    """

    def __init__(self, line: SimulatedSerial) -> None:
        self._line = line

    @property
    def counters(self) -> BusCounters:
        """This line's counters."""
        return self._line.counters

    def write(self, data: bytes) -> int:
        """What arrives at the devices is not what was sent."""
        return self._line.write(_garbled(data))

    def read(self, now_s: float) -> bytes:
        """What arrives here is not what they sent."""
        return _garbled(self._line.read(now_s))

    def close(self) -> None:
        """Drop what is queued."""
        self._line.close()


def _garbled(data: bytes) -> bytes:
    """Bytes sampled at half the rate: each bit twice, and the frame cut in the middle."""
    return bytes((byte << 1 & 0xAA | byte >> 3 & 0x55) ^ 0x5A for byte in data)
