from __future__ import annotations

import errno
from collections.abc import Iterator
from uuid import uuid4

import can
import pytest

from drivers.bus import Frame
from drivers.can.adapters import Adapter, open_adapter
from drivers.can.message_can import MessageCan
from supervisor.core.robot import CanBusConfig


@pytest.fixture
def pair() -> Iterator[tuple[MessageCan, can.BusABC]]:
    """Our bus and another node on it, over python-can's in-process interface."""
    channel = uuid4().hex
    ours = MessageCan(open_adapter(CanBusConfig("can", "virtual", channel, 1_000_000)))
    other = can.Bus(interface="virtual", channel=channel)
    yield ours, other
    ours.close()
    other.shutdown()


class ScriptedBus:
    """A python-can bus whose every call is scripted."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.sent: list[can.Message] = []
        self.waits_s: list[float] = []

    def _next(self) -> object:
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def send(self, message: can.Message) -> None:
        self._next()
        self.sent.append(message)

    def recv(self, timeout: float) -> object:
        self.waits_s.append(timeout)
        return self._next()

    def shutdown(self) -> None:
        self.calls += 1000


def bus_of(*outcomes: object, **options: object) -> MessageCan:
    return MessageCan(Adapter(ScriptedBus(*outcomes)), **options)


def test_frames_go_out_and_come_in(pair) -> None:
    ours, other = pair
    assert ours.send([Frame(0x11, b"\x01\x02"), Frame(0x12345, b"", is_extended=True)]) == 2
    first, second = other.recv(0), other.recv(0)
    assert (first.arbitration_id, bytes(first.data), first.is_extended_id) == (0x11, b"\x01\x02", False)
    assert (second.arbitration_id, second.is_extended_id) == (0x12345, True)
    other.send(can.Message(arbitration_id=0x21, data=b"\x05", is_extended_id=False))
    frames = ours.receive(100.0)
    assert [(f.arbitration_id, f.data, f.is_extended, f.is_fd) for f in frames] == [(0x21, b"\x05", False, False)]
    assert ours.counters.sent == 2


def test_everything_that_has_arrived_is_taken_in_order(pair) -> None:
    ours, other = pair
    for number in range(50):
        other.send(can.Message(arbitration_id=number, is_extended_id=False))
    assert [frame.arbitration_id for frame in ours.receive(0.0)] == list(range(50))
    assert ours.receive(0.0) == []


def test_own_frames_are_not_received(pair) -> None:
    ours, _ = pair
    ours.send([Frame(0x11, b"")])
    assert ours.receive(0.0) == []


def test_own_frames_of_an_adapter_that_echoes_them_are_left_out() -> None:
    own, other = can.Message(arbitration_id=1, is_rx=False), can.Message(arbitration_id=2)
    bus = MessageCan(Adapter(ScriptedBus(own, other), has_echo=True))
    assert [frame.arbitration_id for frame in bus.receive(0.0)] == [2]


def test_frames_of_another_program_are_received_although_they_are_marked_as_local() -> None:
    assert len(bus_of(can.Message(arbitration_id=1, is_rx=False)).receive(0.0)) == 1


@pytest.mark.parametrize("wait_s", [0.0, 0.001])
def test_an_adapter_is_told_to_wait_as_long_as_it_must(wait_s: float) -> None:
    scripted = ScriptedBus()
    MessageCan(Adapter(scripted, wait_s)).receive(0.0)
    assert scripted.waits_s == [wait_s]


@pytest.mark.parametrize("bit_rate_switch", [False, True])
def test_an_fd_frame_goes_out_at_the_data_rate_where_there_is_one(bit_rate_switch: bool) -> None:
    scripted = ScriptedBus()
    bus = MessageCan(Adapter(scripted), is_fd=True, bit_rate_switch=bit_rate_switch)
    assert bus.send([Frame(1, bytes(12), is_fd=True), Frame(2, bytes(8))]) == 2
    flags = [(sent.is_fd, sent.bitrate_switch) for sent in scripted.sent]
    assert flags == [(True, bit_rate_switch), (False, False)]


def test_without_fd_an_fd_frame_is_neither_sent_nor_received() -> None:
    scripted = ScriptedBus(None, can.Message(arbitration_id=1, is_fd=True), can.Message(arbitration_id=2))
    bus = MessageCan(Adapter(scripted))
    assert bus.send([Frame(1, bytes(12), is_fd=True), Frame(2, b"")]) == 1
    assert [frame.arbitration_id for frame in bus.receive(0.0)] == [2]
    assert (bus.counters.sent, bus.counters.errors, bus.counters.dropped) == (1, 1, 1)


def test_a_frame_that_waited_is_as_old_as_it_is() -> None:
    waiting = can.Message(arbitration_id=1, timestamp=995.0)
    future = can.Message(arbitration_id=2, timestamp=1005.0)
    bus = bus_of(waiting, future, wall_clock_s=lambda: 1000.0)
    assert [frame.stamp_s for frame in bus.receive(50.0)] == [45.0, 50.0]


def test_error_frames_are_counted_by_name_and_bus_off_is_latched() -> None:
    warning = can.Message(is_error_frame=True, arbitration_id=0x04, data=bytes([0, 0x08, 0, 0, 0, 0, 0, 0]))
    off = can.Message(is_error_frame=True, arbitration_id=0x40)
    bus = bus_of(warning, None, off, None)
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, False)
    bus.receive(0.0)
    assert (bus.counters.errors, bus.counters.is_off) == (2, True)
    bus.receive(0.0)
    assert bus.counters.is_off
    assert bus.error_frames.counts == {"error warning": 1, "bus off": 1}


def test_remote_frames_are_ignored() -> None:
    assert bus_of(can.Message(is_remote_frame=True), None).receive(0.0) == []


@pytest.mark.parametrize(
    ("failure", "is_off"),
    [
        (can.CanOperationError("Transmit buffer full", errno.ENOBUFS), False),
        (can.CanError("other"), False),
        (RuntimeError("a library's own"), False),
        (OSError(errno.ENETDOWN, "down"), True),
        (can.CanOperationError("gone", errno.ENODEV), True),
    ],
)
def test_a_failed_send_is_counted_and_never_retried(failure: Exception, is_off: bool) -> None:
    scripted = ScriptedBus(None, failure, None)
    bus = MessageCan(Adapter(scripted))
    assert bus.send([Frame(1, b""), Frame(2, b""), Frame(3, b"")]) == 2
    assert scripted.calls == 3
    assert (bus.counters.sent, bus.counters.errors, bus.counters.is_off) == (2, 1, is_off)


def test_a_frame_that_no_controller_could_send_is_counted() -> None:
    bus = bus_of()
    assert bus.send([Frame(0x800, b""), Frame(2, bytes(9)), Frame(3, b"")]) == 1
    assert (bus.counters.sent, bus.counters.errors) == (1, 2)


@pytest.mark.parametrize(
    ("failure", "is_off"),
    [(can.CanOperationError("down", errno.ENETDOWN), True), (IndexError("a damaged line"), False)],
)
def test_a_failed_receive_is_counted(failure: Exception, is_off: bool) -> None:
    bus = bus_of(failure)
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, is_off)


def test_a_flood_does_not_hold_up_the_cycle() -> None:
    class Flood(ScriptedBus):
        def recv(self, timeout: float) -> object:
            return can.Message(arbitration_id=1)

    assert len(MessageCan(Adapter(Flood())).receive(0.0)) == 2048


def test_closing_a_bus_twice_closes_it_once() -> None:
    scripted = ScriptedBus()
    bus = MessageCan(Adapter(scripted))
    bus.close()
    bus.close()
    assert scripted.calls == 1000
