"""A stop button that another process reads: its silence and its end are a pressed button."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.core.errors import RefusedError
from supervisor.runtime.inputs import watched_line
from supervisor.runtime.inputs.watched_line import PERIOD_S, SILENT_S, WatchedLine, watch

ENDS: list[int] = []


class FakeProcess:
    """A process that says what the test lets it say."""

    def __init__(self, command: list[str], **more: Any) -> None:
        ENDS[:] = [os.dup(int(command[4]))]
        os.write(ENDS[0], b"\x01")
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1

    def wait(self) -> None:
        """It has ended at once."""


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedLine]:
    monkeypatch.setattr(watched_line.subprocess, "Popen", FakeProcess)
    made = WatchedLine(0, 0x20, False, lambda: 1.0)
    yield made
    made.close()
    for end in ENDS:
        os.close(end)
    ENDS.clear()


def say(readings: bytes) -> None:
    os.write(ENDS[0], readings)


@pytest.mark.parametrize(
    ("readings", "is_pressed"), [(b"\x01", False), (b"\x00", True), (b"\x01\x00\x01", True), (b"\x01" * 50, False)]
)
def test_any_reading_since_the_last_question_counts(line: WatchedLine, readings: bytes, is_pressed: bool) -> None:
    say(readings)
    assert line.is_pressed(1.0) is is_pressed
    assert line.is_pressed(1.002) is False


def test_silence_is_a_pressed_button_until_it_speaks_again(line: WatchedLine) -> None:
    assert [line.is_pressed(now_s) for now_s in (1.0, 0.999 + SILENT_S, 1.001 + SILENT_S, 9.0)] == [
        *(False, False, True, True),
    ]
    say(b"\x01")
    assert line.is_pressed(9.002) is False
    assert line.is_pressed(float("nan")) is True


def test_the_end_of_the_process_is_a_pressed_button_for_good(line: WatchedLine) -> None:
    say(b"\x01")
    os.close(ENDS.pop())
    assert line.is_pressed(1.0) is False
    assert [line.is_pressed(1.002), line.is_pressed(1.004)] == [True, True]


def test_a_closed_line_is_pressed(line: WatchedLine) -> None:
    say(b"\x01")
    line.close()
    assert line.is_pressed(1.0) is True


def test_the_process_tells_each_reading_until_the_port_is_gone() -> None:
    ours, theirs = socket.socketpair()
    readings = iter([0x20, 0x1FF & ~0x20, 0x20])
    slept: list[float] = []

    def read(descriptor: int) -> int:
        assert descriptor == 7
        try:
            return next(readings)
        except StopIteration:
            raise OSError(5, "Input/output error") from None

    watch(7, theirs, 0x20, read, slept.append)
    theirs.close()
    assert ours.recv(100) == b"\x01\x00\x01"
    assert ours.recv(100) == b""
    assert slept == [PERIOD_S] * 3
    ours.close()


def test_the_process_ends_when_nobody_listens() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    watch(7, theirs, 0x20, lambda descriptor: 0, lambda seconds: None)
    theirs.close()


def test_a_real_process_that_cannot_read_is_refused() -> None:
    reader, writer = os.pipe()
    with pytest.raises(RefusedError, match="has said nothing"):
        WatchedLine(reader, 0x20, False)
    os.close(reader)
    os.close(writer)


def test_a_real_process_reads_a_real_port() -> None:
    try:
        port = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        watched_line.read_modem_lines(port)
    except OSError as error:
        pytest.skip(f"no serial port with modem-status lines here: {error}")
    line = WatchedLine(port, 1 << 30, True)
    os.close(port)
    select.select([line._end], [], [], 2.0)
    assert line.is_pressed(time.monotonic()) is False
    os.kill(line._process.pid, 9)
    line._process.wait()
    until_s = time.monotonic() + 2.0
    while not line.is_pressed(time.monotonic()):
        assert time.monotonic() < until_s
    line.close()


def test_the_process_loads_no_numpy() -> None:
    code = "import sys, supervisor.runtime.inputs.watched_line; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
