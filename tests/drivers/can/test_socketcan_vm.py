"""SocketCAN for real. `make test-socketcan` runs this in a virtual machine; elsewhere it is skipped.

vcan0 and vcan1 are virtual; can0 and can1 are emulated cards, with a bit rate, on one bus.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import pytest

from drivers.bus import CanBus, Frame
from drivers.can.batched_can import BatchedCan
from drivers.can.link_settings import LinkSettings, read_link
from drivers.hardware import HardwareBuses
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

pytestmark = pytest.mark.skipif(
    not (Path("/sys/class/net/vcan0").exists() and os.geteuid() == 0),
    reason="needs root and a vcan0 that may be set down; run: make test-socketcan",
)

BITRATE_BPS = 1_000_000
Open = Callable[..., CanBus]


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, timeout=20)


def config(channel: str, **options: object) -> CanBusConfig:
    return CanBusConfig("can", "socketcan", channel, BITRATE_BPS, **options)


@pytest.fixture
def open_ours() -> Iterator[Open]:
    """Opens a robot's buses, and closes them at the end."""
    opened: list[CanBus] = []

    def open_one(channel: str = "vcan0", buses: HardwareBuses | None = None, **options: object) -> CanBus:
        opened.append((buses or HardwareBuses()).open_can("leg0", config(channel, **options)))
        return opened[-1]

    yield open_one
    for bus in opened:
        bus.close()


@pytest.fixture
def other() -> Iterator[can.BusABC]:
    """Another program on vcan0."""
    with can.Bus(interface="socketcan", channel="vcan0", fd=True) as bus:
        yield bus


