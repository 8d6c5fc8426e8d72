from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.unitree import codec
from drivers.serial.unitree.batch import CommandBatch, ReplyBatch
from drivers.serial.unitree.tables import GEAR, MODE_FOC
from supervisor.core.errors import EncodeError
from tests.drivers.serial.unitree.fake import reply

gains = st.floats(-1.0, 1100.0)
commands = st.tuples(st.floats(-20.0, 20.0), st.floats(-130.0, 130.0), gains, gains, st.floats(-900.0, 900.0))
replies = st.builds(
    reply,
    st.integers(0, 14),
    mode=st.integers(0, 7),
    torque=st.integers(-32768, 32767),
    velocity=st.integers(-32768, 32767),
    position=st.integers(-(2**31), 2**31 - 1),
    temperature=st.integers(-128, 127),
    error=st.integers(0, 7),
)


def alone(motor_id: int, values: tuple[float, ...], turns: int) -> bytes | None:
    """What the codec makes of one command, if anything."""
    rotor = codec.rotor_from_output(values)
    try:
        return codec.encode_command(motor_id, MODE_FOC, (rotor[0] - math.tau * turns, *rotor[1:]))
    except EncodeError:
        return None


@given(st.lists(st.tuples(st.integers(0, 14), commands, st.integers(-9, 9)), min_size=1, max_size=6))
def test_many_commands_are_encoded_as_each_would_be_alone(rows: list[tuple[int, tuple[float, ...], int]]) -> None:
    ids, values, turns = zip(*rows, strict=True)
    batch = CommandBatch(ids)
    batch.encode(np.array(values).T, np.array(turns, dtype=np.float64))
    expected = [alone(*row) for row in rows]
    assert batch.valid.tolist() == [frame is not None for frame in expected]
    assert [batch.frame(i) for i in np.flatnonzero(batch.valid)] == [frame for frame in expected if frame]


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9])
def test_one_command_that_is_no_number_leaves_the_others_alone(field: int, value: float) -> None:
    batch = CommandBatch((1, 2))
    command = np.array([[0.1, 0.2], [0.0, 0.0], [30.0, 30.0], [1.0, 1.0], [0.0, 0.0]])
    command[field, 0] = value
    batch.encode(command, np.zeros(2))
    assert batch.valid.tolist() == [False, True]
    assert batch.frame(1) == alone(2, (0.2, 0.0, 30.0, 1.0, 0.0), 0)


def test_a_motor_whose_turns_are_not_known_has_no_valid_command() -> None:
    batch = CommandBatch((1, 2))
    batch.encode(np.zeros((5, 2)), np.array([math.nan, 0.0]))
    assert batch.valid.tolist() == [False, True]


@given(st.lists(st.tuples(replies, st.integers(-9, 9)), min_size=1, max_size=6))
def test_many_replies_are_decoded_as_each_would_be_alone(rows: list[tuple[bytes, int]]) -> None:
    batch, values = ReplyBatch(len(rows)), np.full((5, len(rows)), math.nan)
    for slot, (frame, _) in enumerate(rows):
        batch.keep(slot, frame)
        assert batch.kept(slot) == frame
    turns = np.array([turns for _, turns in rows], dtype=np.float64)
    batch.decode(turns, values)
    states = batch.states().tolist()
    for slot, (frame, whole) in enumerate(rows):
        feedback = codec.decode_reply(frame)
        expected = (
            (feedback.position_rad + math.tau * whole) / GEAR,
            feedback.output_velocity_rad_per_s,
            feedback.output_torque_nm,
            feedback.temperature_degc,
        )
        assert values[:4, slot].tolist() == list(expected)
        assert states[slot] == feedback.mode << 3 | feedback.error_code
    assert np.isnan(values[4]).all()
