"""Buses in memory, and devices that answer on them with bytes of their own making."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from drivers.bus import BusCounters, Frame
from drivers.imu.hipnuc.codec import frame_crc
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import CanBusConfig, ImuConfig, JointConfig, MotorConfig, RobotConfig, SerialBusConfig


class MemoryBus:
    """A CAN bus in memory: what is sent goes to the motors on it, what they answer is received next."""

    def __init__(self) -> None:
        self.counters = BusCounters()
        self.motors: list[FakeDamiao] = []
        self.sent: list[Frame] = []
        self.pending: list[Frame] = []
        self.lost = 0
        self.is_closed = False

    def send(self, frames: Sequence[Frame]) -> int:
        self.sent += frames
        self.counters.sent += len(frames)
        for frame in frames:
            for motor in self.motors:
                self.pending += motor.answer(frame)
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        frames = [frame._replace(stamp_s=now_s) for frame in self.pending[self.lost :]]
        self.lost = 0
        self.pending = []
        return frames

    def close(self) -> None:
        self.is_closed = True


class TroubledBus(MemoryBus):
    """A bus that drops, delays, duplicates or corrupts a share of what is sent on it, both ways.

    Args:
        seed: Of the dice.
        drop, delay, duplicate, corrupt: Shares of the frames, 0 to 1.
    """

    def __init__(
        self, seed: int, *, drop: float = 0.0, delay: float = 0.0, duplicate: float = 0.0, corrupt: float = 0.0
    ) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.shares = {"drop": drop, "delay": delay, "duplicate": duplicate, "corrupt": corrupt}
        self.late: list[Frame] = []

    def happens(self, what: str) -> bool:
        return self.dice.random() < self.shares[what]

    def send(self, frames: Sequence[Frame]) -> int:
        super().send([frame for frame in frames if not self.happens("drop")])
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        arrived, self.late = self.late, []
        for frame in super().receive(now_s):
            if self.happens("drop"):
                continue
            data = frame.data
            if self.happens("corrupt"):
                bit = 1 << self.dice.randrange(8 * len(data))
                data = (int.from_bytes(data, "big") ^ bit).to_bytes(len(data), "big")
            received = frame._replace(data=data)
            (self.late if self.happens("delay") else arrived).append(received)
            if self.happens("duplicate"):
                arrived.append(received)
        return [frame._replace(stamp_s=now_s) for frame in arrived]


class MemoryPort:
    """A serial port in memory."""

    def __init__(self) -> None:
        self.counters = BusCounters()
        self.pending = b""
        self.is_closed = False

    def write(self, data: bytes) -> int:
        return len(data)

    def read(self, now_s: float) -> bytes:
        data, self.pending = self.pending, b""
        return data

    def close(self) -> None:
        self.is_closed = True


class MemoryBuses:
    """Opens buses in memory."""

    def __init__(self) -> None:
        self.can: dict[str, MemoryBus] = {}
        self.serial: dict[str, MemoryPort] = {}

    def open_can(self, name: str, config: CanBusConfig) -> MemoryBus:
        return self.can.setdefault(name, MemoryBus())

    def open_serial(self, name: str, config: SerialBusConfig) -> MemoryPort:
        return self.serial.setdefault(name, MemoryPort())


class FakeDamiao:
    """A motor that answers with counts it is told, and keeps registers. Written apart from the codec under test."""

    def __init__(self, identifier: int, feedback_id: int, ranges: tuple[float, float, float]) -> None:
        self.identifier = identifier
        self.feedback_id = feedback_id
        self.status = 0
        self.position, self.velocity, self.torque = 0x7FFF, 0x7FF, 0x7FF
        self.temperatures = (30, 41)
        self.is_silent = False
        self.skip_register_replies = 0
        self.ignored_mode_writes = 0
        self.registers: dict[int, bytes] = {
            7: struct.pack("<I", feedback_id),
            8: struct.pack("<I", identifier),
            9: struct.pack("<I", 0),
            10: struct.pack("<I", 2),
            21: struct.pack("<f", ranges[0]),
            22: struct.pack("<f", ranges[1]),
            23: struct.pack("<f", ranges[2]),
        }
        self.log: list[bytes] = []

    def feedback(self) -> Frame:
        p, v, t = self.position, self.velocity, self.torque
        data = bytes(
            (
                self.status << 4 | self.identifier & 0xF,
                p >> 8,
                p & 0xFF,
                v >> 4,
                (v & 0xF) << 4 | t >> 8,
                t & 0xFF,
                *self.temperatures,
            )
        )
        return Frame(self.feedback_id, data)

    def answer(self, frame: Frame) -> list[Frame]:
        data = frame.data
        is_broadcast = frame.arbitration_id == 0x7FF and data[0] | data[1] << 8 == self.identifier
        if self.is_silent or not (is_broadcast or frame.arbitration_id == self.identifier):
            return []
        self.log.append(data)
        if is_broadcast and data[2] != 0xCC:
            return self.register(data)
        if data[:7] == b"\xff" * 7 and not is_broadcast:
            self.status = {0xFC: 1, 0xFD: 0, 0xFB: 0}.get(data[7], self.status)
            if data[7] == 0xFE:
                self.position = 0x7FFF
        return [self.feedback()]

    def register(self, data: bytes) -> list[Frame]:
        operation, register = data[2], data[3]
        if operation == 0x55:
            if register == 10 and self.ignored_mode_writes:
                self.ignored_mode_writes -= 1
            else:
                self.registers[register] = data[4:]
        if self.skip_register_replies:
            self.skip_register_replies -= 1
            return []
        return [Frame(self.feedback_id, data[:4] + self.registers.get(register, bytes(4)))]


def hipnuc_frame(payload: bytes) -> bytes:
    head = b"\x5a\xa5" + struct.pack("<H", len(payload))
    return head + struct.pack("<H", frame_crc(head, payload)) + payload


def hi91(
    acc_g: Sequence[float] = (0.0, 0.0, 1.0),
    gyro_deg_per_s: Sequence[float] = (0.0, 0.0, 0.0),
    quat_wxyz: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
    status: int = 0,
    time_ms: int = 0,
) -> bytes:
    floats = (*acc_g, *gyro_deg_per_s, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *quat_wxyz)
    return hipnuc_frame(struct.pack("<BHbfI16f", 0x91, status, 30, 101325.0, time_ms, *floats))


def joint(
    bus: str, identifier: int, *, model: str = "DM8009", direction: int = 1, offset: float = 0.0, gear: float = 1.0
) -> JointConfig:
    motor = MotorConfig("damiao", model, bus, identifier, identifier + 16)
    return JointConfig(motor, direction, offset, gear, (-1.0, 1.0), 10.0, 20.0, 30.0, 0.8, 0.0, 0.0)  # type: ignore[arg-type]


def robot_config(joints: dict[str, JointConfig] | None = None, **changes: object) -> RobotConfig:
    if joints is None:
        joints = {f"joint{b}{i}": joint(f"can{b}", i) for b in range(4) for i in (1, 2, 3)}
    names = dict.fromkeys(value.motor.bus for value in joints.values())
    buses: dict[str, object] = {name: CanBusConfig("can", "virtual", name, 1_000_000) for name in names}
    buses["imu0"] = SerialBusConfig("serial", "/dev/null", 921_600)
    settings: dict[str, object] = {
        "schema": 1,
        "name": "test",
        "safety": "",
        "control_hz": 500.0,
        "motor_timeout_s": 0.1,
        "buses": buses,
        "joints": joints,
        "imu": ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)),
        "estimator": "none",
        "rest_support": "ground",
    }
    return RobotConfig(**{**settings, **changes})  # type: ignore[arg-type]


def populate(buses: MemoryBuses, robot: RobotConfig) -> dict[str, FakeDamiao]:
    """Put a fake motor on the buses for each joint."""
    motors: dict[str, FakeDamiao] = {}
    for name, config in robot.joints.items():
        motor = FakeDamiao(config.motor.id, config.motor.feedback_id, (12.5, 45.0, 54.0))
        buses.open_can(config.motor.bus, robot.buses[config.motor.bus]).motors.append(motor)  # type: ignore[arg-type]
        motors[name] = motor
    return motors


def actuation(drive: Drive, count: int, **rows: Sequence[float]) -> Actuation:
    zeros = frozen_vector([0.0] * count)
    names = ("position_rad", "velocity_rad_per_s", "kp_nm_per_rad", "kd_nm_s_per_rad", "torque_nm")
    values = {name: frozen_vector(rows[name]) if name in rows else zeros for name in names}
    return Actuation(drive, JointCommand(**values), Level.NONE)
