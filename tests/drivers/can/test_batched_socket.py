from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.batched_socket import TIMESTAMP_NS, ReceiveBatch, SendBatch
from drivers.can.error_frames import ErrorFrames
from drivers.can.frame_bytes import FD_LENGTHS
from drivers.can.frame_layout import unpack_message
from drivers.can.slots import SLOTS, is_available

Pair = tuple[socket.socket, socket.socket]

pytestmark = pytest.mark.skipif(not is_available(), reason="sendmmsg and recvmmsg are Linux's")


@pytest.fixture(params=[socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two ends of a stand-in for a CAN socket; the second stamps what arrives."""
    ends = socket.socketpair(socket.AF_UNIX, request.param)
    for end in ends:
        end.setblocking(False)
    ends[1].setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
    yield ends
    for end in ends:
        end.close()


def take(batch: ReceiveBatch, end: socket.socket, now_s: float = 0.0) -> list[Frame]:
    frames: list[Frame] = []
    while batch.receive(end.fileno(), frames, now_s, time.time()) > 0:
        continue
    return frames


@st.composite
def frames(draw: st.DrawFn, *, may_be_fd: bool = True) -> Frame:
    """Frames that a controller can send."""
    is_extended, is_fd = draw(st.booleans()), may_be_fd and draw(st.booleans())
    length = draw(st.sampled_from(sorted(FD_LENGTHS)) if is_fd else st.integers(0, 8))
    number = draw(st.integers(0, 0x1FFF_FFFF if is_extended else 0x7FF))
    return Frame(number, draw(st.binary(min_size=length, max_size=length)), is_extended, is_fd)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(frames(), max_size=10))
def test_what_goes_out_comes_in(pair: Pair, sent: list[Frame]) -> None:
    out, into = SendBatch(is_fd=True), ReceiveBatch(ErrorFrames(), is_fd=True)
    assert out.load(sent) == 0
    assert out.send(pair[0].fileno()) == len(sent)
    assert [frame[:4] for frame in take(into, pair[1])] == [frame[:4] for frame in sent]
    assert into.dropped == 0


def test_frames_have_the_kernels_layout(pair: Pair) -> None:
    out = SendBatch(is_fd=True, bit_rate_switch=True)
    out.load([Frame(0x123, b"\x01\x02"), Frame(0x12345, bytes(8), True), Frame(1, bytes([9] * 12), is_fd=True)])
    out.send(pair[0].fileno())
    assert [pair[1].recv(100) for _ in range(3)] == [
        struct.pack("=IB3x8s", 0x123, 2, b"\x01\x02"),
        struct.pack("=IB3x8s", 0x8001_2345, 8, bytes(8)),
        struct.pack("=IBB2x64s", 1, 12, 0x05, bytes([9] * 12)),
    ]


def test_a_slot_that_held_a_long_frame_sends_a_short_one_whole_and_nothing_more(pair: Pair) -> None:
    out = SendBatch(is_fd=True)
    for frame in (Frame(1, bytes([0xFF] * 64), is_fd=True), Frame(2, b""), Frame(3, b"\x01", is_fd=True)):
        out.load([frame])
        out.send(pair[0].fileno())
    assert [pair[1].recv(100) for _ in range(3)][1:] == [
        struct.pack("=IB11x", 2, 0),
        struct.pack("=IBB2x64s", 3, 1, 0x04, b"\x01"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x800, b""),
        Frame(-1, b""),
        Frame(0x2000_0000, b"", is_extended=True),
        Frame(1, bytes(9)),
        Frame(1, bytes(13), is_fd=True),
        Frame(1, bytes(65), is_fd=True),
    ],
)
def test_what_no_controller_could_send_is_left_out(frame: Frame) -> None:
    out = SendBatch(is_fd=True)
    assert out.load([Frame(1, b""), frame, Frame(2, b"")]) == 1
    assert [struct.unpack_from("=I", raw)[0] for raw in out.raw(0)] == [1, 2]


def test_without_fd_an_fd_frame_is_left_out() -> None:
    assert SendBatch().load([Frame(1, bytes(8), is_fd=True)]) == 1


def test_a_batch_starts_where_it_is_told(pair: Pair) -> None:
    out = SendBatch()
    out.load([Frame(number, b"") for number in range(5)])
    assert out.send(pair[0].fileno(), 3) == 2
    assert [frame.arbitration_id for frame in take(ReceiveBatch(ErrorFrames()), pair[1])] == [3, 4]
    assert len(out.raw(3)) == 2


def test_a_full_queue_takes_what_it_has_room_for_and_then_says_so(pair: Pair) -> None:
    out = SendBatch()
    out.load([Frame(number, b"") for number in range(SLOTS)])
    taken = 0
    while (more := out.send(pair[0].fileno())) > 0:
        taken += more
    assert more == -errno.EAGAIN
    assert len(take(ReceiveBatch(ErrorFrames()), pair[1])) == taken > 0


def test_nothing_to_receive_is_told_without_waiting(pair: Pair) -> None:
    batch: list[Frame] = []
    assert ReceiveBatch(ErrorFrames()).receive(pair[1].fileno(), batch, 0.0, 0.0) == -errno.EAGAIN
    assert batch == []


def test_a_closed_socket_is_an_error_number() -> None:
    out = SendBatch()
    out.load([Frame(1, b"")])
    assert out.send(-1) == -errno.EBADF
    assert ReceiveBatch(ErrorFrames()).receive(-1, [], 0.0, 0.0) == -errno.EBADF


@pytest.mark.parametrize("is_fd", [False, True])
def test_a_frame_is_as_old_as_the_kernel_says(pair: Pair, is_fd: bool) -> None:
    out, into = SendBatch(is_fd=True), ReceiveBatch(ErrorFrames(), is_fd=True)
    out.load([Frame(1, bytes(8), is_fd=is_fd)] * 3)
    before_s = time.time()
    out.send(pair[0].fileno())
    after_s = time.time()
    got: list[Frame] = []
    into.receive(pair[1].fileno(), got, 100.0, after_s + 5.0)
    # The kernel's clock is read coarsely in some systems.
    assert [95.0 - (after_s - before_s) - 0.05 <= frame.stamp_s <= 95.0 for frame in got] == [True] * 3


@pytest.mark.parametrize("raw", [struct.pack("=IB11x", 1, 0), struct.pack("=IBB66x", 1, 0, 4)])
def test_a_clock_that_was_set_back_makes_a_frame_new_and_not_from_the_future(pair: Pair, raw: bytes) -> None:
    into = ReceiveBatch(ErrorFrames(), is_fd=True)
    got: list[Frame] = []
    pair[0].send(raw)
    into.receive(pair[1].fileno(), got, 100.0, time.time() - 3600.0)
    pair[0].send(raw)
    pair[0].send(bytes(15))
    into.receive(pair[1].fileno(), got, 100.0, time.time() - 3600.0)
    assert [frame.stamp_s for frame in got] == [100.0, 100.0]


@pytest.mark.parametrize("raw", [struct.pack("=IB11x", 1, 0), struct.pack("=IBB66x", 1, 0, 4)])
def test_a_clock_that_was_set_forward_makes_no_frame_older_than_it_can_be(pair: Pair, raw: bytes) -> None:
    into = ReceiveBatch(ErrorFrames(), is_fd=True)
    got: list[Frame] = []
    pair[0].send(raw)
    into.receive(pair[1].fileno(), got, 100.0, time.time() + 3600.0, 99.998)
    pair[0].send(raw)
    pair[0].send(bytes(15))
    into.receive(pair[1].fileno(), got, 100.0, time.time() + 3600.0, 99.998)
    assert [frame.stamp_s for frame in got] == [99.998, 99.998]


def test_a_socket_that_does_not_stamp_makes_frames_of_now(pair: Pair) -> None:
    pair[1].setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 0)
    pair[0].send(struct.pack("=IB11x", 1, 0))
    (frame,) = take(ReceiveBatch(ErrorFrames()), pair[1], 7.0)
    assert frame.stamp_s == 7.0


def test_each_call_begins_with_room_for_everything(pair: Pair) -> None:
    into = ReceiveBatch(ErrorFrames())
    pair[1].setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 0)
    pair[0].send(struct.pack("=IB11x", 1, 0))
    take(into, pair[1])
    pair[1].setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
    pair[0].send(struct.pack("=IB11x", 2, 0))
    got: list[Frame] = []
    into.receive(pair[1].fileno(), got, 100.0, time.time() + 5.0)
    assert got[0].stamp_s <= 95.05


words = st.one_of(
    st.integers(0, 0x7FF),
    st.integers(0, 0xFFFF_FFFF),
    st.builds(lambda flags, number: flags << 29 | number, st.integers(0, 7), st.integers(0, 0x7FF)),
)
lengths = st.one_of(st.integers(0, 8), st.sampled_from(sorted(FD_LENGTHS)), st.integers(0, 255))
classic = st.builds(lambda w, n, d: struct.pack("=IB3x8s", w, n, d), words, lengths, st.binary(max_size=8))
flexible = st.builds(
    lambda w, n, f, d: struct.pack("=IBB2x64s", w, n, f, d),
    words,
    lengths,
    st.one_of(st.integers(0, 7), st.integers(0, 255)),
    st.binary(max_size=64),
)
datagrams = st.one_of(
    classic,
    flexible,
    st.binary(min_size=1, max_size=100),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=72, max_size=72),
)
bursts = st.one_of(
    st.lists(datagrams, min_size=1, max_size=8),
    st.lists(classic, min_size=1, max_size=8),
    st.lists(flexible, min_size=1, max_size=8),
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bursts, st.booleans())
@example([struct.pack("=IB3x8s", 1, 8, b"x"), struct.pack("=IB3x8s", 1, 9, b"x")], False)
@example([struct.pack("=IBB2x64s", 1, 12, 5, b"x"), struct.pack("=IBB2x64s", 1, 13, 5, b"x")], True)
def test_any_datagrams_are_read_as_python_cans_messages_are(pair: Pair, burst: list[bytes], is_fd: bool) -> None:
    errors = ErrorFrames()
    into = ReceiveBatch(errors, is_fd=is_fd)
    for raw in burst:
        pair[0].send(raw)
    got = take(into, pair[1])
    messages = [unpack_message(raw, 0.0) for raw in burst]
    heard = [one for one in messages if one is not None and (is_fd or not one.is_fd)]
    assert [frame[:4] for frame in got] == [
        (one.arbitration_id, bytes(one.data), one.is_extended_id, one.is_fd)
        for one in heard
        if not (one.is_error_frame or one.is_remote_frame)
    ]
    assert all(type(frame) is Frame and type(frame.data) is bytes for frame in got)
    assert into.dropped == len(messages) - len(heard)
    assert into.error_frames == sum(one.is_error_frame for one in heard)
    assert into.is_bus_off == any(one.is_error_frame and one.arbitration_id & 0x40 for one in heard)


def test_a_datagram_longer_than_any_frame_is_dropped(pair: Pair) -> None:
    into = ReceiveBatch(ErrorFrames(), is_fd=True)
    # What is left of it in the slot is a frame.
    pair[0].send(struct.pack("=IBB2x64s", 1, 8, 4, b"x") + b"more")
    assert take(into, pair[1]) == []
    assert into.dropped == 1


def control(*entries: tuple[int, bytes]) -> bytes:
    """Control data as recvmmsg leaves it."""
    parts = [
        struct.pack("@Nii", socket.CMSG_LEN(len(value)), socket.SOL_SOCKET, kind).ljust(16) + value
        for kind, value in entries
    ]
    return b"".join(part + bytes(-len(part) % 8) for part in parts)


def read_control(batch: ReceiveBatch, data: bytes) -> float | None:
    batch._control[: len(data)] = data
    return batch._read_control(0, len(data))


def test_frames_that_the_kernel_threw_away_are_counted_once(pair: Pair) -> None:
    into = ReceiveBatch(ErrorFrames())
    stamp = (TIMESTAMP_NS, struct.pack("@ll", 1000, 500_000_000))
    assert read_control(into, control(stamp, (40, struct.pack("@I", 7)))) == 1000.5
    assert into.dropped == 7
    read_control(into, control(stamp, (40, struct.pack("@I", 7))))
    assert into.dropped == 7
    read_control(into, control((40, struct.pack("@I", 10))))
    assert into.dropped == 10


def test_the_kernels_counter_may_wrap(pair: Pair) -> None:
    into = ReceiveBatch(ErrorFrames())
    into._kernel_drops = 2**32 - 2
    read_control(into, control((40, struct.pack("@I", 3))))
    assert into.dropped == 5


@given(st.binary(max_size=56))
@example(bytes(16))
@example(struct.pack("@Nii", 15, 1, TIMESTAMP_NS))
@example(struct.pack("@Nii", 2**63, 1, TIMESTAMP_NS))
def test_damaged_control_data_is_passed_over(data: bytes) -> None:
    read_control(ReceiveBatch(ErrorFrames()), data)
