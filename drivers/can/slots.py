"""Memory of many frames, and the structures with which `sendmmsg` and `recvmmsg` are told where it is.

Source:
    sendmmsg(2), recvmmsg(2)
"""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Final

from drivers.can.frame_bytes import FLEXIBLE

SLOTS: Final = 64
"""Frames per system call: more than a bus of 1 Mbit/s brings in two cycles of 2 ms."""

SLOT_BYTES: Final = FLEXIBLE.size

MESSAGE: Final = struct.Struct("@PIPNPNi0PI0P")
"""`struct mmsghdr`: address and its length, vectors and their number, control and its length, flags, bytes."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("size", ctypes.c_uint))


def is_available() -> bool:
    """Whether this system has the two calls, with the structures as they are written here."""
    return sys.platform == "linux" and ctypes.sizeof(_Message) == MESSAGE.size


class Slots:
    """Memory for `SLOTS` frames.

    Args:
        control_bytes: Room for what the kernel says about each frame received; 0 for sending.

    Attributes:
        frames: `SLOT_BYTES` each.
        control: `control_bytes` each.
        messages: The structures, `MESSAGE` each.
        vectors: Address and length of each frame, two words each.
        address: Where the structures are.
    """

    def __init__(self, control_bytes: int) -> None:
        self.frames = bytearray(SLOTS * SLOT_BYTES)
        self.control = bytearray(SLOTS * control_bytes)
        frames = ctypes.addressof(ctypes.c_char.from_buffer(self.frames))
        control = ctypes.addressof(ctypes.c_char.from_buffer(self.control)) if control_bytes else None
        self._vectors = (_Vector * SLOTS)(*((frames + i * SLOT_BYTES, SLOT_BYTES) for i in range(SLOTS)))
        self._messages = (_Message * SLOTS)()
        for i, message in enumerate(self._messages):
            message.header.vectors = ctypes.addressof(self._vectors) + i * ctypes.sizeof(_Vector)
            message.header.vector_count = 1
            if control is not None:
                message.header.control = control + i * control_bytes
                message.header.control_size = control_bytes
        self.messages = memoryview(self._messages).cast("B")
        self.vectors = memoryview(self._vectors).cast("B").cast("L")
        self.address = ctypes.addressof(self._messages)
