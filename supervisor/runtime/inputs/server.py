"""The supervisor's end of the local socket. It never waits and never raises, whatever arrives.

Only the user who runs the supervisor is served; the superuser is somebody else too. Each poll does a bounded amount of
work, so that nobody who floods the socket holds the run up.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from supervisor.core.errors import RefusedError
from supervisor.core.levels import OperatorAction
from supervisor.core.velocity import Velocity
from supervisor.runtime.inputs.messages import (
    ANSWER_BYTES,
    REQUEST_BYTES,
    STATUS,
    STEER,
    Answer,
    decode_request,
    encode_answer,
)
from supervisor.runtime.inputs.places import SUFFIX, own_folder, socket_name
from supervisor.runtime.inputs.pressing import STOPPING, Outcome, Press

SOURCE: Final = "command"

CONNECTIONS: Final = 16
"""At a time; further ones wait in the kernel's queue."""

NO_HELM: Final = Answer(
    "refused", ("nobody steers in this mission; handrail run --mission teleoperation lets a person",)
)

SILENT_S: Final = 1.0
"""Whoever connects and says nothing for so long is dropped."""

REQUESTS_PER_S: Final = 50.0
"""More than people and their scripts need. Stopping presses are never too many."""

_UNREAD: Final = 8
_PEER: Final = struct.Struct("3i")
_STOPS: Final = frozenset(action.value for action in STOPPING)


@dataclass(slots=True)
class Counters:
    """What came in.

    Attributes:
        requests: Requests that were understood.
        malformed: Requests that were not, and connections that said nothing.
        strangers: Connections of other users.
        too_many: Requests beyond the rate.
        lost: Answers that nobody took.
    """

    requests: int = 0
    malformed: int = 0
    strangers: int = 0
    too_many: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Connection:
    """Somebody who has connected.

    Attributes:
        end: Our end.
        since_s: When.
        press: What they pressed, None before.
    """

    end: socket.socket
    since_s: float
    press: Press | None = None


