from __future__ import annotations

import logging
import os
import socket
import time
import tty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import can.interfaces.slcan
import can.interfaces.socketcan.socketcan as theirs
import pytest

from drivers.bus import Frame
from drivers.can import opening, slots
from drivers.can.batched_can import BatchedCan
from drivers.can.link_settings import LinkSettings
from drivers.can.message_can import MessageCan
from drivers.can.opening import open_can
from drivers.can.slcan.bus import SlcanCan
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

CONFIG = CanBusConfig("can", "socketcan", "can0", 1_000_000)
LINK = LinkSettings(is_up=True, queue_frames=32, bitrate_bps=1_000_000)


@pytest.fixture
def interface(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of what python-can's SocketCAN code takes for a CAN socket."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(theirs, "create_socket", lambda: own)
    monkeypatch.setattr(theirs, "bind_socket", lambda *_: None)
    # It logs what a stand-in does not know as errors.
    logging.getLogger("can.interfaces.socketcan.socketcan").setLevel(logging.CRITICAL)
    yield other
    own.close()
    other.close()
    logging.getLogger("can.interfaces.socketcan.socketcan").setLevel(logging.NOTSET)


def see(monkeypatch: pytest.MonkeyPatch, link: LinkSettings) -> None:
    monkeypatch.setattr(opening, "check_link", lambda config: check(config, link))


check_link = opening.check_link


def check(config: CanBusConfig, link: LinkSettings) -> tuple[LinkSettings, list[str]]:
    return check_link(config, lambda _: link)


def test_socketcan_goes_in_batches(interface: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, LINK)
    bus, advice = open_can(CONFIG, time.time)
    assert (type(bus), advice) == (BatchedCan, [])
    assert bus.send([Frame(7, b"\x01")]) == 1
    assert interface.recv(100)[:5] == b"\x07\x00\x00\x00\x01"
    interface.send(bytes(16))
    assert [frame.arbitration_id for frame in bus.receive(0.0)] == [0]
    bus.close()


def test_where_there_are_no_batches_python_can_does_it(
    interface: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(monkeypatch, LINK)
    monkeypatch.setattr(slots, "is_available", lambda: False)
    bus, _ = open_can(CONFIG, time.time)
    assert isinstance(bus, MessageCan)
    assert bus.send([Frame(7, b"\x01")]) == 1
    assert len(interface.recv(100)) == 16
    bus.close()


def test_a_controller_that_has_left_the_bus_is_off_from_the_start(
    interface: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(monkeypatch, replace(LINK, is_bus_off=True))
    bus, advice = open_can(CONFIG, time.time)
    assert bus.counters.is_off
    assert len(advice) == 1
    bus.close()


def test_an_interface_that_is_set_up_otherwise_is_not_opened(
    interface: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(monkeypatch, replace(LINK, bitrate_bps=500_000))
    monkeypatch.setattr(opening, "open_adapter", lambda _: pytest.fail("opened"))
    with pytest.raises(BusError, match="500000"):
        open_can(CONFIG, time.time)


@pytest.mark.parametrize("data_bitrate_bps", [0, 5_000_000])
def test_our_own_bus_goes_in_batches_too(datagram_interface: str, tmp_path: Path, data_bitrate_bps: int) -> None:
    config = replace(
        CONFIG,
        interface=datagram_interface,
        channel=str(tmp_path / "can0"),
        fd=True,
        data_bitrate_bps=data_bitrate_bps,
    )
    one, two = (open_can(config, time.time)[0] for _ in range(2))
    assert (type(one), type(two)) == (BatchedCan, BatchedCan)
    with can.Bus(interface=datagram_interface, channel=config.channel, fd=True) as third:
        assert one.send([Frame(7, bytes(12), is_fd=True)]) == 1
        assert [frame[:4] for frame in two.receive(0.0)] == [(7, bytes(12), False, True)]
        heard = third.recv(0)
    assert heard is not None
    assert heard.bitrate_switch == (data_bitrate_bps > 0)
    one.close()
    two.close()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python-can gives a serial adapter two seconds to start."""
    monkeypatch.setattr(can.interfaces.slcan, "time", SimpleNamespace(sleep=lambda _: None, time=time.time))


def read_exactly(descriptor: int, size: int) -> bytes:
    """So many bytes, as they come: a pseudo-terminal takes its time."""
    taken = b""
    while len(taken) < size:
        taken += os.read(descriptor, size - len(taken))
    return taken


@pytest.mark.usefixtures("_at_once")
def test_a_serial_line_adapter_goes_a_cycle_at_a_time() -> None:
    other, port = os.openpty()
    tty.setraw(port)
    bus, _ = open_can(replace(CONFIG, interface="slcan", channel=os.ttyname(port)), time.time)
    assert isinstance(bus, SlcanCan)
    assert read_exactly(other, 10) == b"C\rS8\r\rO\rO\r"
    assert bus.send([Frame(7, b"\x01"), Frame(8, b"", is_extended=True)]) == 2
    assert read_exactly(other, 19) == b"t007101\rT000000080\r"
    bus.close()
    os.close(port)
    os.close(other)


@pytest.mark.usefixtures("_at_once")
def test_an_adapter_on_no_file_is_called_frame_by_frame() -> None:
    bus, _ = open_can(replace(CONFIG, interface="slcan", channel="loop://"), time.time)
    assert isinstance(bus, MessageCan)
    bus.close()


def test_any_other_adapter_is_called_frame_by_frame() -> None:
    bus, _ = open_can(replace(CONFIG, interface="virtual", channel="opening"), time.time)
    assert isinstance(bus, MessageCan)
    bus.close()
