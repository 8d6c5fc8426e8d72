from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.myactuator import codec
from drivers.can.myactuator.device import MyActuatorMotors
from drivers.can.myactuator.tables import MODELS
from drivers.devices import FAULT, STAMP, STATUS, WiredMotor
from supervisor.core.command import Drive
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryBus, TroubledBus

RMD = MODELS["RMD"]
COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])
ON, OFF, FAULTY, UNKNOWN = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT, MotorStatus.UNKNOWN


class FakeRmd:
    """A motor that answers requests and motion commands. Written apart from the codec under test."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.errors = 0
        self.angle_counts = 9000
        self.is_on = False
        self.is_silent = False
        self.has_timed_out = False
        self.timeout_ms = 0
        self.longest_timeout_ms = 1 << 31
        self.log: list[bytes] = []

    def answer(self, frame: Frame) -> list[Frame]:
        is_motion = frame.arbitration_id == 0x400 + self.identifier
        if self.is_silent or not (is_motion or frame.arbitration_id == 0x140 + self.identifier):
            return []
        self.log.append(frame.data)
        base = 0x500 if is_motion else 0x240
        if self.has_timed_out:
            self.has_timed_out = False
            return [Frame(base + self.identifier, frame.data)]
        data = self.motion() if is_motion else self.reply(frame.data)
        return [Frame(base + self.identifier, data)] if data else []

    def motion(self) -> bytes:
        self.is_on = True
        return bytes((self.identifier, 0x7F, 0xFF, 0x7F, 0xF7, 0xFF, 0, 0))

    def reply(self, data: bytes) -> bytes:
        if data[0] == 0x80:
            self.is_on = False
        elif data[0] == 0x76:
            self.errors = 0
            return b""
        elif data[0] == 0xB3:
            self.timeout_ms = min(struct.unpack_from("<I", data, 4)[0], self.longest_timeout_ms)
            return data[:4] + struct.pack("<I", self.timeout_ms)
        elif data[0] == 0x9A:
            return struct.pack("<BbxBHH", 0x9A, 41, 1, 480, self.errors)
        elif data[0] == 0x92:
            return struct.pack("<B3xi", 0x92, self.angle_counts)
        elif data[0] == 0x9C:
            return struct.pack("<Bbhhh", 0x9C, 42, 0, 180, 90)
        return data


class Rig:
    """Two motors on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.bus = bus or MemoryBus()
        self.fakes = [FakeRmd(i) for i in (1, 2)]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        wired = [WiredMotor(f"j{i}", MotorConfig("myactuator", "RMD", "can0", i), RMD) for i in (1, 2)]
        self.motors = MyActuatorMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drive(self, drive: Drive, cycles: int = 1) -> list[MotorStatus]:
        for cycle in range(cycles):
            self.motors.write(drive, COMMAND)
            self.take(*self.bus.receive(1.0 + cycle))
        return [MotorStatus(int(status)) for status in self.codes[STATUS]]

    def enabled(self) -> Rig:
        self.drive(Drive.POLL, 4)
        self.drive(Drive.DISABLE)
        assert self.drive(Drive.ENABLE) == [ON, ON]
        return self


@pytest.fixture
def rig() -> Rig:
    return Rig()


def run(rig: Rig, generator):
    now_s = 0.0
    try:
        next(generator)
        for _ in range(2000):
            now_s += 0.002
            rig.take(*rig.bus.receive(now_s))
            generator.send(now_s)
    except StopIteration as end:
        return end.value
    raise AssertionError("the generator does not end")


def test_polling_reads_everything_and_switches_nothing_on(rig: Rig) -> None:
    assert rig.drive(Drive.POLL, 4) == [UNKNOWN, UNKNOWN]
    assert rig.values[:, 0].tolist() == pytest.approx([math.pi / 2, math.pi, 0.0, 42.0, 4.0])
    assert not any(fake.is_on for fake in rig.fakes)
    assert rig.bus.counters.expected == rig.bus.counters.received == 8


def test_a_motor_is_on_once_it_has_obeyed_and_off_once_it_has_acknowledged(rig: Rig) -> None:
    rig.drive(Drive.POLL, 4)
    assert rig.drive(Drive.DISABLE) == [OFF, OFF]
    rig.fakes[1].is_silent = True
    assert rig.drive(Drive.ENABLE) == [ON, OFF]
    rig.fakes[1].is_silent = False
    assert rig.drive(Drive.COMMAND) == [ON, OFF]
    rig.fakes[0].is_silent = True
    assert rig.drive(Drive.DISABLE) == [ON, OFF]
    assert [fake.is_on for fake in rig.fakes] == [True, False]


