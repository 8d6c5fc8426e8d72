"""Many moteus controllers at once."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.can.moteus.batch import FeedbackBatch
from drivers.devices import POSITION, TORQUE, VELOCITY

NAN_POSITION = bytes.fromhex("2c0400000000003661827f4ea5213e0000000020060a19010260190050505050")
NAN_VELOCITY = bytes.fromhex("2c04000000000000000000e38a9dff0000000020060a19010260190050505050")


@pytest.mark.parametrize(("reply", "row"), [(NAN_POSITION, POSITION), (NAN_VELOCITY, VELOCITY)])
def test_a_signalling_nan_is_a_nan_without_a_warning(reply: bytes, row: int) -> None:
    batch, values = FeedbackBatch(1), np.zeros((5, 1))
    batch.buffer[:] = reply
    batch.decode(values)
    assert np.isnan(values[row, 0])
    assert values[TORQUE, 0] == 0.0