@pytest.fixture
def raw() -> Iterator[socket.socket]:
    """A socket that sends any bytes to vcan0."""
    with socket.socket(socket.PF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as own:
        own.bind(("vcan0",))
        yield own


def error_frame(classes: int, controller: int = 0) -> bytes:
    return struct.pack("=IB3x8s", 0x2000_0000 | classes, 8, bytes([0, controller]))


def until_frames(bus: CanBus, count: int) -> list[Frame]:
    """What arrives, up to a number of frames; an emulated card takes its time."""
    frames: list[Frame] = []
    deadline_s = time.monotonic() + 5.0
    while len(frames) < count and time.monotonic() < deadline_s:
        frames += bus.receive(time.monotonic())
    return frames


def test_frames_pass_both_ways_between_us_and_python_can(open_ours: Open, other: can.BusABC) -> None:
    ours = open_ours()
    assert isinstance(ours, BatchedCan)
    assert ours.send([Frame(0x7FF, bytes(range(8))), Frame(0x1FFF_FFFF, b"", is_extended=True)]) == 2
    first, second = other.recv(2.0), other.recv(2.0)
    assert (first.arbitration_id, bytes(first.data), first.is_extended_id) == (0x7FF, bytes(range(8)), False)
    assert (second.arbitration_id, second.dlc, second.is_extended_id) == (0x1FFF_FFFF, 0, True)
    other.send(can.Message(arbitration_id=0x123, data=b"\x01\x02\x03", is_extended_id=False))
    other.send(can.Message(arbitration_id=5, is_remote_frame=True, dlc=3, is_extended_id=False))
    other.send(can.Message(arbitration_id=0x12345, data=bytes(8), is_extended_id=True))
    frames = ours.receive(100.0)
    assert [frame[:4] for frame in frames] == [(0x123, b"\x01\x02\x03", False, False), (0x12345, bytes(8), True, False)]
    assert (ours.counters.sent, ours.counters.errors, ours.counters.dropped) == (2, 0, 0)


@pytest.mark.parametrize(("data_bitrate_bps", "is_switched"), [(0, False), (5_000_000, True)])
def test_fd_frames_pass_both_ways_at_the_data_rate(
    open_ours: Open, other: can.BusABC, data_bitrate_bps: int, is_switched: bool
) -> None:
    ours = open_ours(fd=True, data_bitrate_bps=data_bitrate_bps)
    assert ours.send([Frame(1, bytes(64), is_fd=True), Frame(2, bytes(8)), Frame(3, bytes(12), True, True)]) == 3
    heard = [other.recv(2.0) for _ in range(3)]
    assert [(one.arbitration_id, one.is_fd, one.bitrate_switch, one.dlc) for one in heard] == [
        (1, True, is_switched, 64),
        (2, False, False, 8),
        (3, True, is_switched, 12),
    ]
    other.send(can.Message(arbitration_id=4, data=bytes(48), is_fd=True, bitrate_switch=True, is_extended_id=False))
    other.send(can.Message(arbitration_id=5, data=b"\x01", is_extended_id=False))
    assert [frame[:4] for frame in ours.receive(0.0)] == [(4, bytes(48), False, True), (5, b"\x01", False, False)]


def test_without_fd_an_fd_frame_is_neither_sent_nor_received(open_ours: Open, other: can.BusABC) -> None:
    ours = open_ours()
    assert ours.send([Frame(1, bytes(64), is_fd=True), Frame(2, b"")]) == 1
    assert other.recv(2.0).arbitration_id == 2
    other.send(can.Message(arbitration_id=3, data=bytes(12), is_fd=True))
    assert ours.receive(0.0) == []
    assert ours.counters.errors == 1


def test_own_frames_do_not_come_back_and_those_of_another_program_here_do(open_ours: Open) -> None:
    one, two = open_ours(), open_ours()
    one.send([Frame(1, b"")])
    two.send([Frame(2, b"")])
    assert [frame.arbitration_id for frame in one.receive(0.0)] == [2]
    assert [frame.arbitration_id for frame in two.receive(0.0)] == [1]


def test_hundreds_of_frames_arrive_in_order(open_ours: Open) -> None:
    one, two = open_ours(), open_ours()
    assert one.send([Frame(number, number.to_bytes(2)) for number in range(500)]) == 500
    assert [frame.arbitration_id for frame in two.receive(0.0)] == list(range(500))


def test_error_frames_are_counted_by_name_and_bus_off_is_latched(open_ours: Open, raw: socket.socket) -> None:
    ours = open_ours()
    raw.send(error_frame(0x20))
    raw.send(error_frame(0x04, 0x20))
    raw.send(error_frame(0x04, 0x01))
    assert ours.receive(0.0) == []
    assert (ours.counters.errors, ours.counters.is_off) == (3, False)
    raw.send(error_frame(0x40))
    raw.send(struct.pack("=IB3x8s", 7, 0, b""))
    assert [frame.arbitration_id for frame in ours.receive(0.0)] == [7]
    raw.send(error_frame(0x100))
    ours.receive(0.0)
    assert (ours.counters.errors, ours.counters.is_off) == (5, True)
    assert ours.error_frames.counts == {
        "no acknowledge": 1,
        "error passive": 1,
        "receive overflow": 1,
        "bus off": 1,
        "controller restarted": 1,
    }


def test_an_interface_that_goes_down_is_latched_and_works_when_it_comes_back(
    open_ours: Open, other: can.BusABC
) -> None:
    ours = open_ours()
    ip("link set vcan0 down")
    try:
        assert ours.receive(0.0) == []
        assert (ours.counters.errors, ours.counters.is_off) == (1, True)
        assert ours.send([Frame(1, b""), Frame(2, b"")]) == 0
        assert ours.counters.errors == 3
        with pytest.raises(BusError, match="vcan0 is down; set it up with: ip link set vcan0 up"):
            open_ours()
    finally:
        ip("link set vcan0 up")
    assert ours.send([Frame(3, b"")]) == 1
    assert ours.counters.is_off


def test_sending_tells_that_an_interface_is_down(open_ours: Open) -> None:
    ours = open_ours()
    ip("link set vcan0 down")
    try:
        # The first call takes the news that the interface has gone, the second that it is not there.
        assert ours.send([Frame(1, b""), Frame(2, b""), Frame(3, b"")]) == 0
    finally:
        ip("link set vcan0 up")
    assert (ours.counters.errors, ours.counters.is_off) == (3, True)


def test_an_interface_that_is_unplugged_is_off(open_ours: Open) -> None:
    ip("link add vcan7 type vcan")
    ip("link set vcan7 up")
    ours = open_ours("vcan7")
    ip("link del vcan7")
    ours.receive(0.0)
    assert ours.counters.is_off
    assert ours.send([Frame(1, b"")]) == 0
    with pytest.raises(BusError, match="no interface vcan7"):
        open_ours("vcan7")


@pytest.fixture
def queue() -> Iterator[Callable[[str], None]]:
    """Gives vcan1 a transmit queue, which it has not by itself."""

    def add(words: str) -> None:
        subprocess.run(f"tc qdisc add dev vcan1 root {words}".split(), check=True, timeout=20)

    yield add
    subprocess.run(["tc", "qdisc", "del", "dev", "vcan1", "root"], check=True, timeout=20)


def test_a_full_queue_of_the_interface_is_counted_and_never_waited_for(
    open_ours: Open, queue: Callable[[str], None]
) -> None:
    queue("netem delay 60s limit 8")
    ours = open_ours("vcan1")
    began_s = time.monotonic()
    assert ours.send([Frame(number, b"") for number in range(12)]) == 8
    assert ours.send([Frame(number, b"") for number in range(12)]) == 0
    assert time.monotonic() - began_s < 2.0
    assert (ours.counters.sent, ours.counters.errors, ours.counters.is_off) == (8, 16, False)


def test_no_more_than_a_cycle_of_frames_can_wait_even_in_a_long_queue(
    open_ours: Open, queue: Callable[[str], None]
) -> None:
    # 62 frames a second. netem would not do: what waits there is no longer charged to its socket.
    queue("tbf rate 8kbit burst 16 limit 64000")
    ours = open_ours("vcan1")
    accepted = sum(ours.send([Frame(number, bytes(8)) for number in range(12)]) for _ in range(10))
    assert 24 <= accepted <= 48
    assert ours.counters.errors == 120 - accepted


def test_frames_that_found_the_receive_queue_full_are_counted(open_ours: Open) -> None:
    slow, sender = open_ours(), open_ours()
    burst = [Frame(number % 0x800, bytes(8)) for number in range(1500)]
    assert sender.send(burst) == 1500
    received = len(slow.receive(0.0))
    assert 900 <= received < 1500
    # A loss is told by the next frame that finds room.
    sender.send([Frame(1, b"")])
    assert len(slow.receive(0.0)) == 1
    assert slow.counters.dropped == 1500 - received


def test_the_kernel_says_when_a_frame_arrived(open_ours: Open, other: can.BusABC) -> None:
    ours = open_ours(buses=HardwareBuses(lambda: time.time() + 5.0))
    other.send(can.Message(arbitration_id=1))
    (frame,) = ours.receive(100.0)
    assert 92.0 < frame.stamp_s <= 95.0


def test_we_hear_what_python_can_hears(open_ours: Open, other: can.BusABC, raw: socket.socket) -> None:
    ours = open_ours(fd=True)
    raw.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FD_FRAMES, 1)
    lengths, flags = (0, 1, 8), (0, 0x8000_0000, 0x4000_0000, 0x2000_0000)
    for length, flag in itertools.product(lengths, flags):
        raw.send(struct.pack("=IB3x8s", flag | 0x12, length, b"abcdefgh"))
    for length, flag, switch in itertools.product((0, 8, 12, 64), flags[:2], (0, 1)):
        raw.send(struct.pack("=IBB2x64s", flag | 0x34, length, switch, bytes(range(64))))
    theirs: list[can.Message] = []
    while (message := other.recv(0.0)) is not None:
        theirs.append(message)
    assert len(theirs) == 12 + 16
    assert [frame[:4] for frame in ours.receive(0.0)] == [
        (message.arbitration_id, bytes(message.data), message.is_extended_id, message.is_fd)
        for message in theirs
        if not (message.is_error_frame or message.is_remote_frame)
    ]
    assert ours.counters.errors == sum(message.is_error_frame for message in theirs)


