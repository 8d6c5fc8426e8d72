from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import can
import pytest
import serial

from drivers import hardware
from drivers.bus import Frame
from drivers.can import opening
from drivers.hardware import HardwareBuses, HardwareSerial
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig, SerialBusConfig


def test_a_can_bus_is_opened_and_carries_frames() -> None:
    channel = uuid4().hex
    ours = HardwareBuses().open_can("can0", CanBusConfig("can", "virtual", channel, 1_000_000))
    with can.Bus(interface="virtual", channel=channel) as other:
        assert ours.send([Frame(0x11, b"\x01")]) == 1
        heard = other.recv(0)
    ours.close()
    assert heard is not None
    assert (heard.arbitration_id, bytes(heard.data)) == (0x11, b"\x01")


def test_what_should_be_set_up_otherwise_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "open_can", lambda config, wall_clock_s: ("a bus", ["make the queue longer"]))
    # A library that sets up logging in another test turns off every logger that it does not know.
    monkeypatch.setattr(logging.getLogger("drivers.hardware"), "disabled", False)
    with caplog.at_level(logging.WARNING, "drivers.hardware"):
        assert HardwareBuses().open_can("leg0", CanBusConfig("can", "socketcan", "can0", 1_000_000)) == "a bus"
    assert caplog.messages == ["leg0: make the queue longer"]


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


GUESTS = (
    (HardwareBuses.open_serial, SerialBusConfig("serial", "/dev/line", 921_600)),
    (HardwareBuses.open_can, CanBusConfig("can", "slcan", "/dev/line@1000000", 1_000_000)),
)


@pytest.mark.parametrize(("open_bus", "config"), GUESTS)
def test_a_guest_opens_no_line_that_another_program_reads(
    open_bus: Callable[..., object], config: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hardware, "line_users", lambda port: asked.append(port) or ["walker (4711)"])
    with pytest.raises(
        BusError, match=r"^bus0 \(/dev/line\) is open in walker \(4711\): a line has one reader.*adapter"
    ):
        open_bus(HardwareBuses(is_guest=True), "bus0", config)
    # Who drives the robot is told by the system that the line is taken, and does not look for the others.
    with pytest.raises(BusError, match="cannot open bus0"):
        open_bus(HardwareBuses(), "bus0", config)
    assert asked == ["/dev/line"]


def test_a_guest_that_cannot_have_a_line_is_told_what_it_needs(line: tuple[HardwareSerial, int]) -> None:
    taken = SerialBusConfig("serial", os.ttyname(line[0].fileno()), 921_600)
    with pytest.raises(BusError, match=r"^imu0 \(/dev/pts/\d+\) is open in another program: a line has one reader"):
        HardwareBuses(is_guest=True).open_serial("imu0", taken)
    with pytest.raises(BusError, match=r"group dialout\)$"):
        HardwareBuses().open_serial("imu0", taken)
    with pytest.raises(BusError, match=r"No such file.*group dialout\)$"):
        HardwareBuses(is_guest=True).open_serial("imu0", SerialBusConfig("serial", "/dev/not_there", 921_600))


def gathered(read: Callable[[], bytes], size: int) -> bytes:
    """So many bytes, as they come: a pseudo-terminal takes its time."""
    taken = b""
    deadline_s = time.monotonic() + 5.0
    while len(taken) < size and time.monotonic() < deadline_s:
        taken += read()
    return taken


def test_serial_bytes_come_in(line) -> None:
    port, master = line
    assert port.read(0.0) == b""
    os.write(master, b"abc")
    os.write(master, bytes(range(256)) * 4)
    assert gathered(lambda: port.read(0.0), 1027) == b"abc" + bytes(range(256)) * 4
    assert port.read(0.0) == b""
    assert port.counters.errors == 0


def test_serial_bytes_go_out(line) -> None:
    port, master = line
    os.set_blocking(master, True)
    assert port.write(b"LOG ENABLE\r\n") == 12
    assert gathered(lambda: os.read(master, 100), 12) == b"LOG ENABLE\r\n"
    assert port.counters.sent == 1


def test_reading_an_empty_line_does_not_wait(line) -> None:
    port, _ = line
    began_s = time.monotonic()
    for _ in range(100):
        port.read(0.0)
    assert time.monotonic() - began_s < 1.0


def test_an_unplugged_port_is_off_and_does_not_raise() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    port = HardwareBuses().open_serial("imu0", SerialBusConfig("serial", os.ttyname(slave), 921_600))
    os.close(slave)
    os.close(master)
    assert port.read(0.0) == b""
    assert (port.counters.errors, port.counters.is_off) == (1, True)
    assert port.write(b"x") == 0
    assert port.counters.errors == 2
    port.close()


def test_a_full_port_is_counted_and_does_not_raise() -> None:
    class Full:
        def fileno(self) -> int:
            return -1

        def write(self, data: bytes) -> int:
            raise serial.SerialTimeoutException("Write timeout")

    port = HardwareSerial(Full())
    assert port.write(b"x") == 0
    assert port.counters.errors == 1


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


def test_an_open_line_says_its_descriptor_until_it_is_closed(line: tuple[HardwareSerial, int]) -> None:
    port, _ = line
    assert os.isatty(port.fileno())
    port.close()
    assert port.fileno() == -1
