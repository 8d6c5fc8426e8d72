"""What is counted, and how a defect is shown."""

from __future__ import annotations

from drivers.bus import Frame
from tests.fuzz.tally import Tally


def test_samples_can_be_tried_again_and_are_few() -> None:
    tally = Tally()
    for number in range(20):
        tally.raised(Frame(0x11, bytes((number,))), ValueError("odd"))
        tally.hung(b"\x01", "late")
    assert (tally.exceptions, tally.hangs, tally.defects) == (20, 20, 40)
    assert len(tally.samples) == 5
    text = tally.samples[0].partition("input: ")[2]
    assert eval(text, {"Frame": Frame}) == Frame(0x11, b"\x00")
