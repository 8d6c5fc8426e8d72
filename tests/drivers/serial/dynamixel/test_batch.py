from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.dynamixel import codec, instructions
from drivers.serial.dynamixel.batch import CURRENT, POSITION, VELOCITY, GoalPositionBatch, MotionBatch
from drivers.serial.dynamixel.tables import POSITION_COUNT_RAD, VELOCITY_COUNT_RAD_PER_S

IDS = (3, 1, 252)


def sync_write(goals: dict[int, int]) -> bytes:
    return instructions.make_sync_write(
        116, 4, [(key, codec.pack(goal, 4, is_signed=True)) for key, goal in goals.items()]
    )


def motion(current: int, velocity: int, position: int) -> bytes:
    return b"".join(codec.pack(v, n, is_signed=True) for v, n in ((current, 2), (velocity, 4), (position, 4)))


def answers(error: int = 0, position: int = 2048) -> list[bytes]:
    return [codec.make_status(servo_id, error, motion(-2, 5, position + servo_id)) for servo_id in IDS]


def batch() -> MotionBatch:
    return MotionBatch(IDS, [0.001, 0.00269, 0.0])


@given(st.lists(st.floats(-math.pi, math.pi - 0.001), min_size=3, max_size=3))
def test_a_sync_write_of_many_is_what_the_codec_makes(goals: list[float]) -> None:
    goal_batch = GoalPositionBatch(IDS)
    expected = sync_write({key: codec.position_count(goal) for key, goal in zip(IDS, goals, strict=True)})
    assert goal_batch.encode(np.array(goals)) == expected
    assert goal_batch.all_valid


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3.2, -3.2, 1e308])
def test_a_goal_that_is_not_valid_is_left_out_and_told(bad: float) -> None:
    goal_batch = GoalPositionBatch(IDS)
    packet = goal_batch.encode(np.array([0.0, bad, 0.0]))
    assert packet == sync_write({3: 2048, 252: 2048})
    assert (goal_batch.all_valid, goal_batch.valid.tolist()) == (False, [True, False, True])
    assert goal_batch.encode(np.full(3, bad)) == b""
    assert goal_batch.encode(np.zeros(3)) == sync_write(dict.fromkeys(IDS, 2048))
    assert goal_batch.all_valid


def test_goals_that_look_like_a_header_are_stuffed() -> None:
    goal_batch = GoalPositionBatch((1, 2), [(-(1 << 20), 1 << 20)] * 2)
    count = -(0x1000000 - 0xFDFFFF)
    packet = goal_batch.encode(np.array([(count - 2048) * POSITION_COUNT_RAD, 0.0]))
    assert codec.pack(count, 4, is_signed=True) == b"\xff\xff\xfd\xff"
    assert packet == sync_write({1: count, 2: 2048})
    assert len(packet) == len(sync_write({1: 0, 2: 0})) + 1


def test_limits_of_a_servo_are_kept_apart_from_the_others() -> None:
    goal_batch = GoalPositionBatch((1, 2), [(1001, 3001), (0, 4095)])
    goal = (3001.49 - 2048) * POSITION_COUNT_RAD
    assert goal_batch.encode(np.array([goal, goal])) == sync_write({1: 3001, 2: 3001})
    goal = (3002 - 2048) * POSITION_COUNT_RAD
    assert goal_batch.encode(np.array([goal, goal])) == sync_write({2: 3002})


def test_answers_in_order_are_taken_at_once() -> None:
    motions = batch()
    assert np.isnan(motions.values).all()
    assert motions.take(b"".join(answers())) == 3
    assert motions.values[POSITION] == pytest.approx(np.array(IDS) * POSITION_COUNT_RAD)
    assert motions.values[VELOCITY] == pytest.approx(5 * VELOCITY_COUNT_RAD_PER_S)
    assert motions.values[CURRENT] == pytest.approx([-0.002, -0.00538, 0.0])
    assert motions.answers.tolist() == [1, 1, 1]
    assert not motions.has_alert.any()


