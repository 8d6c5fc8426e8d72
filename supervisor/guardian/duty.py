"""Ties the guardian together: hears, judges, echoes, and stops the motors where it must."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from supervisor.core.errors import BusError
from supervisor.guardian.handles import Handle, Line
from supervisor.guardian.latch import LatchKeeper, Left
from supervisor.guardian.messages import (
    LONGEST,
    MOST_DESCRIPTORS,
    Echo,
    Tokens,
    echo_body,
    read_beat,
    read_hello,
    sealed,
)
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.turns import Turns
from supervisor.guardian.watch import WORDS, Fault, Phase, Watch

ECHO_S: Final = 0.01
"""The control process hears from its guardian this often."""

IDLE_S: Final = 0.05
"""How often a guardian that has nothing to judge looks whether it is to end."""

PENDING_S: Final = 0.001
"""How soon what found no room is tried again."""

LINE_WAIT_S: Final = 0.005
"""A line is written to this long after its owner was killed, even where the owner is not known to be gone yet. It can
at most end the write that it is in by then, and the kernel lets one write on a line end before the next begins."""

CUT_S: Final = 0.2
"""CUT is repeated at least this long before the guardian ends when it is told to: twice a motor's usual timeout."""

ALONE_S: Final = 10.0
"""A guardian that has stopped the motors, and whose starter is gone, goes on for this long."""

DRAIN: Final = 1024
"""Messages heard in one go; the socket holds fewer."""

Tell = Callable[[Mapping[str, Any]], None]


