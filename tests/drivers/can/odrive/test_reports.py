from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.odrive.tables import AxisState, Message
from drivers.devices import FAULT, STAMP, STATUS
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.can.odrive.fake import Rig

TWO_PI = 2.0 * math.pi


@pytest.fixture
def rig() -> Rig:
    return Rig()


def estimates(position: float, velocity: float, node: int = 1, stamp_s: float = 1.0) -> Frame:
    return Frame(node << 5 | 0x09, struct.pack("<ff", position, velocity), stamp_s=stamp_s)


def beat(state: int = 1, errors: int = 0, node: int = 1, stamp_s: float = 1.0) -> Frame:
    return Frame(node << 5 | 0x01, struct.pack("<IBBBx", errors, state, 0, 0), stamp_s=stamp_s)


def torques(torque: float, stamp_s: float = 1.0) -> Frame:
    return Frame(1 << 5 | 0x1C, struct.pack("<ff", 9.0, torque), stamp_s=stamp_s)


def temperatures(inverter: float, motor: float, stamp_s: float = 1.0) -> Frame:
    return Frame(1 << 5 | 0x15, struct.pack("<ff", inverter, motor), stamp_s=stamp_s)


def test_the_newest_report_of_each_kind_counts_at_the_output_shaft(rig: Rig) -> None:
    frames = (estimates(1.0, 1.0), beat(), torques(0.5), temperatures(40.0, 55.5), estimates(4.5, -9.0))
    assert rig.take(*frames) == []
    assert rig.values[:4, 0].tolist() == pytest.approx([4.5 / 9.0 * TWO_PI, -TWO_PI, 4.5, 55.5])
    assert np.isnan(rig.values[:4, 1]).all()
    assert rig.codes[STATUS].tolist() == [MotorStatus.DISABLED, MotorStatus.UNKNOWN]
    assert rig.bus.counters.received == 2


def test_a_reading_is_as_old_as_the_older_of_estimate_and_heartbeat(rig: Rig) -> None:
    rig.take(estimates(0.0, 0.0, stamp_s=1.0))
    assert rig.values[STAMP, 0] == NEVER_S
    rig.take(beat(stamp_s=1.1))
    assert rig.values[STAMP, 0] == 1.0
    rig.take(estimates(0.0, 0.0, stamp_s=1.3))
    assert rig.values[STAMP, 0] == 1.1


def test_a_torque_or_temperature_that_stops_coming_is_not_known_any_more(rig: Rig) -> None:
    rig.take(estimates(0.0, 0.0), beat(), torques(0.5), temperatures(40.0, 50.0))
    rig.take(estimates(0.0, 0.0, stamp_s=1.19), beat(stamp_s=1.19))
    assert rig.values[2, 0] == 4.5
    rig.take(estimates(0.0, 0.0, stamp_s=1.21), beat(stamp_s=1.21))
    assert math.isnan(rig.values[2, 0])
    assert rig.values[3, 0] == 50.0
    rig.take(estimates(0.0, 0.0, stamp_s=5.1), beat(stamp_s=5.1))
    assert math.isnan(rig.values[3, 0])


@pytest.mark.parametrize(
    ("pair", "expected"), [((41.0, 30.0), 41.0), ((41.0, math.nan), 41.0), ((math.nan, 30.0), 30.0)]
)
def test_the_hotter_sensor_counts_and_one_that_is_not_fitted_does_not(
    rig: Rig, pair: tuple[float, float], expected: float
) -> None:
    rig.take(estimates(0.0, 0.0), beat(), temperatures(*pair))
    assert rig.values[3, 0] == expected


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (AxisState.UNDEFINED, MotorStatus.UNKNOWN),
        (AxisState.IDLE, MotorStatus.DISABLED),
        (AxisState.CLOSED_LOOP_CONTROL, MotorStatus.ENABLED),
    ],
)
def test_status_follows_the_axis(rig: Rig, state: int, status: MotorStatus) -> None:
    rig.take(estimates(0.0, 0.0), beat(state))
    assert (rig.codes[STATUS, 0], rig.codes[FAULT, 0]) == (status, 0)


@pytest.mark.parametrize(("state", "name"), [(4, "IN_MOTOR_CALIBRATION"), (11, "IN_HOMING"), (99, "IN_STATE_99")])
def test_an_axis_that_does_what_nobody_asked_for_is_a_fault(rig: Rig, state: int, name: str) -> None:
    rig.take(estimates(0.0, 0.0), beat(state))
    assert rig.codes[STATUS, 0] == MotorStatus.FAULT
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == name


