"""The vendors' libraries for serial servos and ours: goals out in one packet, twelve answers in and checked.

Both sides end with the numbers that the servos' registers hold. The libraries' port is one in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import Pair, Side
from benchmarks.motor_rig import COUNT, VARIETY
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel.batch import BlockBatch, Goal, GoalCurrentBatch
from drivers.serial.dynamixel.tables import CYCLE_BLOCK_BYTES, GOAL_CURRENT, INDIRECT_DATA
from drivers.serial.feetech import codec as feetech_codec
from drivers.serial.feetech import tables as feetech_tables
from drivers.serial.feetech.batch import GoalBatch, StateBatch, SyncAnswers
from drivers.serial.feetech.instructions import make_sync_read

IDS = tuple(range(1, COUNT + 1))


class LibraryPort:
    """What the libraries take for a serial port: swallows what is written, and gives prepared bytes."""

    def __init__(self) -> None:
        self.is_using = False
        self.answers = b""
        self._at = 0

    def bring(self, answers: bytes) -> None:
        """These come next."""
        self.answers, self._at, self.is_using = answers, 0, False

    def clearPort(self) -> None:  # noqa: N802 (the libraries' names)
        """Nothing old is here."""

    def writePort(self, packet: Any) -> int:  # noqa: N802
        return len(bytes(packet))

    def readPort(self, length: int) -> bytes:  # noqa: N802
        start, self._at = self._at, self._at + length
        return self.answers[start : self._at]

    def setPacketTimeout(self, length: int) -> None:  # noqa: N802
        """Prepared bytes are never late."""

    def isPacketTimeout(self) -> bool:  # noqa: N802
        return False


class Registers(NamedTuple):
    """Addresses and sizes.

    Attributes:
        goal: What is written.
        block: What is read.
        fields: The registers in the block.
    """

    goal: tuple[int, int]
    block: tuple[int, int]
    fields: Sequence[tuple[int, int]]


def _library_side(library: Any, handler: Any, registers: Registers, answers: Sequence[bytes]) -> Side:
    """One cycle of either library: they have the same names, from the same origin.

    Args:
        library: The module.
        handler: Its packet handler.
        registers: What is written and read.
        answers: What the servos say, cycle by cycle.
    """
    port = LibraryPort()
    writer = library.GroupSyncWrite(port, handler, *registers.goal)
    reader = library.GroupSyncRead(port, handler, *registers.block)
    for servo_id in IDS:
        writer.addParam(servo_id, [0, 0])
        reader.addParam(servo_id)

    def call(number: int) -> None:
        if reader.rxPacket() != library.COMM_SUCCESS:
            raise RuntimeError("the library does not take the answers")
        for servo_id in IDS:
            for address, size in registers.fields:
                reader.getData(servo_id, address, size)
        for servo_id in IDS:
            writer.changeParam(servo_id, [servo_id + number & 0xFF, 0])
        writer.txPacket()
        port.is_using = False
        reader.txPacket()

    return Side(call, lambda number: port.bring(answers[number % VARIETY]))


_BLOCK = Struct("<BBBBhiiB")
_BLOCK_FIELDS = [
    (INDIRECT_DATA + at, size) for at, size in ((0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (6, 4), (10, 4), (14, 1))
]


def dynamixel() -> Pair:
    """Goal currents in a sync write, and a sync read; its answers have eight registers each."""
    rng = np.random.default_rng(0)
    answers = [b"".join(_dynamixel_answer(rng, servo_id) for servo_id in IDS) for _ in range(VARIETY)]
    torques_nm = rng.uniform(-3.0, 3.0, (VARIETY, COUNT))
    goals = GoalCurrentBatch([IDS], range(COUNT), [Goal(0.0039, 1821)] * COUNT)
    blocks = BlockBatch(IDS, [INDIRECT_DATA] * COUNT)

    def ours(number: int) -> bytes:
        blocks.take(answers[number % VARIETY])
        return goals.encode(torques_nm[number % VARIETY])[0] + blocks.request

    def theirs() -> Side:
        library = import_module("dynamixel_sdk")
        goal, block = (GOAL_CURRENT.address, GOAL_CURRENT.size), (INDIRECT_DATA, CYCLE_BLOCK_BYTES)
        return _library_side(library, library.PacketHandler(2.0), Registers(goal, block, _BLOCK_FIELDS), answers)

    def check() -> None:
        if blocks.strangers or blocks.parser.dropped_bytes:
            raise RuntimeError("the answers of the Dynamixel servos were not taken")

    name = f"Dynamixel: sync write and {COUNT} status packets"
    return Pair(name, Side(ours), theirs, "dynamixel-sdk", "dynamixel_sdk", 35.0, check)


def _dynamixel_answer(rng: np.random.Generator, servo_id: int) -> bytes:
    """A status packet with the registers that a cycle reads."""
    motion = int(rng.integers(-500, 500)), int(rng.integers(-300, 300)), int(rng.integers(0, 4096))
    return codec.make_status(servo_id, 0, _BLOCK.pack(1, 2, 0, 5, *motion, 40))


def feetech() -> Pair:
    """Goal positions in a sync write, and a sync read; its answers have position, speed, load, temperature and more."""
    rng = np.random.default_rng(0)
    answers = [b"".join(_feetech_answer(rng, servo_id) for servo_id in IDS) for _ in range(VARIETY)]
    goals_rad = rng.uniform(-1.0, 1.0, (VARIETY, COUNT))
    model, slots = feetech_tables.MODELS["STS3215"], range(COUNT)
    goals, states = GoalBatch(IDS, [model] * COUNT), StateBatch([model] * COUNT)
    address, size = feetech_tables.STS_MOTION_ADDRESS, feetech_tables.STATE_BYTES["STS"]
    request, expected = make_sync_read(address, size, IDS), SyncAnswers(IDS, size)

    def ours(number: int) -> bytes:
        packets = expected.split(answers[number % VARIETY])
        if packets is None:
            raise RuntimeError("the answers of the Feetech servos were not taken")
        states.keep_all(slots, packets)
        goals.convert(goals_rad[number % VARIETY])
        return goals.goals(slots) + request

    def theirs() -> Side:
        library = import_module("scservo_sdk")
        goal = feetech_tables.STS_REGISTERS["goal_position"]
        fields = [
            (register.address, register.size)
            for register in feetech_tables.STS_REGISTERS.values()
            if address <= register.address < address + size
        ]
        registers = Registers((goal.address, goal.size), (address, size), fields)
        return _library_side(library, library.PacketHandler(0), registers, answers)

    name = f"Feetech: sync write and {COUNT} status packets"
    return Pair(name, Side(ours), theirs, "feetech-servo-sdk", "scservo_sdk")


def _feetech_answer(rng: np.random.Generator, servo_id: int) -> bytes:
    """A status packet with the registers that a cycle reads."""
    position, speed, load = (int(rng.integers(0, highest)) for highest in (4096, 300, 200))
    data = Struct("<3H4B").pack(position, speed, load, 74, 33, 0, 0)
    return feetech_codec.make_status(servo_id, 0, data)
