from __future__ import annotations

import ctypes

import pytest

from drivers.can import slots
from drivers.can.slots import MESSAGE, SLOT_BYTES, SLOTS, Slots, is_available


@pytest.mark.parametrize("control_bytes", [0, 56])
def test_the_structures_say_where_each_frame_is(control_bytes: int) -> None:
    made = Slots(control_bytes)
    frames = ctypes.addressof(ctypes.c_char.from_buffer(made.frames))
    control = [0] * SLOTS
    if control_bytes:
        first = ctypes.addressof(ctypes.c_char.from_buffer(made.control))
        control = [first + i * control_bytes for i in range(SLOTS)]
    assert made.vectors.tolist() == [word for i in range(SLOTS) for word in (frames + i * SLOT_BYTES, SLOT_BYTES)]
    vectors = ctypes.addressof(ctypes.c_char.from_buffer(made.vectors))
    assert list(MESSAGE.iter_unpack(made.messages)) == [
        (0, 0, vectors + 16 * i, 1, control[i], control_bytes, 0, 0) for i in range(SLOTS)
    ]
    assert made.address == ctypes.addressof(ctypes.c_char.from_buffer(made.messages))


def test_another_system_has_no_such_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_available() == (slots.sys.platform == "linux")
    monkeypatch.setattr(slots.sys, "platform", "darwin")
    assert not is_available()
