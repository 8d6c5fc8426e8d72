from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can import impedance
from drivers.can.damiao import codec
from drivers.can.damiao.device import DamiaoMotors
from drivers.can.damiao.tables import MODELS
from drivers.devices import FAULT, STAMP, STATUS, WiredMotor
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import FakeDamiao, MemoryBus, joint

DM8009 = MODELS["DM8009"]


class Rig:
    """Two motors on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.fakes = [FakeDamiao(i, i + 16, (12.5, 45.0, 54.0)) for i in (1, 2)]
        self.bus.motors += self.fakes
        wired = [WiredMotor(f"j{i}", joint("can0", i).motor, DM8009) for i in (1, 2)]
        self.motors = DamiaoMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drain(self, now_s: float) -> None:
        self.take(*self.bus.receive(now_s))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def feedback(data: str, identifier: int = 0x11, stamp_s: float = 1.0) -> Frame:
    return Frame(identifier, bytes.fromhex(data), stamp_s=stamp_s)


def test_the_newest_of_several_frames_counts(rig: Rig) -> None:
    assert rig.take(feedback("11000000000000ff"), feedback("11ffff0000000000", stamp_s=2.0)) == []
    assert rig.values[0, 0] == pytest.approx(12.5)
    assert rig.values[STAMP].tolist() == [2.0, NEVER_S]
    assert rig.codes[STATUS].tolist() == [MotorStatus.ENABLED, MotorStatus.UNKNOWN]
    assert rig.bus.counters.received == 2


@pytest.mark.parametrize(
    "frame",
    [
        feedback("12ffff0000000000"),
        feedback("11ffff00000000"),
        feedback("11ffff000000000000"),
        feedback(""),
        feedback("11ffff0000000000", identifier=0x13),
        feedback("11ffff0000000000")._replace(is_extended=True),
    ],
    ids=["nibble", "short", "long", "empty", "stranger", "extended"],
)
def test_what_is_not_feedback_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


@pytest.mark.parametrize(
    ("arbitration_id", "data"),
    [
        (0x001, "7fff7ff0000007ff"),
        (0x002, "fffffffffffffffc"),
        (0x101, "0000000000000000"),
        (0x202, "00000000"),
        (0x301, "0000000000000000"),
        (0x7FF, "0100cc0000000000"),
        (0x7FF, "0200550a02000000"),
    ],
)
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, arbitration_id: int, data: str) -> None:
    assert rig.take(feedback(data, arbitration_id)) == []
    assert rig.bus.counters.foreign_commands == 1


@pytest.mark.parametrize(
    ("arbitration_id", "data"),
    [(0x003, "7fff7ff0000007ff"), (0x7FF, "0300cc0000000000"), (0x7FF, "01"), (0x7FF, "0100010000000000")],
)
def test_somebody_commanding_other_motors_is_none_of_ours(rig: Rig, arbitration_id: int, data: str) -> None:
    assert len(rig.take(feedback(data, arbitration_id))) == 1
    assert rig.bus.counters.foreign_commands == 0


@pytest.mark.parametrize("nibble", range(16))
def test_every_status_other_than_off_and_on_is_a_fault(rig: Rig, nibble: int) -> None:
    rig.take(feedback(f"{nibble:x}1ffff0000000000"[:16]))
    expected = {0: MotorStatus.DISABLED, 1: MotorStatus.ENABLED}.get(nibble, MotorStatus.FAULT)
    assert rig.codes[STATUS, 0] == expected
    assert rig.codes[FAULT, 0] == (nibble if nibble > 1 else 0)


def test_decoding_again_without_new_frames_changes_nothing(rig: Rig) -> None:
    rig.take(feedback("11ffff0000000000"))
    rig.values[0, 0] = 99.0
    rig.take()
    assert rig.values[0, 0] == 99.0


@given(
    st.lists(
        st.builds(
            Frame,
            st.one_of(st.sampled_from([0x001, 0x002, 0x011, 0x012, 0x7FF, 0x101]), st.integers(0, 0x1FFFFFFF)),
            st.binary(max_size=64),
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


def run(rig: Rig, generator, start_s: float = 0.0):
    """Resume a generator once a cycle, as the control loop does."""
    now_s = start_s
    try:
        next(generator)
        for _ in range(2000):
            now_s += 0.002
            rig.drain(now_s)
            generator.send(now_s)
    except StopIteration as end:
        return end.value
    raise AssertionError("the generator does not end")


def test_a_register_reply_is_not_feedback_while_its_request_waits(rig: Rig) -> None:
    (probe,) = rig.motors.probes(0.1)
    reports = run(rig, probe)
    assert [report.problems for report in reports] == [(), ()]
    assert np.abs(rig.values[0]).max() < 0.01


def test_a_reply_that_comes_late_is_still_not_feedback(rig: Rig) -> None:
    rig.take(feedback("017fff7ff7ff1e1e"))
    (probe,) = rig.motors.probes(0.1)
    next(probe)
    now_s = 1.0
    for _ in range(500):
        now_s += 0.002
        probe.send(now_s)
        if any(frame.data[2] == codec.READ for frame in rig.bus.sent):
            break
        rig.drain(now_s)
    late = [frame for frame in rig.bus.receive(now_s) if frame.data[2] == codec.READ]
    for _ in range(15):
        now_s += 0.002
        probe.send(now_s)
    rig.bus.receive(now_s)
    rig.take(*[frame._replace(stamp_s=now_s) for frame in late])
    assert late
    assert abs(rig.values[0, 0]) < 0.01


def test_a_frame_that_looks_like_a_register_reply_is_feedback_when_nothing_was_asked(rig: Rig) -> None:
    assert rig.take(feedback("0100330a01000000")) == []
    assert rig.values[0, 0] == pytest.approx(-12.5 + 0x33 * 25.0 / 65535)


def test_a_motor_that_refuses_mit_mode_is_named(rig: Rig) -> None:
    rig.fakes[0].ignored_mode_writes = 10**6
    (probe,) = rig.motors.probes(0.1)
    first, second = run(rig, probe)
    assert "control mode is POS_VEL" in first.problems[0]
    assert second.problems == ()


def test_a_timeout_that_does_not_stick_is_named(rig: Rig) -> None:
    class Forgetful(FakeDamiao):
        def register(self, data: bytes) -> list[Frame]:
            frames = super().register(data)
            self.registers[9] = bytes(4)
            return frames

    rig.bus.motors[0] = Forgetful(1, 17, (12.5, 45.0, 54.0))
    (probe,) = rig.motors.probes(0.1)
    first, _ = run(rig, probe)
    assert "command timeout reads back 0 s" in first.problems[0]


def test_a_motor_that_answers_polls_but_no_reads_is_named(rig: Rig) -> None:
    rig.fakes[0].skip_register_replies = 10**6
    (probe,) = rig.motors.probes(0.1)
    first, _ = run(rig, probe)
    assert first.answered
    assert any("does not answer a read of TMAX" in problem for problem in first.problems)
    assert any("reads back nothing" in problem for problem in first.problems)


def test_zero_is_set_and_verified_while_disabled(rig: Rig) -> None:
    rig.fakes[1].position = 0x9000
    assert abs(run(rig, rig.motors.set_zero("j2", 0.0))) < 0.001
    assert codec.SET_ZERO in rig.fakes[1].log
    assert rig.fakes[0].log == []


@pytest.mark.parametrize("status", [1, 0xB])
def test_zero_is_refused_unless_disabled(rig: Rig, status: int) -> None:
    rig.fakes[1].status = status
    with pytest.raises(DeviceError, match="only be set while DISABLED"):
        run(rig, rig.motors.set_zero("j2", 0.0))
    assert codec.SET_ZERO not in rig.fakes[1].log


def test_zero_is_refused_when_the_motor_is_silent(rig: Rig) -> None:
    rig.fakes[1].is_silent = True
    with pytest.raises(DeviceError, match="does not answer"):
        run(rig, rig.motors.set_zero("j2", 0.0))


def test_zero_that_does_not_stick_is_an_error(rig: Rig) -> None:
    class Stubborn(FakeDamiao):
        def answer(self, frame: Frame) -> list[Frame]:
            frames = super().answer(frame)
            self.position = 0x9000
            return frames

    rig.bus.motors[1] = Stubborn(2, 18, (12.5, 45.0, 54.0))
    rig.bus.motors[1].position = 0x9000
    with pytest.raises(DeviceError, match="reads"):
        run(rig, rig.motors.set_zero("j2", 0.0))


def test_commands_are_those_of_the_codec_in_the_order_of_the_motors(rig: Rig) -> None:
    command = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])
    rig.motors.write(Drive.COMMAND, command)
    assert rig.bus.sent == [Frame(i + 1, impedance.encode_mit(DM8009, command[:, i].tolist())) for i in range(2)]
    assert rig.bus.counters.expected == 2
