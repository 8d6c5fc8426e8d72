"""The independent checksums: right on what others made, wrong after any damage, right again when sealed."""

from __future__ import annotations

import pytest

from tests.fuzz.framings import FRAMINGS, VECTORNAV_TEXT, XSENS, Framing, crc_of_bits
from tests.fuzz.inputs import messages

PROTOCOLS = {
    "dynamixel": "dynamixel2",
    "unitree": "unitree_go_m8010_6",
    "unitree_command": "unitree_go_m8010_6",
    "vectornav": "vectornav_vn100",
    "vectornav_text": "vectornav_vn100",
}
EACH = pytest.mark.parametrize("name", FRAMINGS)


def sound(name: str) -> list[tuple[Framing, bytes]]:
    framing = FRAMINGS[name]
    return [(framing, f) for data in messages(PROTOCOLS.get(name, name)) for f in framing.sound_frames(data)]


@EACH
def test_frames_that_others_made_are_found(name: str) -> None:
    assert len({frame for _, frame in sound(name)}) >= 8


LAST_OF_BODY = {"dynamixel": -3, "unitree": -3, "unitree_command": -3, "vectornav": -3, "hipnuc": -1, "xsens_xbus": 2}


@EACH
def test_a_flipped_bit_is_seen_and_sealing_makes_up_for_it(name: str) -> None:
    for framing, frame in sound(name):
        place = frame.find(b"*") - 1 if name == "vectornav_text" else LAST_OF_BODY.get(name, -2)
        damaged = bytearray(frame)
        damaged[place] ^= 1
        assert framing.verifies(frame)
        assert not framing.verifies(bytes(damaged))
        assert framing.verifies(framing.seal(bytes(damaged)))


@EACH
def test_a_frame_cut_short_or_with_a_byte_too_many_is_not_sound(name: str) -> None:
    for framing, frame in sound(name):
        assert not framing.verifies(frame[:-1])
        assert not framing.verifies(frame + b"\x00")


@EACH
def test_frames_are_looked_for_behind_a_place(name: str) -> None:
    framing, frame = sound(name)[0]
    assert frame in list(framing.sound_frames(b"\x01" + frame, len(frame)))
    assert frame not in list(framing.sound_frames(b"\x01" + frame, len(frame) + 1))


def test_the_checksums_are_those_of_the_catalogue() -> None:
    # CRC-16/XMODEM, /BUYPASS (UMTS) and /KERMIT of "123456789".
    assert crc_of_bits(b"123456789", 0x1021) == 0x31C3
    assert crc_of_bits(b"123456789", 0x8005) == 0xFEE8
    assert crc_of_bits(b"123456789", 0x8408, is_reflected=True) == 0x2189


def test_a_line_without_a_checksum_is_not_verified() -> None:
    assert VECTORNAV_TEXT.verifies(b"$VNRRG,08*7B\r\n")
    assert VECTORNAV_TEXT.verifies(b"$VNRRG,08*7b\r\n")
    assert not VECTORNAV_TEXT.verifies(b"$VNRRG,08*XX\r\n")


def test_a_message_with_a_long_length_is_found() -> None:
    frame = XSENS.seal(b"\xfa\xff\x36\xff\x01\x00" + bytes(range(256)) + b"\x00")
    assert list(XSENS.sound_frames(b"\x00" + frame)) == [frame]
