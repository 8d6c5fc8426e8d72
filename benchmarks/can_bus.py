"""Frames and bytes in and out of the kernel: ours beside the libraries' own calls, on the same kinds of descriptors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import can
import serial

from benchmarks.ends import opened_line, opened_pair
from benchmarks.harness import REPEATS, Measurement, Row, Side, Stopwatch, paired, us
from drivers.bus import Frame
from drivers.can.batched_can import BatchedCan, KernelSocket
from drivers.hardware import HardwareSerial

CALLS = 2000
FRAMES = 12
LEAST_RATIO = 4.0
SYNC_WRITE_BYTES = 74
"""What 12 Dynamixel servos are sent in one cycle."""


@contextmanager
def _ours(frame: Frame) -> Iterator[Side]:
    """One batch out of one end, one in at the other."""
    with opened_pair(is_fd=frame.is_fd) as ends:
        sender, receiver = (BatchedCan(end, KernelSocket(end.fileno()), is_fd=frame.is_fd) for end in ends)
        frames = [frame._replace(arbitration_id=number) for number in range(FRAMES)]

        def cycle(_: int) -> None:
            sender.send(frames)
            _refuse_lost(len(receiver.receive(time.monotonic())))

        yield Side(cycle)


@contextmanager
def _python_can(frame: Frame) -> Iterator[Side]:
    """Frame by frame, as python-can's users do it."""
    with opened_pair(is_fd=frame.is_fd) as (sender, receiver):

        def cycle(_: int) -> None:
            for number in range(FRAMES):
                message = can.Message(arbitration_id=number, data=frame.data, is_extended_id=False, is_fd=frame.is_fd)
                sender.send(message)
            count = 0
            while receiver.recv(0) is not None:
                count += 1
            _refuse_lost(count)

        yield Side(cycle)


def _refuse_lost(count: int) -> None:
    if count != FRAMES:
        raise RuntimeError("frames were lost between the two ends")


def _reading(calls: int, read: Callable[[serial.Serial], Callable[[], bytes]]) -> Measurement:
    """How long it takes to read what has arrived."""
    packet = bytes(range(SYNC_WRITE_BYTES))
    repeats: list[list[float]] = []
    with opened_line() as (port, other):
        watch = Stopwatch(read(port))
        for _ in range(REPEATS):
            for _ in range(calls):
                os.write(other, packet)
                while port.in_waiting < SYNC_WRITE_BYTES:
                    time.sleep(0)
                if watch() != packet:
                    raise RuntimeError("bytes were lost on the line")
            repeats.append(watch.durations[-calls:])
    return Measurement.of(repeats)


def _at_once(port: serial.Serial) -> Callable[[], bytes]:
    ours = HardwareSerial(port)
    return lambda: ours.read(0.0)


def _byte_by_byte(port: serial.Serial) -> Callable[[], bytes]:
    return lambda: b"".join(port.read(1) for _ in range(SYNC_WRITE_BYTES))


def _compared(name: str, ours: Measurement, library: str, other: Measurement, least: float = 0.0) -> Iterator[Row]:
    ratio = other.median_us / ours.median_us
    goal = f"≥ {least:.0f} times" if least else ""
    yield Row(name, f"{ours.median_us:.1f} µs (p99 {ours.p99_us:.1f})")
    yield Row(f"— {library}", f"{us(other)}: {ratio:.1f} times as long", goal, ratio >= least)


def rows() -> Iterator[Row]:
    """Twelve frames each way, classic and FD; 74 bytes in."""
    for kind, frame, least in (
        ("CAN", Frame(0, bytes(8)), LEAST_RATIO),
        ("CAN FD", Frame(0, bytes(64), is_fd=True), 0.0),
    ):
        name = f"{FRAMES} {kind} frames out and in, two system calls"
        with _ours(frame) as ours, _python_can(frame) as theirs:
            batched, single = paired((ours, theirs), CALLS // 2)
        yield from _compared(name, batched, "by python-can, frame by frame", single, least)
    name = f"{SYNC_WRITE_BYTES} bytes in from a serial port, one system call"
    at_once, one_by_one = _reading(CALLS, _at_once), _reading(CALLS // 10, _byte_by_byte)
    yield from _compared(name, at_once, "by pyserial, byte by byte", one_by_one)


if __name__ == "__main__":
    for row in rows():
        print(row.name, "|", row.value, "|", row.goal)
