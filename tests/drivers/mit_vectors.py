"""What the adapters of all MIT protocols share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.impedance import MitBatch, command_ranges, encode_mit
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import Case, assert_frame, clipped, number


def mit_model(inputs: Mapping[str, Any]) -> MotorModel:
    gains = inputs.get("kp_max", 500.0), inputs.get("kd_max", 5.0)
    return MotorModel(inputs.get("model", "?"), inputs["p_max"], inputs["v_max"], inputs["t_max"], *gains, "the vector")


def mit_fields(data: bytes) -> Mapping[str, int]:
    word = int.from_bytes(data, "big")
    names = {"pos": (48, 0xFFFF), "vel": (36, 0xFFF), "kp": (24, 0xFFF), "kd": (12, 0xFFF), "tau": (0, 0xFFF)}
    return {name: word >> shift & mask for name, (shift, mask) in names.items()}


def check_command(
    case: Case,
    make: Callable[[MotorModel, int, Sequence[float]], Frame],
    fields: Callable[[bytes], Mapping[str, int]],
) -> None:
    """An impedance command: refused where it is out of range, and equal to the vector's once clipped."""
    inputs = case["inputs"]
    model, identifier = mit_model(inputs), inputs["motor_id"]
    given = [number(inputs[key]) for key in ("pos_rad", "vel_rad_s", "kp", "kd", "tau_nm")]
    values = [clipped(value, low, high) for value, (low, high) in zip(given, command_ranges(model), strict=True)]
    is_finite = all(math.isfinite(value) for value in given)
    if "frame" not in case or not is_finite or values != given:
        with pytest.raises(EncodeError):
            make(model, identifier, given)
    if "frame" in case and is_finite:
        assert_frame(make(model, identifier, values), case, fields)


def check_mit_command(case: Case) -> None:
    def make(model: MotorModel, identifier: int, values: Sequence[float]) -> Frame:
        data = encode_mit(model, values)
        batch = MitBatch([model, model])
        assert batch.encode(np.array([values, values]).T) == data + data
        assert batch.all_valid
        return Frame(identifier, data)

    check_command(case, make, mit_fields)
