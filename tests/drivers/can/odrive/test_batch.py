from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.odrive import codec
from drivers.can.odrive.batch import REPEATS, CommandBatch, FeedbackBatch, GainBook, turns
from drivers.can.odrive.tables import MODELS, Message
from drivers.devices import WiredMotor, wire_model
from supervisor.core.robot import DriveConfig, MotorConfig

TWO_PI = 2.0 * math.pi


def motor(node: int, drive: DriveConfig | None) -> WiredMotor:
    config = MotorConfig("odrive", "S1", "can0", node, 0, drive)
    return WiredMotor(f"j{node}", config, wire_model(MODELS, config))


MOTORS = [motor(1, DriveConfig(20.0, 18.0, 9.0)), motor(2, DriveConfig(20.0, 100.0)), motor(3, None)]
GOOD = np.array([[0.5, -3.0, 100.0], [1.0, -2.0, 0.0], [30.0, 40.0, 0.0], [1.0, 2.0, 0.5], [0.9, -0.9, 5.0]])
MEASURED = np.array([0.1, 0.2, 0.3])


def column(batch: CommandBatch, data: bytes, slot: int) -> tuple[bytes, float, float]:
    return data[8 * slot : 8 * slot + 8], float(batch.gains[0, slot]), float(batch.gains[1, slot])


def test_a_drive_counts_turns_of_its_motor_or_of_its_output() -> None:
    assert turns(MOTORS).tolist() == [9.0, 1.0, 1.0]


def test_position_gains_and_feed_forward_are_those_of_the_motor() -> None:
    batch = CommandBatch(MOTORS)
    data, position_gain, velocity_gain = column(batch, batch.encode(GOOD, MEASURED), 0)
    assert data == codec.make_input_position(1, 0.5 * 9.0 / TWO_PI, 1.0 * 9.0 / TWO_PI, 0.9 / 9.0).data
    assert position_gain == pytest.approx(30.0)
    assert velocity_gain == pytest.approx(1.0 * TWO_PI / 81.0)


@given(
    st.floats(-3.0, 3.0),
    st.floats(-18.0, 18.0),
    st.floats(0.0, 500.0),
    st.floats(0.6, 50.0),
    st.floats(-20.0, 20.0),
    st.floats(-3.0, 3.0),
    st.floats(-18.0, 18.0),
)
def test_the_drive_makes_the_commanded_torque_of_it(
    position: float, velocity: float, kp: float, kd: float, torque: float, at: float, speed: float
) -> None:
    batch = CommandBatch(MOTORS[:1])
    command = np.array([[position], [velocity], [kp], [kd], [torque]])
    data, position_gain, velocity_gain = column(batch, batch.encode(command, np.zeros(1)), 0)
    values = np.frombuffer(data, dtype=[("p", "<f4"), ("v", "<i2"), ("t", "<i2")])[0]
    wished = position_gain * (float(values["p"]) - at * 9.0 / TWO_PI) * (kp > 0.0) + values["v"] * 1e-3
    made = (velocity_gain * (wished - speed * 9.0 / TWO_PI) + values["t"] * 1e-3) * 9.0
    meant = kp * (position - at) + kd * (velocity - speed) + torque
    # Half a count of each feed-forward, and the seven digits of float32.
    assert made == pytest.approx(meant, abs=kd * 4e-4 + 5e-3 + 1e-5 * (kp + kd * 40.0))


def test_without_stiffness_the_measured_position_is_sent() -> None:
    batch = CommandBatch(MOTORS)
    data = batch.encode(GOOD, MEASURED)
    assert np.frombuffer(data, "<f4")[4] == np.float32(0.3 / TWO_PI)
    data = batch.encode(GOOD, np.array([0.1, 0.2, math.nan]))
    assert np.frombuffer(data, "<f4")[4] == np.float32(100.0 / TWO_PI)
    assert batch.gains[0, 2] == 0.0


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_a_command_that_cannot_be_encoded_is_marked_and_the_others_are_not(row: int, value: float) -> None:
    batch = CommandBatch(MOTORS)
    command = GOOD.copy()
    command[row, 1] = value
    data = batch.encode(command, MEASURED)
    assert (batch.all_valid, batch.valid.tolist()) == (False, [True, False, True])
    assert np.isfinite(batch.gains[:, [0, 2]]).all()
    before = CommandBatch(MOTORS).encode(GOOD, MEASURED)
    assert (data[:8], data[16:]) == (before[:8], before[16:])


@pytest.mark.parametrize(("row", "value"), [(2, -1e-9), (3, -1e-9)])
def test_gains_below_zero_are_not_sent(row: int, value: float) -> None:
    batch = CommandBatch(MOTORS)
    command = GOOD.copy()
    command[row, 0] = value
    batch.encode(command, MEASURED)
    assert batch.valid.tolist() == [False, True, True]


@pytest.mark.parametrize(("damping", "fits"), [(0.0, False), (1e-300, False), (0.0299, False), (0.0301, True)])
def test_stiffness_needs_a_thousandth_of_itself_as_damping(damping: float, fits: bool) -> None:
    batch = CommandBatch(MOTORS)
    command = GOOD.copy()
    command[3, 0] = damping
    batch.encode(command, MEASURED)
    assert batch.valid[0] == fits
    command[2, 0] = 0.0
    batch.encode(command, MEASURED)
    assert batch.valid[0]


