"""The decoders of CAN frames: what each may accept, written apart from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from drivers.bus import Frame
from drivers.can.canopen import codec as canopen
from drivers.can.canopen import pdo, states
from drivers.can.canopen.tables import DataType, ObjectEntry
from drivers.can.cubemars import codec as cubemars
from drivers.can.cubemars.tables import MODELS as CUBEMARS
from drivers.can.cybergear.tables import MODELS as CYBERGEAR
from drivers.can.damiao import codec as damiao
from drivers.can.damiao.tables import MODELS as DAMIAO
from drivers.can.moteus import codec as moteus
from drivers.can.moteus import multiplex
from drivers.can.myactuator import codec as myactuator
from drivers.can.myactuator.tables import MODELS as MYACTUATOR
from drivers.can.odrive import codec as odrive
from drivers.can.robstride import codec as robstride
from drivers.can.robstride import mit_codec
from drivers.can.robstride.tables import MODELS as ROBSTRIDE
from drivers.can.slcan import codec as slcan
from drivers.devices import MotorModel
from supervisor.core.errors import FrameError
from tests.fuzz import inputs
from tests.fuzz.inputs import ByteSource, FrameSource
from tests.fuzz.subjects import DecoderSubject
from tests.fuzz.target import Source, Target

MANUFACTURER_REPORTS = frozenset((0x00, 0x01, 0x03, 0x05, 0x06, 0x09, 0x14, 0x15, 0x17, 0x1C, 0x1D))
"""What ODrive devices send, by the lowest five bits of the identifier."""

CANOPEN_BASES = frozenset((0x080, 0x180, 0x280, 0x380, 0x480, 0x580, 0x700))
NMT_STATES = frozenset((0, 4, 5, 80, 96, 127))
SDO_SIZES = {0x43: 4, 0x47: 3, 0x4B: 2, 0x4F: 1, 0x42: 4}
MYACTUATOR_REPLIES = frozenset(myactuator.Command) | {0xF1}
"""0xF1 is what a motor sends that has timed out."""


def first(models: Any) -> MotorModel:
    """The first row of a table."""
    return next(iter(models.values()))


def has_8(frame: Frame, result: object) -> bool:
    """Eight data bytes."""
    return len(frame.data) == 8


def within(model: MotorModel) -> Callable[[Frame, Any], bool]:
    """Eight data bytes, and values that these messages can carry for a model."""
    limits = (model.position_max_rad, model.velocity_max_rad_per_s, model.torque_max_nm)

    def is_sound(frame: Frame, result: Any) -> bool:
        found = (result.position_rad, result.velocity_rad_per_s, result.torque_nm)
        fits = all(abs(value) <= 1.000_001 * limit for value, limit in zip(found, limits, strict=True))
        return fits and len(frame.data) in (6, 8)

    return is_sound


def robstride_type(*types: int) -> Callable[[Frame, object], bool]:
    """A 29-bit identifier with one of these types in its highest five bits, and eight data bytes."""
    return lambda frame, _: frame.is_extended and frame.arbitration_id >> 24 in types and len(frame.data) == 8


def robstride_feedback(model: MotorModel) -> Callable[[Frame, Any], bool]:
    """Feedback, and not the firmware's version."""
    is_type, fits = robstride_type(2, 24), within(model)
    return lambda frame, found: is_type(frame, found) and fits(frame, found) and frame.data[:3] != b"\x00\xc4\x56"


def decode_parameter(frame: Frame) -> object:
    """A parameter, and its value as every kind."""
    reply = robstride.decode_parameter_reply(frame)
    kinds = ("uint8", "uint16", "uint32", "int16", "float32")
    return reply, [robstride.parameter_value(reply.raw_value, kind) for kind in kinds]


def decode_robstride(model: MotorModel) -> Callable[[Frame], object]:
    """Feedback with the name of its mode."""

    def decode(frame: Frame) -> object:
        feedback = robstride.decode_feedback(frame, model)
        robstride.mode_name(feedback.mode_code)
        return feedback

    return decode


def decode_damiao(frame: Frame) -> object:
    """Feedback with the name of its status."""
    feedback = damiao.decode_feedback(frame.data, first(DAMIAO))
    damiao.status_name(feedback.status_code)
    return feedback