def test_enabling_commands_nothing(rig: Rig) -> None:
    rig.drive(Drive.ENABLE)
    assert rig.fakes[0].log == [bytes.fromhex("7fff7ff0000007ff")] * 2


def test_a_motor_that_had_timed_out_is_enabled_by_the_second_command(rig: Rig) -> None:
    rig.drive(Drive.POLL, 4)
    rig.fakes[0].has_timed_out = True
    assert rig.drive(Drive.ENABLE) == [ON, ON]


def test_the_first_thing_sent_to_stop_is_shutdown_every_time(rig: Rig) -> None:
    for _ in range(2):
        rig.enabled()
        rig.drive(Drive.COMMAND)
        rig.drive(Drive.DISABLE)
        assert [fake.is_on for fake in rig.fakes] == [False, False]


def test_while_stopping_position_stays_fresh_and_shutdown_is_repeated(rig: Rig) -> None:
    rig.enabled()
    rig.drive(Drive.DISABLE, 8)
    assert [data[0] for data in rig.fakes[0].log[-8:]] == [0x80, 0x92, 0x80, 0x9A, 0x80, 0x92, 0x80, 0x9C]
    assert rig.values[STAMP].tolist() == [6.0, 6.0]
    assert rig.values[0].tolist() == pytest.approx([math.pi / 2] * 2)


def test_commands_are_followed_and_faults_looked_for_in_turn(rig: Rig) -> None:
    rig.enabled()
    assert rig.drive(Drive.COMMAND, 2) == [ON, ON]
    assert rig.fakes[0].log[-3][0] == 0x9A or rig.fakes[0].log[-2][0] == 0x9A
    assert rig.fakes[0].log[-1] == codec.make_motion_command(1, RMD, COMMAND[:, 0].tolist()).data
    assert rig.values[0].tolist() == pytest.approx([-12.5 / 65535] * 2)
    rig.fakes[1].errors = 0x1002
    assert rig.drive(Drive.COMMAND, 2) == [ON, FAULTY]
    assert rig.motors.fault_name(int(rig.codes[FAULT, 1])) == "STALL+OVER_TEMPERATURE"


def test_a_command_that_cannot_be_encoded_is_not_sent(rig: Rig) -> None:
    rig.enabled()
    command = COMMAND.copy()
    command[0, 1] = math.nan
    sent = len(rig.fakes[1].log)
    rig.motors.write(Drive.COMMAND, command)
    assert all(data[0] == 0x9A for data in rig.fakes[1].log[sent:])
    assert rig.bus.counters.errors == 1


def test_a_timeout_while_on_is_a_fault_until_cleared(rig: Rig) -> None:
    cry = Frame(0x241, b"\xf1" + bytes(7), stamp_s=2.0)
    rig.drive(Drive.POLL, 4)
    assert rig.take(cry) == []
    assert rig.codes[FAULT].tolist() == [0, 0]
    rig.enabled()
    rig.take(cry)
    assert rig.drive(Drive.COMMAND, 3) == [FAULTY, ON]
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == "TIMED_OUT"
    assert rig.drive(Drive.CLEAR_FAULT) == [OFF, OFF]
    assert 0x76 not in [data[0] for data in rig.fakes[0].log]


def test_clearing_restarts_only_those_with_errors_and_enables_nobody(rig: Rig) -> None:
    rig.enabled()
    rig.fakes[1].errors = 0x2
    assert rig.drive(Drive.COMMAND, 2) == [ON, FAULTY]
    rig.drive(Drive.CLEAR_FAULT)
    assert [0x76 in [data[0] for data in fake.log] for fake in rig.fakes] == [False, True]
    assert rig.drive(Drive.POLL, 4) == [OFF, OFF]
    assert not any(fake.is_on for fake in rig.fakes)


def test_an_echo_after_a_timeout_is_not_a_position(rig: Rig) -> None:
    rig.drive(Drive.POLL, 1)
    rig.fakes[0].has_timed_out = True
    rig.drive(Drive.POLL, 1)
    assert math.isnan(rig.values[0, 0])
    rig.drive(Drive.POLL, 2)
    assert rig.values[0, 0] == pytest.approx(math.pi / 2)


