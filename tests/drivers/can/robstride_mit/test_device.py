from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.robstride import mit_codec as codec
from drivers.can.robstride_mit.batch import FeedbackBatch
from drivers.can.robstride_mit.device import RobStrideMitMotors
from drivers.can.robstride_mit.scan import SCAN
from drivers.can.robstride_mit.tables import MODELS
from drivers.devices import FAULT, NO_TIMEOUT_PROBLEM, STAMP, STATUS, WiredMotor
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError, FrameError
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryBus

RS06 = MODELS["RS06"]
HOST = 0xFD
STOP, ENABLE, ZERO = codec.DISABLE, codec.ENABLE, codec.SET_ZERO
QUESTION = b"\xff" * 6 + b"\x00\xfb"
COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])


class FakeMotor:
    """A motor that answers every frame on the host's identifier. Written apart from the codec under test."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.faults = 0
        self.position = 0x7FFF
        self.keeps_its_zero = False
        self.is_on = False
        self.is_silent = False
        self.hides_faults = False
        self.log: list[bytes] = []

    def answer(self, frame: Frame) -> list[Frame]:
        if self.is_silent or frame.is_extended or frame.arbitration_id != self.identifier:
            return []
        self.log.append(frame.data)
        if frame.data == QUESTION:
            reply = bytes((self.identifier, self.faults & 0xFF, self.faults >> 8)) + bytes(5)
            return [] if self.hides_faults else [Frame(HOST, reply)]
        if frame.data[:7] == b"\xff" * 7:
            self.is_on = {0xFC: True, 0xFD: False}.get(frame.data[7], self.is_on)
            self.position = 0x7FFF if frame.data[7] == 0xFE and not self.keeps_its_zero else self.position
        data = bytes((self.identifier, self.position >> 8, self.position & 0xFF, 0x7F, 0xF7, 0xFF, 0x01, 0x5E))
        return [Frame(HOST, data)]


class Rig:
    """Two motors on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.fakes = [FakeMotor(i) for i in (1, 2)]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        wired = [WiredMotor(f"j{i}", MotorConfig("robstride_mit", "RS06", "can0", i), RS06) for i in (1, 2)]
        self.motors = RobStrideMitMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drive(self, drive: Drive, cycles: int = 1, command: np.ndarray = COMMAND) -> list[MotorStatus]:
        for _ in range(cycles):
            self.motors.write(drive, command)
            self.take(*self.bus.receive(1.0))
        return [MotorStatus(int(status)) for status in self.codes[STATUS]]

    def sent(self) -> list[tuple[int, bytes]]:
        frames, self.bus.sent = self.bus.sent, []
        return [(frame.arbitration_id, frame.data) for frame in frames]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def run(rig: Rig, generator):
    now_s = 1.0
    next(generator)
    for _ in range(2000):
        now_s += 0.002
        rig.take(*rig.bus.receive(now_s))
        try:
            generator.send(now_s)
        except StopIteration as end:
            return end.value
    raise AssertionError("the generator does not end")


def feedback(identifier: int = 1, motor: int = 1, data: str = "7fff7ff7ff015e") -> Frame:
    return Frame(identifier, bytes((motor,)) + bytes.fromhex(data), stamp_s=2.0)


@given(st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=5))
def test_the_batch_is_equal_to_the_codec(payloads: list[bytes]) -> None:
    batch, values = FeedbackBatch([RS06] * len(payloads)), np.zeros((5, len(payloads)))
    batch.decode(np.array([int.from_bytes(data, "big", signed=True) for data in payloads], dtype=np.int64), values)
    for column, data in zip(values.T, payloads, strict=True):
        assert column[:4].tolist() == pytest.approx(list(codec.decode_feedback(data, RS06)[1:]))


@pytest.mark.parametrize(
    "frame",
    [
        feedback(HOST, 3),
        feedback(0xFC),
        feedback(HOST)._replace(is_extended=True),
        feedback(HOST)._replace(is_fd=True),
        feedback(HOST)._replace(data=b"\x01"),
        feedback(HOST)._replace(data=b""),
        feedback(HOST)._replace(data=bytes(9)),
    ],
    ids=["motor", "host", "29-bit", "FD", "short", "empty", "long"],
)
def test_what_is_no_feedback_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


