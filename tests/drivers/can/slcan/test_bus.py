from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator

import pytest

from drivers.bus import Frame
from drivers.can.slcan import bus as slcan_bus
from drivers.can.slcan.bus import SlcanCan


class Opened:
    """What python-can has opened."""

    def __init__(self) -> None:
        self.closed = 0

    def shutdown(self) -> None:
        self.closed += 1


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A stream that hands bytes over at once, which a pseudo-terminal does not."""
    port, adapter = socket.socketpair()
    for end in (port, adapter):
        end.setblocking(False)
    yield port, adapter
    port.close()
    adapter.close()


@pytest.fixture
def line(ends: tuple[socket.socket, socket.socket]) -> tuple[int, int]:
    """Descriptors of the port, and of the adapter's end of it."""
    return ends[0].fileno(), ends[1].fileno()


@pytest.fixture
def bus(line: tuple[int, int]) -> SlcanCan:
    return SlcanCan(Opened(), line[0])


@pytest.fixture
def adapter(line: tuple[int, int]) -> int:
    return line[1]


def test_a_cycle_of_commands_goes_out_with_one_write(
    bus: SlcanCan, adapter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    write = os.write
    monkeypatch.setattr(slcan_bus.os, "write", lambda fd, data: writes.append(data) or write(fd, data))
    assert bus.send([Frame(1, b"\x01\x02"), Frame(0x12345, b"", is_extended=True)]) == 2
    assert writes == [b"t00120102\rT000123450\r"]
    assert os.read(adapter, 100) == writes[0]
    assert (bus.counters.sent, bus.counters.errors) == (2, 0)


def test_what_has_arrived_is_taken_in_order_and_stamped(bus: SlcanCan, adapter: int) -> None:
    os.write(adapter, b"z\rt02110")
    assert bus.receive(1.0) == []
    os.write(adapter, b"5\rT000123452AABB\rr0072\r")
    assert bus.receive(2.0) == [
        Frame(0x21, b"\x05", stamp_s=2.0),
        Frame(0x12345, b"\xaa\xbb", is_extended=True, stamp_s=2.0),
    ]
    assert bus.receive(3.0) == []
    assert (bus.counters.errors, bus.counters.dropped, bus.counters.is_off) == (0, 0, False)


def test_what_the_adapter_refuses_is_an_error_and_damaged_lines_are_dropped(bus: SlcanCan, adapter: int) -> None:
    os.write(adapter, b"\at0219\rt0210\r")
    assert [frame.arbitration_id for frame in bus.receive(0.0)] == [0x21]
    assert (bus.counters.errors, bus.counters.dropped) == (1, 1)
    bus.receive(0.0)
    assert (bus.counters.errors, bus.counters.dropped) == (1, 1)


def test_what_cannot_be_sent_is_counted_and_the_rest_sent(bus: SlcanCan, adapter: int) -> None:
    assert bus.send([Frame(0x800, b""), Frame(1, bytes(12), is_fd=True), Frame(2, bytes(9)), Frame(3, b"")]) == 1
    assert os.read(adapter, 100) == b"t0030\r"
    assert (bus.counters.sent, bus.counters.errors) == (1, 3)


@pytest.mark.parametrize(("bit_rate_switch", "letter"), [(False, b"d"), (True, b"b")])
def test_an_fd_adapter_sends_and_receives_fd_frames(
    line: tuple[int, int], bit_rate_switch: bool, letter: bytes
) -> None:
    port, adapter = line
    bus = SlcanCan(Opened(), port, is_fd=True, bit_rate_switch=bit_rate_switch)
    assert bus.send([Frame(1, bytes(12), is_fd=True)]) == 1
    sent = os.read(adapter, 100)
    assert sent == letter + b"0019" + b"00" * 12 + b"\r"
    os.write(adapter, sent)
    assert [frame[:4] for frame in bus.receive(0.0)] == [(1, bytes(12), False, True)]


def test_without_fd_an_fd_frame_is_not_received(bus: SlcanCan, adapter: int) -> None:
    os.write(adapter, b"d0010\r")
    assert bus.receive(0.0) == []


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[bytes]]:
    """Makes the port take so many bytes of the next write and all of later ones; what it took."""

    def limit(size: int) -> list[bytes]:
        taken: list[bytes] = []
        rooms = [size]

        def write(_: int, data: bytes) -> int:
            taken.append(data[: rooms.pop()] if rooms else data)
            return len(taken[-1])

        monkeypatch.setattr(slcan_bus.os, "write", write)
        return taken

    return limit


@pytest.mark.parametrize(
    ("size", "accepted", "next_begins_anew"), [(0, 0, False), (3, 0, True), (6, 1, False), (7, 1, True), (12, 2, False)]
)
def test_a_line_that_was_cut_off_is_ended_before_the_next(
    bus: SlcanCan, room: Callable[[int], list[bytes]], size: int, accepted: int, next_begins_anew: bool
) -> None:
    taken = room(size)
    assert bus.send([Frame(1, b""), Frame(2, b"")]) == accepted
    assert (bus.counters.sent, bus.counters.errors) == (accepted, 2 - accepted)
    assert bus.send([Frame(3, b"")]) == 1
    assert taken[1] == b"\r" * next_begins_anew + b"t0030\r"


def test_an_end_that_went_out_alone_is_not_sent_again(bus: SlcanCan, room: Callable[[int], list[bytes]]) -> None:
    room(3)
    bus.send([Frame(1, b"")])
    taken = room(1)
    assert bus.send([Frame(2, b"")]) == 0
    assert bus.send([Frame(3, b"")]) == 1
    assert taken == [b"\r", b"t0030\r"]


@pytest.mark.parametrize(("failure", "is_off"), [(BlockingIOError(), False), (OSError(5, "unplugged"), True)])
def test_a_port_that_takes_nothing_is_counted(
    bus: SlcanCan, monkeypatch: pytest.MonkeyPatch, failure: OSError, is_off: bool
) -> None:
    def refuse(*_: object) -> int:
        raise failure

    monkeypatch.setattr(slcan_bus.os, "write", refuse)
    assert bus.send([Frame(1, b""), Frame(2, b"")]) == 0
    assert (bus.counters.errors, bus.counters.is_off) == (2, is_off)


def test_an_unplugged_adapter_is_off(bus: SlcanCan, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("drivers.can.slcan.bus.read_all", refuse)
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, True)


def test_a_closed_bus_touches_no_other_descriptor(bus: SlcanCan, adapter: int) -> None:
    bus.close()
    bus.close()
    os.write(adapter, b"t0010\r")
    assert bus.receive(0.0) == []
    assert bus.send([Frame(1, b"")]) == 0
    assert (bus._bus.closed, bus.counters.is_off) == (1, True)