@pytest.mark.parametrize(("row", "value"), [(1, 32.767 * TWO_PI), (4, 32.7674)])
def test_feed_forward_beyond_its_field_is_not_sent(row: int, value: float) -> None:
    batch = CommandBatch([motor(1, DriveConfig(100.0, 1000.0))])
    command = GOOD[:, :1].copy()
    for sign in (-1.0, 1.0):
        command[row, 0] = sign * value
        batch.encode(command, MEASURED[:1])
        assert batch.all_valid
        command[row, 0] = sign * value * 1.0001
        batch.encode(command, MEASURED[:1])
        assert not batch.all_valid


def gains(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float32).T


ALL = np.ones(2, dtype=np.bool_)


def settled(*pairs: tuple[float, float]) -> GainBook:
    book = GainBook(len(pairs))
    for _ in range(REPEATS):
        book.due(gains(*pairs), np.ones(len(pairs), dtype=np.bool_))
    return book


def test_gains_are_told_a_few_times_and_then_only_when_they_change() -> None:
    book = GainBook(2)
    wanted = gains((30.0, 0.1), (20.0, 0.2))
    told = [book.due(wanted, ALL) for _ in range(REPEATS + 2)]
    assert [[slot for slot, _ in cycle] for cycle in told] == [[0, 1]] * REPEATS + [[], []]
    wanted[1, 1] = 0.3
    assert book.due(wanted, ALL) == [(1, (1,))]


def test_rounding_is_no_change() -> None:
    book = settled((30.0, 0.1), (20.0, 0.2))
    assert book.due(gains((30.00001, 0.1), (20.0, 0.2)), ALL) == []


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        ((40.0, 0.1), (0.0, 0.4), (0, 1)),
        ((0.0, 0.4), (40.0, 0.1), (1, 0)),
        ((40.0, 0.1), (10.0, 0.2), (0, 1)),
        ((10.0, 0.2), (40.0, 0.1), (1, 0)),
        ((10.0, 0.1), (20.0, 0.1001), (1, 0)),
        ((10.0, 0.1), (10.1, 0.4), (0, 1)),
    ],
)
def test_between_two_changes_nothing_is_stiffer_than_at_either_end(
    before: tuple[float, float], after: tuple[float, float], order: tuple[int, int]
) -> None:
    book = settled(before)
    assert book.due(gains(after), ALL[:1]) == [(0, order)]
    between = list(before)
    between[order[0]] = after[order[0]]
    assert between[0] * between[1] <= max(before[0] * before[1], after[0] * after[1])


@given(*[st.floats(0.0, 1000.0, width=32)] * 4)
def test_whatever_changes_nothing_in_between_is_stiffer(a: float, b: float, c: float, d: float) -> None:
    book = settled((a, b))
    stiffness = [a * b]
    now = [a, b]
    for _, order in book.due(gains((c, d)), ALL[:1]):
        for gain in order:
            now[gain] = (c, d)[gain]
            stiffness.append(now[0] * now[1])
    assert max(stiffness) <= max(a * b, c * d) * (1.0 + 1e-5)


def test_a_motor_is_reminded_even_of_gains_that_stay() -> None:
    book = settled((30.0, 0.1), (20.0, 0.2))
    book.remind(1)
    assert book.due(gains((30.0, 0.1), (20.0, 0.2)), ALL) == [(1, (0, 1))]
    assert book.due(gains((30.0, 0.1), (20.0, 0.2)), ALL) == []


def test_a_motor_that_may_be_sent_nothing_is_told_later() -> None:
    book = settled((0.0, 0.0), (0.0, 0.0))
    wanted = gains((30.0, 0.1), (20.0, 0.2))
    assert [slot for slot, _ in book.due(wanted, np.array([True, False]))] == [0]
    assert [slot for slot, _ in book.due(wanted, ALL)] == [0, 1]


def test_after_being_switched_on_every_gain_is_told_again_even_zero() -> None:
    book = settled((0.0, 0.1), (0.0, 0.2))
    book.forget()
    assert book.due(gains((0.0, 0.1), (0.0, 0.0)), ALL) == [(0, (0, 1)), (1, (0, 1))]


@given(st.lists(st.binary(min_size=24, max_size=24), min_size=3, max_size=3))
def test_feedback_is_what_the_codec_reads(payloads: list[bytes]) -> None:
    words = np.array(
        [[int.from_bytes(p[8 * k : 8 * k + 8], "little", signed=True) for p in payloads] for k in range(3)],
        dtype=np.int64,
    )
    values = np.zeros((5, 3))
    with np.errstate(all="ignore"):
        FeedbackBatch(MOTORS).decode(words, values)
    for slot, (payload, per_output) in enumerate(zip(payloads, (9.0, 1.0, 1.0), strict=True)):
        estimates = codec.decode_report(Message.ENCODER_ESTIMATES, payload[:8])
        torques = codec.decode_report(Message.TORQUES, payload[8:16])
        temperatures = codec.decode_report(Message.TEMPERATURES, payload[16:])
        expected = [
            estimates.position_rev * TWO_PI / per_output,
            estimates.velocity_rev_per_s * TWO_PI / per_output,
            torques.estimate_nm * per_output,
            float(np.fmax(*map(np.float64, temperatures))),
        ]
        assert values[:4, slot].tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)