def decode_cubemars(frame: Frame) -> object:
    """Feedback with the name of its error."""
    feedback = cubemars.decode_mit_feedback(frame.data, first(CUBEMARS))
    cubemars.error_name(feedback.error_code)
    return feedback


def decode_myactuator(frame: Frame) -> object:
    """What a motor sent, in whichever voice; None when none did."""
    found = myactuator.sender(frame)
    if found is None:
        return None
    kind, motor_id = found
    if kind is myactuator.ReplyKind.MOTION:
        return kind, motor_id, myactuator.decode_motion_feedback(frame.data, first(MYACTUATOR))
    reply = myactuator.decode_reply(frame.data)
    if isinstance(reply, myactuator.Status1):
        myactuator.error_names(reply.error_bits)
    return kind, motor_id, reply


def is_myactuator(frame: Frame, result: Any) -> bool:
    """From 0x240 with a command that exists, or from 0x500 with the motor's id in the data."""
    if frame.is_extended or frame.is_fd or len(frame.data) != 8:
        return False
    _, motor_id, _ = result
    if frame.arbitration_id == 0x500 + motor_id:
        return frame.data[0] == motor_id
    return frame.arbitration_id == 0x240 + motor_id and frame.data[0] in MYACTUATOR_REPLIES


def decode_odrive(frame: Frame) -> object:
    """What a node reports; None when no node did."""
    found = odrive.sender(frame)
    if found is None:
        return None
    report = odrive.decode_report(found[1], frame.data)
    if isinstance(report, odrive.Heartbeat):
        odrive.error_names(report.axis_error)
    return found[0], report


def is_odrive(frame: Frame, result: Any) -> bool:
    """An 11-bit identifier that devices send with, its node in the upper six bits."""
    is_report = frame.arbitration_id & 0x1F in MANUFACTURER_REPORTS and frame.arbitration_id < 0x800
    is_classic = not frame.is_extended and not frame.is_fd and len(frame.data) == 8
    return is_report and is_classic and result[0] == frame.arbitration_id >> 5


def decode_canopen(frame: Frame) -> object:
    """What a node sent, by its service; None when no node sent it."""
    found = canopen.sender(frame)
    if found is None:
        return None
    service, node_id = found
    if service is canopen.Service.SDO_REPLY:
        reply = canopen.decode_sdo_reply(frame.data)
        return node_id, getattr(reply, "reason", reply)
    if service is canopen.Service.EMERGENCY:
        emergency = canopen.decode_emergency(frame.data)
        return node_id, emergency, emergency.description
    if service is canopen.Service.HEARTBEAT:
        return node_id, canopen.decode_heartbeat(frame.data)
    layout = PDOS[service.value]
    values = layout.unpack(frame.data)
    machine = states.DriveStateMachine()
    return node_id, [machine.controlword(states.decode_statusword(values[0]).state, wish) for wish in states.Wish]


U16, I32 = ObjectEntry(0x6041, 0, DataType(2, False)), ObjectEntry(0x6064, 0, DataType(4, True))
PDOS = {
    0x180: pdo.PdoLayout((U16, I32)),
    0x280: pdo.PdoLayout((U16,)),
    0x380: pdo.PdoLayout((U16, ObjectEntry(0x6061, 0, DataType(1, True)))),
    0x480: pdo.PdoLayout((U16, I32, U16)),
}
PDO_SIZES = {0x180: 6, 0x280: 2, 0x380: 3, 0x480: 8}


def is_canopen(frame: Frame, result: Any) -> bool:
    """An identifier of a node's services, and the size and first byte that belong to it."""
    base, node_id = frame.arbitration_id & ~0x7F, frame.arbitration_id & 0x7F
    if frame.is_extended or frame.is_fd or base not in CANOPEN_BASES or not node_id or result[0] != node_id:
        return False
    size = len(frame.data)
    if base == 0x700:
        return size == 1 and frame.data[0] in NMT_STATES
    if base == 0x580:
        return size == 8 and frame.data[0] in (*SDO_SIZES, 0x60, 0x80)
    return size == PDO_SIZES.get(base, 8)


def decode_sdo_number(frame: Frame) -> object:
    """A value as one of the types, with its size and whether it has a sign."""
    reply = canopen.decode_sdo_reply(frame.data)
    if not isinstance(reply, canopen.SdoValue):
        return None
    kind = SDO_TYPES[frame.data[4] % len(SDO_TYPES)]
    return reply.number(kind), kind


