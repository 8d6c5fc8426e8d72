from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.cubemars import codec
from drivers.can.cubemars.device import CubeMarsMotors
from drivers.can.cubemars.tables import MODELS
from drivers.can.impedance import encode_mit
from drivers.devices import FAULT, NO_TIMEOUT_PROBLEM, STAMP, STATUS, WiredMotor
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryBus, TroubledBus

AK70 = MODELS["AK70-10"]
COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])


class FakeCubeMars:
    """A motor that answers every frame on identifier 0. Written apart from the codec under test."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.error = 0
        self.temperature = 35
        self.is_on = False
        self.is_silent = False
        self.is_short = False
        self.log: list[bytes] = []
        self.position = 0x7FFF
        self.keeps_its_zero = False

    def answer(self, frame: Frame) -> list[Frame]:
        if self.is_silent or frame.is_extended or frame.arbitration_id != self.identifier:
            return []
        self.log.append(frame.data)
        if frame.data[:7] == b"\xff" * 7:
            self.is_on = {0xFC: True, 0xFD: False}.get(frame.data[7], self.is_on)
        if frame.data == codec.SET_ZERO:
            self.position = self.position if self.keeps_its_zero else 0x7FFF
            return []
        motion = bytes((self.identifier, self.position >> 8, self.position & 0xFF, 0x7F, 0xF7, 0xFF))
        data = motion + bytes((self.temperature & 0xFF, self.error))
        return [Frame(0, data[:6] if self.is_short else data)]


class Rig:
    """Two motors on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.bus = bus or MemoryBus()
        self.fakes = [FakeCubeMars(i) for i in (1, 2)]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        wired = [WiredMotor(f"j{i}", MotorConfig("cubemars", "AK70-10", "can0", i), AK70) for i in (1, 2)]
        self.motors = CubeMarsMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drive(self, drive: Drive, now_s: float = 1.0) -> list[MotorStatus]:
        self.motors.write(drive, COMMAND)
        self.take(*self.bus.receive(now_s))
        return [MotorStatus(int(status)) for status in self.codes[STATUS]]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def feedback(data: str, identifier: int = 0, stamp_s: float = 1.0) -> Frame:
    return Frame(identifier, bytes.fromhex(data), stamp_s=stamp_s)


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


def test_motors_are_told_apart_by_the_first_byte(rig: Rig) -> None:
    assert rig.take(feedback("02ffffffffff2800"), feedback("010000000000f600", stamp_s=2.0)) == []
    assert rig.values[:4, 1].tolist() == [12.5, 50.0, 25.0, 40.0]
    assert rig.values[:4, 0].tolist() == [-12.5, -50.0, -25.0, -10.0]
    assert rig.values[STAMP].tolist() == [2.0, 1.0]


@given(st.lists(st.binary(min_size=7, max_size=7), min_size=2, max_size=2), st.sampled_from([6, 8]))
def test_the_batch_is_equal_to_the_codec(payloads: list[bytes], size: int) -> None:
    rig = Rig()
    frames = [Frame(0, (bytes((i + 1,)) + payload)[:size]) for i, payload in enumerate(payloads)]
    assert rig.take(*frames) == []
    for slot, frame in enumerate(frames):
        expected = codec.decode_mit_feedback(frame.data, AK70)
        assert rig.values[:4, slot].tolist() == pytest.approx(list(expected[1:5]), abs=0.0, nan_ok=True)
        assert rig.codes[FAULT, slot] == expected.error_code


@pytest.mark.parametrize(
    "frame",
    [
        feedback("03ffffffffff2800"),
        feedback("01ffffffffff28"),
        feedback("01ffffffffff280000"),
        feedback(""),
        feedback("01ffffffffff2800", identifier=3),
        feedback("01ffffffffff2800")._replace(is_extended=True),
    ],
    ids=["motor", "seven", "nine", "empty", "stranger", "extended"],
)
def test_what_is_not_feedback_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


@pytest.mark.parametrize(("identifier", "extended"), [(1, False), (2, False), (0x301, True), (0x802, True)])
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, identifier: int, extended: bool) -> None:
    assert rig.take(Frame(identifier, bytes(8), extended)) == []
    assert rig.bus.counters.foreign_commands == 1


@given(
    st.lists(
        st.builds(
            Frame,
            st.one_of(st.sampled_from([0, 1, 2, 3, 0x2901]), st.integers(0, 0x1FFFFFFF)),
            st.one_of(
                st.binary(max_size=64),
                st.builds(lambda i, b: bytes((i,)) + b, st.integers(0, 3), st.binary(min_size=5, max_size=7)),
            ),
            st.booleans(),
            st.booleans(),
            st.floats(0.0, 1e6),
        ),
        max_size=20,
    )
)
def test_no_frame_makes_it_raise_or_report_what_no_motor_can(frames: list[Frame]) -> None:
    rig = Rig()
    rest = rig.take(*frames)
    counters = rig.bus.counters
    assert counters.received + counters.foreign_commands + len(rest) == len(frames)
    heard = rig.values[STAMP] > NEVER_S
    assert (np.abs(rig.values[0, heard]) <= 12.5 + 1e-9).all()
    assert np.isnan(rig.values[:4, ~heard]).all()


