"""The decoders of serial protocols by themselves: nothing has looked at their bytes before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from drivers.imu.bno08x_rvc import codec as rvc
from drivers.imu.hipnuc import codec as hipnuc
from drivers.imu.vectornav_vn100 import codec as vectornav
from drivers.imu.witmotion import codec as witmotion
from drivers.imu.xsens_xbus import codec as xsens
from drivers.serial import framing
from drivers.serial.unitree import codec as unitree
from tests.fuzz import framings, inputs
from tests.fuzz.framings import Framing
from tests.fuzz.inputs import ByteSource
from tests.fuzz.streams import checked_text, decode_vectornav, measured_items
from tests.fuzz.subjects import DecoderSubject
from tests.fuzz.target import Target


def alone(
    name: str,
    corpus: Sequence[bytes],
    layouts: Sequence[Framing],
    call: Callable[[bytes], object],
    is_sound: Callable[[bytes, Any], bool],
    *covers: Callable[..., Any],
) -> Target:
    """One row of a decoder by itself: nothing has looked at its bytes before."""
    return Target(name, ByteSource(corpus, layouts), lambda: DecoderSubject(call, is_sound), covers)


def byte_decoders() -> list[Target]:
    """Decoders that take bytes and not frames of a bus."""
    payloads = [
        frame[6:] for data in inputs.messages("hipnuc") for frame in framings.HIPNUC.sound_frames(data) if frame[6:]
    ]
    xsens_data = [frame[4:-1] for data in inputs.messages("xsens_xbus") for frame in framings.XSENS.sound_frames(data)]
    vectornav_layouts = (framings.VECTORNAV, framings.VECTORNAV_TEXT)
    unitree_bytes, witmotion_bytes = inputs.messages("unitree_go_m8010_6"), inputs.messages("witmotion")

    def verified(*layouts: Framing) -> Callable[[bytes, Any], bool]:
        return lambda data, _: any(layout.verifies(data) for layout in layouts)

    return [
        alone(
            "unitree decoder",
            unitree_bytes,
            (framings.UNITREE,),
            unitree.decode_reply,
            verified(framings.UNITREE),
            unitree.decode_reply,
        ),
        alone(
            "unitree awaited reply",
            unitree_bytes,
            (framings.UNITREE,),
            lambda data: unitree.match_reply(data, 1),
            lambda data, _: framings.UNITREE.verifies(data) and data[2] & 0xF == 1,
            unitree.match_reply,
        ),
        alone(
            "bno08x_rvc decoder",
            inputs.messages("bno08x_rvc"),
            (framings.RVC,),
            lambda data: rvc.measure(rvc.decode_frame(data)),
            verified(framings.RVC),
            rvc.decode_frame,
        ),
        alone(
            "witmotion decoder",
            witmotion_bytes,
            (framings.WITMOTION,),
            witmotion.decode_frame,
            verified(framings.WITMOTION),
            witmotion.decode_frame,
        ),
        alone(
            "xsens_xbus decoder",
            inputs.messages("xsens_xbus"),
            (framings.XSENS,),
            xsens.split_message,
            verified(framings.XSENS),
            xsens.split_message,
        ),
        alone(
            "xsens_xbus items",
            [data for data in xsens_data if data],
            (),
            measured_items,
            lambda data, result: sum(3 + len(item.raw) for item in result[0]) == len(data),
            xsens.decode_items,
        ),
        alone(
            "xsens_xbus output configuration",
            [data for data in xsens_data if data],
            (),
            xsens.decode_output_configuration,
            lambda data, result: 4 * len(result) == len(data),
            xsens.decode_output_configuration,
        ),
        alone(
            "xsens_xbus error",
            inputs.messages("xsens_xbus"),
            (framings.XSENS,),
            lambda data: xsens.decode_error(xsens.split_message(data)),
            lambda data, _: framings.XSENS.verifies(data) and data[2] == 0x42,
            xsens.decode_error,
        ),
        alone(
            "vectornav_vn100 text",
            [data for data in inputs.messages("vectornav_vn100") if data[:1] == b"$"],
            (framings.VECTORNAV_TEXT,),
            checked_text,
            verified(framings.VECTORNAV_TEXT),
            vectornav.decode_text,
        ),
        alone(
            "vectornav_vn100 measurement",
            inputs.messages("vectornav_vn100"),
            vectornav_layouts,
            decode_vectornav,
            lambda data, _: data[:1] in (b"$", b"\xfa"),
            vectornav.decode_binary,
        ),
        *hipnuc_packets(payloads),
        alone(
            "half-duplex echo",
            inputs.messages("feetech"),
            (),
            partial(filtered, framing.EchoFilter()),
            lambda data, kept: data.endswith(kept) and len(kept) < len(data),
            framing.EchoFilter,
        ),
    ]


def filtered(echo: framing.EchoFilter, data: bytes) -> bytes | None:
    """What is left of some bytes, of which the first half was our own; None where nothing is left."""
    if not data:
        return None
    echo.sent(data[: len(data) // 2 + 1])
    return echo.received(data) or None


def hipnuc_packets(payloads: Sequence[bytes]) -> list[Target]:
    """Each packet of HiPNUC by itself, and all that are in a payload."""
    rows: tuple[tuple[str, Callable[[bytes], object], Callable[[bytes, Any], bool], Callable[..., Any]], ...] = (
        ("hi91", hipnuc.decode_hi91, lambda data, _: len(data) >= 76, hipnuc.decode_hi91),
        ("hi83", hipnuc.decode_hi83, lambda data, found: 8 <= found[1] <= len(data), hipnuc.decode_hi83),
        ("hi81", hipnuc.decode_hi81, lambda data, _: len(data) >= 104, hipnuc.decode_hi81),
        (
            "packets",
            lambda data: hipnuc.decode_packets(data) or None,
            lambda data, found: len(found) * 8 <= len(data),
            hipnuc.decode_packets,
        ),
    )
    return [alone(f"hipnuc {name}", payloads, (), call, is_sound, covered) for name, call, is_sound, covered in rows]
