from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.feetech import codec, instructions
from drivers.serial.feetech.batch import ERROR_AT, GoalBatch, StateBatch, SyncAnswers
from drivers.serial.feetech.tables import MODELS, SERIES

STS, SCS = MODELS["STS3250"], MODELS["SCS0009"]


def expected(ids: list[int], goals: list[float]) -> bytes:
    words = [codec.pack_word(codec.position_count(SERIES["STS"], goal), "little") for goal in goals]
    return instructions.make_sync_write(42, 2, list(zip(ids, words, strict=True)))


@given(st.lists(st.floats(-3.1, 3.1), min_size=1, max_size=12))
def test_goals_are_those_of_the_codec_byte_for_byte(goals: list[float]) -> None:
    ids = list(range(1, len(goals) + 1))
    batch = GoalBatch(ids, [STS] * len(ids))
    assert batch.convert(np.array(goals)).all()
    assert batch.goals(range(len(ids))) == expected(ids, goals)
    assert batch.goals([len(ids) - 1]) == expected(ids[-1:], goals[-1:])


def test_a_servo_starts_with_its_goal_at_full_speed_in_one_packet() -> None:
    batch = GoalBatch([1, 5], [STS, STS])
    batch.convert(np.array([0.0, 1.0]))
    goal = codec.pack_word(codec.position_count(SERIES["STS"], 1.0), "little")
    block = bytes((1, 0)) + goal + bytes(4)
    assert batch.start([1]) == instructions.make_sync_write(40, 8, [(5, block)])


def test_scs_words_have_their_high_byte_first() -> None:
    batch = GoalBatch([1, 2], [STS, SCS])
    batch.convert(np.array([0.5, 0.5]))
    words = [
        codec.pack_word(codec.position_count(SERIES[name], 0.5), order)
        for name, order in (("STS", "little"), ("SCS", "big"))
    ]
    assert batch.goals([0, 1]) == instructions.make_sync_write(42, 2, [(1, words[0]), (2, words[1])])


@pytest.mark.parametrize("goal", [math.nan, math.inf, -math.inf, 3.15, -3.15, 1e300])
def test_a_goal_that_cannot_be_told_is_named_and_harms_no_other(goal: float) -> None:
    batch = GoalBatch([1, 2], [STS, STS])
    assert batch.convert(np.array([goal, 0.25])).tolist() == [False, True]
    assert batch.goals([1]) == expected([2], [0.25])


@given(st.lists(st.binary(min_size=10, max_size=10), min_size=1, max_size=4))
def test_states_are_those_of_the_codec(answers: list[bytes]) -> None:
    batch = StateBatch([STS] * len(answers))
    values = np.zeros((4, len(answers)))
    for slot, data in enumerate(answers):
        batch.keep(slot, data)
    batch.decode(values)
    for slot, data in enumerate(answers):
        motion = codec.decode_sts_motion(data + bytes(5))
        assert values[0, slot] == pytest.approx(motion.position_rad)
        assert values[1, slot] == pytest.approx(motion.velocity_rad_per_s)
        drive = motion.load * STS.torque_max_nm
        assert values[2, slot] == pytest.approx(drive - STS.damping_nm_s_per_rad * motion.velocity_rad_per_s)
        assert values[3, slot] == motion.temperature_degc


def test_an_scs_state_is_read_high_byte_first() -> None:
    batch = StateBatch([SCS])
    values = np.zeros((4, 1))
    batch.keep(0, bytes.fromhex("0264 8010 0432 4a28"))
    batch.decode(values)
    count_rad = math.radians(300.0) / 1024.0
    assert values[0, 0] == pytest.approx((0x264 - 512) * count_rad)
    assert values[1, 0] == pytest.approx(-16 * count_rad)
    drive = -0.05 * SCS.torque_max_nm
    assert values[2, 0] == pytest.approx(drive + SCS.damping_nm_s_per_rad * 16 * count_rad)
    assert values[3, 0] == 0x28


ANSWERS = [codec.make_status(number, number, bytes(range(number, number + 10))) for number in (1, 2, 7)]
SYNC = SyncAnswers((1, 2, 7), 10)


@given(st.lists(st.tuples(st.integers(0, 0x7F), st.binary(min_size=10, max_size=10)), min_size=1, max_size=4))
def test_a_whole_answer_is_what_the_parser_finds_in_it(answers: list[tuple[int, bytes]]) -> None:
    ids = range(1, len(answers) + 1)
    data = b"".join(codec.make_status(number, *answer) for number, answer in zip(ids, answers, strict=True))
    packets = SyncAnswers(ids, 10).split(data)
    found = codec.make_parser().feed(data)
    assert packets is not None
    assert [packet[ERROR_AT] for packet in packets] == [packet.instruction for packet in found]
    together, alone = StateBatch([STS] * len(answers)), StateBatch([STS] * len(answers))
    together.keep_all(range(len(answers)), packets)
    for slot, packet in enumerate(found):
        alone.keep(slot, packet.params)
    values = np.zeros((2, 4, len(answers)))
    together.decode(values[0])
    alone.decode(values[1])
    assert values[0].tolist() == values[1].tolist()


def test_with_any_bit_wrong_it_is_no_whole_answer() -> None:
    data = b"".join(ANSWERS)
    assert SYNC.split(data) is not None
    for bit in range(8 * len(data)):
        damaged = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
        assert SYNC.split(damaged) is None


@pytest.mark.parametrize(
    "answers",
    [
        [],
        ANSWERS[:2],
        [ANSWERS[1], ANSWERS[0], ANSWERS[2]],
        [*ANSWERS[:2], codec.make_status(8, 0, bytes(10))],
        [*ANSWERS, b"\xff"],
        [*ANSWERS[:2], codec.make_status(7, 0, bytes(9)), b"\xff"],
    ],
)
def test_anything_but_all_servos_in_order_is_no_whole_answer(answers: list[bytes]) -> None:
    assert SYNC.split(b"".join(answers)) is None
