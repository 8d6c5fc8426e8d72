"""Whole devices: every make of motor and inertial unit in the registry, behind buses and ports in memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from drivers.bus import BusCounters, Frame
from drivers.devices import WiredMotor, wire_model
from drivers.registry import IMU_MAKES, MOTOR_MAKES, MotorMake
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, ImuConfig, MotorConfig
from tests.drivers.fake_devices import MemoryPort
from tests.fuzz import inputs
from tests.fuzz.conversations import RecordedCan, answers, talk
from tests.fuzz.device_subjects import FakeCan, GroupSubject, ImuSubject, InventorySubject
from tests.fuzz.framings import FRAMINGS_OF_IMUS, FRAMINGS_OF_SERVOS
from tests.fuzz.inputs import ByteSource, FrameSource
from tests.fuzz.subjects import TAIL_BYTES, Subject
from tests.fuzz.target import Target

COUNT = 3
BUS = "bus0"
LIVES = 64
"""Inputs for one group, so that motors which were never heard are looked at again and again."""

INVENTORY_LIVES = 65_536
"""Several times what the longest inventory may take, so that one without end is seen."""

SET_UP_FIRST = frozenset(("canopen",))
"""Makes whose feedback means nothing before the inventory has set up what is in it."""

LEVEL = (1.0, 0.0, 0.0, 0.0)
DRIVE = DriveConfig(10.0, 20.0, 6.0, 4096, 0.05, 1.0)
ROBSTRIDE_HOST = 0xFD
ALL_SERVOS = 0xFE
_NO_COMMAND = np.zeros((5, COUNT))
Rule = Callable[[Frame, MotorConfig], bool]


def _is_classic(frame: Frame, size: int = 8) -> bool:
    return not frame.is_extended and not frame.is_fd and len(frame.data) == size


def _damiao(frame: Frame, motor: MotorConfig) -> bool:
    is_its = frame.arbitration_id == motor.feedback_id and not frame.is_extended
    return is_its and len(frame.data) == 8 and frame.data[0] & 0xF == motor.id & 0xF


def _cubemars(frame: Frame, motor: MotorConfig) -> bool:
    is_its = frame.arbitration_id == motor.feedback_id and not frame.is_extended
    return is_its and len(frame.data) in (6, 8) and frame.data[0] == motor.id


def _myactuator(frame: Frame, motor: MotorConfig) -> bool:
    if not _is_classic(frame):
        return False
    is_motion = frame.arbitration_id == 0x500 + motor.id and frame.data[0] == motor.id
    return is_motion or frame.arbitration_id == 0x240 + motor.id


def _robstride(frame: Frame, motor: MotorConfig) -> bool:
    identifier = frame.arbitration_id
    is_its = frame.is_extended and identifier >> 24 == 2 and identifier & 0xFFFF == motor.id << 8 | ROBSTRIDE_HOST
    return is_its and len(frame.data) == 8 and frame.data[:3] != b"\x00\xc4\x56"


def _robstride_answer(frame: Frame, motor: MotorConfig) -> bool:
    return frame.is_extended and frame.arbitration_id >> 8 & 0xFF == motor.id and len(frame.data) == 8


def _odrive(frame: Frame, motor: MotorConfig) -> bool:
    return _is_classic(frame) and frame.arbitration_id >> 5 == motor.id


def _moteus(frame: Frame, motor: MotorConfig) -> bool:
    return frame.is_fd and frame.arbitration_id == motor.id << 8


def _canopen(frame: Frame, motor: MotorConfig) -> bool:
    is_its = frame.arbitration_id & 0x7F == motor.id and 0x80 < frame.arbitration_id < 0x800
    return is_its and not frame.is_extended and not frame.is_fd


RULES: Mapping[str, Rule] = {
    "damiao": _damiao,
    "cubemars": _cubemars,
    "myactuator": _myactuator,
    "robstride": _robstride,
    "cybergear": _robstride,
    "odrive": _odrive,
    "moteus": _moteus,
    "canopen": _canopen,
}
"""Which frames are feedback of a motor, from the sheets."""

ANSWERS: Mapping[str, Rule] = {**RULES, "robstride": _robstride_answer, "cybergear": _robstride_answer}
"""Which frames are any message of a motor."""


def motors_of(name: str, make: MotorMake) -> list[WiredMotor]:
    """A few motors of the first model, with neighbouring identifiers."""
    model = next(iter(make.models))
    low, high = make.id_range
    answers = make.feedback_id_range
    motors: list[WiredMotor] = []
    for place in range(COUNT):
        identifier = min(max(low, 1) + place, high)
        feedback_id = identifier + 16 if answers is None else answers[0]
        drive = None if make.drive_keys is None else DRIVE
        config = MotorConfig(name, model, BUS, identifier, feedback_id, drive)
        motors.append(WiredMotor(f"joint{place}", config, wire_model(make.models, config)))
    return motors


def corpus_of(name: str) -> list[str]:
    """Protocols of the vector files that belong to a make."""
    return [protocol for protocol in inputs.protocols() if protocol.startswith(name)]


def can_targets(name: str, make: MotorMake) -> list[Target]:
    """Feedback and inventory of a make on CAN."""
    motors = motors_of(name, make)
    configs = [motor.config for motor in motors]
    own = answers(name, motors)
    corpus = inputs.frames(*corpus_of(name))
    good = list(dict.fromkeys((frame.arbitration_id, frame.is_extended) for frame in own or corpus))
    source = FrameSource((*own, *corpus), good, is_fd=make.needs_fd)

    def senders(frame: Frame, rules: Mapping[str, Rule]) -> set[int]:
        rule = rules.get(name, lambda frame, _: True)
        return {slot for slot, config in enumerate(configs) if rule(frame, config)}

    def wired() -> tuple[Any, FakeCan, Callable[[Frame, float], None]]:
        bus = FakeCan()
        group: Any = make.make(motors, {BUS: bus})
        return group, bus, lambda frame, now_s: group.take(BUS, [Frame(*frame[:4], now_s)])

    def feedback() -> Subject:
        group, bus, deliver = wired()
        return GroupSubject(group, configs, bus.counters, deliver, partial(senders, rules=RULES))

    def after_inventory() -> Subject:
        bus = RecordedCan()
        group: Any = make.make(motors, {BUS: bus})
        for _ in talk(name, group, bus, motors):
            continue
        return GroupSubject(
            group,
            configs,
            bus.counters,
            lambda frame, now_s: group.take(BUS, [Frame(*frame[:4], now_s)]),
            partial(senders, rules=RULES),
            has_begun=True,
        )

    def inventory() -> Subject:
        group, _, deliver = wired()
        joints = [motor.joint for motor in motors]
        return InventorySubject(group, joints, deliver, partial(senders, rules=ANSWERS))

    if name in SET_UP_FIRST:
        motors_row = Target(f"{name} motors", source, after_inventory, lives=INVENTORY_LIVES)
    else:
        motors_row = Target(f"{name} motors", source, feedback, lives=LIVES)
    return [
        motors_row,
        Target(f"{name} inventory", source, inventory, lives=INVENTORY_LIVES),
    ]


class FakeLine(MemoryPort):
    """A serial port on which nothing answers by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.counters = BusCounters()


