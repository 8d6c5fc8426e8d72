from __future__ import annotations

import errno
import itertools
import socket
import struct
import time
from collections.abc import Callable, Iterator

import can
import pytest

from drivers.bus import Frame
from drivers.can import batched_can
from drivers.can.batched_can import BatchedCan, KernelSocket, Submission
from drivers.can.batched_socket import TIMESTAMP_NS, SendBatch
from drivers.can.slots import SLOTS, is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="sendmmsg and recvmmsg are Linux's")

BUS_OFF = struct.pack("=IB11x", 0x2000_0040, 8)


class Opened:
    """What python-can has opened."""

    def __init__(self, own: socket.socket) -> None:
        self.own = own
        self.closed = 0

    def shutdown(self) -> None:
        self.closed += 1
        self.own.close()


Make = Callable[..., BatchedCan]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A bus's own socket, and the other end of it."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
    own.setblocking(False)
    other.setblocking(False)
    yield own, other
    own.close()
    other.close()


@pytest.fixture
def bus(ends: tuple[socket.socket, socket.socket]) -> BatchedCan:
    return BatchedCan(Opened(ends[0]), KernelSocket(ends[0].fileno()))


@pytest.fixture
def other(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    return ends[1]


def data_frame(number: int) -> bytes:
    return struct.pack("=IB11x", number, 0)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.arbitration_id for frame in frames]


def heard(other: socket.socket) -> list[int]:
    """Identifiers of what the other end got."""
    got: list[int] = []
    while True:
        try:
            got.append(struct.unpack_from("=I", other.recv(100))[0])
        except BlockingIOError:
            return got


def test_frames_go_out_and_come_in(bus: BatchedCan, other: socket.socket) -> None:
    assert bus.send([Frame(number, b"") for number in range(6)]) == 6
    assert heard(other) == list(range(6))
    for number in range(6):
        other.send(data_frame(number))
    assert numbers(bus.receive(0.0)) == list(range(6))
    assert bus.receive(0.0) == []
    assert (bus.counters.sent, bus.counters.errors, bus.counters.dropped) == (6, 0, 0)


def test_nothing_to_send_is_nothing_sent(bus: BatchedCan, other: socket.socket) -> None:
    bus.send([Frame(1, b"")])
    assert heard(other) == [1]
    assert bus.send([]) == 0
    assert heard(other) == []


def test_what_no_controller_could_send_is_counted_and_the_rest_sent(bus: BatchedCan, other: socket.socket) -> None:
    assert bus.send([Frame(1, b""), Frame(0x800, b""), Frame(2, bytes(12), is_fd=True), Frame(3, b"")]) == 2
    assert heard(other) == [1, 3]
    assert (bus.counters.sent, bus.counters.errors, bus.counters.is_off) == (2, 2, False)


def test_an_fd_bus_sends_fd_frames_at_the_data_rate(ends: tuple[socket.socket, socket.socket]) -> None:
    bus = BatchedCan(Opened(ends[0]), KernelSocket(ends[0].fileno()), is_fd=True, bit_rate_switch=True)
    assert bus.send([Frame(1, bytes(12), is_fd=True)]) == 1
    assert ends[1].recv(100) == struct.pack("=IBB66x", 1, 12, 0x05)


def test_a_full_queue_is_counted_and_never_waited_for(bus: BatchedCan, other: socket.socket) -> None:
    began_s = time.monotonic()
    accepted = bus.send([Frame(number, b"") for number in range(1000)])
    assert time.monotonic() - began_s < 1.0
    assert 0 < accepted < 1000
    assert (bus.counters.sent, bus.counters.errors, bus.counters.is_off) == (accepted, 1000 - accepted, False)
    assert heard(other) == list(range(accepted))
    assert bus.send([Frame(1, b"")]) == 1


class ScriptedBatch(SendBatch):
    """A batch whose calls of the kernel are scripted, and what they were asked for."""

    def __init__(self, count: int, *outcomes: int) -> None:
        self.count = count
        self.outcomes = list(outcomes)
        self.starts: list[int] = []

    def send(self, descriptor: int, start: int = 0) -> int:
        self.starts.append(start)
        return self.outcomes.pop(0)


@pytest.mark.parametrize(
    ("outcomes", "starts", "done"),
    [
        ([12], [0], Submission(12)),
        # Stopped at frame 5 without a reason: the frame is lost, and those after it are tried once.
        ([5, 6], [0, 6], Submission(11)),
        ([11], [0], Submission(11)),
        ([5, -errno.ENOBUFS], [0, 6], Submission(5, errno.ENOBUFS)),
        ([-errno.ENOBUFS], [0], Submission(0, errno.ENOBUFS)),
        ([-errno.EAGAIN], [0], Submission(0, errno.EAGAIN)),
        ([-errno.ENETDOWN], [0], Submission(0, errno.ENETDOWN)),
        # A frame that is refused for itself does not keep the next one back.
        ([-errno.EINVAL, 11], [0, 1], Submission(11, errno.EINVAL)),
        ([0, 0, 10], [0, 1, 2], Submission(10)),
    ],
)
def test_a_batch_that_is_not_taken_whole_is_never_tried_again(
    outcomes: list[int], starts: list[int], done: Submission
) -> None:
    batch = ScriptedBatch(12, *outcomes)
    assert KernelSocket(3).submit(batch) == done
    assert batch.starts == starts


def test_a_kernel_that_takes_nothing_for_ever_is_left(bus: BatchedCan) -> None:
    batch = ScriptedBatch(12, *([-errno.EINVAL] * 12))
    assert KernelSocket(3).submit(batch) == Submission(0, errno.EINVAL)
    assert batch.outcomes == []


