from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.dynamixel import codec, instructions, tables
from drivers.serial.dynamixel.batch import BLOCK, BlockBatch, Goal, GoalCurrentBatch, field

IDS = (3, 1, 252)
GOALS = [Goal(0.002, 1000), Goal(0.004, 500), Goal(0.001, 2000)]


def sync_write(goals: dict[int, int]) -> bytes:
    items = [(key, codec.pack(goal, 2, is_signed=True)) for key, goal in goals.items()]
    return instructions.make_sync_write(102, 2, items)


def block(current: int = -2, velocity: int = 5, position: int = 2048) -> bytes:
    return struct.pack("<BBBBhiiB", 1, 2, 0, 5, current, velocity, position, 41)


def answers(error: int = 0, position: int = 2048) -> list[bytes]:
    return [codec.make_status(servo_id, error, block(position=position + servo_id)) for servo_id in IDS]


def batch() -> BlockBatch:
    return BlockBatch(IDS, [224] * 3)


def positions(blocks: BlockBatch) -> list[int]:
    return blocks.blocks[field(tables.PRESENT_POSITION)].tolist()


@given(st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3))
def test_a_sync_write_of_many_is_what_the_codec_makes(torques: list[float]) -> None:
    goals = GoalCurrentBatch([IDS], [0, 1, 2], GOALS)
    counts = {key: round(torque / goal.count_nm) for key, torque, goal in zip(IDS, torques, GOALS, strict=True)}
    assert goals.encode(np.array(torques)) == [sync_write(counts)]


def test_each_line_gets_its_own_packet_whatever_the_order_of_the_motors() -> None:
    goals = GoalCurrentBatch([(7, 2), (7,)], [2, 0, 1], [Goal(1.0, 100)] * 3)
    assert goals.encode(np.array([10.0, 20.0, 30.0])) == [sync_write({7: 30, 2: 10}), sync_write({7: 20})]


@pytest.mark.parametrize(
    ("torque", "counts"),
    [(math.nan, 0), (math.inf, 0), (-math.inf, 0), (2.1, 1000), (-1e9, -1000), (2.0009, 1000)],
)
def test_what_is_no_number_is_no_torque_and_what_is_too_much_is_what_the_servo_takes(
    torque: float, counts: int
) -> None:
    goals = GoalCurrentBatch([IDS], [0, 1, 2], GOALS)
    assert goals.encode(np.array([torque, 0.4, 0.0])) == [sync_write({3: counts, 1: 100, 252: 0})]
    assert goals.encode(np.zeros(3)) == [sync_write(dict.fromkeys(IDS, 0))]


def test_every_model_s_largest_goal_is_one_that_its_register_holds() -> None:
    for servo in tables.SERVOS.values():
        assert 0 <= servo.torque_max_count <= servo.current_limit_count < 1 << 15


def test_answers_in_order_are_taken_at_once() -> None:
    blocks = batch()
    assert blocks.request == instructions.make_sync_read(224, 15, IDS)
    assert blocks.take(b"".join(answers())) == 3
    assert blocks.answered == [0, 1, 2]
    assert positions(blocks) == [2051, 2049, 2300]
    assert blocks.blocks[field(tables.PRESENT_CURRENT)].tolist() == [-2] * 3
    assert blocks.blocks[field(tables.PRESENT_VELOCITY)].tolist() == [5] * 3
    assert blocks.blocks[field(tables.PRESENT_TEMPERATURE)].tolist() == [41] * 3
    assert blocks.blocks[field(tables.BUS_WATCHDOG)].tolist() == [5] * 3


def test_servos_whose_blocks_begin_elsewhere_are_asked_one_by_one_in_one_request() -> None:
    items = [instructions.BulkItem(1, 224, 15), instructions.BulkItem(2, 208, 15)]
    assert BlockBatch((1, 2), (224, 208)).request == instructions.make_bulk_read(items)


def test_the_fields_of_a_block_are_the_registers_that_are_listed() -> None:
    assert BLOCK.itemsize == tables.CYCLE_BLOCK_BYTES == 15
    offsets = {name: BLOCK.fields[name][1] for name in BLOCK.names or ()}  # type: ignore[index]
    at = 0
    for register in tables.CYCLE_BLOCK:
        assert offsets[field(register)] == at
        assert tables.CYCLE_BLOCK_ADDRESSES[at] == register.address
        at += register.size