SDO_TYPES = tuple(DataType(size, is_signed) for size in (1, 2, 4) for is_signed in (False, True))


def is_number(frame: Frame, result: Any) -> bool:
    """The value bytes of a reply that has as many as the type, in whichever sign."""
    value, kind = result
    size = SDO_SIZES.get(frame.data[0], 0)
    unsigned = sum(byte << 8 * place for place, byte in enumerate(frame.data[4 : 4 + size]))
    is_negative = kind.is_signed and unsigned >> (8 * size - 1)
    return size == kind.size and value == unsigned - ((1 << 8 * size) if is_negative else 0)


def decode_moteus(frame: Frame) -> object:
    """What a controller answered us; None when none did."""
    device_id = moteus.sender(frame)
    return None if device_id is None else (device_id, moteus.decode_reply(frame.data))


def is_moteus(frame: Frame, result: Any) -> bool:
    """A CAN FD frame from a controller to host 0, with at least two bytes for each value."""
    device_id, reply = result
    is_ours = frame.is_fd and frame.arbitration_id == device_id << 8 and 1 <= device_id <= 126
    return is_ours and len(reply.values) < max(len(frame.data), 1)


def parse_moteus(frame: Frame) -> object:
    """Every access in a frame, scaled."""
    found = list(multiplex.parse(frame.data))
    for item in found:
        if isinstance(item, multiplex.Access) and item.raw is not None:
            moteus.scaled(item)
    return found


def is_slcan(line: bytes, frame: Any) -> bool:
    """A line that means this frame, put together again."""
    letter = ("r" if frame.is_remote else "d" if frame.is_fd else "t") if not frame.bitrate_switch else "b"
    letter = letter.upper() if frame.is_extended else letter
    identifier = f"{frame.arbitration_id:0{8 if frame.is_extended else 3}X}"
    lengths = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
    stamp = "" if frame.timestamp_ms is None else f"{frame.timestamp_ms:04X}"
    made = f"{identifier}{lengths.index(frame.length):X}{frame.data.hex().upper()}{stamp}"
    return line[:1] == letter.encode() and line[1:].upper() == made.encode()


def of(
    name: str,
    protocols: Sequence[str],
    call: Callable[[Any], object],
    is_sound: Callable[[Any, Any], bool],
    covers: Sequence[Callable[..., Any]],
    source: Source | None = None,
) -> Target:
    """One row."""
    made = source or FrameSource(inputs.frames(*protocols))
    return Target(name, made, lambda: DecoderSubject(call, is_sound, (FrameError,)), tuple(covers))


def slcan_lines() -> ByteSource:
    """Lines without their ends."""
    return ByteSource([line for data in inputs.messages("slcan") for line in data.split(b"\r") if line])


