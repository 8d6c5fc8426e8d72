from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.error_frames import UNKNOWN, ErrorFrames, error_names


@pytest.mark.parametrize(
    ("classes", "controller", "names"),
    [
        (0x001, 0, ("transmit timeout",)),
        (0x020, 0, ("no acknowledge",)),
        (0x040, 0, ("bus off",)),
        (0x004, 0x01, ("receive overflow",)),
        (0x004, 0x02, ("transmit overflow",)),
        (0x004, 0x0C, ("error warning",)),
        (0x004, 0x30, ("error passive",)),
        (0x004, 0x40, ("error active again",)),
        (0x004, 0x00, ("controller",)),
        (0x288, 0x00, ("protocol violation", "bus error")),
        (0x024, 0x20, ("no acknowledge", "error passive")),
        (0x000, 0x00, (UNKNOWN,)),
        (0x200, 0x00, (UNKNOWN,)),
        (0x1000_0000, 0x00, (UNKNOWN,)),
    ],
)
def test_an_error_frame_says_what_it_is_about(classes: int, controller: int, names: tuple[str, ...]) -> None:
    assert error_names(classes, bytes([0, controller, 0, 0, 0, 0, 0, 0])) == names


@given(st.integers(0, 0x1FFF_FFFF), st.binary(max_size=8))
def test_every_error_frame_has_a_name_and_none_twice(classes: int, data: bytes) -> None:
    names = error_names(classes, data)
    assert len(names) == len(set(names)) > 0


def test_error_frames_are_counted_under_each_of_their_names() -> None:
    frames = ErrorFrames()
    assert not frames.take(0x20, bytes(8))
    assert not frames.take(0x24, b"\x00\x20")
    assert frames.take(0x40, b"")
    assert frames.counts == {"no acknowledge": 2, "error passive": 1, "bus off": 1}
