"""Controllers in memory that answer with numbers they are told. Written apart from the codec and the simulation."""

from __future__ import annotations

import math
import struct

from drivers.bus import Frame

TURN = 2.0 * math.pi

SETTINGS = {
    "servo.pid_position.kp": "377.000000",
    "servo.pid_position.kd": "19.000000",
    "servo.pid_position.ki": "1.000000",
    "servo.pid_position.ilimit": "0.000000",
    "motor_position.rotor_to_output_ratio": "0.111111",
    "servopos.position_min": "nan",
    "servopos.position_max": "nan",
    "servo.max_velocity": "500.000000",
    "servo.fixed_voltage_mode": "0",
    "servo.fault_temperature": "75.000000",
    "servo.timeout_mode": "12",
    "servo.timeout_max_torque_Nm": "5.000000",
}


class FakeMoteus:
    """One controller, or several with one id. Understands the frames of this program, byte by byte."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.mode = 0.0
        self.position_rev, self.velocity_rev_per_s, self.torque_nm = 0.1, 0.2, 0.3
        self.condition = [30, 1, 2, 48, 25, 0]
        self.serials = [(1, 2, identifier)]
        self.register_map = 5
        self.settings = dict(SETTINGS)
        self.timeout: int | None = None
        """What it reads back instead of what was written."""
        self.is_silent = False
        self.is_mute_console = False
        self.output = b""
        self.log: list[bytes] = []

    def feedback(self) -> bytes:
        motion = struct.pack("<4f", self.mode, self.position_rev, self.velocity_rev_per_s, self.torque_nm)
        return b"\x2c\x04\x00" + motion + b"\x20\x06\x0a" + struct.pack("6b", *self.condition) + 4 * b"\x50"

    def reply(self, data: bytes) -> Frame:
        identifier = self.identifier << 8
        return Frame(identifier, data, identifier > 0x7FF, True)

    def answer(self, frame: Frame) -> list[Frame]:
        if self.is_silent or frame.arbitration_id & 0xFF != self.identifier or not frame.is_fd:
            return []
        data = frame.data
        self.log.append(data)
        answers = self.answers(data)
        return [self.reply(answer) for answer in answers] if frame.arbitration_id & 0x8000 else []

    def answers(self, data: bytes) -> list[bytes]:
        if data[:2] == b"\x40\x01":
            self.type(data[3 : 3 + data[2]])
            return []
        if data[:2] == b"\x42\x01":
            text, self.output = self.output[: data[2]], self.output[data[2] :]
            return [b"\x41\x01" + bytes((len(text),)) + text]
        if data[:1] == b"\x1b":
            return [
                struct.pack("<3s3i3s3i", b"\x2b\x80\x02", 7, 0x10A, self.register_map, b"\x2b\xa0\x02", *serial)
                for serial in self.serials
            ]
        if data[:2] == b"\x01\x00" and self.mode != 1.0:
            self.mode = float(data[2])
        if data[:5] == b"\x01\x00\x00\x05\x27":
            written = struct.unpack_from("<h", data, 5)[0]
            return [b"\x25\x27" + struct.pack("<h", written if self.timeout is None else self.timeout)]
        if data[:3] == b"\x0d\xb1\x02" and self.mode == 0.0:
            self.position_rev = struct.unpack_from("<f", data, 3)[0]
        return [self.feedback()]

    def type(self, text: bytes) -> None:
        words = text.decode().split()
        if self.is_mute_console:
            return
        if words[:2] == ["conf", "get"]:
            self.output += f"{self.settings.get(words[2], 'ERR unknown')}\r\n".encode()
        else:
            self.output += b"OK\r\n"
