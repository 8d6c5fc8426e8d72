from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.cybergear.device import CyberGearMotors
from drivers.can.cybergear.tables import MODELS as CYBERGEAR
from drivers.can.robstride import codec
from drivers.can.robstride.device import RobStrideMotors
from drivers.can.robstride.tables import MODELS
from drivers.devices import FAULT, NO_TIMEOUT_PROBLEM, STAMP, STATUS, WiredMotor
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.can.robstride.fake import FakeRobStride
from tests.drivers.fake_devices import MemoryBus, TroubledBus

RS02 = MODELS["RS02"]
COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])


class Rig:
    """Two motors on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self, bus: MemoryBus | None = None, *, is_cybergear: bool = False) -> None:
        self.bus = bus or MemoryBus()
        self.fakes = [FakeRobStride(i, is_cybergear=is_cybergear) for i in (1, 2)]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        make, model = (CyberGearMotors, CYBERGEAR["CyberGear"]) if is_cybergear else (RobStrideMotors, RS02)
        wired = [WiredMotor(f"j{i}", MotorConfig("robstride", model.name, "can0", i), model) for i in (1, 2)]
        self.motors = make(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drain(self, now_s: float) -> list[Frame]:
        return self.take(*self.bus.receive(now_s))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def feedback(data: str, head: int = 0x028001FD, stamp_s: float = 1.0) -> Frame:
    return Frame(head, bytes.fromhex(data), True, stamp_s=stamp_s)


def run(rig: Rig, generator, cycles: int = 4000):
    """Resume a generator once a cycle, as the control loop does."""
    now_s = 0.0
    try:
        next(generator)
        for _ in range(cycles):
            now_s += 0.002
            rig.drain(now_s)
            generator.send(now_s)
    except StopIteration as end:
        return end.value
    raise AssertionError("the generator does not end")


def test_the_newest_of_several_frames_counts(rig: Rig) -> None:
    assert rig.take(feedback("0000000000000000"), feedback("ffff7fff7fff00fa", stamp_s=2.0)) == []
    assert rig.values[:4, 0].tolist() == pytest.approx([12.57, 0.0, 0.0, 25.0], abs=1e-3)
    assert np.isnan(rig.values[:4, 1]).all()
    assert rig.values[STAMP].tolist() == [2.0, NEVER_S]
    assert rig.codes[STATUS].tolist() == [MotorStatus.ENABLED, MotorStatus.UNKNOWN]
    assert rig.bus.counters.received == 2


@pytest.mark.parametrize(
    "frame",
    [
        feedback("ffff7fff7fff00fa", 0x028003FD),
        feedback("ffff7fff7fff00fa", 0x028001FC),
        feedback("ffff7fff7fff00fa", 0x188001FD),
        feedback("ffff7fff7fff00fa", 0x128001FD),
        feedback("ffff7fff7fff00fa", 0x0A8001FD),
        feedback("ffff7fff7fff00"),
        feedback("ffff7fff7fff00fa00"),
        feedback(""),
        feedback("ffff7fff7fff00fa")._replace(is_extended=False),
    ],
    ids=["motor", "host", "unasked", "write", "unknown", "short", "long", "empty", "11-bit"],
)
def test_what_is_not_feedback_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


def test_the_firmwares_version_is_an_answer_and_not_feedback(rig: Rig) -> None:
    assert rig.take(feedback("00c4560001030400", 0x020001FD)) == []
    assert rig.values[STAMP, 0] == NEVER_S


@pytest.mark.parametrize("head", [0x01800001, 0x0300FE01, 0x0400FE02, 0x0600FD01, 0x1200FD02, 0x1600FD01])
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, head: int) -> None:
    assert rig.take(feedback("0000000000000000", head)) == []
    assert rig.bus.counters.foreign_commands == 1


@pytest.mark.parametrize("head", [0x01800003, 0x1100FE01, 0x0300FE03])
def test_reads_and_commands_of_other_motors_are_none_of_ours(rig: Rig, head: int) -> None:
    assert len(rig.take(feedback("0000000000000000", head))) == 1
    assert rig.bus.counters.foreign_commands == 0


@pytest.mark.parametrize("code", range(256))
def test_mode_and_fault_bits_become_a_status_with_a_name(rig: Rig, code: int) -> None:
    rig.take(feedback("7fff7fff7fff00fa", 0x020001FD | code << 16))
    expected = {0: MotorStatus.DISABLED, 0x80: MotorStatus.ENABLED}.get(code, MotorStatus.FAULT)
    assert rig.codes[STATUS, 0] == expected
    assert rig.codes[FAULT, 0] == (code if expected is MotorStatus.FAULT else 0)
    assert rig.motors.fault_name(code)


def test_every_fault_is_named(rig: Rig) -> None:
    assert rig.motors.fault_name(0b000101) == "UNDERVOLTAGE and OVERTEMPERATURE"
    assert rig.motors.fault_name(0x90) == "STALL_OVERLOAD"
    assert rig.motors.fault_name(0x40) == "CALIBRATION"
    assert Rig(is_cybergear=True).motors.fault_name(0x10) == "HALL_ENCODER"


@given(
    st.lists(
        st.builds(
            Frame,
            st.one_of(
                st.integers(0, 0x1FFFFFFF),
                st.builds(
                    lambda kind, code, motor, host: kind << 24 | code << 16 | motor << 8 | host,
                    st.integers(0, 25),
                    st.integers(0, 255),
                    st.sampled_from([1, 2, 3, 0xFD]),
                    st.sampled_from([1, 2, 3, 0xFD, 0xFE]),
                ),
            ),
            st.one_of(st.binary(max_size=64), st.binary(min_size=8, max_size=8)),
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
    assert (np.abs(rig.values[0, heard]) <= 12.57 + 1e-9).all()
    assert np.isnan(rig.values[:4, ~heard]).all()


def test_commands_are_those_of_the_codec_in_the_order_of_the_motors(rig: Rig) -> None:
    rig.motors.write(Drive.COMMAND, COMMAND)
    assert rig.bus.sent == [codec.make_operation(RS02, i + 1, COMMAND[:, i].tolist()) for i in range(2)]
    assert rig.bus.counters.expected == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf, 100.0])
def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: Rig, bad: float) -> None:
    command = COMMAND.copy()
    command[0, 0] = bad
    rig.motors.write(Drive.COMMAND, command)
    assert [frame.arbitration_id & 0xFF for frame in rig.bus.sent] == [2]
    assert rig.bus.counters.errors == 1


@pytest.mark.parametrize(
    ("drive", "mode_after"), [(Drive.POLL, 0), (Drive.DISABLE, 0), (Drive.CLEAR_FAULT, 0), (Drive.ENABLE, 2)]
)
def test_only_enable_switches_on_and_every_frame_is_answered(rig: Rig, drive: Drive, mode_after: int) -> None:
    rig.motors.write(drive, COMMAND)
    assert [fake.mode for fake in rig.fakes] == [mode_after] * 2
    assert rig.drain(1.0) == []
    assert rig.values[STAMP].tolist() == [1.0, 1.0]
    assert rig.bus.counters.expected == rig.bus.counters.received == 2


def test_faults_are_cleared_by_nothing_but_clear_fault(rig: Rig) -> None:
    rig.fakes[0].faults = 4
    for drive in (Drive.POLL, Drive.DISABLE, Drive.ENABLE, Drive.COMMAND):
        rig.motors.write(drive, COMMAND)
        assert rig.fakes[0].faults == 4
    rig.motors.write(Drive.CLEAR_FAULT, COMMAND)
    assert (rig.fakes[0].faults, rig.fakes[0].mode) == (0, 0)


def test_an_inventory_sets_mode_and_timeout_and_never_energises(rig: Rig) -> None:
    (probe,) = rig.motors.probes(0.1)
    reports = run(rig, probe)
    assert [report.problems for report in reports] == [(), ()]
    facts = reports[0].facts
    assert (facts["firmware"], facts["timeout_s"], facts["run_mode"]) == ("0.1.3.4", 0.1, 0)
    assert (facts["unique_id"], facts["wakes_up_within"]) == ("0000000000000001", "-pi to pi")
    for fake in rig.fakes:
        assert fake.parameters[0x7028] == (2000).to_bytes(4, "little")
        assert fake.parameters[0x7005] == bytes(4)
        assert {frame.arbitration_id >> 24 for frame in fake.log} == {0, 4, 17, 18}
    assert abs(rig.values[0]).max() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_an_inventory_gets_through_a_lossy_bus(seed: int) -> None:
    rig = Rig(TroubledBus(seed, drop=0.2, delay=0.2, duplicate=0.2))
    (probe,) = rig.motors.probes(0.1)
    assert [report.problems for report in run(rig, probe)] == [(), ()]


def problems_of(rig: Rig) -> str:
    (probe,) = rig.motors.probes(0.1)
    first, second = run(rig, probe)
    assert second.problems == ()
    return " | ".join(first.problems)


def test_a_silent_motor_is_named(rig: Rig) -> None:
    rig.fakes[0].is_silent = True
    assert "motor 1 on can0 does not answer 10 polls" in problems_of(rig)


def test_two_motors_under_one_id_are_named(rig: Rig) -> None:
    rig.fakes[0].unique_ids.append(b"another1")
    assert "more than one motor answers under id 1" in problems_of(rig)


def test_a_fault_is_named(rig: Rig) -> None:
    rig.fakes[0].faults = 4
    assert "reports fault OVERTEMPERATURE" in problems_of(rig)


def test_a_timeout_that_does_not_stick_is_named(rig: Rig) -> None:
    rig.fakes[0].ignored_writes = {0x7028}
    assert "command timeout reads back 0 s after setting 0.1 s" in problems_of(rig)


def test_a_timeout_that_old_firmware_lacks_is_named(rig: Rig) -> None:
    del rig.fakes[0].parameters[0x7028]
    assert "command timeout reads back nothing" in problems_of(rig)


def test_a_run_mode_that_does_not_stick_is_named(rig: Rig) -> None:
    rig.fakes[0].ignored_writes = {0x7005}
    assert "run mode reads back 2 after setting 0" in problems_of(rig)


def test_another_position_range_is_named(rig: Rig) -> None:
    rig.fakes[0].counts[0] = 0xC000
    rig.fakes[0].parameters[0x7019] = struct.pack("<f", 0xC000 * 25.0 / 65535 - 12.5)
    assert "the position range of its firmware is not 12.57 rad" in problems_of(rig)


def test_a_motor_close_to_the_wrap_is_named(rig: Rig) -> None:
    rig.fakes[0].counts[0] = 0xFF00
    rig.fakes[0].parameters[0x7019] = struct.pack("<f", 0xFF00 * 25.14 / 65535 - 12.57)
    assert "wraps at 12.57 rad" in problems_of(rig)


def test_a_cybergear_has_no_timeout_and_is_never_sent_what_it_misunderstands() -> None:
    rig = Rig(is_cybergear=True)
    (probe,) = rig.motors.probes(0.1)
    assert [report.problems for report in run(rig, probe)] == [(NO_TIMEOUT_PROBLEM,)] * 2
    for fake in rig.fakes:
        assert {frame.arbitration_id >> 24 for frame in fake.log} == {0, 4, 17, 18}
        assert fake.parameters[0x7005] == bytes(4)


def test_zero_is_set_and_verified_while_off(rig: Rig) -> None:
    rig.fakes[1].counts[0] = 0x9000
    assert abs(run(rig, rig.motors.set_zero("j2", 0.0))) < 0.001
    assert rig.fakes[0].log == []


def test_zero_is_refused_while_silent_or_faulty(rig: Rig) -> None:
    rig.fakes[0].faults = 4
    with pytest.raises(DeviceError, match="OVERTEMPERATURE"):
        run(rig, rig.motors.set_zero("j1", 0.0))
    assert not any(frame.arbitration_id >> 24 == 6 for frame in rig.fakes[0].log)
    rig.fakes[1].is_silent = True
    with pytest.raises(DeviceError, match="does not answer"):
        run(rig, rig.motors.set_zero("j2", 0.0))