def serial_targets(name: str, make: MotorMake) -> list[Target]:
    """Feedback and inventory of a make on a serial line: it hears packets with the right checksum only."""
    motors = motors_of(name, make)
    configs = [motor.config for motor in motors]
    layouts = FRAMINGS_OF_SERVOS[name]
    layout = layouts[0]
    own = [frame.data for frame in answers(name, motors)]
    # One after the other, and as many at once as there are motors.
    together = [b"".join(own[at : at + COUNT]) for at in range(0, len(own), COUNT)]
    source = ByteSource([data for data in (*own, *together, *inputs.messages(*corpus_of(name))) if data], layouts)

    def wired() -> tuple[Any, FakeLine, Callable[[bytes, float], None], Callable[[bytes], set[int]]]:
        port = FakeLine()
        group: Any = make.make(motors, {BUS: port})
        tail = [b""]

        def deliver(data: bytes, now_s: float) -> None:
            port.pending = data
            tail[0] = (tail[0] + data)[-TAIL_BYTES:]
            group.receive(now_s)

        def senders(data: bytes) -> set[int]:
            # An answer may have waited in one that was longer by damage.
            sound = layout.sound_frames(tail[0], max(len(tail[0]) - len(data) - layout.longest, 0))
            ids = {frame[len(layout.heads[0])] & (0x0F if name == "unitree" else 0xFF) for frame in sound}
            return {slot for slot, config in enumerate(configs) if config.id in ids or ALL_SERVOS in ids}

        return group, port, deliver, senders

    def feedback() -> Subject:
        group, port, deliver, senders = wired()

        def cycle(data: bytes, now_s: float) -> None:
            deliver(data, now_s)
            group.write(Drive.POLL, _NO_COMMAND)

        return GroupSubject(group, configs, port.counters, cycle, senders)

    def inventory() -> Subject:
        group, _, deliver, senders = wired()
        return InventorySubject(group, [motor.joint for motor in motors], deliver, senders)

    return [
        Target(f"{name} motors", source, feedback, lives=LIVES),
        Target(f"{name} inventory", source, inventory, lives=INVENTORY_LIVES),
    ]


def imu_targets() -> list[Target]:
    """One row per make and packet of inertial unit."""
    rows: list[Target] = []
    for name, make in IMU_MAKES.items():
        source = ByteSource(_imu_messages(name), FRAMINGS_OF_IMUS[name])
        for packet in make.frame_bytes:
            config = ImuConfig(name, BUS, packet, 250.0, LEVEL)
            device = partial(make.make, config)
            rows.append(
                Target(f"{name} {packet} unit", source, partial(ImuSubject, device, FRAMINGS_OF_IMUS[name]), lives=1024)
            )
    return rows


def _imu_messages(name: str) -> list[bytes]:
    """The vectors', and whole samples of those units that need several frames for one."""
    corpus = list(inputs.messages(name))
    if name != "witmotion":
        return corpus
    burst = b"".join(
        body + bytes((sum(body) % 256,))
        for body in (
            b"\x55" + bytes((kind,)) + struct.pack("<4h", *words)
            for kind, words in ((0x51, (0, 0, 2048, 2500)), (0x52, (1, 2, 3, 0)), (0x53, (9, 9, 9, 0)),
                                (0x59, (32767, 0, 0, 0)))
        )
    )  # fmt: skip
    return corpus + [burst, burst[:33], burst[:22] + burst[33:]] * (len(corpus) // 4)


def devices() -> list[Target]:
    """Every make of the registry."""
    makes: list[Target] = []
    for name, make in MOTOR_MAKES.items():
        makes += (serial_targets if make.bus_kind == "serial" else can_targets)(name, make)
    return [*makes, *imu_targets()]
