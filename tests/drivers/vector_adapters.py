"""What the adapters of all protocols share; one module per protocol is in `tests/drivers/adapters`.

An adapter goes from a vector's inputs to our codec's calls, and from what they return to what the vector expects.

The vectors' references clip values that are out of range. Our codecs raise instead (clamping is the gate's job, where
it is counted), so the adapters clip first, and check that without clipping the codec would have refused.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.bus import Frame

Case = Mapping[str, Any]


class UnknownOperationError(AssertionError):
    """A vector of a protocol that is implemented asks for something that is not."""


def number(value: object) -> float:
    """Numbers as the vectors write them: NaN and infinity are text."""
    return float(value)  # type: ignore[arg-type]


def assert_close(found: object, wanted: object, tolerance: float, what: str) -> None:
    """Compare one expected value, nested as the vectors nest them."""
    if isinstance(wanted, list):
        assert isinstance(found, Sequence), f"{what}: found {found}, expected {wanted}"
        assert len(found) == len(wanted), f"{what}: found {found}, expected {wanted}"
        for index, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_close(a, b, tolerance, f"{what}[{index}]")
    elif isinstance(wanted, str) and wanted not in ("nan", "inf", "-inf"):
        assert found == wanted, f"{what}: found {found}, expected {wanted}"
    elif math.isnan(number(wanted)):
        assert math.isnan(number(found)), f"{what}: found {found}, expected NaN"
    else:
        assert number(found) == pytest.approx(number(wanted), abs=tolerance, rel=1e-6), what


def tolerance_of(case: Case, key: str) -> float:
    tolerance = case.get("tolerance", 0.0)
    return float(tolerance.get(key, 0.0)) if isinstance(tolerance, Mapping) else float(tolerance)


def assert_frame(found: Frame, case: Case, fields: Callable[[bytes], Mapping[str, int]] | None = None) -> None:
    """Compare a frame with the vector's: exactly, or one of the alternatives, or within counts."""
    wanted = case["frame"]
    assert found.arbitration_id == wanted["arbitration_id"]
    assert found.is_extended == wanted["is_extended"]
    assert found.is_fd == wanted["is_fd"]
    if found.data.hex() in (wanted["data"], *case.get("alt_data", ())):
        return
    counts = case.get("lsb_tolerance", case.get("count_tolerance"))
    assert counts is not None, f"bytes {found.data.hex()}, expected {wanted['data']}"
    assert fields is not None, f"no packed fields to compare in {case['name']}"
    ours, theirs = fields(found.data), fields(bytes.fromhex(wanted["data"]))
    for name, value in theirs.items():
        allowed = counts.get(name, 0) if isinstance(counts, Mapping) else counts
        assert abs(ours[name] - value) <= allowed, f"{name}: {ours[name]}, expected {value} within {allowed}"


def simple(make: Callable[[Mapping[str, Any]], Frame]) -> Callable[[Case], None]:
    """A check that only makes a frame from the inputs and compares it."""
    return lambda case: assert_frame(make(case["inputs"]), case)


def clipped(value: float, low: float, high: float) -> float:
    """As the references clip, before the codec is asked."""
    return min(max(value, low), high)


def protocols() -> Mapping[str, Callable[[Case], None]]:
    """The implemented protocols: every module of the folder is one; its `check` takes one case."""
    folder = Path(__file__).resolve().parent / "adapters"
    names = sorted(path.stem for path in folder.glob("*.py"))
    return {name: importlib.import_module(f"tests.drivers.adapters.{name}").check for name in names}
