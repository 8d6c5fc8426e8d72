from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import can
import pytest
import serial

from drivers.bus import Frame
from drivers.hardware import HardwareBuses, HardwareCan, HardwareSerial
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig, SerialBusConfig


@pytest.fixture
def pair() -> Iterator[tuple[HardwareCan, can.BusABC]]:
    """Our bus and another node on it, over python-can's in-process interface."""
    channel = uuid4().hex
    ours = HardwareBuses().open_can("can0", CanBusConfig("can", "virtual", channel, 1_000_000))
    other = can.Bus(interface="virtual", channel=channel)
    yield ours, other
    ours.close()
    other.shutdown()


class ScriptedBus:
    """A python-can bus whose every call is scripted."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    def _next(self) -> object:
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def send(self, message: can.Message) -> None:
        self._next()

    def recv(self, timeout: float) -> object:
        assert timeout == 0
        return self._next()

    def shutdown(self) -> None:
        self.calls += 1000


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


def test_a_frame_that_waited_is_as_old_as_it_is() -> None:
    waiting = can.Message(arbitration_id=1, timestamp=995.0)
    future = can.Message(arbitration_id=2, timestamp=1005.0)
    bus = HardwareCan(ScriptedBus(waiting, future), lambda: 1000.0)
    assert [frame.stamp_s for frame in bus.receive(50.0)] == [45.0, 50.0]


def test_error_frames_are_counted_and_bus_off_is_latched() -> None:
    warning = can.Message(is_error_frame=True, arbitration_id=0x04)
    off = can.Message(is_error_frame=True, arbitration_id=0x40)
    bus = HardwareCan(ScriptedBus(warning, None, off, None))
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, False)
    bus.receive(0.0)
    assert (bus.counters.errors, bus.counters.is_off) == (2, True)
    bus.receive(0.0)
    assert bus.counters.is_off


def test_remote_frames_are_ignored() -> None:
    bus = HardwareCan(ScriptedBus(can.Message(is_remote_frame=True), None))
    assert bus.receive(0.0) == []


@pytest.mark.parametrize(
    ("failure", "is_off"),
    [
        (can.CanOperationError("Transmit buffer full", errno.ENOBUFS), False),
        (can.CanError("other"), False),
        (OSError(errno.ENETDOWN, "down"), True),
        (can.CanOperationError("gone", errno.ENODEV), True),
    ],
)
def test_a_failed_send_is_counted_and_never_retried(failure: Exception, is_off: bool) -> None:
    scripted = ScriptedBus(None, failure, None)
    bus = HardwareCan(scripted)
    assert bus.send([Frame(1, b""), Frame(2, b""), Frame(3, b"")]) == 2
    assert scripted.calls == 3
    assert (bus.counters.sent, bus.counters.errors, bus.counters.is_off) == (2, 1, is_off)


def test_a_failed_receive_is_counted() -> None:
    bus = HardwareCan(ScriptedBus(can.CanOperationError("down", errno.ENETDOWN)))
    assert bus.receive(0.0) == []
    assert (bus.counters.errors, bus.counters.is_off) == (1, True)


def test_a_flood_does_not_hold_up_the_cycle() -> None:
    class Flood(ScriptedBus):
        def recv(self, timeout: float) -> object:
            return can.Message(arbitration_id=1)

    assert len(HardwareCan(Flood()).receive(0.0)) == 2048


def test_closing_a_bus_twice_closes_it_once() -> None:
    scripted = ScriptedBus()
    bus = HardwareCan(scripted)
    bus.close()
    bus.close()
    assert scripted.calls == 1000


@pytest.mark.parametrize("interface", ["socketcan", "no_such_interface"])
def test_a_can_bus_that_is_not_there_is_a_bus_error(interface: str) -> None:
    with pytest.raises(BusError, match="cannot open leg0"):
        HardwareBuses().open_can("leg0", CanBusConfig("can", interface, "can_not_there", 1_000_000))


@pytest.fixture
def line() -> Iterator[tuple[HardwareSerial, int]]:
    """Our serial port and the other end of its line."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    port = HardwareBuses().open_serial("imu0", SerialBusConfig("serial", os.ttyname(slave), 921_600))
    yield port, master
    port.close()
    os.close(slave)
    os.close(master)


def test_serial_bytes_come_in_with_one_call(line) -> None:
    port, master = line
    assert port.read(0.0) == b""
    os.write(master, b"abc")
    os.write(master, bytes(range(256)) * 4)
    assert port.read(0.0) == b"abc" + bytes(range(256)) * 4
    assert port.read(0.0) == b""
    assert port.counters.errors == 0


def test_serial_bytes_go_out(line) -> None:
    port, master = line
    assert port.write(b"LOG ENABLE\r\n") == 12
    assert os.read(master, 100) == b"LOG ENABLE\r\n"
    assert port.counters.sent == 1


def test_reading_an_empty_line_does_not_wait(line) -> None:
    port, _ = line
    began_s = time.monotonic()
    for _ in range(100):
        port.read(0.0)
    assert time.monotonic() - began_s < 1.0


def test_an_unplugged_port_is_off_and_does_not_raise() -> None:
    class Unplugged:
        def read(self, size: int) -> bytes:
            raise serial.SerialException("device reports readiness to read but returned no data")

        def write(self, data: bytes) -> int:
            raise serial.SerialTimeoutException("Write timeout")

    port = HardwareSerial(Unplugged())
    assert port.read(0.0) == b""
    assert (port.counters.errors, port.counters.is_off) == (1, True)
    assert port.write(b"x") == 0
    assert port.counters.errors == 2


def test_a_closed_port_reads_nothing(line) -> None:
    port, _ = line
    port.close()
    port.close()
    assert port.read(0.0) == b""
    assert port.counters.is_off


def test_a_port_that_is_not_there_is_a_bus_error() -> None:
    with pytest.raises(BusError, match="cannot open imu0"):
        HardwareBuses().open_serial("imu0", SerialBusConfig("serial", "/dev/not_there", 921_600))


def test_importing_the_drivers_imports_neither_can_nor_serial_nor_what_a_control_loop_must_not() -> None:
    code = (
        "import sys, drivers.robot_io, drivers.hardware; "
        "print([m for m in ('can', 'serial', 'pydantic', 'mujoco', 'py_trees', 'onnxruntime') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
