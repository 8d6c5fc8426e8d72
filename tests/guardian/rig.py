"""A guardian, a process that beats, and a bus with somebody who listens: each in a process of its own but the last."""

from __future__ import annotations

import json
import os
import pickle
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from drivers.can.datagram import DatagramBus
from supervisor.core.levels import Level
from supervisor.core.stop_frames import BusStop, StopFrames
from supervisor.guardian.messages import KEY_BYTES
from supervisor.guardian.setup import GuardianSetup
from tests.guardian.beating import GUARDS

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(KEY_BYTES))
CUT = b"C" * 16
DAMP = b"D" * 16


class GuardedRig:
    """All of it; leave it to end everything.

    Args:
        folder: For the bus and the latch.
        damp_s: How long to damp.
        window_s: How long the guardian waits.
        arming: What the beats say.
        seconds, then: When the beating process does what.
        line: Descriptor of a serial line that the beating process hands over, None for none.
        priority: Of both processes, under SCHED_FIFO.
    """

    def __init__(
        self,
        folder: Path,
        *,
        damp_s: float = 0.1,
        window_s: float = 0.02,
        arming: str = "running",
        seconds: float = 3600.0,
        then: str = "",
        line: int | None = None,
        priority: int = 0,
    ) -> None:
        self.latch = folder / "latch"
        self.bus = DatagramBus(folder / "can0")
        control, guardian = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stops = [BusStop("leg", "datagram", str(folder / "can0"), False, 0.005, ((CUT,),), ((DAMP,),))]
        if line is not None:
            stops.append(BusStop("arm", "line", "", False, 0.005, ((b"off",),)))
        setup = GuardianSetup(
            guardian.fileno(),
            KEY,
            window_s,
            0.002,
            (int(Level.DAMP),) * GUARDS,
            damp_s,
            StopFrames(tuple(stops)),
            (str(self.latch),),
            priority=priority and priority + 1,
        )
        self.guardian = start("supervisor.guardian.process", [guardian.fileno()])
        stdin = self.guardian.stdin
        assert stdin is not None
        stdin.write(pickle.dumps(setup))
        stdin.close()
        self.ready = next_line(self.guardian)
        lines = {} if line is None else {"arm": line}
        self.control = start("tests.guardian.beating", [control.fileno(), *lines.values()])
        told = {
            "descriptor": control.fileno(),
            "key": KEY.hex(),
            "arming": arming,
            "seconds": seconds,
            "then": then,
            "lines": lines,
            "priority": priority,
        }
        stdin = self.control.stdin
        assert stdin is not None
        stdin.write(json.dumps(told).encode() + b"\n")
        stdin.flush()
        self.has_started = bool(next_line(self.control))
        # Only now: two processes have their ends, and nobody else.
        control.close()
        guardian.close()

    def __enter__(self) -> GuardedRig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bus.shutdown()
        for process in (self.control, self.guardian):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def first_bytes(self, timeout_s: float = 5.0) -> tuple[float, bytes]:
        """When the first frame was heard, and what it is."""
        if not select.select([self.bus], (), (), timeout_s)[0]:
            raise AssertionError("nothing is heard on the bus")
        return time.monotonic(), self.bus._socket.recv(128)

    def heard(self, seconds: float) -> list[bytes]:
        """Everything on the bus for a while."""
        end_s, found = time.monotonic() + seconds, []
        while (left_s := end_s - time.monotonic()) > 0.0:
            if select.select([self.bus], (), (), left_s)[0]:
                found.append(self.bus._socket.recv(128))
        return found

    def after(self, cause: Callable[[GuardedRig], float]) -> tuple[float, bytes]:
        """How long from a cause to the first bytes, s, and the bytes."""
        cause_s = cause(self)
        heard_s, raw = self.first_bytes()
        return heard_s - cause_s, raw


def start(module: str, descriptors: list[int]) -> subprocess.Popen[bytes]:
    """A process that runs a module and keeps some descriptors."""
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=tuple(descriptors),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def next_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next thing a process says; nothing where it has ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line else {}


def by_signal(number: int) -> Callable[[GuardedRig], float]:
    """A cause: a signal to the control process."""

    def send(rig: GuardedRig) -> float:
        now_s = time.monotonic()
        os.kill(rig.control.pid, number)
        return now_s

    return send


def by_native_call(rig: GuardedRig) -> float:
    """A cause: a native call in the control process that keeps the interpreter's lock; it says when."""
    return next_line(rig.control)["cause_s"]