@pytest.mark.parametrize(
    ("failure", "is_off"),
    [
        (can.CanOperationError("gone", errno.ENETDOWN), True),
        (can.CanOperationError("no reason"), False),
        (OSError(errno.ENODEV, "unplugged"), True),
    ],
)
def test_a_transport_that_fails_is_counted(
    ends: tuple[socket.socket, socket.socket], failure: Exception, is_off: bool
) -> None:
    class Failing(KernelSocket):
        def submit(self, batch: SendBatch) -> Submission:
            raise failure

    bus = BatchedCan(Opened(ends[0]), Failing(ends[0].fileno()))
    assert bus.send([Frame(1, b""), Frame(2, b"")]) == 0
    assert (bus.counters.errors, bus.counters.is_off) == (2, is_off)


def test_error_frames_are_counted_by_name_and_bus_off_is_latched(bus: BatchedCan, other: socket.socket) -> None:
    other.send(struct.pack("=IB3x8s", 0x2000_0004, 8, b"\x00\x20"))
    other.send(data_frame(1))
    assert numbers(bus.receive(0.0)) == [1]
    assert (bus.counters.errors, bus.counters.is_off) == (1, False)
    other.send(BUS_OFF)
    assert bus.receive(0.0) == []
    other.send(data_frame(2))
    assert numbers(bus.receive(0.0)) == [2]
    assert (bus.counters.errors, bus.counters.is_off) == (2, True)
    assert bus.error_frames.counts == {"error passive": 1, "bus off": 1}


def test_a_bus_that_somebody_else_set_off_stays_off(bus: BatchedCan, other: socket.socket) -> None:
    bus.counters.is_off = True
    other.send(struct.pack("=IB11x", 0x2000_0020, 8))
    bus.receive(0.0)
    assert bus.counters.is_off


def test_what_is_no_frame_is_dropped_beside_what_devices_drop(bus: BatchedCan, other: socket.socket) -> None:
    other.send(bytes(15))
    other.send(data_frame(1))
    assert numbers(bus.receive(0.0)) == [1]
    bus.counters.dropped += 1
    other.send(struct.pack("=IB11x", 1, 9))
    assert bus.receive(0.0) == []
    assert bus.counters.dropped == 3


def test_a_flood_does_not_hold_up_the_cycle(ends: tuple[socket.socket, socket.socket]) -> None:
    bus = BatchedCan(Opened(ends[0]), KernelSocket(ends[0].fileno()))
    calls = itertools.count(1)

    def flood(descriptor: int, frames: list[Frame], now_s: float, wall_s: float, since_s: float) -> int:
        frames += [Frame(next(calls), b"")] * SLOTS
        return SLOTS

    bus._in.receive = flood
    assert len(bus.receive(0.0)) == 2048


def test_a_failed_receive_is_counted_and_latched(bus: BatchedCan) -> None:
    bus._in.receive = lambda *_: -errno.ENETDOWN
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, True)
    bus._in.receive = lambda *_: -errno.EAGAIN
    bus.receive(0.0)
    assert (bus.counters.errors, bus.counters.is_off) == (1, True)


def test_another_failure_of_receiving_is_counted_and_not_latched(bus: BatchedCan) -> None:
    bus._in.receive = lambda *_: -errno.ENOMEM
    bus.receive(0.0)
    assert (bus.counters.errors, bus.counters.is_off) == (1, False)


def test_a_closed_bus_is_off_and_touches_no_other_descriptor(
    bus: BatchedCan, ends: tuple[socket.socket, socket.socket]
) -> None:
    number = ends[0].fileno()
    bus.close()
    bus.close()
    assert bus._bus.closed == 1
    # The next to open something may get the very number.
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, two:
        assert number in (one.fileno(), two.fileno())
        two.send(data_frame(1))
        one.send(data_frame(1))
        assert bus.receive(0.0) == []
        assert bus.send([Frame(1, b"")]) == 0
    assert (bus.counters.errors, bus.counters.is_off) == (2, True)


def test_a_frames_age_is_told_by_the_wall_clock(ends: tuple[socket.socket, socket.socket]) -> None:
    own, other = ends
    bus = BatchedCan(Opened(own), KernelSocket(own.fileno()), wall_clock_s=lambda: time.time() + 5.0)
    other.send(data_frame(1))
    (frame,) = bus.receive(100.0)
    assert 90.0 < frame.stamp_s <= 95.05


def test_a_step_of_the_wall_clock_makes_no_frame_older_than_the_last_empty_queue(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    own, other = ends
    step_s = 0.0
    bus = BatchedCan(Opened(own), KernelSocket(own.fileno()), wall_clock_s=lambda: time.time() + step_s)
    assert bus.receive(100.0) == []
    other.send(data_frame(1))
    step_s = 3600.0
    assert [frame.stamp_s for frame in bus.receive(100.002)] == [100.0]
    other.send(data_frame(1))
    step_s = -3600.0
    assert [frame.stamp_s for frame in bus.receive(100.004)] == [100.004]


def test_a_queue_that_was_not_emptied_bounds_no_age(ends: tuple[socket.socket, socket.socket]) -> None:
    own, other = ends
    bus = BatchedCan(Opened(own), KernelSocket(own.fileno()), wall_clock_s=lambda: time.time() + 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched_can, "MAXIMUM_DRAIN", SLOTS)
        for _ in range(SLOTS + 1):
            other.send(data_frame(1))
        assert len(bus.receive(100.0)) == SLOTS
        (late,) = bus.receive(100.002)
    assert late.stamp_s < 99.1