class CommandServer:
    """Answers `handrail stop`, `status` and the like.

    Args:
        robot: Name of the robot.
        press: Takes a press.
        status: Tells how the run is.
        steer: Takes a wish for a velocity, at a time; None where nobody steers.

    Attributes:
        path: The socket's address.
        counters: What came in.

    Raises:
        RefusedError: Another supervisor of this robot is running.
        LinkError: There is no place for the socket that is ours alone.
    """

    def __init__(
        self,
        robot: str,
        press: Callable[[OperatorAction, str, float], Press],
        status: Callable[[], Mapping[str, Any]],
        steer: Callable[[Velocity, float], Answer] | None = None,
    ) -> None:
        self._press = press
        self._status = status
        self._steer = steer
        self._user = os.geteuid()
        self._connections: list[_Connection] = []
        self._allowance = REQUESTS_PER_S
        self._last_s: float | None = None
        self.counters = Counters()
        folder, name = own_folder(), socket_name(robot)
        self.path = folder / f"{name}{SUFFIX}"
        self._lock = self._take_lock(folder / f"{name}.lock", robot)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.setblocking(False)
            # With the lock in our hands, a socket that lies here is left over from somebody who was killed.
            self.path.unlink(missing_ok=True)
            self._listener.bind(str(self.path))
            self.path.chmod(0o600)
            self._listener.listen(CONNECTIONS)
        except BaseException:
            self._listener.close()
            os.close(self._lock)
            raise

    @staticmethod
    def _take_lock(path: os.PathLike[str], robot: str) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
            os.close(descriptor)
            if error.errno != errno.EWOULDBLOCK:
                raise
            reason = f"a supervisor of {robot} is running already (process {owner}): end it first, by Ctrl-C there"
            raise RefusedError([reason]) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor

    def poll(self, now_s: float) -> None:
        """Take what has come, and answer what can be answered. Never waits, never raises."""
        if self._last_s is not None:
            earned = (now_s - self._last_s) * REQUESTS_PER_S
            self._allowance = min(REQUESTS_PER_S, self._allowance + earned)
        self._last_s = now_s
        self._accept(now_s)
        for connection in tuple(self._connections):
            self._serve(connection, now_s)

    def _accept(self, now_s: float) -> None:
        while len(self._connections) < CONNECTIONS:
            try:
                end, _ = self._listener.accept()
            except OSError:
                # Nobody there, or somebody who is gone again.
                return
            end.setblocking(False)
            if self._user_of(end) == self._user:
                self._connections.append(_Connection(end, now_s))
                continue
            self.counters.strangers += 1
            text = (
                f"this supervisor takes commands from user {self._user} only, who runs it; run the command as that user"
            )
            self._send(end, Answer("refused", (text,)))
            return  # One stranger in each poll: they do not keep the owner from being heard for long.

    def _user_of(self, end: socket.socket) -> int:
        try:
            _, user, _ = _PEER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        except (OSError, struct.error):
            return -1
        return user

    def _serve(self, connection: _Connection, now_s: float) -> None:
        """One step for one connection."""
        press = connection.press
        if press is not None:
            if press.outcome is not Outcome.WAITING:
                self._answer(connection, _answer_of(press))
            return
        try:
            raw = connection.end.recv(REQUEST_BYTES + 1)
        except BlockingIOError:
            if now_s - connection.since_s > SILENT_S:
                self.counters.malformed += 1
                self._drop(connection)
            return
        except OSError:
            self._drop(connection)
            return
        if not raw:
            self._drop(connection)
            return
        self._take(connection, raw, now_s)

    def _take(self, connection: _Connection, raw: bytes, now_s: float) -> None:
        """A request, or what was sent in its place."""
        try:
            request = decode_request(raw)
        except ValueError as error:
            self.counters.malformed += 1
            self._answer(connection, Answer("error", (str(error),)))
            return
        command = request.command
        self._allowance -= 1.0
        if self._allowance < 0.0 and command not in _STOPS:
            self._allowance = max(self._allowance, -1.0)
            self.counters.too_many += 1
            self._answer(connection, Answer("error", (f"more than {REQUESTS_PER_S:g} requests in a second",)))
            return
        self.counters.requests += 1
        if command == STATUS:
            self._answer(connection, self._status_answer())
            return
        if command == STEER:
            self._answer(connection, NO_HELM if self._steer is None else self._steer(request.velocity, now_s))
            return
        connection.press = self._press(OperatorAction(command), SOURCE, now_s)
        self._serve(connection, now_s)

    def _status_answer(self) -> Answer:
        try:
            return Answer("accepted", (), self._status())
        except Exception as error:  # noqa: BLE001 (whoever only looks must not break a run)
            return Answer("error", (f"the status cannot be told: {type(error).__name__}: {error}",))

    def _answer(self, connection: _Connection, answer: Answer) -> None:
        self._connections.remove(connection)
        self._send(connection.end, answer)

    def _send(self, end: socket.socket, answer: Answer) -> None:
        """Say the last word to somebody."""
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * ANSWER_BYTES)
            end.send(encode_answer(answer), socket.MSG_NOSIGNAL)
        except (OSError, ValueError):
            self.counters.lost += 1
        # What is left unread when a socket closes takes the answer with it.
        with contextlib.suppress(OSError):
            for _ in range(_UNREAD):
                end.recv(1)
        end.close()

    def _drop(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        connection.end.close()

    def close(self) -> None:
        """Stop listening; who waits for an answer is told that the run has ended. Idempotent."""
        for connection in tuple(self._connections):
            self._answer(connection, Answer("refused", ("the run has ended",)))
        if self._listener.fileno() >= 0:
            self._listener.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._lock)


def _answer_of(press: Press) -> Answer:
    kinds: dict[Outcome, Any] = {Outcome.ACCEPTED: "accepted", Outcome.REFUSED: "refused"}
    return Answer(kinds.get(press.outcome, "unanswered"), press.lines)
