from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.devices import FAULT, STAMP, STATUS
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.can.moteus.fake import TURN, FakeMoteus
from tests.drivers.can.moteus.rig import MoteusRig
from tests.drivers.fake_devices import TroubledBus

COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.1, -0.1]])
ON, OFF, FAULTY, UNKNOWN = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT, MotorStatus.UNKNOWN


@pytest.fixture
def rig() -> MoteusRig:
    return MoteusRig()


def feedback(mode: float = 10.0, stamp_s: float = 1.0, fault: int = 0, identifier: int = 0x100) -> Frame:
    fake = FakeMoteus(1)
    fake.mode, fake.condition[5] = mode, fault
    return Frame(identifier, fake.feedback(), identifier > 0x7FF, True, stamp_s)


def test_feedback_is_converted_and_stamped(rig: MoteusRig) -> None:
    assert rig.take(feedback()) == []
    assert rig.values[:4, 0].tolist() == pytest.approx([0.1 * TURN, 0.2 * TURN, 0.3, 30.0])
    assert np.isnan(rig.values[:4, 1]).all()
    assert rig.values[STAMP].tolist() == [1.0, NEVER_S]
    assert rig.codes[STATUS].tolist() == [ON, UNKNOWN]
    assert rig.bus.counters.received == 1


def test_the_newest_of_several_replies_counts(rig: MoteusRig) -> None:
    rig.take(feedback(0.0), feedback(10.0, 2.0), feedback(0.0, 3.0, identifier=0x900))
    assert rig.codes[STATUS].tolist() == [ON, OFF]
    assert rig.values[STAMP].tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    "frame",
    [
        feedback(identifier=0x101),
        feedback(identifier=0x200),
        feedback(identifier=0x10100),
        feedback()._replace(is_fd=False),
        feedback()._replace(data=feedback().data[:24]),
        feedback()._replace(data=feedback().data + b"\xff" * 16),
        feedback()._replace(data=b""),
        feedback(16.0),
        feedback(0.5),
        feedback(float("nan")),
        feedback(float("inf")),
        feedback()._replace(data=b"\x2c\x04\x01" + feedback().data[3:]),
    ],
    ids=["host", "motor", "prefix", "classic", "cut", "long", "empty", "mode", "half", "nan", "inf", "shifted"],
)
def test_what_is_not_feedback_of_ours_changes_nothing(rig: MoteusRig, frame: Frame) -> None:
    rig.take(frame)
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.codes[STATUS].tolist() == [UNKNOWN, UNKNOWN]


def test_feedback_in_another_order_is_feedback_too(rig: MoteusRig) -> None:
    data = b"\x21\x00\x0a" + b"\x2f\x01" + struct.pack("<3f", 0.25, 0.0, -1.5) + b"\x22\x0e\x1c\x00" + b"\x31\x0a\x01"
    assert rig.take(Frame(0x100, data, False, True, 4.0)) == []
    assert rig.values[:4, 0].tolist() == pytest.approx([0.25 * TURN, 0.0, -1.5, 28.0])
    assert rig.codes[STATUS, 0] == ON
    assert rig.values[STAMP, 0] == 4.0


@pytest.mark.parametrize(
    ("mode", "status", "name"),
    [
        (0, OFF, None),
        (2, OFF, None),
        (3, OFF, None),
        (4, OFF, None),
        (10, ON, None),
        (5, FAULTY, "IN_MODE_PWM"),
        (9, FAULTY, "IN_MODE_CURRENT"),
        (11, FAULTY, "TIMED_OUT"),
        (12, FAULTY, "IN_MODE_ZERO_VELOCITY"),
        (13, FAULTY, "IN_MODE_STAY_WITHIN"),
        (15, FAULTY, "IN_MODE_BRAKE"),
    ],
)
def test_modes_become_a_status_with_a_name(rig: MoteusRig, mode: int, status: MotorStatus, name: str | None) -> None:
    rig.take(feedback(float(mode), fault=98))
    assert rig.codes[STATUS, 0] == status
    code = int(rig.codes[FAULT, 0])
    assert (rig.motors.fault_name(code) if code else None) == name


@pytest.mark.parametrize(("fault", "name"), [(33, "MOTOR_DRIVER"), (38, "OVER_TEMPERATURE"), (60, "FAULT_60")])
def test_a_fault_is_named_as_its_maker_does(rig: MoteusRig, fault: int, name: str) -> None:
    rig.take(feedback(1.0, fault=fault))
    assert rig.codes[STATUS, 0] == FAULTY
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == name


@pytest.mark.parametrize(
    ("identifier", "data", "is_foreign"),
    [
        (0x0501, "01000a", True),
        (0x8501, "0100001400", True),
        (0x0001, "01000a", True),
        (0x8501, "1c040010060a", False),
        (0x0501, "400109" + b"d pos nan".hex(), True),
        (0x8501, "420130", False),
        (0x0502, "01000a", False),
        (0x10501, "01000a", False),
        (0x0501, "60", False),
        (0x0501, "", False),
    ],
)
def test_somebody_else_commanding_our_motors_is_counted(
    rig: MoteusRig, identifier: int, data: str, is_foreign: bool
) -> None:
    rest = rig.take(Frame(identifier, bytes.fromhex(data), identifier > 0x7FF, True))
    assert rig.bus.counters.foreign_commands == is_foreign
    assert len(rest) == (not is_foreign)


