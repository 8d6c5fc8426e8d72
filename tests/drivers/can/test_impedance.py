from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.cubemars.tables import MODELS as CUBEMARS
from drivers.can.impedance import (
    MIT_TOPS,
    TOP_16,
    CommandScaler,
    MitBatch,
    command_counts,
    command_ranges,
    encode_mit,
)
from drivers.can.robstride.tables import MODELS as ROBSTRIDE
from supervisor.core.errors import EncodeError

models = st.sampled_from([*ROBSTRIDE.values(), *CUBEMARS.values()])
WIDE = (TOP_16,) * 5
RS03 = ROBSTRIDE["RS03"]


@st.composite
def commands(draw: st.DrawFn):
    model = draw(models)
    return model, [draw(st.floats(low, high)) for low, high in command_ranges(model)]


@pytest.mark.parametrize("tops", [MIT_TOPS, WIDE], ids=["mit", "wide"])
@given(given_commands=st.lists(commands(), min_size=1, max_size=13))
def test_the_scaler_is_count_for_count_the_single_one_and_stays_in_its_bits(tops, given_commands) -> None:
    scaler = CommandScaler([model for model, _ in given_commands], tops)
    counts = scaler.scale(np.array([values for _, values in given_commands]).T)
    assert scaler.all_valid
    assert counts.T.tolist() == [command_counts(model, values, tops) for model, values in given_commands]
    assert (counts >= 0).all()
    assert (counts <= np.array(tops)[:, None]).all()


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_one_bad_value_stops_its_own_motor_only(field: int, bad: float) -> None:
    values = np.zeros((5, 3))
    values[field, 1] = bad
    batch = MitBatch([RS03] * 3)
    data = batch.encode(values)
    assert batch.valid.tolist() == [True, False, True]
    assert not batch.all_valid
    assert data[:8] == data[16:] == encode_mit(RS03, [0.0] * 5)
    with pytest.raises(EncodeError, match="outside the range of RS03"):
        encode_mit(RS03, values[:, 1].tolist())
    batch.encode(np.zeros((5, 3)))
    assert batch.all_valid
