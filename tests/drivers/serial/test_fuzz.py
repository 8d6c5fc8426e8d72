"""Mutated traffic for every serial parser and the decoders behind it, from a fixed seed.

HANDRAIL_FUZZ_INPUTS sets how many inputs each parser gets; the default is quick.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.serial.dynamixel import codec as dynamixel
from drivers.serial.dynamixel import instructions as dynamixel_make
from drivers.serial.feetech import codec as feetech
from drivers.serial.feetech import instructions as feetech_make
from drivers.serial.framing import Packet
from drivers.serial.lx16a import codec as lx16a
from drivers.serial.lx16a.tables import REPLY_BYTES
from drivers.serial.unitree import codec as unitree
from supervisor.core.errors import FrameError

INPUTS = int(os.environ.get("HANDRAIL_FUZZ_INPUTS", "1500"))
SEED = 20_261_120


def crc_of_bits(data: bytes, polynomial: int, *, is_reflected: bool) -> int:
    """A 16-bit checksum bit by bit, apart from the codecs'."""
    crc = 0
    for byte in data:
        crc ^= byte if is_reflected else byte << 8
        for _ in range(8):
            if is_reflected:
                crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
            else:
                crc = (crc << 1 ^ polynomial if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def is_sound_dynamixel(packet: dynamixel.Packet, seen: bytes) -> bool:
    body = bytes((packet.instruction,)) + packet.params
    for each in (body, body.replace(b"\xff\xff\xfd", b"\xff\xff\xfd\xfd")):
        head = b"\xff\xff\xfd\x00" + bytes((packet.id,)) + (len(each) + 2).to_bytes(2, "little") + each
        if head + crc_of_bits(head, 0x8005, is_reflected=False).to_bytes(2, "little") in seen:
            return True
    return False


def is_sound_summed(sync: bytes, counted: int) -> Callable[[Packet, bytes], bool]:
    def is_sound(packet: Packet, seen: bytes) -> bool:
        body = bytes((packet.id, len(packet.params) + counted, packet.instruction)) + packet.params
        return sync + body + bytes((255 - sum(body) % 256,)) in seen

    return is_sound


def is_sound_unitree(frame: bytes, seen: bytes) -> bool:
    crc = crc_of_bits(frame[:-2], 0x8408, is_reflected=True)
    return frame in seen and frame[:2] == b"\xfd\xee" and frame[-2:] == crc.to_bytes(2, "little")


def decode_dynamixel(packet: dynamixel.Packet) -> None:
    for decode in (dynamixel.decode_status, lambda it: dynamixel.decode_fast_status(it, [(1, 4), (2, 4)])):
        try:
            decode(packet)
        except FrameError:
            continue


def decode_feetech(packet: Packet) -> None:
    try:
        status = feetech.decode_status(packet)
        feetech.error_names(status.error_bits)
        feetech.decode_sts_motion(status.data)
    except FrameError:
        return


def decode_lx16a(packet: Packet) -> None:
    for decode in (lx16a.decode_position, lx16a.decode_voltage, lx16a.decode_temperature):
        try:
            decode(packet)
        except FrameError:
            continue


@dataclass(frozen=True)
class Target:
    """One parser: what it is fed, how its packets are decoded, and whether a packet stood in the bytes, whole."""

    make_parser: Callable[[], Any]
    traffic: Sequence[bytes]
    decode: Callable[[Any], object]
    is_sound: Callable[[Any, bytes], bool]
    most_unfinished: int


TARGETS = {
    "dynamixel": Target(
        dynamixel.PacketParser,
        [
            *(dynamixel.make_status(servo_id, 0, bytes((255, 255, 253, servo_id))) for servo_id in range(1, 5)),
            dynamixel_make.make_fast_sync_read(126, 10, (1, 2)),
            dynamixel_make.make_sync_write(116, 4, [(1, b"\xff\xff\xfd\x00"), (2, bytes(4))]),
            bytes.fromhex("fffffd00fe1100550003a600000087bb00071f0800008c72"),
        ],
        decode_dynamixel,
        is_sound_dynamixel,
        1023,
    ),
    "feetech": Target(
        feetech.make_parser,
        [
            *(feetech.make_status(servo_id, 0, bytes(range(servo_id * 5))) for servo_id in range(4)),
            feetech_make.make_sync_read(56, 15, (1, 2, 3)),
        ],
        decode_feetech,
        is_sound_summed(b"\xff\xff", 2),
        249,
    ),
    "lx16a": Target(
        lx16a.make_parser,
        [lx16a.make_packet(1, command, bytes(range(size))) for command, size in REPLY_BYTES.items()],
        decode_lx16a,
        is_sound_summed(b"\x55\x55", 3),
        9,
    ),
    "unitree": Target(
        unitree.FrameParser,
        [
            bytes.fromhex("fdee11000129005f1400001e00003121"),
            bytes.fromhex("fdee134bf5451327ea0600534a06ad3b"),
            unitree.encode_command(1, 1, [0.0] * 5),
        ],
        unitree.decode_reply,
        is_sound_unitree,
        15,
    ),
}


def mutated(dice: random.Random, traffic: Sequence[bytes]) -> bytes:
    """Some messages with something done to them."""
    data = bytearray(b"".join(dice.choices(traffic, k=dice.randint(1, 3))))
    kind = dice.randrange(6)
    at = dice.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << dice.randrange(8)
    elif kind == 1:
        del data[at : at + dice.randint(1, 8)]
    elif kind == 2:
        data[at:at] = dice.randbytes(dice.randint(1, 8))
    elif kind == 3:
        data[at:at] = data[: dice.randint(1, 8)]
    elif kind == 4:
        data[at] = dice.choice((0x00, 0x55, 0xEE, 0xFD, 0xFE, 0xFF))
    else:
        data = bytearray(dice.randbytes(dice.randint(0, 30)))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_traffic_gives_no_exception_no_growth_and_no_packet_that_was_not_there(name: str) -> None:
    target, dice = TARGETS[name], random.Random(SEED)
    parser, tail, accepted = target.make_parser(), b"", 0
    for _ in range(INPUTS):
        data = mutated(dice, target.traffic)
        packets = parser.feed(data)
        tail = (tail + data)[-2048:]
        for packet in packets:
            assert target.is_sound(packet, tail), f"{packet} was not in the bytes"
            target.decode(packet)
        accepted += len(packets)
        assert parser.unfinished_bytes <= target.most_unfinished
    assert accepted > INPUTS // 2
    assert parser.dropped_bytes > INPUTS
