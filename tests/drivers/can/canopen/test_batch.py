from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.canopen.batch import (
    COMMAND,
    COMMAND_BYTES,
    HIGHEST_TORQUE_COUNT,
    MOTION,
    CommandBatch,
    FeedbackBatch,
    speed_layout,
)
from drivers.can.canopen.scaling import Scaling
from drivers.can.canopen.tables import FACTS, I16, I32, DriveFacts, ObjectEntry, TemperatureObject
from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY

SCALING = Scaling(1e-4, 1e-3, 0.0135)
WIDE = DriveFacts(TemperatureObject(ObjectEntry(0x20C2, 1, I32), 1e-3, "a temperature of four bytes"))
torques = st.floats(-HIGHEST_TORQUE_COUNT * 0.0135, HIGHEST_TORQUE_COUNT * 0.0135)


@given(st.lists(st.tuples(st.integers(0, 0x7FFF), torques), min_size=1, max_size=12))
def test_commands_are_those_of_the_layout_one_by_one(commands: list[tuple[int, float]]) -> None:
    batch = CommandBatch([SCALING] * len(commands))
    words = np.array([word for word, _ in commands], dtype=np.int64)
    data = batch.encode(words, np.array([torque for _, torque in commands]))
    assert batch.all_valid
    expected = [COMMAND.pack((word, round(torque / 0.0135))) for word, torque in commands]
    found = [data[i : i + COMMAND_BYTES] for i in range(0, len(data), COMMAND_BYTES)]
    assert found == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 443.0, -443.0])
def test_a_torque_that_does_not_fit_is_none_and_said(bad: float) -> None:
    batch = CommandBatch([SCALING, SCALING])
    data = batch.encode(np.array([15, 15]), np.array([bad, 1.35]))
    assert data == bytes.fromhex("0f0000000f006400")
    assert (batch.valid.tolist(), batch.all_valid) == ([False, True], False)
    assert batch.encode(np.array([15, 15]), np.array([1.35, 1.35])) == bytes.fromhex("0f0064000f006400")
    assert batch.all_valid


def test_a_drive_without_rated_torque_is_given_no_torque() -> None:
    batch = CommandBatch([Scaling(1.0, 1.0, 0.0)])
    assert batch.encode(np.array([15]), np.array([0.5])) == bytes.fromhex("0f000000")
    assert not batch.all_valid


i16, i32 = st.integers(*I16.range), st.integers(*I32.range)


@given(st.integers(0, 0xFFFF), i32, i16, i32, i16, i32)
def test_feedback_is_what_the_layouts_unpack(word: int, position: int, torque: int, speed: int, cold: int, wide: int):
    facts = [FACTS["EPOS4"], FACTS["CiA402"], WIDE]
    temperatures = ((cold,), (), (wide,))
    batch = FeedbackBatch([SCALING] * 3, facts)
    motion = number(MOTION.pack((word, position, torque)))
    speeds = [number(speed_layout(f).pack((speed, *t))) for f, t in zip(facts, temperatures, strict=True)]
    values = np.zeros((5, 3))
    batch.decode(np.array([motion] * 3), np.array(speeds), values)
    assert values[POSITION].tolist() == [position * 1e-4] * 3
    assert values[TORQUE].tolist() == [torque * 0.0135] * 3
    assert values[VELOCITY].tolist() == [speed * 1e-3] * 3
    assert values[TEMPERATURE, [0, 2]].tolist() == [cold * 0.1, wide * 1e-3]
    assert math.isnan(values[TEMPERATURE, 1])


def test_another_velocity_unit_is_taken_for_one_drive_alone() -> None:
    batch = FeedbackBatch([SCALING] * 2, [FACTS["CiA402"]] * 2)
    batch.rescale(1, Scaling(1e-4, 0.5, 0.0135))
    values = np.zeros((5, 2))
    batch.decode(np.array([0, 0]), np.array([4, 4]), values)
    assert values[VELOCITY].tolist() == [0.004, 2.0]


def number(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)