identifiers = st.one_of(st.sampled_from([0x100, 0x900, 0x101, 0x8001]), st.integers(0, 0x1FFFFFFF))
bodies = st.one_of(
    st.binary(max_size=64), st.just(feedback().data), st.binary(max_size=30).map(lambda b: b"\x41\x01" + b)
)


@given(st.lists(st.builds(Frame, identifiers, bodies, st.booleans(), st.booleans()), max_size=12))
def test_any_frames_are_taken_or_handed_on(frames: list[Frame]) -> None:
    rig = MoteusRig()
    rest = rig.take(*frames)
    counters = rig.bus.counters
    assert counters.received + counters.foreign_commands + len(rest) == len(frames)


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT])
def test_before_its_inventory_a_motor_is_asked_and_stopped_but_never_driven(rig: MoteusRig, drive: Drive) -> None:
    rig.motors.write(drive, COMMAND)
    assert rig.bus.counters.expected == len(rig.bus.sent) == 2
    for forbidden in (Drive.ENABLE, Drive.COMMAND):
        rig.motors.write(forbidden, COMMAND)
    assert len(rig.bus.sent) == 2
    assert rig.bus.counters.errors == 4


def test_every_drive_does_what_it_says(rig: MoteusRig) -> None:
    rig.inventory()
    rig.bus.sent.clear()

    def after(drive: Drive) -> list[int]:
        rig.motors.write(drive, COMMAND)
        assert rig.drain() == []
        return rig.codes[STATUS].tolist()

    assert after(Drive.POLL) == [OFF, OFF]
    assert after(Drive.ENABLE) == [ON, ON]
    assert after(Drive.COMMAND) == [ON, ON]
    assert after(Drive.POLL) == [ON, ON]
    assert after(Drive.DISABLE) == [OFF, OFF]
    assert after(Drive.CLEAR_FAULT) == [OFF, OFF]
    assert [len(frame.data) for frame in rig.bus.sent] == [6, 6, 32, 32, 32, 32, 6, 6, 12, 12, 12, 12]
    assert all(frame.is_fd and frame.is_extended for frame in rig.bus.sent)
    counters = rig.bus.counters
    assert counters.expected == counters.received
    assert (counters.errors, counters.dropped, counters.foreign_commands) == (0, 0, 0)


def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: MoteusRig) -> None:
    rig.inventory()
    rig.bus.sent.clear()
    command = COMMAND.copy()
    command[0, 1] = np.nan
    rig.motors.write(Drive.COMMAND, command)
    assert [frame.arbitration_id for frame in rig.bus.sent] == [0x8001]
    assert rig.bus.counters.errors == 1


def test_a_failed_inventory_takes_the_permission_to_drive_away(rig: MoteusRig) -> None:
    rig.inventory()
    rig.fakes[1].settings["servo.pid_position.kp"] = "4.000000"
    assert rig.inventory()[1].problems
    rig.bus.sent.clear()
    for drive in (Drive.ENABLE, Drive.COMMAND):
        rig.motors.write(drive, COMMAND)
    assert [frame.arbitration_id for frame in rig.bus.sent] == [0x8001, 0x8001]


def test_a_timed_out_motor_shows_it_until_it_is_stopped(rig: MoteusRig) -> None:
    rig.inventory()
    rig.fakes[0].mode = 11.0
    rig.motors.write(Drive.POLL, COMMAND)
    rig.drain()
    assert rig.codes[STATUS].tolist() == [FAULTY, OFF]
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == "TIMED_OUT"
    rig.motors.write(Drive.CLEAR_FAULT, COMMAND)
    rig.drain()
    assert rig.codes[STATUS].tolist() == [OFF, OFF]


def test_the_zero_is_set_while_off_and_read_back(rig: MoteusRig) -> None:
    assert rig.run(rig.motors.set_zero("j9", 0.0)) == pytest.approx(0.0)
    assert rig.fakes[1].position_rev == 0.0
    assert rig.fakes[0].position_rev == 0.1


def test_the_zero_of_a_motor_that_is_on_or_silent_or_stubborn_is_not_set(rig: MoteusRig) -> None:
    rig.fakes[0].mode = 10.0
    with pytest.raises(DeviceError, match="mode POSITION"):
        rig.run(rig.motors.set_zero("j1", 0.0))
    assert rig.fakes[0].position_rev == 0.1
    rig.fakes[0].is_silent = True
    with pytest.raises(DeviceError, match="does not answer"):
        rig.run(rig.motors.set_zero("j1", rig.now_s))
    rig.fakes[1].answers = lambda data: [rig.fakes[1].feedback()]  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="expected 0"):
        rig.run(rig.motors.set_zero("j9", rig.now_s))


def test_a_bad_bus_is_survived_and_damage_is_seldom_believed() -> None:
    rig = MoteusRig(TroubledBus(3, drop=0.2, delay=0.2, duplicate=0.2, corrupt=0.2))
    rig.inventory()
    for _ in range(300):
        rig.motors.write(Drive.POLL, COMMAND)
        rig.drain()
    assert set(rig.codes[STATUS].tolist()) <= {OFF, ON, FAULTY}
    assert rig.bus.counters.received > 100
