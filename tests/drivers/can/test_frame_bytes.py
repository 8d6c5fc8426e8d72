from __future__ import annotations

import subprocess
import sys

import pytest

from drivers.bus import Frame
from drivers.can.frame_bytes import BIT_RATE_SWITCH, FD_FORMAT, FD_LENGTHS, pack, unpack
from supervisor.core.errors import EncodeError


@pytest.mark.parametrize(
    ("frame", "switch"),
    [
        (Frame(0x7FF, b""), False),
        (Frame(0x123, bytes(range(8))), False),
        (Frame(0x1FFF_FFFF, b"\x01\x02", True), False),
        (Frame(0x8001, bytes(48), True, True), False),
        (Frame(0x8001, bytes(64), True, True), True),
    ],
)
def test_a_frame_is_the_same_after_the_way_there_and_back(frame: Frame, switch: bool) -> None:
    found = unpack(pack(frame, bit_rate_switch=switch))
    assert found is not None
    assert (found.number, found.data, found.is_extended, found.is_fd) == frame[:4]
    assert (found.is_remote, found.is_error) == (False, False)
    assert bool(found.flags & BIT_RATE_SWITCH) is switch
    assert bool(found.flags & FD_FORMAT) is frame.is_fd


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x800, b""),
        Frame(-1, b""),
        Frame(0x2000_0000, b"", True),
        Frame(1, bytes(9)),
        Frame(1, bytes(9), False, True),
        Frame(1, bytes(65), False, True),
    ],
)
def test_what_no_controller_could_send_is_refused(frame: Frame) -> None:
    with pytest.raises(EncodeError):
        pack(frame)


def test_every_length_that_an_fd_frame_can_have_is_packed() -> None:
    assert {len(pack(Frame(1, bytes(size), False, True))) for size in FD_LENGTHS} == {72}


def test_python_can_is_not_imported() -> None:
    code = "import drivers.can.frame_bytes, sys; print('can' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