def test_motors_are_told_apart_by_the_first_byte(rig: Rig) -> None:
    assert rig.take(feedback(HOST, 2, "ffff7ff7ff00fa")) == []
    assert rig.values[0].tolist() == pytest.approx([math.nan, 12.57], nan_ok=True)
    assert rig.values[3, 1] == pytest.approx(25.0)


@pytest.mark.parametrize(("identifier", "expected"), [(1, 1), (0x102, 1), (0x201, 1), (3, 0), (0x301, 0)])
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, identifier: int, expected: int) -> None:
    assert len(rig.take(feedback(identifier))) == 1 - expected
    assert rig.bus.counters.foreign_commands == expected


def test_a_motor_is_on_once_it_has_answered_and_off_once_it_has_answered(rig: Rig) -> None:
    assert rig.drive(Drive.POLL) == [MotorStatus.DISABLED] * 2
    rig.fakes[1].is_silent = True
    assert rig.drive(Drive.ENABLE) == [MotorStatus.ENABLED, MotorStatus.DISABLED]
    rig.fakes[1].is_silent = False
    assert rig.drive(Drive.COMMAND) == [MotorStatus.ENABLED, MotorStatus.DISABLED]
    assert rig.drive(Drive.DISABLE) == [MotorStatus.DISABLED] * 2


def test_a_motor_is_enabled_between_two_commands_of_nothing(rig: Rig) -> None:
    rig.drive(Drive.ENABLE)
    nothing = bytes.fromhex("7fff7ff0000007ff")
    assert rig.sent()[:6] == [(1, nothing), (1, ENABLE), (1, nothing), (2, nothing), (2, ENABLE), (2, nothing)]


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT, Drive.COMMAND])
def test_nothing_else_switches_on(rig: Rig, drive: Drive) -> None:
    rig.drive(drive, 3)
    assert not any(fake.is_on for fake in rig.fakes)


def test_one_motor_is_asked_for_its_faults_in_every_cycle(rig: Rig) -> None:
    rig.drive(Drive.ENABLE)
    rig.sent()
    rig.drive(Drive.COMMAND, 4)
    assert [motor for motor, data in rig.sent() if data == QUESTION] == [2, 1, 2, 1]
    assert rig.bus.counters.expected == rig.bus.counters.received


def test_a_fault_reply_is_no_feedback_and_has_names(rig: Rig) -> None:
    rig.drive(Drive.POLL, 2)
    before = rig.values.copy()
    rig.fakes[0].faults = 0x4001
    assert rig.drive(Drive.COMMAND, 2) == [MotorStatus.FAULT, MotorStatus.DISABLED]
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == "MOTOR_OVERTEMPERATURE and STALL_OVERLOAD"
    assert rig.values[:4].tolist() == before[:4].tolist()
    rig.fakes[0].faults = 0
    assert rig.drive(Drive.COMMAND, 2) == [MotorStatus.DISABLED] * 2


def test_faults_are_cleared_by_stopping_and_clearing(rig: Rig) -> None:
    rig.drive(Drive.CLEAR_FAULT)
    assert {(1, STOP), (2, STOP), (1, b"\xff" * 7 + b"\xfb"), (2, b"\xff" * 7 + b"\xfb")} < set(rig.sent())


@pytest.mark.parametrize("bad", [math.nan, math.inf, 13.0])
def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: Rig, bad: float) -> None:
    command = COMMAND.copy()
    command[0, 0] = bad
    rig.drive(Drive.COMMAND, 1, command)
    assert [motor for motor, data in rig.sent() if data != QUESTION] == [2]
    assert rig.bus.counters.errors == 1


frames = st.builds(
    Frame,
    st.one_of(st.integers(0, 0x7FF), st.just(HOST)),
    st.one_of(st.binary(max_size=64), st.binary(min_size=7, max_size=7).map(lambda data: b"\x01" + data)),
    st.booleans(),
    st.booleans(),
    st.just(1.0),
)


@given(st.lists(frames, max_size=20))
def test_no_frame_makes_it_raise_or_report_what_no_motor_can(received: list[Frame]) -> None:
    rig = Rig()
    rig.take(*received)
    heard = rig.values[STAMP] > NEVER_S
    assert (np.abs(rig.values[0, heard]) <= 12.57 + 1e-9).all()