@pytest.mark.parametrize("state", [1, 8, 3])
def test_errors_are_a_fault_with_the_vendors_names(rig: Rig, state: int) -> None:
    rig.take(estimates(0.0, 0.0), beat(state, 0x1000 | 0x4000000))
    assert rig.codes[STATUS, 0] == MotorStatus.FAULT
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == "CURRENT_LIMIT_VIOLATION and SPINOUT_DETECTED"


def test_the_reason_of_the_last_disarming_is_a_fault_too_until_it_is_gone(rig: Rig) -> None:
    rig.take(estimates(0.0, 0.0), beat(), Frame(1 << 5 | 0x03, struct.pack("<II", 0x100, 0x2000000)))
    assert rig.codes[STATUS, 0] == MotorStatus.FAULT
    assert rig.motors.fault_name(int(rig.codes[FAULT, 0])) == "DC_BUS_OVER_VOLTAGE and ESTOP_REQUESTED"
    rig.take(Frame(1 << 5 | 0x03, bytes(8)))
    assert rig.codes[STATUS, 0] == MotorStatus.DISABLED


@pytest.mark.parametrize(
    "frame",
    [
        estimates(1.0, 1.0, node=3),
        estimates(1.0, 1.0)._replace(is_extended=True),
        estimates(1.0, 1.0)._replace(is_fd=True),
        Frame(1 << 5 | 0x09, bytes(7)),
        Frame(1 << 5 | 0x09, b""),
        Frame(1 << 5 | 0x09, bytes(9)),
        estimates(math.nan, 0.0),
        estimates(0.0, math.inf),
        estimates(-math.inf, math.nan),
        torques(math.nan),
        Frame(1 << 5 | 0x08, bytes(8)),
        Frame(1 << 5 | 0x06, b"\x02" + bytes(7)),
    ],
    ids=lambda frame: f"{frame.arbitration_id:03X}-{frame.data.hex()}",
)
def test_what_is_no_report_of_ours_is_handed_on(rig: Rig, frame: Frame) -> None:
    assert rig.take(frame) == [frame]
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S]
    assert rig.bus.counters.received == 0


@pytest.mark.parametrize("message", [Message.VERSION, Message.SUPPLY, Message.CURRENTS, Message.SDO_REPLY])
def test_other_reports_are_ours_but_no_feedback(rig: Rig, message: Message) -> None:
    assert rig.take(Frame(1 << 5 | message, bytes(8))) == []
    assert rig.values[STAMP, 0] == NEVER_S
    assert rig.bus.counters.received == 0


@pytest.mark.parametrize(
    ("node", "message"),
    [(1, Message.SET_INPUT_POSITION), (2, Message.SET_AXIS_STATE), (1, Message.SDO_REQUEST), (0x3F, Message.ESTOP)],
)
def test_somebody_else_commanding_our_motors_is_counted(rig: Rig, node: int, message: Message) -> None:
    assert rig.take(Frame(node << 5 | message, bytes(8))) == []
    assert rig.bus.counters.foreign_commands == 1


def test_commands_to_other_motors_are_none_of_ours(rig: Rig) -> None:
    frames = [Frame(5 << 5 | 0x0C, bytes(8)), Frame(1 << 5 | 0x0C, bytes(8), True)]
    assert rig.take(*frames) == frames
    assert rig.bus.counters.foreign_commands == 0


@given(
    st.lists(
        st.builds(
            Frame,
            st.one_of(st.integers(0x20, 0x5F), st.integers(0, 0x1FFFFFFF)),
            st.one_of(st.binary(min_size=8, max_size=8), st.binary(max_size=64)),
            st.booleans(),
            st.booleans(),
            st.floats(0.0, 1e6),
        ),
        max_size=30,
    )
)
def test_no_frame_makes_it_raise_or_report_what_no_motor_can(frames: list[Frame]) -> None:
    rig = Rig()
    rest = rig.take(*frames)
    counters = rig.bus.counters
    assert counters.received + counters.foreign_commands + len(rest) <= len(frames)
    heard = rig.values[STAMP] > NEVER_S
    assert np.isfinite(rig.values[:2, heard]).all()
    assert np.isnan(rig.values[:4, ~heard]).all()
    assert set(rig.codes[STATUS].tolist()) <= {status.value for status in MotorStatus}
