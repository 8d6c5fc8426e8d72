"""The stream parsers, and the decoders behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from drivers.can.slcan import codec as slcan
from drivers.can.slcan.tables import MAXIMUM_LINE_BYTES
from drivers.imu.bno08x_rvc import codec as rvc
from drivers.imu.hipnuc import codec as hipnuc
from drivers.imu.vectornav_vn100 import codec as vectornav
from drivers.imu.witmotion import codec as witmotion
from drivers.imu.xsens_xbus import codec as xsens
from drivers.serial import framing
from drivers.serial.dynamixel import codec as dynamixel
from drivers.serial.feetech import codec as feetech
from drivers.serial.lx16a import codec as lx16a
from drivers.serial.unitree import codec as unitree
from supervisor.core.errors import FrameError
from tests.fuzz import framings, inputs
from tests.fuzz.framings import Framing
from tests.fuzz.inputs import ByteSource
from tests.fuzz.subjects import StreamSubject, Subject
from tests.fuzz.target import Target


def present(*raws: bytes) -> Callable[[bytes], list[bytes]]:
    """Those of some bytes that are in a stream."""
    return lambda tail: [raw for raw in raws if raw in tail]


def dynamixel_raws(packet: dynamixel.Packet, tail: bytes) -> list[bytes]:
    """As it came, with and without stuffing."""
    plain = bytes((packet.instruction,)) + packet.params
    bodies = {plain, plain.replace(b"\xff\xff\xfd", b"\xff\xff\xfd\xfd")}
    return present(*(dynamixel_packet(packet.id, body) for body in bodies))(tail)


def dynamixel_packet(servo_id: int, body: bytes) -> bytes:
    """A whole packet with its checksum."""
    head = b"\xff\xff\xfd\x00" + bytes((servo_id,)) + (len(body) + 2).to_bytes(2, "little")
    return framings.DYNAMIXEL.seal(head + body + b"\0\0")


def summed_raws(layout: Framing, counted: int, packet: framing.Packet, tail: bytes) -> list[bytes]:
    """A packet of the simple servos, with its sum; its length counts `counted` bytes besides the parameters."""
    body = bytes((packet.id, len(packet.params) + counted, packet.instruction)) + packet.params
    return present(layout.seal(layout.heads[0] + body + b"\0"))(tail)


def hipnuc_raws(payload: bytes, tail: bytes) -> list[bytes]:
    """The frame around a payload, with its checksum."""
    return present(framings.HIPNUC.seal(b"\x5a\xa5" + len(payload).to_bytes(2, "little") + b"\0\0" + payload))(tail)


def slcan_raws(frame: slcan.SlcanFrame, tail: bytes) -> list[bytes]:
    """The line that carries a frame; its digits in either case, its letter not."""
    letter = ("r" if frame.is_remote else "d" if frame.is_fd else "t") if not frame.bitrate_switch else "b"
    letter = letter.upper() if frame.is_extended else letter
    stamp = "" if frame.timestamp_ms is None else f"{frame.timestamp_ms:04X}"
    digits = f"{frame.arbitration_id:0{8 if frame.is_extended else 3}X}[0-9A-Fa-f]{frame.data.hex().upper()}{stamp}"
    found = re.search(f"{letter}(?i:{digits})\r".encode(), tail)
    return [found.group()] if found else []


def itself(frame: bytes, tail: bytes) -> list[bytes]:
    """For parsers that give the frame as it came."""
    return present(frame)(tail)


def each(*decoders: Callable[[Any], object]) -> Callable[[Any], None]:
    """All of these decoders, their documented errors caught."""

    def decode(packet: Any) -> None:
        for decoder in decoders:
            try:
                decoder(packet)
            except FrameError:
                continue

    return decode


def attributes(*names: str) -> Callable[[Any], dict[str, int]]:
    """Counters of a parser by their names."""
    return lambda parser: {name.replace("_", " "): getattr(parser, name) for name in names}


def imu_counters(parser: Any) -> dict[str, int]:
    """Counters of the units' parsers."""
    return {**parser.rejected, "dropped bytes": parser.dropped_bytes}


def decode_feetech(packet: framing.Packet) -> None:
    """A status, and the motion that it may carry."""
    status = feetech.decode_status(packet)
    feetech.error_names(status.error_bits)
    feetech.match_status(packet, 1, 15)
    feetech.decode_sts_motion(status.data)


def decode_dynamixel(packet: dynamixel.Packet) -> None:
    """A status with its names."""
    status = dynamixel.decode_status(packet)
    dynamixel.error_name(status.error_code)
    dynamixel.hardware_error_names(status.data[0] if status.data else 0)


def decode_xsens(frame: bytes) -> object:
    """Everything that a message may be."""
    message = xsens.split_message(frame)
    each(xsens.decode_error)(message)
    each(xsens.decode_output_configuration)(message.data)
    return measured_items(message.data)


def measured_items(data: bytes) -> tuple[object, object]:
    """The items of a message, and what they measure."""
    items = xsens.decode_items(data)
    kinds = xsens.by_kind(items)
    return items, xsens.measure(kinds) if xsens.is_plausible(kinds) else None


def decode_vectornav(frame: bytes) -> object:
    """A packet or line, and what it measures."""
    if frame[:1] != b"$":
        return vectornav.measure(vectornav.decode_binary(frame).fields)
    text = vectornav.decode_text(frame)
    each(vectornav.decode_error)(text)
    return vectornav.measure(vectornav.decode_streamed(text))


