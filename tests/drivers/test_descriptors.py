from __future__ import annotations

import fcntl
import os
import tty
from collections.abc import Iterator

import pytest

from drivers import descriptors
from drivers.descriptors import READ_BYTES, read_all


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    """A descriptor that hands over at once what is written to the other."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)


def test_what_has_arrived_is_read_with_one_call(line: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    port, other = line
    os.write(other, b"abc")
    os.write(other, bytes(200))
    calls: list[int] = []
    read = os.read
    monkeypatch.setattr(descriptors.os, "read", lambda fd, size: calls.append(size) or read(fd, size))
    assert read_all(port) == b"abc" + bytes(200)
    assert calls == [READ_BYTES]
    os.close(other)


def test_a_silent_port_has_nothing(line: tuple[int, int]) -> None:
    port, other = line
    assert read_all(port) == b""
    os.close(other)


def test_a_serial_port_whose_other_end_is_gone_says_so() -> None:
    other, port = os.openpty()
    tty.setraw(port)
    os.set_blocking(port, False)
    os.close(other)
    with pytest.raises(OSError, match="Errno 5"):
        read_all(port)
    os.close(port)


@pytest.mark.parametrize("descriptor", [-1, 999_999])
def test_a_closed_port_says_so(descriptor: int) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        read_all(descriptor)


def test_nothing_is_read_where_nothing_has_arrived(line: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    # An empty serial port makes its reader wait for the kernel's worker.
    port, other = line
    monkeypatch.setattr(descriptors.os, "read", lambda fd, size: pytest.fail("it was read"))
    assert read_all(port) == b""
    os.close(other)


def test_bytes_that_somebody_else_took_meanwhile_are_not_waited_for(
    line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, size: int) -> bytes:
        raise BlockingIOError

    port, other = line
    os.write(other, b"abc")
    monkeypatch.setattr(descriptors.os, "read", refuse)
    assert read_all(port) == b""
    os.close(other)


def test_more_than_one_call_brings_is_read_to_the_end(line: tuple[int, int]) -> None:
    port, other = line
    os.write(other, bytes(3 * READ_BYTES + 5))
    assert len(read_all(port)) == 3 * READ_BYTES + 5
    os.write(other, bytes(READ_BYTES))
    assert len(read_all(port)) == READ_BYTES
    os.close(other)


def test_a_flood_does_not_hold_up_the_cycle(line: tuple[int, int]) -> None:
    port, other = line
    fcntl.fcntl(port, fcntl.F_SETPIPE_SZ, 32 * READ_BYTES)
    os.write(other, bytes(20 * READ_BYTES))
    assert len(read_all(port)) == 16 * READ_BYTES
    os.close(other)
