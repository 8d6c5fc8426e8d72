"""One cycle of twelve Dynamixel servos: goals out, answers in; beside the vendor's library doing the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import util
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Measurement, Row, timed
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel.batch import BlockBatch, Goal, GoalCurrentBatch
from drivers.serial.dynamixel.tables import CYCLE_BLOCK_BYTES, GOAL_CURRENT, INDIRECT_DATA

GOAL_US = 35.0
LEAST_RATIO = 3.0
CALLS = 2000
VARIETY = 256
"""Different cycles, so that the checksum's table is not always read at the same places."""

_BLOCK = Struct("<BBBBhiiB")
_FIELDS = [
    (INDIRECT_DATA + at, size) for at, size in ((0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (6, 4), (10, 4), (14, 1))
]
IDS = tuple(range(1, 13))


class _Port:
    """What the vendor's library takes for a serial port: swallows what is written, and gives prepared bytes."""

    def __init__(self) -> None:
        self.is_using = False
        self.answers = b""
        self._at = 0

    def clearPort(self) -> None:  # noqa: N802 (the library's names)
        self._at = 0

    def writePort(self, packet: Any) -> int:  # noqa: N802
        return len(bytes(packet))

    def readPort(self, length: int) -> bytes:  # noqa: N802
        start, self._at = self._at, self._at + length
        return self.answers[start : self._at]

    def setPacketTimeout(self, length: int) -> None:  # noqa: N802
        """Prepared bytes are never late."""

    def isPacketTimeout(self) -> bool:  # noqa: N802
        return False


def _answers(rng: np.random.Generator) -> bytes:
    """Twelve status packets to a read of the registers that a cycle reads."""
    blocks = (
        _BLOCK.pack(1, 2, 0, 5, rng.integers(-500, 500), rng.integers(-300, 300), rng.integers(0, 4096), 40)
        for _ in IDS
    )
    return b"".join(codec.make_status(i, 0, block) for i, block in zip(IDS, blocks, strict=True))


def _ours(answers: Sequence[bytes], torques_nm: NDArray[np.float64]) -> Measurement:
    goals = GoalCurrentBatch([IDS], range(len(IDS)), [Goal(0.0039, 1821)] * len(IDS))
    blocks = BlockBatch(IDS, [INDIRECT_DATA] * len(IDS))

    def cycle(number: int) -> None:
        goals.encode(torques_nm[number % VARIETY])
        blocks.take(answers[number % VARIETY])

    measured = timed(cycle, CALLS)
    if blocks.strangers or blocks.parser.dropped_bytes:
        raise RuntimeError("the answers were not taken")
    return measured


def _theirs(answers: Sequence[bytes]) -> Measurement:
    import dynamixel_sdk as sdk  # noqa: PLC0415 (not installed everywhere)

    port, handler = _Port(), sdk.PacketHandler(2.0)
    writer = sdk.GroupSyncWrite(port, handler, GOAL_CURRENT.address, GOAL_CURRENT.size)
    reader = sdk.GroupSyncRead(port, handler, INDIRECT_DATA, CYCLE_BLOCK_BYTES)
    for servo_id in IDS:
        writer.addParam(servo_id, [0, 0])
        reader.addParam(servo_id)

    def cycle(number: int) -> None:
        for servo_id in IDS:
            writer.changeParam(servo_id, [servo_id + number & 0xFF, 0])
        writer.txPacket()
        port.answers = answers[number % VARIETY]
        port.clearPort()
        port.is_using = False
        if reader.rxPacket() != sdk.COMM_SUCCESS:
            raise RuntimeError("the vendor's library does not take the answers")
        for servo_id in IDS:
            for address, size in _FIELDS:
                reader.getData(servo_id, address, size)

    return timed(cycle, CALLS // 10)


def rows() -> Iterator[Row]:
    """The figures of this part."""
    rng = np.random.default_rng(0)
    answers = [_answers(rng) for _ in range(VARIETY)]
    ours = _ours(answers, rng.uniform(-3.0, 3.0, (VARIETY, len(IDS))))
    name = "Dynamixel: sync write and 12 status packets"
    value = f"{ours.median_us:.1f} µs, p99 {ours.p99_us:.1f}"
    yield Row(name, value, f"≤ {GOAL_US:.0f} µs", ours.median_us <= GOAL_US)
    if util.find_spec("dynamixel_sdk") is None:
        return
    theirs = _theirs(answers)
    ratio = theirs.median_us / ours.median_us
    value = f"{theirs.median_us:.0f} µs, p99 {theirs.p99_us:.0f}: {ratio:.0f} times as long"
    yield Row(
        "the same by dynamixel-sdk, on a port in memory", value, f"≥ {LEAST_RATIO:.0f} times", ratio >= LEAST_RATIO
    )