def checked_text(line: bytes) -> vectornav.Text | None:
    """A line of VectorNav; None for one that carries no checksum."""
    text = vectornav.decode_text(line)
    return text if text.is_checked else None


def is_unchecked_line(frame: bytes) -> bool:
    """A line of VectorNav with XX in the place of its checksum."""
    return frame[:1] == b"$" and not vectornav.decode_text(frame).is_checked


def stream(
    name: str,
    corpus: Sequence[bytes],
    layouts: Sequence[Framing],
    make: Callable[[], Any],
    raws_of: Callable[[Any, bytes], Sequence[bytes]],
    decode: Callable[[Any], object],
    counters: Callable[[Any], dict[str, int]],
    covers: Sequence[Callable[..., Any]],
    *,
    is_unchecked: Callable[[Any], bool] = lambda _: False,
    good: bytes = b"",
    longest: int = 0,
) -> Target:
    """One row of a parser and the decoders behind it."""
    source = ByteSource(corpus, layouts)
    sound = good or next(frame for data in corpus for frame in layouts[0].sound_frames(data))
    most = longest or max(layout.longest for layout in layouts) - 1

    def subject() -> Subject:
        return StreamSubject(make(), layouts, raws_of, is_unchecked, decode, counters, sound, most)

    return Target(f"{name} stream", source, subject, tuple(covers))


def servo_streams() -> list[Target]:
    """Parsers of servos and of the serial-line adapter."""
    fast = partial(dynamixel.decode_fast_status, items=[(1, 4), (2, 4)])
    summed = attributes("bad_sum", "bad_head", "dropped_bytes")
    framed = attributes("bad_crc", "dropped_bytes")
    unitree_messages = inputs.messages("unitree_go_m8010_6")
    return [
        stream(
            "dynamixel",
            inputs.messages("dynamixel2"),
            (framings.DYNAMIXEL,),
            dynamixel.PacketParser,
            dynamixel_raws,
            each(decode_dynamixel, fast),
            attributes("bad_crc", "bad_length", "cut_short", "dropped_bytes"),
            (dynamixel.PacketParser, dynamixel.decode_status, dynamixel.decode_fast_status),
        ),
        stream(
            "feetech",
            inputs.messages("feetech"),
            (framings.FEETECH,),
            feetech.make_parser,
            partial(summed_raws, framings.FEETECH, 2),
            each(decode_feetech),
            summed,
            (framing.SummedParser, feetech.decode_status, feetech.match_status, feetech.decode_sts_motion),
        ),
        stream(
            "lx16a",
            inputs.messages("lx16a"),
            (framings.LX16A,),
            lx16a.make_parser,
            partial(summed_raws, framings.LX16A, 3),
            each(lx16a.decode_position, lx16a.decode_voltage, lx16a.decode_temperature),
            summed,
            (lx16a.match_reply, lx16a.decode_position, lx16a.decode_voltage, lx16a.decode_temperature),
        ),
        stream(
            "unitree reply",
            unitree_messages,
            (framings.UNITREE,),
            unitree.FrameParser,
            itself,
            # What the parser has accepted needs no more catching.
            lambda frame: unitree.error_name(unitree.decode_reply(frame).error_code),
            framed,
            (unitree.FrameParser, unitree.decode_reply),
        ),
        stream(
            "unitree command",
            unitree_messages,
            (framings.UNITREE_COMMAND,),
            unitree.make_command_parser,
            itself,
            lambda _: None,
            framed,
            (unitree.FrameParser,),
        ),
        stream(
            "slcan",
            inputs.messages("slcan"),
            (),
            slcan.LineParser,
            slcan_raws,
            lambda _: None,
            attributes("refused", "bad_lines", "oversize_lines", "dropped_bytes"),
            (slcan.LineParser, slcan.decode_line),
            good=b"t1232A1B2\r",
            longest=MAXIMUM_LINE_BYTES,
        ),
    ]


def imu_streams() -> list[Target]:
    """Parsers of inertial units."""
    rows = (
        ("hipnuc", (framings.HIPNUC,), hipnuc, hipnuc_raws, hipnuc.decode_packets, (hipnuc.decode_packets,)),
        ("bno08x_rvc", (framings.RVC,), rvc, itself, lambda it: rvc.measure(rvc.decode_frame(it)), (rvc.decode_frame,)),
        ("witmotion", (framings.WITMOTION,), witmotion, itself, witmotion.decode_frame, (witmotion.decode_frame,)),
        ("xsens_xbus", (framings.XSENS,), xsens, itself, each(decode_xsens), (xsens.split_message,)),
        (
            "vectornav_vn100",
            (framings.VECTORNAV, framings.VECTORNAV_TEXT),
            vectornav,
            itself,
            each(decode_vectornav),
            (vectornav.decode_binary, vectornav.decode_text, vectornav.decode_streamed, vectornav.decode_error),
        ),
    )
    return [
        stream(
            name,
            inputs.messages(name),
            layouts,
            codec.FrameParser,
            raws_of,
            decode,
            imu_counters,
            (codec.FrameParser, *covers),
            is_unchecked=is_unchecked_line if codec is vectornav else lambda _: False,
        )
        for name, layouts, codec, raws_of, decode, covers in rows
    ]


def streams() -> list[Target]:
    """Every row of this file."""
    return [*servo_streams(), *imu_streams()]
