from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.moteus import batch, codec
from drivers.can.moteus.batch import CommandBatch, FeedbackBatch
from drivers.can.moteus.tables import MODELS, TURN, Mode, Register, Resolution
from drivers.devices import WiredMotor, wire_model
from supervisor.core.robot import DriveConfig, MotorConfig

DRIVE = DriveConfig(20.0, 25.0, 9.0, kp_max_nm_per_rad=60.0, kd_max_nm_s_per_rad=3.0)
CONFIGS = [MotorConfig("moteus", "r4", "can0", number, 0, DRIVE) for number in (1, 2, 126)]
MOTORS = [WiredMotor(f"j{config.id}", config, wire_model(MODELS, config)) for config in CONFIGS]
GAINS = ((60.0, 3.0), (80.0, 5.0), (377.0 / TURN, 19.0 / TURN))
TIMEOUT_COUNTS = 100

commands = st.lists(
    st.tuples(
        st.floats(-20.5, 20.5),
        st.floats(-25.0, 25.0),
        st.floats(0.0, 60.0),
        st.floats(0.0, 3.0),
        st.floats(-20.0, 20.0),
    ),
    min_size=3,
    max_size=3,
)


def learnt() -> CommandBatch:
    encoder = CommandBatch(MOTORS)
    for slot, (motor, gains) in enumerate(zip(MOTORS, GAINS, strict=True)):
        encoder.learn(slot, motor, gains, TIMEOUT_COUNTS)
    return encoder