@given(
    st.lists(
        st.tuples(st.integers(-100, 100), st.integers(-300, 300), st.integers(-5000, 5000)), min_size=3, max_size=3
    ),
    st.lists(st.sampled_from([0, 0x80]), min_size=3, max_size=3),
)
def test_both_ways_of_taking_answers_agree(rows: list[tuple[int, int, int]], errors: list[int]) -> None:
    data = b"".join(
        codec.make_status(key, error, block(*row)) for key, row, error in zip(IDS, rows, errors, strict=True)
    )
    at_once, by_byte = batch(), batch()
    assert at_once.take(data) == 3
    assert sum(by_byte.take(bytes((byte,))) for byte in data) == 3
    assert at_once.blocks.tolist() == by_byte.blocks.tolist()
    assert at_once.parser.packets == by_byte.parser.packets == 3


def test_a_servo_that_is_silent_keeps_its_old_block_and_is_not_among_those_who_answered() -> None:
    blocks = batch()
    blocks.take(b"".join(answers()))
    late = answers(position=3000)
    assert blocks.take(late[0] + late[2]) == 2
    assert blocks.answered == [0, 2]
    assert positions(blocks) == [3003, 2049, 3252]
    assert blocks.take(b"") == 0
    assert blocks.answered == []


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (batch().request, "commands"),
        (codec.make_status(9, 0, bytes(15)), "strangers"),
        (codec.make_packet(0xFE, 0x55, bytes(5)), "strangers"),
        (codec.make_packet(3, 0x55), "strangers"),
        (codec.make_status(3, 0, bytes(9)), "others"),
        (codec.make_status(3, 0), "others"),
        (codec.make_status(3, 4, bytes(15)), "others"),
    ],
    ids=["own echo", "another servo", "of all", "no error byte", "another size", "acknowledgment", "error"],
)
def test_what_is_no_block_of_ours_is_sorted_and_changes_nothing(packet: bytes, kind: str) -> None:
    blocks = batch()
    assert blocks.take(packet) == 0
    counts = {"commands": len(blocks.commands), "others": len(blocks.others), "strangers": blocks.strangers}
    assert counts == {**dict.fromkeys(counts, 0), kind: 1}
    assert positions(blocks) == [0, 0, 0]


def test_an_error_among_good_answers_is_not_taken() -> None:
    blocks = batch()
    parts = answers()
    parts[1] = codec.make_status(1, 2, block())
    assert blocks.take(b"".join(parts)) == 2
    assert (blocks.answered, len(blocks.others)) == ([0, 2], 1)


@given(st.data())
def test_a_flipped_bit_takes_away_its_answer_and_no_other(data: st.DataObject) -> None:
    stream = bytearray(b"".join(answers()))
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    blocks = batch()
    blocks.take(bytes(stream))
    answered = {*blocks.answered}
    blocks.take(bytes(1024))
    hit = bit // 8 // 26
    assert answered.union(blocks.answered) == {0, 1, 2} - {hit}
    assert positions(blocks)[hit] == 0


@given(st.lists(st.one_of(st.binary(max_size=63), st.sampled_from(answers())), max_size=8))
def test_any_bytes_are_taken_without_an_exception(parts: list[bytes]) -> None:
    blocks = batch()
    for part in parts:
        blocks.take(part)
    assert blocks.parser.unfinished_bytes < 1024


def test_bytes_left_over_from_before_do_not_hide_the_next_answers() -> None:
    blocks = batch()
    blocks.take(answers()[0][:10])
    assert blocks.take(b"".join(answers())) == 3
    assert blocks.parser.cut_short == 1


def test_an_answer_with_a_header_inside_is_taken_in_neither_way() -> None:
    """Its checksum is right, but a servo would have stuffed it."""
    parts = answers()
    body = parts[1][:9] + b"\xff\xff\xfd\x00" + bytes(11)
    parts[1] = body + codec.crc16(body).to_bytes(2, "little")
    data = b"".join(parts)
    at_once, by_byte = batch(), batch()
    at_once.take(data)
    for byte in data:
        by_byte.take(bytes((byte,)))
    assert positions(at_once) == positions(by_byte) == [2051, 0, 2300]
    assert at_once.parser.cut_short == by_byte.parser.cut_short > 0