@pytest.fixture
def cards() -> Iterator[Callable[[str], None]]:
    """Sets both emulated cards up, with what more is said."""

    def set_up(options: str) -> None:
        for name in ("can0", "can1"):
            ip(f"link set {name} up {options}")

    yield set_up
    for name in ("can0", "can1"):
        ip(f"link set {name} down")


def test_frames_pass_between_two_controllers(open_ours: Open, cards: Callable[[str], None]) -> None:
    cards("txqueuelen 32 type can bitrate 1000000 restart-ms 0")
    one, two = open_ours("can0"), open_ours("can1")
    cycle = [Frame(number, bytes([number])) for number in range(1, 13)]
    assert one.send(cycle) == 12
    assert [frame[:2] for frame in until_frames(two, 12)] == [frame[:2] for frame in cycle]
    assert two.send(cycle) == 12
    assert [frame[:2] for frame in until_frames(one, 12)] == [frame[:2] for frame in cycle]
    assert (one.counters.errors, two.counters.errors) == (0, 0)


def test_the_kernel_tells_how_a_card_is_set_up(cards: Callable[[str], None]) -> None:
    cards("txqueuelen 24 type can bitrate 500000 restart-ms 100")
    expected = LinkSettings(is_up=True, queue_frames=24, bitrate_bps=500_000, restart_ms=100)
    assert read_link("can0") == expected
    assert read_link("vcan0") == LinkSettings(is_up=True, queue_frames=read_link("vcan0").queue_frames)
    assert read_link("can_not_there") is None


def test_a_card_at_another_bit_rate_is_refused(open_ours: Open, cards: Callable[[str], None]) -> None:
    cards("type can bitrate 500000 restart-ms 0")
    with pytest.raises(
        BusError, match=r"can0 runs at 500000 bit/s, the robot file says 1000000; ip link set can0 down"
    ):
        open_ours("can0")


def test_the_command_that_a_refusal_names_works(open_ours: Open, cards: Callable[[str], None]) -> None:
    with pytest.raises(BusError) as caught:
        open_ours("can0")
    command = str(caught.value).split("set it up with: ")[1]
    subprocess.run(command.split(), check=True, timeout=20)
    open_ours("can0")


def test_a_short_queue_and_a_restart_are_warned_of(
    open_ours: Open, cards: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    cards("txqueuelen 10 type can bitrate 1000000 restart-ms 100")
    with caplog.at_level(logging.WARNING, "drivers.hardware"):
        open_ours("can0")
    queue, restart = caplog.messages
    assert queue.endswith("ip link set can0 txqueuelen 32")
    assert restart.endswith("ip link set can0 type can restart-ms 0")


def test_own_frames_are_left_out_even_where_the_socket_brings_them(open_ours: Open, other: can.BusABC) -> None:
    ours = open_ours()
    ours._bus.socket.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_RECV_OWN_MSGS, 1)
    ours.send([Frame(1, b"")])
    other.send(can.Message(arbitration_id=2))
    assert [frame.arbitration_id for frame in ours.receive(0.0)] == [2]