@given(
    st.lists(
        st.tuples(st.integers(-100, 100), st.integers(-300, 300), st.integers(-5000, 5000)), min_size=3, max_size=3
    ),
    st.lists(st.sampled_from([0, 0x80]), min_size=3, max_size=3),
)
def test_both_ways_of_taking_answers_agree(rows: list[tuple[int, int, int]], errors: list[int]) -> None:
    data = b"".join(
        codec.make_status(key, error, motion(*row)) for key, row, error in zip(IDS, rows, errors, strict=True)
    )
    at_once, by_byte = batch(), batch()
    assert at_once.take(data) == 3
    assert sum(by_byte.take(bytes((byte,))) for byte in data) == 3
    assert np.allclose(at_once.values, by_byte.values, rtol=1e-15, atol=1e-15)
    assert at_once.has_alert.tolist() == by_byte.has_alert.tolist() == [error != 0 for error in errors]
    assert at_once.parser.packets == by_byte.parser.packets == 3


def test_a_fast_answer_brings_the_same_values() -> None:
    parts = [(0, key, motion(-2, 5, 2048 + key)) for key in IDS]
    body = b"\x55"
    whole = b"\xff\xff\xfd\x00\xfe" + (1 + 14 * len(IDS)).to_bytes(2, "little") + body
    for error, key, data in parts:
        whole += bytes((error, key)) + data
        whole += codec.crc16(whole).to_bytes(2, "little")
    fast, usual = batch(), batch()
    assert fast.take(whole) == usual.take(b"".join(answers())) == 3
    assert np.allclose(fast.values, usual.values, rtol=1e-15, atol=1e-15)
    assert len(whole) == 8 + 14 * len(IDS)


def test_a_servo_that_is_silent_keeps_its_old_values_and_its_count() -> None:
    motions = batch()
    motions.take(b"".join(answers()))
    late = answers(position=3000)
    assert motions.take(late[0] + late[2]) == 2
    assert motions.answers.tolist() == [2, 1, 2]
    assert motions.values[POSITION, 1] == pytest.approx(POSITION_COUNT_RAD)


@pytest.mark.parametrize(
    "stranger",
    [
        batch().request,
        codec.make_status(9, 0, bytes(10)),
        codec.make_status(3, 0, bytes(9)),
        codec.make_status(3, 0),
        codec.make_status(3, 4, bytes(10)),
        codec.make_packet(0xFE, 0x55, bytes(5)),
    ],
    ids=["own echo", "another servo", "another size", "acknowledgment", "error", "fast of another size"],
)
def test_what_is_no_answer_of_ours_is_counted_and_changes_nothing(stranger: bytes) -> None:
    motions = batch()
    assert motions.take(stranger) == 0
    assert motions.strangers == 1
    assert np.isnan(motions.values).all()


def test_an_error_among_good_answers_is_not_taken() -> None:
    motions = batch()
    parts = answers()
    parts[1] = codec.make_status(1, 2, motion(-2, 5, 2049))
    assert motions.take(b"".join(parts)) == 2
    assert (motions.answers.tolist(), motions.strangers) == ([1, 0, 1], 1)


@given(st.data())
def test_a_flipped_bit_takes_away_its_answer_and_no_other(data: st.DataObject) -> None:
    stream = bytearray(b"".join(answers()))
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    motions = batch()
    motions.take(bytes(stream))
    motions.take(bytes(1024))
    hit = bit // 8 // 21
    assert motions.answers.tolist() == [int(index != hit) for index in range(3)]
    assert np.isnan(motions.values[:, hit]).all()


@given(st.lists(st.one_of(st.binary(max_size=63), st.sampled_from(answers())), max_size=8))
def test_any_bytes_are_taken_without_an_exception(parts: list[bytes]) -> None:
    motions = batch()
    for part in parts:
        motions.take(part)
    assert motions.parser.unfinished_bytes < 1024


def test_bytes_left_over_from_before_do_not_hide_the_next_answers() -> None:
    motions = batch()
    motions.take(answers()[0][:10])
    assert motions.take(b"".join(answers())) == 3
    assert motions.parser.cut_short == 1


def test_an_answer_with_a_header_inside_is_taken_in_neither_way() -> None:
    """Its checksum is right, but a servo would have stuffed it."""
    parts = answers()
    body = parts[1][:9] + b"\xff\xff\xfd\x00" + bytes(6)
    parts[1] = body + codec.crc16(body).to_bytes(2, "little")
    data = b"".join(parts)
    at_once, by_byte = batch(), batch()
    at_once.take(data)
    for byte in data:
        by_byte.take(bytes((byte,)))
    assert at_once.answers.tolist() == by_byte.answers.tolist() == [1, 0, 1]
    assert at_once.parser.cut_short == by_byte.parser.cut_short > 0