def test_a_motor_is_on_once_it_has_answered_and_off_once_it_has_answered(rig: Rig) -> None:
    on, off, unknown = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.UNKNOWN
    assert rig.drive(Drive.POLL) == [off, off]
    rig.fakes[1].is_silent = True
    assert rig.drive(Drive.ENABLE) == [on, off]
    rig.fakes[1].is_silent = False
    assert rig.drive(Drive.COMMAND) == [on, off]
    assert rig.drive(Drive.ENABLE) == [on, on]
    assert rig.drive(Drive.COMMAND) == [on, on]
    rig.fakes[0].is_silent = True
    assert rig.drive(Drive.DISABLE) == [on, off]
    assert [fake.is_on for fake in rig.fakes] == [True, False]
    assert Rig().codes[STATUS].tolist() == [unknown, unknown]


def test_a_motor_is_enabled_between_two_commands_of_nothing(rig: Rig) -> None:
    rig.drive(Drive.ENABLE)
    nothing = encode_mit(AK70, [0.0] * 5)
    assert rig.fakes[0].log == [nothing, codec.ENTER_MOTOR_MODE, nothing]
    assert rig.bus.counters.expected == rig.bus.counters.received == 6


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT])
def test_nothing_else_switches_on(rig: Rig, drive: Drive) -> None:
    rig.fakes[0].is_on = True
    rig.drive(drive)
    assert [fake.is_on for fake in rig.fakes] == [False, False]


def test_an_error_is_a_fault_with_a_name(rig: Rig) -> None:
    rig.fakes[0].error = 5
    assert rig.drive(Drive.COMMAND)[0] is MotorStatus.FAULT
    assert rig.codes[FAULT].tolist() == [5, 0]
    assert (rig.motors.fault_name(5), rig.motors.fault_name(9)) == ("ENCODER", "ERROR_9")


def test_short_feedback_has_no_temperature(rig: Rig) -> None:
    rig.fakes[0].is_short = True
    rig.drive(Drive.POLL)
    assert np.isnan(rig.values[3]).tolist() == [True, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 100.0])
def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: Rig, bad: float) -> None:
    command = COMMAND.copy()
    command[0, 0] = bad
    rig.motors.write(Drive.COMMAND, command)
    assert rig.bus.sent == [Frame(2, encode_mit(AK70, COMMAND[:, 1].tolist()))]
    assert rig.bus.counters.errors == 1


def test_an_inventory_polls_only_and_says_that_there_is_no_timeout(rig: Rig) -> None:
    (probe,) = rig.motors.probes(0.1)
    reports = run(rig, probe)
    assert [report.problems for report in reports] == [(NO_TIMEOUT_PROBLEM,)] * 2
    assert [report.answered for report in reports] == [True, True]
    assert {data for fake in rig.fakes for data in fake.log} == {codec.EXIT_MOTOR_MODE}


def test_an_inventory_names_silence_faults_and_old_firmware(rig: Rig) -> None:
    rig.fakes[0].is_silent = True
    rig.fakes[1].error = 1
    (probe,) = rig.motors.probes(0.1)
    first, second = run(rig, probe)
    assert (first.answered, second.answered) == (False, True)
    assert "motor 1 on can0 does not answer 10 polls" in first.problems[0]
    assert "MIT mode and not in servo mode" in first.problems[0]
    assert "reports fault OVER_TEMPERATURE" in second.problems[0]


def test_an_inventory_names_firmware_without_temperature(rig: Rig) -> None:
    rig.fakes[1].is_short = True
    (probe,) = rig.motors.probes(0.1)
    assert "update the firmware" in run(rig, probe)[1].problems[0]


@pytest.mark.parametrize("seed", range(3))
def test_an_inventory_gets_through_a_lossy_bus(seed: int) -> None:
    rig = Rig(TroubledBus(seed, drop=0.3, delay=0.2, duplicate=0.2))
    (probe,) = rig.motors.probes(0.1)
    assert [report.answered for report in run(rig, probe)] == [True, True]


def test_a_zero_is_set_while_off_and_read_back_after_the_silence(rig: Rig) -> None:
    rig.fakes[1].position = 0x9000
    rig.drive(Drive.ENABLE)
    with pytest.raises(DeviceError, match="motor of j2 reports that it may be on: its zero may only be set while off"):
        run(rig, rig.motors.set_zero("j2", 0.0))
    assert codec.SET_ZERO not in rig.fakes[1].log
    rig.drive(Drive.DISABLE)
    rig.fakes[1].log.clear()
    assert run(rig, rig.motors.set_zero("j2", 0.0)) == pytest.approx(0.0, abs=1e-3)
    assert rig.fakes[1].log == [codec.EXIT_MOTOR_MODE, codec.SET_ZERO, codec.EXIT_MOTOR_MODE]
    assert not rig.fakes[1].is_on


def test_a_zero_that_is_not_set_is_an_error_that_says_why(rig: Rig) -> None:
    rig.fakes[1].position = 0x9000
    rig.fakes[1].keeps_its_zero = True
    with pytest.raises(DeviceError, match=r"motor of j2 reads 1\.5\d\d rad after setting its zero; expected 0"):
        run(rig, rig.motors.set_zero("j2", 0.0))
    rig.fakes[1].error = 5
    with pytest.raises(DeviceError, match="motor of j2 reports ENCODER: its zero may only be set while off"):
        run(rig, rig.motors.set_zero("j2", 0.0))
    rig.fakes[0].is_silent = True
    with pytest.raises(DeviceError, match="motor of j1 does not answer: its zero is not known to be set"):
        run(rig, rig.motors.set_zero("j1", 0.0))
    assert codec.SET_ZERO not in rig.fakes[0].log