def test_a_motor_that_really_is_at_zero_is_believed_the_second_time(rig: Rig) -> None:
    rig.fakes[0].angle_counts = 0
    rig.drive(Drive.POLL, 2)
    assert math.isnan(rig.values[0, 0])
    rig.drive(Drive.POLL, 4)
    assert rig.values[0, 0] == 0.0
    assert rig.values[STAMP, 0] == 4.0


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x243, b"\x92" + b"\x01" * 7),
        Frame(0x241, b"\x92" + bytes(6)),
        Frame(0x241, b"\x01" + bytes(7)),
        Frame(0x241, b"\x92" + b"\x01" * 7, True),
        Frame(0x241, b"\x92" + b"\x01" * 7, False, True),
        Frame(0x501, bytes.fromhex("7fff7ff0000007ff")),
        Frame(0x501, b"\x02" + bytes(7)),
    ],
    ids=["stranger", "short", "opcode", "extended", "fd", "echo", "another"],
)
def test_what_is_no_feedback_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


@pytest.mark.parametrize("identifier", [0x141, 0x142, 0x280, 0x401, 0x402])
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, identifier: int) -> None:
    assert rig.take(Frame(identifier, bytes(8))) == []
    assert rig.bus.counters.foreign_commands == 1


@given(
    st.lists(
        st.builds(
            Frame,
            st.one_of(st.sampled_from([0x141, 0x241, 0x242, 0x501, 0x502]), st.integers(0, 0x1FFFFFFF)),
            st.one_of(
                st.binary(max_size=64),
                st.builds(
                    lambda first, rest: bytes((first,)) + rest,
                    st.sampled_from([1, 2, 0x80, 0x92, 0x9A, 0x9C, 0xB3, 0xF1]),
                    st.binary(min_size=7, max_size=7),
                ),
            ),
            st.booleans(),
            st.booleans(),
            st.floats(0.0, 1e6),
        ),
        max_size=20,
    )
)
def test_no_frame_makes_it_raise_or_report_a_motor_that_was_not_heard(frames: list[Frame]) -> None:
    rig = Rig()
    rest = rig.take(*frames)
    counters = rig.bus.counters
    assert counters.received + counters.foreign_commands + len(rest) == len(frames)
    heard = rig.values[STAMP] > NEVER_S
    assert np.isfinite(rig.values[0, heard]).all()
    assert np.isnan(rig.values[:4, ~heard]).all()


def test_the_inventory_sets_the_timeout_and_says_what_cannot_be_read(rig: Rig) -> None:
    (reports,) = (run(rig, probe) for probe in rig.motors.probes(0.1))
    assert [report.problems for report in reports] == [(), ()]
    assert [fake.timeout_ms for fake in rig.fakes] == [100, 100]
    assert not any(fake.is_on for fake in rig.fakes)
    assert reports[0].facts["position_rad"] == pytest.approx(math.pi / 2, abs=1e-4)
    assert reports[0].facts["timeout_s"] == 0.1


def test_the_inventory_gets_through_a_bus_that_loses_a_third() -> None:
    rig = Rig(TroubledBus(5, drop=0.3))
    (reports,) = (run(rig, probe) for probe in rig.motors.probes(0.1))
    assert [report.problems for report in reports] == [(), ()]


def test_a_motor_that_had_timed_out_gets_through_its_inventory(rig: Rig) -> None:
    rig.fakes[0].has_timed_out = True
    (reports,) = (run(rig, probe) for probe in rig.motors.probes(0.1))
    assert reports[0].problems == ()


def test_what_is_wrong_is_named(rig: Rig) -> None:
    rig.fakes[0].is_silent = True
    rig.fakes[1].errors = 0x4
    rig.fakes[1].longest_timeout_ms = 50
    (reports,) = (run(rig, probe) for probe in rig.motors.probes(0.1))
    assert "motor 1 on can0 does not answer 10 polls" in reports[0].problems[0]
    assert not reports[0].answered
    assert "reports LOW_VOLTAGE" in reports[1].problems[0]
    assert "acknowledges 0.05 s after setting a command timeout of 0.1 s" in reports[1].problems[1]


def test_a_timeout_that_would_trip_by_itself_is_not_set(rig: Rig) -> None:
    (reports,) = (run(rig, probe) for probe in rig.motors.probes(0.01))
    assert "at least 0.02 s" in reports[0].problems[0]
    assert rig.fakes[0].timeout_ms == 0
