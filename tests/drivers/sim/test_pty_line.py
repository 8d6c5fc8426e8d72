from __future__ import annotations

import fcntl
import os
import select
import stat
import termios
from collections.abc import Generator
from pathlib import Path

import pytest

from drivers.bus import Frame
from drivers.hardware import HardwareBuses, HardwareSerial
from drivers.sim.pty_line import UNREAD_BYTES, PtyLine
from drivers.sim.wire import SimulatedSerial, WireFaults
from supervisor.core.errors import BusError
from supervisor.core.robot import SerialBusConfig

EVERY_BYTE = bytes(range(256))


@pytest.fixture
def wire() -> SimulatedSerial:
    return SimulatedSerial("imu0", (0,))


@pytest.fixture
def line(wire: SimulatedSerial) -> Generator[PtyLine]:
    line = PtyLine(wire)
    yield line
    line.close()


def host_of(line: PtyLine) -> HardwareSerial:
    return HardwareBuses().open_serial("imu0", SerialBusConfig("serial", line.path, 921_600))


def say(wire: SimulatedSerial, line: PtyLine, data: bytes) -> None:
    wire.give([Frame(0, data)])
    line.speak(1.0)


def arrived(line: PtyLine, count: int) -> bool:
    """Whether so many bytes come to lie at the host's end; the kernel hands them over a moment later."""
    assert line._host is not None
    return lie(line._host.other, count)


def lie(descriptor: int, count: int) -> bool:
    """Whether so many bytes come to lie there."""
    poll = select.poll()
    for _ in range(200):
        if int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), "little") >= count:
            return True
        poll.poll(5)
    return False


def test_every_byte_goes_through_unchanged_both_ways(line: PtyLine, wire: SimulatedSerial) -> None:
    host = host_of(line)
    say(wire, line, EVERY_BYTE)
    assert arrived(line, 256)
    assert host.read(0.0) == EVERY_BYTE
    host.write(EVERY_BYTE)
    assert select.select([line.fileno()], [], [], 5.0)[0]
    assert line.hear()
    assert [frame.data for frame in wire.take(0.0)] == [EVERY_BYTE]
    assert not line.hear()
    assert host.read(0.0) == b""
    host.close()


def test_a_host_that_leaves_does_not_hang_up(line: PtyLine, wire: SimulatedSerial) -> None:
    for _ in range(3):
        host = host_of(line)
        assert not line.hear()
        say(wire, line, b"hello")
        assert arrived(line, 5)
        assert host.read(0.0) == b"hello"
        host.close()


def test_two_programs_cannot_hold_the_same_line(line: PtyLine) -> None:
    host = host_of(line)
    with pytest.raises(BusError, match="cannot open imu0"):
        host_of(line)
    host.close()


def test_who_listens_beside_the_host_hears_the_devices_and_is_not_heard(line: PtyLine, wire: SimulatedSerial) -> None:
    host = host_of(line)
    listener = HardwareBuses().open_serial("imu0", SerialBusConfig("serial", line.listening_path, 921_600))
    say(wire, line, EVERY_BYTE)
    assert lie(listener.fileno(), 256)
    assert listener.read(0.0) == EVERY_BYTE
    assert arrived(line, 256)
    assert host.read(0.0) == EVERY_BYTE
    listener.write(b"nobody hears this")
    host.write(b"this")
    assert select.select([line.fileno()], [], [], 5.0)[0]
    line.hear()
    assert [frame.data for frame in wire.take(0.0)] == [b"this"]
    listener.close()
    host.close()


def test_nobody_who_listens_is_no_overrun(line: PtyLine, wire: SimulatedSerial) -> None:
    host = host_of(line)
    for _ in range(8):
        say(wire, line, bytes(1000))
        assert arrived(line, 1000)
        assert len(host.read(0.0)) == 1000
    assert line.overruns == 0
    host.close()


def test_only_its_owner_may_open_it_wherever_terminals_are_open_to_a_group(
    wire: SimulatedSerial, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.openpty

    def open_to_a_group() -> tuple[int, int]:
        plant, host = make()
        os.fchmod(host, 0o620)
        return plant, host

    monkeypatch.setattr(os, "openpty", open_to_a_group)
    line = PtyLine(wire)
    for path in (line.path, line.listening_path):
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    line.close()


def test_what_nobody_reads_is_thrown_away_before_it_is_old(line: PtyLine, wire: SimulatedSerial) -> None:
    packet = bytes(1000)
    for number in range(20):
        say(wire, line, packet)
        assert arrived(line, 1000 * (1 + number % 4))
    assert line.overruns == 4
    host = os.open(line.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    assert len(os.read(host, 100_000)) <= UNREAD_BYTES + len(packet)
    os.close(host)


def test_what_finds_no_room_is_counted(line: PtyLine, wire: SimulatedSerial) -> None:
    say(wire, line, bytes(500_000))
    assert line.overruns == 1


def test_what_is_not_there_yet_is_not_said(line: PtyLine, wire: SimulatedSerial) -> None:
    wire.give([Frame(0, b"later", stamp_s=3.0)])
    line.speak(2.9)
    assert line.next_arrival_s() == 3.0
    line.speak(3.0)
    assert arrived(line, 5)
    assert line.next_arrival_s() == float("inf")


def test_a_line_that_is_off_hangs_up_and_comes_back(line: PtyLine, wire: SimulatedSerial) -> None:
    host = host_of(line)
    assert not line.follow()
    wire.set_faults(WireFaults(is_off=True))
    assert line.follow()
    assert (line.path, line.listening_path, line.fileno()) == ("", "", -1)
    assert host.read(0.0) == b""
    assert host.counters.is_off
    assert not line.hear()
    line.speak(0.0)
    host.close()
    wire.set_faults(WireFaults())
    assert line.follow()
    host = host_of(line)
    say(wire, line, b"again")
    assert arrived(line, 5)
    assert host.read(0.0) == b"again"
    host.close()


def test_closing_twice_is_no_fault(line: PtyLine) -> None:
    line.close()
    line.close()
    assert line.fileno() == -1
