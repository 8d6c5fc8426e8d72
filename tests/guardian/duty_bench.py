"""A guardian's loop with a clock, a process and buses of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor.core.stop_frames import BusStop, StopFrames, Turn
from supervisor.guardian.duty import Duty
from supervisor.guardian.latch import Latch, LatchFile, LatchKeeper, read_latch
from supervisor.guardian.messages import (
    ECHO_BYTES,
    KEY_BYTES,
    Tokens,
    beat_body,
    hello_body,
    read_echo,
    sealed,
)
from supervisor.guardian.setup import GuardianSetup
from tests.guardian.beats import ARMED, CHECKING, DISARMED, LEVELS, PERIOD_S, RUNNING, WINDOW_S, beat

KEY = b"k" * KEY_BYTES
TOKENS = Tokens(KEY)
DAMP_S = 0.05
LEG = BusStop("leg", "datagram", "/leg", False, 0.005, ((b"cut",),), ((b"damp",),))
ARM = BusStop("arm", "line", "/arm", False, 0.005, ((b"off",),))


class Bus:
    """A handle that writes down what is sent."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.is_pending = False
        self.is_closed = False

    def send(self, turn: Turn) -> bool:
        self.turns.append(turn)
        return True

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A guardian, and the control process that it hears."""

    def __init__(
        self,
        folder: Path,
        stops: tuple[BusStop, ...] = (LEG,),
        *,
        is_latched: bool = False,
        window_s: float = WINDOW_S,
        now_s: float = 100.0,
    ) -> None:
        self.now_s = now_s
        self.number = 0
        self.then: Callable[[], None] | None = None
        self.told: list[dict[str, Any]] = []
        self.parent = 1
        self.control, guardian = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.buses = [None if stop.kind == "line" else Bus() for stop in stops]
        self.latch = folder / "latch"
        self.keeper = LatchKeeper([LatchFile(self.latch)])
        setup = GuardianSetup(
            guardian.detach(), KEY, window_s, PERIOD_S, LEVELS, DAMP_S, StopFrames(stops), (str(self.latch),)
        )
        self.duty = Duty(
            setup,
            self.buses,
            self.keeper,
            is_latched=is_latched,
            tell=lambda content: self.told.append(dict(content)),
            clock_s=self.clock_s,
            parent=lambda: self.parent,
        )
        # A process that does nothing but live.
        self.process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        self.pidfd = os.pidfd_open(self.process.pid)

    def clock_s(self) -> float:
        """The time; what happens right after it was read is `then`."""
        now_s, then = self.now_s, self.then
        self.then = None
        if then is not None:
            then()
        return now_s

    @property
    def leg(self) -> Bus:
        bus = self.buses[0]
        assert bus is not None
        return bus

    def say(self, raw: bytes, descriptors: list[int] | None = None) -> None:
        socket.send_fds(self.control, [raw], descriptors or [])

    def hello(self, **lines: int) -> None:
        self.say(sealed(TOKENS, hello_body(tuple(lines))), [self.pidfd, *lines.values()])
        self.duty.step()

    def beat(self, *standing: Any, after_s: float = PERIOD_S, **changes: Any) -> None:
        self.now_s += after_s
        self.number += 1
        self.say(sealed(TOKENS, beat_body(beat(self.number, *standing, **changes))))
        self.duty.step()

    def start(self, *standings: Any, **lines: int) -> None:
        self.hello(**lines)
        for standing in standings or (DISARMED, CHECKING, ARMED, RUNNING):
            self.beat(*standing)

    def wait(self, seconds: float, step_s: float = 0.001) -> None:
        """Let time pass; nothing is said."""
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            self.duty.step()

    def echoes(self) -> list[Any]:
        found = []
        while True:
            try:
                raw = self.control.recv(ECHO_BYTES)
            except BlockingIOError:
                return found
            found.append(read_echo(TOKENS.body(raw)))

    def left(self) -> Latch:
        """What is on disk once everything is written."""
        self.keeper.close()
        return read_latch(self.latch)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)
        self.control.close()
        self.duty.close()
        self.keeper.close()


def is_killed(bench: Bench) -> bool:
    return bench.process.wait(5.0) == -signal.SIGKILL
