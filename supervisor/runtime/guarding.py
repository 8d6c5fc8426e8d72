"""The guardian as the other processes see it: how it is set up, and the heart whose beats it hears."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zlib import crc32

from drivers.stop_frames import stop_frames
from supervisor.core.exchange import Snapshot
from supervisor.core.guard import GuardBoard, GuardRow
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.guardian.messages import (
    BEAT_BYTES,
    BODY,
    ECHO_BYTES,
    KEY_BYTES,
    MOST_GUARDS,
    SEQUENCE,
    SEQUENCE_AT,
    TOKEN,
    Kind,
    Tokens,
    hello_body,
    read_echo,
    sealed,
)
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.watch import Phase

LATCH_FILE: Final = "{}.guardian"
"""Name of the file in which a robot's guardian keeps its latch, from the robot's."""

FAREWELL_S: Final = 0.1
"""How long a farewell waits for room in the socket."""

_NEVER: Final = float("-inf")
_ARMING: Final = tuple(ArmingState)


def guardian_socket() -> tuple[socket.socket, socket.socket]:
    """The two ends of the socket: the control process's and the guardian's, both for one process only.

    Who makes them closes both once the two processes have theirs.
    """
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def board_order(safety: SafetyConfig) -> list[GuardRow]:
    """The rows of a safety file in the order of the board: the guard that counts the others stands last."""
    return sorted(safety.guards, key=lambda row: row.id == "guard_count")


def guardian_setup(
    robot: RobotConfig, safety: SafetyConfig, *, descriptor: int, run: Path, state: Path, key: bytes = b""
) -> GuardianSetup:
    """What the guardian of a run is told.

    Args:
        robot: The robot, with the interfaces of the buses that are used.
        safety: Its safety file.
        descriptor: The guardian's end of `guardian_socket`, which it inherits.
        run: The run's folder: the latch is kept there for the record.
        state: Folder that outlives the run: the latch found there is the one that counts.
        key: Of the tokens; drawn anew where none is given.

    Raises:
        RefusedError: The wiring cannot work.
        ValueError: The safety file has more guards than a beat has bits.
    """
    levels = tuple(int(row.level) for row in board_order(safety))
    if len(levels) > MOST_GUARDS:
        raise ValueError(f"the safety file has {len(levels)} guards; the guardian hears of {MOST_GUARDS}")
    realtime = robot.realtime
    return GuardianSetup(
        socket=descriptor,
        key=key or secrets.token_bytes(KEY_BYTES),
        window_s=realtime.guardian_window_s,
        period_s=robot.control_period_s,
        guard_levels=levels,
        damp_s=safety.profile.damp_duration_s,
        stops=stop_frames(robot, safety),
        latches=tuple(str(folder / LATCH_FILE.format(robot.name)) for folder in dict.fromkeys((state, run))),
        # Above the control loop: it has microseconds to do, and they must not wait for what it watches.
        priority=realtime.fifo_priority + 1 if realtime.fifo_priority else 0,
        locks_memory=realtime.lock_memory,
    )


class Heart:
    """Beats once a control cycle, and hears the guardian's echo. Implements `Watchdog`.

    Args:
        descriptor: The control process's end of `guardian_socket`; this process's from now on.
        key: Of the tokens, from the guardian's setup.
        guards: How many guards the safety file declares.
        lines: Descriptors of the serial lines, by bus: they are handed over, and stay open here as well.

    Attributes:
        unsent: Beats for which the socket had no room: the guardian stands still.
        failed: Beats that could not be sent: the guardian is gone.
        is_latched: Whether the guardian keeps a stop latched, of an earlier run as well.
    """

    __slots__ = (
        "_all",
        "_all_ok",
        "_arming",
        "_arming_code",
        "_body",
        "_buffer",
        "_echo_s",
        "_is_stopped",
        "_pack",
        "_put_token",
        "_seed",
        "_send",
        "_sequence",
        "_socket",
        "_tokens",
        "failed",
        "is_latched",
        "unsent",
    )

    def __init__(self, descriptor: int, key: bytes, guards: int, lines: Mapping[str, int]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._send = self._socket.send
        self._tokens = Tokens(key)
        self._seed = self._tokens.seed
        self._buffer = bytearray(BEAT_BYTES)
        self._body = memoryview(self._buffer)[: BODY.size]
        self._pack, self._put_token = BODY.pack_into, TOKEN.pack_into
        self._sequence = 0
        self._all_ok = [GuardValue.OK] * guards
        self._all = (1 << guards) - 1
        self._arming = ArmingState.DISARMED
        self._arming_code = _ARMING.index(self._arming)
        self._echo_s = _NEVER
        self._is_stopped = False
        self.unsent = self.failed = 0
        self.is_latched = False
        # Of itself: a number could be another process's by the time it is used.
        own = os.pidfd_open(os.getpid())
        try:
            hello = sealed(self._tokens, hello_body(tuple(lines)))
            socket.send_fds(self._socket, [hello], [own, *lines.values()])
        finally:
            os.close(own)

    def beat(self, snapshot: Snapshot, now_s: float) -> None:
        """One beat. Never raises, never waits."""
        try:
            board = snapshot.board
            # All well is the usual case, and this the fastest way to know it: levels of guards are above NONE.
            if [reading.value for reading in board.readings] == self._all_ok and board.level is Level.NONE:
                evaluated, tripped = self._all, 0
            else:
                evaluated, tripped = bitmaps(board)
            arming = snapshot.arming
            if arming is not self._arming:
                self._arming, self._arming_code = arming, _ARMING.index(arming)
            number = self._sequence + 1
            buffer = self._buffer
            self._pack(
                buffer, 0, 1, snapshot.level, self._arming_code, snapshot.is_at_rest, number, evaluated, tripped, now_s
            )
            self._put_token(buffer, BODY.size, crc32(self._body, self._seed))
            self._send(buffer)
            self._sequence = number
        except BlockingIOError:
            self.unsent += 1
        except Exception:  # noqa: BLE001 (the loop goes on, and its guard on the echo stops the robot)
            self.failed += 1

    def listen(self, now_s: float) -> None:
        """Take the echoes that have arrived. Never raises, never waits; called every few cycles."""
        try:
            while raw := self._socket.recv(ECHO_BYTES):
                echo = read_echo(self._tokens.body(raw))
                if echo is None or echo.sequence > self._sequence:
                    continue
                self._echo_s = now_s
                self._is_stopped = echo.phase == Phase.STOPPING
                self.is_latched = echo.is_latched
        except OSError:
            return

    def silence_s(self, now_s: float) -> float:
        """How long the guardian was not heard; infinite before it was, and where it has stopped the robot."""
        return float("inf") if self._is_stopped else now_s - self._echo_s

    def farewell(self) -> None:
        """Say that this process ends, with the robot off, as the newest beat said. Then close the socket."""
        if not self._sequence:
            self.close()
            return
        try:
            self._socket.settimeout(FAREWELL_S)
            self._buffer[0] = Kind.FAREWELL
            SEQUENCE.pack_into(self._buffer, SEQUENCE_AT, self._sequence + 1)
            self._buffer[BODY.size :] = self._tokens.of(self._body)
            self._send(self._buffer)
        except OSError:
            self.failed += 1
        self.close()

    def close(self) -> None:
        """Close the socket, which without a farewell is a fault to the guardian."""
        self._body.release()
        self._socket.close()


def bitmaps(board: GuardBoard) -> tuple[int, int]:
    """Which guards of a board were evaluated, and which are tripped: a bit for each, in its order."""
    evaluated = tripped = 0
    bit = 1
    for reading in board.readings:
        if reading.value is not GuardValue.NOT_EVALUATED:
            evaluated |= bit
        if reading.tripped:
            tripped |= bit
        bit <<= 1
    return evaluated, tripped