def frames_of(data: bytes) -> list[bytes]:
    return [data[32 * slot : 32 * slot + 32] for slot in range(len(data) // 32)]


def alone(slot: int, values: tuple[float, ...]) -> bytes:
    """The same command, made by the codec for one motor."""
    position, velocity, kp, kd, torque = values
    registers = batch.command_values(MOTORS[slot], TIMEOUT_COUNTS) | {
        Register.COMMAND_POSITION: position / TURN,
        Register.COMMAND_VELOCITY: velocity / TURN,
        Register.COMMAND_FEEDFORWARD_TORQUE: torque,
        Register.COMMAND_KP_SCALE: kp / GAINS[slot][0],
        Register.COMMAND_KD_SCALE: kd / GAINS[slot][1],
    }
    address = codec.Address(CONFIGS[slot].id)
    return codec.make_command(address, Mode.POSITION, registers, batch.COMMAND_RESOLUTIONS, batch.QUERY).data


@given(commands)
def test_commands_are_byte_for_byte_those_of_the_codec(values: list[tuple[float, ...]]) -> None:
    encoder = learnt()
    data = encoder.encode(np.array(values).T.copy())
    assert encoder.all_valid
    assert frames_of(data) == [alone(slot, command) for slot, command in enumerate(values)]


def test_a_command_says_everything_in_32_bytes() -> None:
    data = learnt().encode(np.tile([[TURN / 4], [TURN], [30.0], [1.5], [-2.0]], (1, 3)))
    expected = "01000a 040620 c409 a00f 38ff ff3f ff3f d007 0727 6400 60f0 18fc 1c0400 10060a"
    assert frames_of(data)[0].hex() == expected.replace(" ", "")


def test_a_command_at_its_limits_is_sent_and_one_beyond_is_not() -> None:
    encoder = learnt()
    limits = np.array([[20.588, -20.588, 0.0], [25.0, -25.0, 0.0], [60.0] * 3, [3.0] * 3, [20.0, -20.0, 0.0]])
    encoder.encode(limits)
    assert encoder.all_valid
    for row in range(5):
        beyond = limits.copy()
        beyond[row, 1] *= 1.001
        encoder.encode(beyond)
        assert encoder.valid.tolist() == [True, False, True]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", range(5))
def test_what_is_not_finite_is_not_sent(row: int, value: float) -> None:
    encoder, command = learnt(), np.zeros((5, 3))
    command[row, 2] = value
    data = encoder.encode(command)
    assert not encoder.all_valid
    assert encoder.valid.tolist() == [True, True, False]
    assert frames_of(data)[0] == alone(0, (0.0,) * 5)


def test_without_known_gains_nothing_is_sent() -> None:
    encoder = CommandBatch(MOTORS)
    encoder.encode(np.zeros((5, 3)))
    assert encoder.valid.tolist() == [False] * 3
    encoder.learn(1, MOTORS[1], GAINS[1], TIMEOUT_COUNTS)
    encoder.encode(np.zeros((5, 3)))
    assert encoder.valid.tolist() == [False, True, False]
    encoder.forget(1)
    encoder.encode(np.zeros((5, 3)))
    assert encoder.valid.tolist() == [False] * 3


def test_gains_smaller_than_the_robot_file_counts_on_bound_commands() -> None:
    encoder = learnt()
    encoder.learn(0, MOTORS[0], (10.0, 1.0), TIMEOUT_COUNTS)
    encoder.encode(np.array([[0.0] * 3, [0.0] * 3, [10.1] * 3, [0.5] * 3, [0.0] * 3]))
    assert encoder.valid.tolist() == [False, True, True]


def test_enabling_asks_for_no_motion() -> None:
    frame = batch.make_still(MOTORS[2], 50)
    values = {a.register: codec.scaled(a) for a in codec.parse(frame.data) if a.raw is not None}  # type: ignore[union-attr]
    assert values.pop(Register.MODE) == Mode.POSITION
    assert math.isnan(values.pop(Register.COMMAND_POSITION))
    assert values.pop(Register.COMMAND_MAXIMUM_TORQUE) == pytest.approx(20.0)
    assert values.pop(Register.COMMAND_TIMEOUT) == pytest.approx(0.05)
    assert values.pop(Register.COMMAND_VELOCITY_LIMIT) < 0.0
    assert values.pop(Register.COMMAND_ACCELERATION_LIMIT) < 0.0
    assert set(values.values()) == {0.0}
    assert frame.arbitration_id == 0x807E


def usual(mode: float, motion: tuple[float, float, float], condition: tuple[int, ...]) -> bytes:
    return batch.REPLY.pack(b"\x2c\x04\x00", mode, *motion, b"\x20\x06\x0a", *condition, b"PPPP")


motions = st.tuples(*[st.floats(-100.0, 100.0, width=32)] * 3)
conditions = st.tuples(*[st.integers(-127, 127)] * 6)


@given(st.lists(st.tuples(motions, conditions), min_size=2, max_size=2))
def test_replies_are_decoded_as_the_codec_does(replies: list) -> None:
    decoder, values = FeedbackBatch(2), np.zeros((5, 2))
    data = [usual(10.0, *reply) for reply in replies]
    decoder.buffer[:] = b"".join(data)
    decoder.decode(values)
    for slot, frame in enumerate(data):
        assert batch.is_usual(frame)
        expected = codec.decode_reply(frame).values
        hottest = max(expected[Register.MOTOR_TEMPERATURE], expected[Register.TEMPERATURE])
        assert values[0, slot] == pytest.approx(expected[Register.POSITION] * TURN)
        assert values[1, slot] == pytest.approx(expected[Register.VELOCITY] * TURN)
        assert values[2, slot] == expected[Register.TORQUE]
        assert values[3, slot] == hottest
        assert decoder.faults()[slot] == expected[Register.FAULT]


def test_a_temperature_without_a_sensor_does_not_hide_the_other() -> None:
    decoder, values = FeedbackBatch(3), np.zeros((5, 3))
    temperatures = ((-128, 40), (50, -128), (-128, -128))
    rows = [usual(0.0, (0.0,) * 3, (winding, 0, 2, 96, board, 0)) for winding, board in temperatures]
    decoder.buffer[:] = b"".join(rows)
    decoder.decode(values)
    assert values[3, :2].tolist() == [40.0, 50.0]
    assert math.isnan(values[3, 2])


def test_a_reply_in_another_order_is_laid_out_as_usual() -> None:
    whole = usual(10.0, (0.25, -0.5, 1.5), (31, 1, 2, 96, 28, 0))
    assert batch.in_usual_form(codec.decode_reply(whole).values) == whole
    scattered = {Register.MODE: 1.0, Register.POSITION: 0.25, Register.VELOCITY: 0.0, Register.TORQUE: 0.0}
    found = batch.in_usual_form({**scattered, Register.FAULT: 33.0, Register.TEMPERATURE: 30.4})
    assert found == usual(1.0, (0.25, 0.0, 0.0), (-128, 0, 0, -128, 30, 33))
    del scattered[Register.TORQUE]
    assert batch.in_usual_form(scattered) is None


@pytest.mark.parametrize("place", [0, 1, 2, 19, 20, 21, 28, 31])
def test_a_reply_with_another_head_is_not_the_usual_one(place: int) -> None:
    data = bytearray(usual(10.0, (0.0,) * 3, (0,) * 6))
    data[place] ^= 1
    assert not batch.is_usual(bytes(data))
    assert not batch.is_usual(bytes(data[:28]))


def test_the_question_for_feedback_is_the_shortest() -> None:
    assert batch.QUERY.hex() == "1c040010060a"
    assert batch.MODE_OF_BYTES[struct.pack("<f", 11.0)] == Mode.TIMEOUT
    assert batch.COMMAND_RESOLUTIONS[Register.COMMAND_KP_SCALE] is Resolution.INT16
