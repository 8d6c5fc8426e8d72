"""How each protocol lays out its frames, written apart from the codecs: what judges whether an accepted frame is sound.

Slow on purpose: checksums go bit by bit. Only the sizes of VectorNav's fields come from the tables under test.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from drivers.imu.vectornav_vn100.tables import GROUPS

VERIFIED = 1 << 16
"""How many different frames keep the answer of their checksum."""


def crc_of_bits(data: bytes, polynomial: int, *, is_reflected: bool = False) -> int:
    """A 16-bit checksum from 0, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte if is_reflected else byte << 8
        for _ in range(8):
            if is_reflected:
                crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
            else:
                crc = (crc << 1 ^ polynomial if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _xor(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


@dataclass(frozen=True, eq=False)
class Framing:
    """One protocol's frames.

    Attributes:
        heads: What a frame begins with, one of these.
        size_of: Size that the frame at a place announces; 0 where it cannot be one, or too little is there to tell.
        check_of: The checksum that a whole frame should carry, as its bytes.
        check_at: Where the checksum stands in a frame.
        longest: Bytes of the longest frame.
    """

    heads: tuple[bytes, ...]
    size_of: Callable[[bytes, int], int]
    check_of: Callable[[bytes], bytes]
    check_at: slice
    longest: int

    def seal(self, frame: bytes) -> bytes:
        """The same frame with the checksum that belongs to it."""
        if len(frame) < len(self.heads[0]) + 4:
            return frame
        sealed = bytearray(frame)
        sealed[self.check_at] = self.check_of(frame)
        return bytes(sealed)

    @lru_cache(maxsize=VERIFIED)  # noqa: B019 (framings live as long as the program)
    def verifies(self, frame: bytes) -> bool:
        """Whether these bytes are one whole frame with the checksum that belongs to it."""
        if not frame.startswith(self.heads) or self.size_of(frame, 0) != len(frame):
            return False
        return frame[self.check_at] == self.check_of(frame)

    def sound_frames(self, buffer: bytes, new_from: int = 0) -> Iterator[bytes]:
        """Every frame in a buffer whose checksum is right and which ends behind `new_from`, inside others too."""
        for head in self.heads:
            at = buffer.find(head, max(new_from - self.longest, 0))
            while at >= 0:
                size = self.size_of(buffer, at)
                frame = buffer[at : at + size]
                if size and new_from < at + size <= len(buffer) and self.verifies(frame):
                    yield frame
                at = buffer.find(head, at + 1)


def _sum_of(first: int, last: int, *, is_inverted: bool) -> Callable[[bytes], bytes]:
    def check_of(frame: bytes) -> bytes:
        total = sum(frame[first:last])
        return bytes(((255 - total if is_inverted else total) % 256,))

    return check_of


def _fixed(size: int) -> Callable[[bytes, int], int]:
    return lambda buffer, at: size if len(buffer) - at >= size else 0


def _counted(place: int, layout: str, more: int, most: int) -> Callable[[bytes, int], int]:
    """The size of a frame that states at a place how many of its bytes follow the first `more`."""
    length = struct.Struct(layout)

    def size_of(buffer: bytes, at: int) -> int:
        if len(buffer) - at < place + length.size:
            return 0
        size = length.unpack_from(buffer, at + place)[0] + more
        return size if size <= most else 0

    return size_of


def _xsens_size(buffer: bytes, at: int) -> int:
    if len(buffer) - at < 6:
        return buffer[at + 3] + 5 if len(buffer) - at > 3 and buffer[at + 3] < 2 else 0
    length = buffer[at + 3]
    size = length + 5 if length < 255 else (buffer[at + 4] << 8 | buffer[at + 5]) + 7
    return size if size <= 2055 else 0


def _xsens_check(frame: bytes) -> bytes:
    return bytes((-sum(frame[1:-1]) % 256,))


def _vectornav_size(buffer: bytes, at: int) -> int:
    groups = [group for group in range(8) if len(buffer) - at > 1 and buffer[at + 1] >> group & 1]
    size = 2 + 2 * len(groups)
    if not groups or len(buffer) - at < size:
        return 0
    for group, mask in zip(groups, struct.unpack_from(f"<{len(groups)}H", buffer, at + 2), strict=True):
        fields = GROUPS.get(group, ())
        if not mask or mask >> len(fields):
            return 0
        size += sum(struct.calcsize("<" + layout) for bit, (_, layout) in enumerate(fields) if mask >> bit & 1)
    return size + 2


def _text_size(buffer: bytes, at: int) -> int:
    end = buffer.find(b"\r\n", at)
    return end + 2 - at if 0 <= end - at <= 512 else 0


def _text_check(frame: bytes) -> bytes:
    """The digits, and the text without them; what carries XX in their place is not checked."""
    body, _, rest = frame[1:].partition(b"*")
    digits = len(rest) - 2
    check = crc_of_bits(body, 0x1021) if digits == 4 else _xor(body)
    # Both cases of the letters are right.
    good = f"{check:0{digits}X}\r\n".encode() if digits in (2, 4) else b""
    return b"*" + (rest if rest.upper() == good else good)


DYNAMIXEL = Framing(
    (b"\xff\xff\xfd\x00",),
    _counted(5, "<H", 7, 1024),
    lambda frame: crc_of_bits(frame[:-2], 0x8005).to_bytes(2, "little"),
    slice(-2, None),
    1024,
)
FEETECH = Framing((b"\xff\xff",), _counted(3, "B", 4, 250), _sum_of(2, -1, is_inverted=True), slice(-1, None), 250)
LX16A = Framing((b"\x55\x55",), _counted(3, "B", 3, 10), _sum_of(2, -1, is_inverted=True), slice(-1, None), 10)


def _unitree(head: bytes, size: int) -> Framing:
    return Framing(
        (head,),
        _fixed(size),
        lambda frame: crc_of_bits(frame[:-2], 0x8408, is_reflected=True).to_bytes(2, "little"),
        slice(-2, None),
        size,
    )


UNITREE = _unitree(b"\xfd\xee", 16)
UNITREE_COMMAND = _unitree(b"\xfe\xee", 17)
HIPNUC = Framing(
    (b"\x5a\xa5",),
    _counted(2, "<H", 6, 512),
    lambda frame: crc_of_bits(frame[:4] + frame[6:], 0x1021).to_bytes(2, "little"),
    slice(4, 6),
    512,
)
RVC = Framing((b"\xaa\xaa",), _fixed(19), _sum_of(2, -1, is_inverted=False), slice(-1, None), 19)
WITMOTION = Framing(
    tuple(bytes((0x55, kind)) for kind in range(0x50, 0x60)),
    _fixed(11),
    _sum_of(0, -1, is_inverted=False),
    slice(-1, None),
    11,
)
XSENS = Framing((b"\xfa",), _xsens_size, _xsens_check, slice(-1, None), 2055)
VECTORNAV = Framing(
    (b"\xfa",),
    _vectornav_size,
    lambda frame: crc_of_bits(frame[1:-2], 0x1021).to_bytes(2, "big"),
    slice(-2, None),
    1100,
)


class _TextFraming(Framing):
    """Text lines: the checksum has no fixed place, so it is everything from the star on."""

    def seal(self, frame: bytes) -> bytes:
        """The same line with the digits that belong to it."""
        body, star, _ = frame[1:].partition(b"*")
        return frame[:1] + body + b"*%02X\r\n" % _xor(body) if star else frame

    @lru_cache(maxsize=VERIFIED)  # noqa: B019 (framings live as long as the program)
    def verifies(self, frame: bytes) -> bool:
        """Whether this is one line with a right checksum; a line with XX for it is not checked, so does not."""
        _, star, rest = frame[1:].partition(b"*")
        return bool(star) and frame[:1] == b"$" and star + rest == _text_check(frame)


VECTORNAV_TEXT = _TextFraming((b"$",), _text_size, _text_check, slice(0, 0), 514)

FRAMINGS = {
    "dynamixel": DYNAMIXEL,
    "feetech": FEETECH,
    "lx16a": LX16A,
    "unitree": UNITREE,
    "unitree_command": UNITREE_COMMAND,
    "hipnuc": HIPNUC,
    "bno08x_rvc": RVC,
    "witmotion": WITMOTION,
    "xsens_xbus": XSENS,
    "vectornav": VECTORNAV,
    "vectornav_text": VECTORNAV_TEXT,
}

FRAMINGS_OF_IMUS = {
    "hipnuc": (HIPNUC,),
    "bno08x_rvc": (RVC,),
    "vectornav_vn100": (VECTORNAV, VECTORNAV_TEXT),
    "witmotion": (WITMOTION,),
    "xsens_xbus": (XSENS,),
}
FRAMINGS_OF_SERVOS = {
    "dynamixel": (DYNAMIXEL,),
    "feetech": (FEETECH,),
    "lx16a": (LX16A,),
    "unitree": (UNITREE,),
}