class Duty:
    """The guardian at work.

    Args:
        setup: What it is to do.
        handles: Of the buses in `setup.stops`, in their order; None for lines, which are handed over.
        keeper: Keeps the latch.
        is_latched: Whether an earlier guardian has left a stop latched.
        tell: Tells who started it what a person should know.
        clock_s: CLOCK_MONOTONIC.
        parent: Number of the process that started it, now.

    Attributes:
        watch: What judges.
        is_told: Whether it was told to end.
    """

    def __init__(
        self,
        setup: GuardianSetup,
        handles: Sequence[Handle | None],
        keeper: LatchKeeper,
        *,
        is_latched: bool,
        tell: Tell,
        clock_s: Callable[[], float] = time.monotonic,
        parent: Callable[[], int] = os.getppid,
    ) -> None:
        self._setup = setup
        self._handles = list(handles)
        self._keeper = keeper
        self._tell = tell
        self._clock_s = clock_s
        self._parent = parent
        self._starter = parent()
        self._tokens = Tokens(setup.key)
        self._socket = socket.socket(fileno=setup.socket)
        self._socket.setblocking(False)
        self._process: int | None = None
        self._is_gone = False
        self._echo_s = -math.inf
        self._turns: Turns | None = None
        self._reaction_s = 0.0
        self.is_told = False
        self.watch = Watch(
            window_s=setup.window_s,
            period_s=setup.period_s,
            guard_levels=setup.guard_levels,
            is_latched=is_latched,
            now_s=clock_s(),
        )

    def run(self) -> None:
        """Until it is over."""
        while not self.is_over(self._clock_s()):
            self.step()

    def is_over(self, now_s: float) -> bool:
        """Whether there is nothing left to do."""
        phase = self.watch.phase
        if phase is Phase.RELEASED:
            return True
        is_alone = self._parent() != self._starter
        if self._turns is not None:
            stopping_s = now_s - self._turns.cut_s
            return stopping_s >= CUT_S if self.is_told else is_alone and stopping_s >= ALONE_S
        if phase is Phase.GUARDING:
            return self.is_told and not self.watch.standing.may_be_on
        return phase is Phase.WAITING and (self.is_told or is_alone)

    def step(self) -> None:
        """Wait for the next thing to do, and do it."""
        # Not for the socket: to wake somebody up with each beat costs the control loop 20 µs, to leave it lying 2.
        living = [self._process] if self._process is not None and not self._is_gone else ()
        select.select(living, (), (), self._wait_s())
        # Looked at before the messages are taken: what was sent before the end is in the socket then.
        self._look_for_the_end()
        heard = self.watch.sequence
        now_s = self._drain()
        if self._is_gone:
            self.watch.end()
        self.watch.look(now_s)
        if self.watch.phase is Phase.STOPPING:
            self._stop(now_s)
            return
        self._mark()
        if self.watch.sequence != heard and now_s - self._echo_s >= ECHO_S and None not in self._handles:
            self._echo_s = now_s
            self._echo()

    def _wait_s(self) -> float:
        watch, turns = self.watch, self._turns
        if turns is not None:
            now_s = self._clock_s()
            if any(handle is not None and handle.is_pending for handle in self._handles) or self._barred(turns, now_s):
                return PENDING_S
            return min(turns.wait_s(now_s), IDLE_S)
        return watch.wait_s if watch.phase is Phase.GUARDING else min(watch.slice_s, IDLE_S)

    # What comes in

    def _look_for_the_end(self) -> None:
        if self._process is not None and not self._is_gone:
            self._is_gone = bool(select.select([self._process], (), (), 0.0)[0])

    def _drain(self) -> float:
        """Take every message that has arrived; behind the last one may be the end.

        Returns:
            Until when everything that was sent is known: silence is proven up to then.
        """
        now_s = self._clock_s()
        for _ in range(DRAIN):
            try:
                raw, descriptors, _, _ = socket.recv_fds(self._socket, LONGEST, MOST_DESCRIPTORS)
            except BlockingIOError:
                break
            except OSError:
                # The other end is closed with an echo unread; what it has sent before is still to come.
                continue
            # Only now: where this process stood still meanwhile, the time before is none at which it had all arrived.
            now_s = self._clock_s()
            if not raw:
                self.watch.end()
                break
            self._hear(raw, descriptors, now_s)
        return now_s

    def _hear(self, raw: bytes, descriptors: list[int], now_s: float) -> None:
        body = self._tokens.body(raw)
        lines = read_hello(body)
        if lines is not None and self._process is None and len(descriptors) == 1 + len(lines):
            self._meet(lines, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if self._process is None:
            self.watch.stop(Fault.SEQUENCE)
            return
        self.watch.hear(read_beat(body), now_s)

    def _meet(self, lines: Sequence[str], descriptors: Sequence[int]) -> None:
        """Take over what comes with the hello."""
        self._process = descriptors[0]
        given = {bus: descriptors[number] for number, bus in enumerate(lines, 1)}
        missing: list[str] = []
        for place, stop in enumerate(self._setup.stops.buses):
            if stop.kind == "line":
                descriptor = given.pop(stop.bus, None)
                if descriptor is None:
                    missing.append(stop.bus)
                else:
                    self._handles[place] = Line(descriptor)
        for descriptor in given.values():
            os.close(descriptor)
        if missing:
            self._tell({"guardian": f"silent, so nothing can be armed: not handed over: {', '.join(missing)}"})

    # What goes out

    def _echo(self) -> None:
        watch = self.watch
        echo = Echo(watch.phase, watch.fault, watch.is_latched, watch.sequence)
        # A control process that does not listen is judged by its beats.
        with contextlib.suppress(OSError):
            self._socket.send(sealed(self._tokens, echo_body(echo)))

    def _mark(self) -> None:
        """Keep on disk in which order the robot would be left now."""
        watch = self.watch
        if watch.standing.may_be_on:
            self._keeper.post(Left.LIVE)
        elif watch.sequence and not watch.is_latched:
            self._keeper.post(Left.CLEAR)

    def _stop(self, now_s: float) -> None:
        """Stop the motors: the first time, and then whatever is due."""
        turns = self._turns
        is_first = turns is None
        if turns is None:
            # First of all: whoever hangs now, and comes back later, must not have the last word.
            self._kill()
            damp_s = self._setup.damp_s if self.watch.may_damp else 0.0
            turns = self._turns = Turns(self._setup.stops.buses, damp_s, now_s)
        for handle in self._handles:
            if handle is not None and handle.is_pending:
                handle.send(())
        for place, turn in turns.take(self._barred(turns, now_s), now_s):
            handle = self._handles[place]
            if handle is not None:
                handle.send(turn)
        if is_first:
            self._reaction_s = self._clock_s() - now_s
            if self.watch.standing.may_be_on:
                # A robot that was off is found off: the next run begins as ever, and what it found latched still is.
                self._keeper.post(Left.STOPPED, self.watch.fault)
            self._tell(self.report())

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def _barred(self, turns: Turns, now_s: float) -> frozenset[int]:
        """Places of the lines whose owner may still be writing."""
        if self._is_gone or now_s - turns.began_s >= LINE_WAIT_S:
            return frozenset()
        return frozenset(
            place
            for place, stop in enumerate(self._setup.stops.buses)
            if stop.kind == "line" and self._handles[place] is not None
        )

    def report(self) -> dict[str, Any]:
        """What was found and done, for people and for the record."""
        watch, turns = self.watch, self._turns
        if watch.fault is Fault.NONE:
            return {"guardian": "nothing was found", "fault": 0, "beats": watch.sequence}
        action = "DAMP, then CUT" if turns is not None and turns.cut_s > turns.began_s else "CUT"
        return {
            "guardian": f"{WORDS[watch.fault]}: {action}",
            "fault": int(watch.fault),
            "beats": watch.sequence,
            "silence_s": watch.silence_s,
            "reaction_s": self._reaction_s,
            "was_live": watch.standing.may_be_on,
        }

    def close(self) -> None:
        """Let go of everything."""
        self._socket.close()
        for handle in self._handles:
            if handle is not None:
                handle.close()
        if self._process is not None:
            os.close(self._process)
            self._process = None


def opened_handles(setup: GuardianSetup, open_one: Callable[[Any], Handle | None]) -> list[Handle | None]:
    """Open every bus that can be opened beside the control process.

    Raises:
        BusError: One cannot; those already open are closed again.
    """
    handles: list[Handle | None] = []
    try:
        for stop in setup.stops.buses:
            handles.append(open_one(stop))  # noqa: PERF401 (those before the one that fails must be known)
    except BusError:
        for handle in handles:
            if handle is not None:
                handle.close()
        raise
    return handles
