from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can import impedance
from drivers.can.damiao import codec
from drivers.can.damiao.batch import FeedbackBatch
from drivers.can.damiao.tables import MODELS
from drivers.can.impedance import MitBatch
from supervisor.core.errors import EncodeError

models = st.sampled_from(sorted(MODELS.values(), key=lambda model: model.name))
DM8009 = MODELS["DM8009"]
ZERO = (0.0, 0.0, 0.0, 0.0, 0.0)
FIELDS = range(5)


@st.composite
def commands(draw: st.DrawFn):
    model = draw(models)
    return model, [draw(st.floats(low, high)) for low, high in impedance.command_ranges(model)]


def unpack(data: bytes) -> list[int]:
    word = int.from_bytes(data, "big")
    return [word >> 48, word >> 36 & 0xFFF, word >> 24 & 0xFFF, word >> 12 & 0xFFF, word & 0xFFF]


@given(st.lists(commands(), min_size=1, max_size=13))
def test_the_batch_is_byte_for_byte_the_single_encoder(given_commands) -> None:
    batch = MitBatch([model for model, _ in given_commands])
    block = np.array([values for _, values in given_commands]).T
    before = block.copy()
    assert batch.encode(block) == b"".join(impedance.encode_mit(model, values) for model, values in given_commands)
    assert batch.all_valid
    assert (block == before).all()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("end", [0, 1])
def test_a_limit_itself_is_encoded_and_what_is_past_it_is_refused(field: int, end: int) -> None:
    limit = impedance.command_ranges(DM8009)[field][end]
    span = impedance.command_ranges(DM8009)[field][1] - impedance.command_ranges(DM8009)[field][0]
    values = list(ZERO)
    values[field] = limit
    top = 65535 if field == 0 else 4095
    assert unpack(impedance.encode_mit(DM8009, values))[field] == end * top
    batch = MitBatch([DM8009])
    sign = 1 if end else -1
    # Rounding of the joint-motor conversion is forgiven, and must not reach the neighbouring field.
    values[field] = limit + sign * 1e-10 * span
    assert unpack(impedance.encode_mit(DM8009, values))[field] == end * top
    assert batch.encode(np.array([values]).T) == impedance.encode_mit(DM8009, values)
    values[field] = limit + sign * 1e-6 * span
    with pytest.raises(EncodeError, match="outside the range of DM8009"):
        impedance.encode_mit(DM8009, values)
    batch.encode(np.array([values]).T)
    assert not batch.all_valid


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_not_finite_is_refused_and_spoils_no_other_motor(field: int, bad: float) -> None:
    values = list(ZERO)
    values[field] = bad
    with pytest.raises(EncodeError):
        impedance.encode_mit(DM8009, values)
    batch = MitBatch([DM8009] * 3)
    good = [0.5, 1.0, 30.0, 1.0, 2.0]
    data = batch.encode(np.array([good, values, good]).T)
    assert batch.valid.tolist() == [True, False, True]
    assert data[:8] == data[16:] == impedance.encode_mit(DM8009, good)
    assert batch.encode(np.array([good] * 3).T) == 3 * impedance.encode_mit(DM8009, good)
    assert batch.all_valid


@given(models, st.binary(min_size=8, max_size=8))
def test_feedback_in_a_batch_is_equal_to_single_feedback(model, data: bytes) -> None:
    single = codec.decode_feedback(data, model)
    values = np.zeros((5, 2))
    words = np.array([int.from_bytes(data, "big", signed=True), 0])
    nibbles = FeedbackBatch([model, DM8009]).decode(words, values)
    assert nibbles[0] == single.status_code == data[0] >> 4
    assert values[:3, 0].tolist() == list(single[2:5])
    assert values[3, 0] == max(data[6], data[7])
    assert abs(single.position_rad) <= model.position_max_rad * (1 + 1e-12)
    assert abs(single.torque_nm) <= model.torque_max_nm * (1 + 1e-12)
