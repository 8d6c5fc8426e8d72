"""Messages of many motors at once, in arrays made once: what the control loop uses.

Bit for bit what `codec` makes of each motor alone. Values are at the output shaft, the wire is at the rotor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Block, Codes
from drivers.serial.unitree.codec import COMMAND_RANGES, RANGE_SLACK, frame_crc, rotor_from_output
from drivers.serial.unitree.tables import (
    COMMAND_BYTES,
    COMMAND_HEAD,
    COUNTS,
    GEAR,
    MODE_FOC,
    POSITION_PER_COUNT_RAD,
    REPLY_BYTES,
    TORQUE_PER_COUNT_NM,
    VELOCITY_PER_COUNT_RAD_PER_S,
)
from supervisor.core.joints import Vector

_CRC_BYTES: Final = 2
_BODY_BYTES: Final = COMMAND_BYTES - _CRC_BYTES

_COMMAND: Final = np.dtype(
    [("head", "S2"), ("mode", "u1"), ("torque", "<i2"), ("velocity", "<i2"), ("position", "<i4"), ("kp", "<u2"),
     ("kd", "<u2")]
)  # fmt: skip
_FIELDS: Final = ("position", "velocity", "kp", "kd", "torque")
"""In the order of a command block."""

_REPLY: Final = np.dtype(
    {
        "names": ["mode", "torque", "velocity", "position", "temperature", "error"],
        "formats": ["u1", "<i2", "<i2", "<i4", "i1", "u1"],
        "offsets": [2, 3, 5, 7, 11, 12],
        "itemsize": REPLY_BYTES,
    }
)


class CommandBatch:
    """Encodes one impedance command per motor in one go, bit for bit as `encode_command` would.

    Args:
        ids: One per motor.

    Attributes:
        valid: After `encode`: (n,) which commands were finite and in range; the others must not be sent.
    """

    __slots__ = ("_bodies", "_bytes", "_counts", "_high", "_inside", "_low", "_rotor", "_to_rotor", "valid")

    def __init__(self, ids: Sequence[int]) -> None:
        n = len(ids)
        ranges = np.array(COMMAND_RANGES)
        slack = RANGE_SLACK * (ranges[:, 1] - ranges[:, 0])
        self._low: Block = np.tile((ranges[:, 0] - slack)[:, None], n)
        self._high: Block = np.tile((ranges[:, 1] + slack)[:, None], n)
        self._to_rotor: Block = np.tile(np.array(rotor_from_output((1.0,) * 5))[:, None], n)
        self._counts: Block = np.tile(np.array(COUNTS)[:, None], n)
        self._rotor: Block = np.zeros((5, n))
        self._inside: NDArray[np.bool_] = np.zeros((5, n), dtype=np.bool_)
        self.valid: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self._bytes = bytearray(_BODY_BYTES * n)
        self._bodies: NDArray[Any] = np.frombuffer(self._bytes, dtype=_COMMAND)
        self._bodies["head"] = COMMAND_HEAD
        self._bodies["mode"] = np.array(ids) | MODE_FOC << 4

    def encode(self, command: Block, turns: Vector) -> None:
        """Encode one command per motor; `frame` gives them out.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; at the output. Not changed.
            turns: (n,) whole turns of the rotor that each motor does not know of; NaN where nobody does.
        """
        rotor, inside, valid = self._rotor, self._inside, self.valid
        np.multiply(command, self._to_rotor, out=rotor)
        rotor[0] -= math.tau * turns
        np.greater_equal(rotor, self._low, out=inside)
        inside &= rotor <= self._high
        np.logical_and.reduce(inside, axis=0, out=valid)
        if not valid.all():
            rotor[:, ~valid] = 0.0
        rotor /= self._counts
        bodies = self._bodies
        for field, row in zip(_FIELDS, rotor, strict=True):
            bodies[field] = row

    def frame(self, slot: int) -> bytes:
        """The command of one motor that was encoded last, checksum included."""
        body = bytes(self._bytes[slot * _BODY_BYTES : (slot + 1) * _BODY_BYTES])
        return body + frame_crc(body)


class ReplyBatch:
    """Keeps the newest reply of every motor, and decodes them in one go, equal to `decode_reply`.

    Args:
        count: How many motors.
    """

    __slots__ = ("_bytes", "_replies")

    def __init__(self, count: int) -> None:
        self._bytes = bytearray(REPLY_BYTES * count)
        self._replies: NDArray[Any] = np.frombuffer(self._bytes, dtype=_REPLY)

    def keep(self, slot: int, frame: bytes) -> None:
        """Keep a reply whose length, head and checksum were right."""
        self._bytes[slot * REPLY_BYTES : (slot + 1) * REPLY_BYTES] = frame

    def kept(self, slot: int) -> bytes:
        """The newest reply of one motor; zeros before the first."""
        return bytes(self._bytes[slot * REPLY_BYTES : (slot + 1) * REPLY_BYTES])

    def decode(self, turns: Vector, values: Block) -> None:
        """Decode the newest reply of every motor.

        Args:
            turns: (n,) whole turns of the rotor that each motor does not know of; NaN where nobody does.
            values: (at least 4, n), written in place: position, velocity, torque, temperature; at the output.
        """
        replies = self._replies
        position, velocity, torque = values[POSITION], values[VELOCITY], values[TORQUE]
        position[...] = replies["position"]
        position *= POSITION_PER_COUNT_RAD
        position += math.tau * turns
        position /= GEAR
        velocity[...] = replies["velocity"]
        velocity *= VELOCITY_PER_COUNT_RAD_PER_S
        velocity /= GEAR
        torque[...] = replies["torque"]
        torque *= TORQUE_PER_COUNT_NM
        torque *= GEAR
        values[TEMPERATURE] = replies["temperature"]

    def states(self) -> Codes:
        """(n,) mode and error of the newest replies, as `status_of` takes them."""
        replies = self._replies
        return np.array((replies["mode"] & 0x70) >> 1 | replies["error"] & 0x7, dtype=np.int64)
