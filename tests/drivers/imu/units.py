"""Streams of every make of inertial unit, with bytes of their own making: written apart from the codecs under test."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.devices import Imu
from drivers.imu.bno08x_rvc.codec import FrameParser as RvcParser
from drivers.imu.bno08x_rvc.device import Bno08xRvcImu
from drivers.imu.hipnuc.codec import FrameParser as HipnucParser
from drivers.imu.hipnuc.device import HipnucImu
from drivers.imu.stream import StreamParser
from drivers.imu.vectornav_vn100.codec import FrameParser as VectornavParser
from drivers.imu.vectornav_vn100.device import VectornavImu
from drivers.imu.witmotion.codec import FrameParser as WitmotionParser
from drivers.imu.witmotion.device import WitmotionImu
from drivers.imu.xsens_xbus.codec import FrameParser as XsensParser
from drivers.imu.xsens_xbus.device import XsensImu
from supervisor.core.robot import ImuConfig
from tests.drivers.fake_devices import MemoryPort, hi91

Vector = Sequence[float]
LEVEL = (1.0, 0.0, 0.0, 0.0)
STILL = ((0.0, 0.0, 9.8), (0.0, 0.0, 0.0), LEVEL)


def witmotion_frame(kind: int, *words: int) -> bytes:
    body = bytes((0x55, kind)) + struct.pack("<4h", *words, *(0,) * (4 - len(words)))
    return body + bytes((sum(body) & 0xFF,))


def counts(values: Vector, full_scale: float) -> list[int]:
    return [max(-32768, min(32767, round(value / full_scale * 32768))) for value in values]


def angles_of(quat: Vector) -> tuple[float, float, float]:
    """Roll, pitch, yaw (rad) of a unit quaternion."""
    w, x, y, z = quat
    return (
        math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x)))),
        math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    )


def witmotion(acc: Vector, gyro: Vector, quat: Vector, number: int, packet: str = "acc_gyro_quaternion") -> bytes:
    data = witmotion_frame(0x51, *counts(acc, 16 * 9.8), 2500 + number)
    data += witmotion_frame(0x52, *counts(gyro, math.radians(2000)))
    if "angle" in packet:
        data += witmotion_frame(0x53, *counts(angles_of(quat), math.pi))
    return data + (witmotion_frame(0x59, *counts(quat, 1.0)) if "quaternion" in packet else b"")


def xsens_message(message_id: int, data: bytes, bus_id: int = 0xFF) -> bytes:
    body = bytes((bus_id, message_id, len(data))) + data
    return b"\xfa" + body + bytes((-sum(body) & 0xFF,))


def xsens_item(data_id: int, layout: str, *values: float) -> bytes:
    data = struct.pack(layout, *values)
    return struct.pack(">HB", data_id, len(data)) + data


def north_east_down(quat: Vector) -> tuple[float, float, float, float]:
    """An attitude in a world with z up as seen from one with z down: half a turn about x, the other way."""
    w, x, y, z = quat
    return x, -w, z, -y


def xsens(acc: Vector, gyro: Vector, quat: Vector, number: int, variant: str = "", status: int = 3) -> bytes:
    bits, real = (3, "d") if "double" in variant else (0, "f")
    if "ned" in variant:
        bits, quat = bits | 4, north_east_down(quat)
    if "euler" in variant:
        attitude = xsens_item(0x2030 | bits, f">3{real}", *map(math.degrees, angles_of(quat)))
    else:
        attitude = xsens_item(0x2010 | bits, f">4{real}", *quat)
    motion = xsens_item(0x4020 | bits, f">3{real}", *acc) + xsens_item(0x8020 | bits, f">3{real}", *gyro)
    head = xsens_item(0x1020, ">H", number & 0xFFFF) + xsens_item(0x1060, ">I", 100 * number)
    return xsens_message(0x36, head + attitude + motion + xsens_item(0xE020, ">I", status))


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 0x1021 from 0, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def vectornav_binary(header: bytes, payload: bytes) -> bytes:
    return b"\xfa" + header + payload + crc16(header + payload).to_bytes(2, "big")


def vectornav_text(body: str, digits: int = 4) -> bytes:
    check = 0
    for byte in body.encode():
        check ^= byte
    return f"${body}*{crc16(body.encode()) if digits == 4 else check:0{digits}X}\r\n".encode()


def signed(values: Vector, width: int, digits: int) -> str:
    return "".join(f",{value:+0{width}.{digits}f}" for value in values)


def vectornav(acc: Vector, gyro: Vector, quat: Vector, number: int, packet: str = "binary", status: int = 0) -> bytes:
    w, x, y, z = attitude = north_east_down(quat)
    ypr = [math.degrees(angle) for angle in reversed(angles_of(attitude))]
    rest = signed((1.0, 0.0, 2.0), 7, 4) + signed(acc, 7, 3) + signed(gyro, 10, 6)
    if packet == "vnymr":
        return vectornav_text("VNYMR" + signed(ypr, 8, 3) + rest)
    if packet == "vnqmr":
        return vectornav_text("VNQMR" + signed((x, y, z, w), 9, 6) + rest, 2)
    if packet == "angles":
        return vectornav_binary(b"\x01\x29\x01", struct.pack("<Q9f", number, *ypr, *gyro, *acc))
    payload = struct.pack("<Q10fH", number, x, y, z, w, *gyro, *acc, status)
    return vectornav_binary(b"\x11\x31\x01\x01\x00", payload)


def rvc_frame(index: int, *words: int) -> bytes:
    body = bytes((index & 0xFF,)) + struct.pack("<6h", *words) + bytes(3)
    return b"\xaa\xaa" + body + bytes((sum(body) & 0xFF,))


def rvc(acc: Vector, gyro: Vector, quat: Vector, number: int) -> bytes:
    angles = [round(math.degrees(angle) * 100) for angle in reversed(angles_of(quat))]
    return rvc_frame(number, *angles, *(round(value / 9.80665 * 1000) for value in acc))


def hipnuc(acc: Vector, gyro: Vector, quat: Vector, number: int) -> bytes:
    return hi91([a / 9.8 for a in acc], [math.degrees(g) for g in gyro], quat, time_ms=number)


def is_sound(name: str, frame: bytes) -> bool:
    """Whether the checksum of a frame is right, worked out by hand; for all makes but HiPNUC."""
    if name.startswith("witmotion"):
        return len(frame) == 11 and sum(frame[:10]) % 256 == frame[10]
    if name.startswith("bno08x"):
        return len(frame) == 19 and sum(frame[2:18]) % 256 == frame[18]
    if frame[0] == ord("$"):
        body, check = frame[1:-2].split(b"*")
        return vectornav_text(body.decode(), len(check)).upper() == frame.upper()
    # An Xbus message sums to zero, a binary VectorNav packet leaves no remainder.
    return sum(frame[1:]) % 256 == 0 if name.startswith("xsens") else crc16(frame[1:]) == 0


@dataclass(frozen=True)
class Unit:
    """One make and packet.

    Attributes:
        config: As a robot file has it.
        parser, device: Of the make under test.
        sample: Bytes of one sample from specific force (m/s²), rate (rad/s), attitude (w, x, y, z, world with z up),
            all in the unit's axes, and a number that the unit counts.
        foreign: Another packet of the same make, and its name.
        steps: By how much the force, rate and attitude may be off, through rounding.
        has_rate: Whether it measures angular rate; the inventory of one that does not says so.
    """

    config: ImuConfig
    parser: Callable[[], StreamParser]
    device: Callable[[ImuConfig, MemoryPort], Imu]
    sample: Callable[[Vector, Vector, Vector, int], bytes]
    foreign: tuple[bytes, str]
    steps: tuple[float, float, float] = (1e-4, 1e-5, 1e-5)
    has_rate: bool = True


def config(make: str, packet: str) -> ImuConfig:
    return ImuConfig(make, "imu0", packet, 250.0, LEVEL)


WITMOTION_STEPS = (0.01, 0.002, 2e-4)
UNITS: Mapping[str, Unit] = {
    "hipnuc": Unit(config("hipnuc", "hi91"), HipnucParser, HipnucImu, hipnuc, (b"", "")),
    **{
        f"witmotion-{packet}": Unit(
            config("witmotion", packet),
            WitmotionParser,
            WitmotionImu,
            lambda *motion, packet=packet: witmotion(*motion, packet),
            (witmotion_frame(0x54, 1, 2, 3), "magnetic"),
            WITMOTION_STEPS,
        )
        for packet in ("acc_gyro_quaternion", "acc_gyro_angle", "acc_gyro_angle_quaternion")
    },
    **{
        f"xsens{variant}": Unit(
            config("xsens_xbus", "mtdata2"),
            XsensParser,
            XsensImu,
            lambda *motion, variant=variant: xsens(*motion, variant),
            (xsens_message(0x32, bytes(20)), "mtdata (third generation)"),
        )
        for variant in ("", "-ned", "-euler", "-ned-euler-double", "-double")
    },
    "bno08x": Unit(
        config("bno08x_rvc", "rvc"), RvcParser, Bno08xRvcImu, rvc, (b"", ""), (0.01, 0.0, 3e-4), has_rate=False
    ),
    **{
        f"vectornav-{packet}": Unit(
            config("vectornav_vn100", packet if packet.startswith("vn") else "binary"),
            VectornavParser,
            VectornavImu,
            lambda *motion, packet=packet: vectornav(*motion, packet=packet),
            foreign,
            steps,
        )
        for packet, foreign, steps in (
            ("binary", (vectornav_text("VNYPR,+001.000,+002.000,+003.000"), "vnypr"), (1e-4, 1e-5, 1e-5)),
            ("angles", (vectornav(*STILL, 0, "vnymr"), "vnymr"), (1e-4, 1e-5, 1e-5)),
            ("vnymr", (vectornav(*STILL, 0), "binary"), (1e-3, 1e-5, 1e-4)),
            ("vnqmr", (vectornav(*STILL, 0, "vnymr"), "vnymr"), (1e-3, 1e-5, 1e-5)),
        )
    },
}