def test_an_inventory_stops_and_asks_only_and_says_that_there_is_no_timeout(rig: Rig) -> None:
    first, second = run(rig, rig.motors.probes(0.1)[0])
    assert (first.problems, second.problems) == ((NO_TIMEOUT_PROBLEM,),) * 2
    assert first.facts["temperature_degc"] == 35.0
    assert {data for fake in rig.fakes for data in fake.log} == {STOP, QUESTION}


def test_an_inventory_names_silence_faults_hidden_faults_and_the_wrap(rig: Rig) -> None:
    rig.fakes[0].is_silent = True
    rig.fakes[1].faults = 1 << 7
    rig.fakes[1].position = 0xFFF0
    silent, faulty = run(rig, rig.motors.probes(0.1)[0])
    assert not silent.answered
    assert silent.problems[0].startswith("motor 1 on can0 does not answer 10 polls")
    assert "speaks MIT and not the private protocol" in silent.problems[0]
    assert faulty.problems[0].startswith("reports fault ENCODER_UNCALIBRATED")
    assert "where the reported position wraps at 12.57 rad" in faulty.problems[1]
    rig.fakes[0].is_silent, rig.fakes[0].hides_faults = False, True
    hidden, _ = run(rig, rig.motors.probes(0.1)[0])
    assert hidden.problems[0].startswith("does not say its faults")


def test_two_motors_on_one_id_are_counted(rig: Rig) -> None:
    rig.bus.motors.append(FakeMotor(1))  # type: ignore[arg-type]
    first, second = run(rig, rig.motors.probes(0.1)[0])
    assert first.problems[0].startswith("more than one motor answers under id 1 (10 answers to 5 questions)")
    assert second.problems == (NO_TIMEOUT_PROBLEM,)


def test_a_zero_is_set_while_off_and_read_back(rig: Rig) -> None:
    rig.fakes[1].position = 0x9000
    rig.drive(Drive.ENABLE)
    with pytest.raises(DeviceError, match="motor of j2 reports that it may be on"):
        run(rig, rig.motors.set_zero("j2", 1.0))
    rig.drive(Drive.DISABLE)
    rig.fakes[1].log.clear()
    assert run(rig, rig.motors.set_zero("j2", 1.0)) == pytest.approx(0.0, abs=1e-3)
    assert rig.fakes[1].log == [STOP, ZERO, STOP]


def test_a_zero_that_is_not_set_is_an_error_that_says_why(rig: Rig) -> None:
    rig.drive(Drive.POLL, 2)
    rig.fakes[1].position, rig.fakes[1].keeps_its_zero = 0x9000, True
    with pytest.raises(DeviceError, match=r"motor of j2 reads 1\.5\d\d rad after setting its zero"):
        run(rig, rig.motors.set_zero("j2", 1.0))
    rig.fakes[1].faults = 4
    rig.drive(Drive.POLL, 2)
    with pytest.raises(DeviceError, match="motor of j2 reports UNDERVOLTAGE"):
        run(rig, rig.motors.set_zero("j2", 1.0))
    rig.fakes[0].is_silent = True
    with pytest.raises(DeviceError, match="motor of j1 does not answer"):
        run(rig, rig.motors.set_zero("j1", 1.0))
    assert ZERO not in rig.fakes[0].log


def test_a_scan_hears_faults_from_who_was_asked_and_nothing_else() -> None:
    assert SCAN.ask(5) == Frame(5, QUESTION)
    assert SCAN.recognise(5, Frame(HOST, bytes((5, 1, 0x40)) + bytes(5))) == "fault bits 0x4001"
    others = [
        Frame(HOST, bytes((6,)) + bytes(7)),
        feedback(HOST, 5),
        Frame(HOST, b"\x05"),
        Frame(0xFC, b"\x05" + bytes(7)),
    ]
    assert [SCAN.recognise(5, frame) for frame in others] == [None] * 4


def test_what_is_no_fault_reply_is_not_decoded() -> None:
    for data in (b"", bytes(7), bytes(9), bytes(7) + b"\x01"):
        with pytest.raises(FrameError, match="no fault reply"):
            codec.decode_fault_reply(data)