def decoders() -> list[Target]:
    """One row per decoder of CAN frames."""
    replies = [frame for frame in inputs.frames("damiao") if frame.data[2:3] in (b"\x33", b"\x55")]
    wanted = replies[0].data[:4]
    awaited = (int.from_bytes(wanted[:2], "little"), wanted[2], wanted[3])
    sdos = [frame for frame in inputs.frames("canopen_cia402") if frame.arbitration_id & ~0x7F == 0x580]
    values = [Frame(0x581, bytes((command, 0x41, 0x60, 0, 0x37, 0x96, 0, 0xFF))) for command in SDO_SIZES]
    return [
        of("damiao feedback", ("damiao",), decode_damiao, within(first(DAMIAO)), (damiao.decode_feedback,)),
        of(
            "damiao register reply",
            ("damiao",),
            lambda frame: damiao.decode_register_reply(frame.data),
            lambda frame, _: len(frame.data) == 8 and frame.data[2] in (0x33, 0x55, 0xAA),
            (damiao.decode_register_reply,),
        ),
        of(
            "damiao awaited reply",
            ("damiao",),
            lambda frame: damiao.match_register_reply(frame.data, *awaited),
            lambda frame, _: len(frame.data) == 8 and frame.data[:4] == wanted,
            (damiao.match_register_reply,),
            FrameSource(replies[:2]),
        ),
        *(
            of(
                f"{name} feedback",
                (name,),
                decode_robstride(first(models)),
                robstride_feedback(first(models)),
                (robstride.decode_feedback,),
            )
            for name, models in (("robstride", ROBSTRIDE), ("cybergear", CYBERGEAR))
        ),
        of(
            "robstride parameter",
            ("robstride", "cybergear"),
            decode_parameter,
            robstride_type(17),
            (robstride.decode_parameter_reply, robstride.parameter_value),
        ),
        of(
            "robstride fault report",
            ("robstride", "cybergear"),
            robstride.decode_fault_report,
            robstride_type(21),
            (robstride.decode_fault_report,),
        ),
        of(
            "robstride device id",
            ("robstride", "cybergear"),
            robstride.decode_device_id,
            lambda frame, _: robstride_type(0)(frame, _) and frame.arbitration_id & 0xFF == 0xFE,
            (robstride.decode_device_id,),
        ),
        of(
            "robstride MIT feedback",
            ("robstride_mit",),
            lambda frame: mit_codec.decode_feedback(frame.data, first(ROBSTRIDE)),
            within(first(ROBSTRIDE)),
            (mit_codec.decode_feedback,),
        ),
        of(
            "robstride MIT fault reply",
            ("robstride_mit",),
            lambda frame: mit_codec.decode_fault_reply(frame.data),
            lambda frame, _: len(frame.data) == 8 and not any(frame.data[3:]),
            (mit_codec.decode_fault_reply,),
            FrameSource([Frame(0xFD, bytes((1, 4, 0, 0, 0, 0, 0, 0))), *inputs.frames("robstride_mit")[:4]]),
        ),
        of("cubemars MIT feedback", ("cubemars",), decode_cubemars, within(first(CUBEMARS)), MIT_COVERS),
        of(
            "cubemars servo feedback",
            ("cubemars",),
            cubemars.decode_servo_feedback,
            lambda frame, _: frame.is_extended and frame.arbitration_id >> 8 == 0x29 and len(frame.data) == 8,
            (cubemars.decode_servo_feedback,),
        ),
        of("myactuator reply", ("myactuator_rmd",), decode_myactuator, is_myactuator, MYACTUATOR_COVERS),
        of("odrive report", ("odrive_cansimple",), decode_odrive, is_odrive, (odrive.decode_report,)),
        of("canopen SDO, EMCY, NMT, PDO", ("canopen_cia402",), decode_canopen, is_canopen, CANOPEN_COVERS),
        of("canopen SDO number", (), decode_sdo_number, is_number, (canopen.decode_sdo_reply,), FrameSource(values)),
        of(
            "canopen segment",
            (),
            lambda frame: canopen.decode_segment(frame.data),
            lambda frame, part: len(frame.data) == 8 and frame.data[0] < 0x20 and len(part.data) <= 7,
            (canopen.decode_segment,),
            FrameSource([*sdos, Frame(0x581, bytes.fromhex("0048656c6c6f2121")), Frame(0x581, b"\x1b" + bytes(7))]),
        ),
        of(
            "moteus reply",
            ("moteus",),
            decode_moteus,
            is_moteus,
            (moteus.decode_reply,),
            FrameSource(inputs.frames("moteus"), [(number << 8, True) for number in (1, 2, 126)], is_fd=True),
        ),
        of("moteus subframes", ("moteus",), parse_moteus, lambda *_: True, (multiplex.parse,)),
        of("slcan line", (), slcan.decode_line, is_slcan, (slcan.decode_line,), slcan_lines()),
        of(
            "slcan status",
            (),
            slcan.decode_status,
            lambda line, _: len(line) == 3 and line[:1] == b"F" and int(line[1:], 16) >= 0,
            (slcan.decode_status,),
            ByteSource([b"F00", b"F04", b"FFF", b"F8a", *(line[:3] for line in inputs.messages("slcan"))]),
        ),
    ]


MIT_COVERS = (cubemars.decode_mit_feedback,)
MYACTUATOR_COVERS = (myactuator.decode_reply, myactuator.decode_motion_feedback)
CANOPEN_COVERS = (
    canopen.decode_sdo_reply,
    canopen.decode_heartbeat,
    canopen.decode_emergency,
    states.decode_statusword,
)
