"""The user's end of the local socket: one request to the supervisor that runs, one answer."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Final

from supervisor.core.errors import LinkError
from supervisor.core.velocity import NEUTRAL, Velocity
from supervisor.runtime.inputs.messages import ANSWER_BYTES, Answer, decode_answer, encode_request
from supervisor.runtime.inputs.places import socket_name, sockets

TIMEOUT_S: Final = 3.0
"""An answer to a press takes half a second at most; a supervisor that is silent for longer hangs."""

_PEER: Final = struct.Struct("3i")
_HARDWARE: Final = "if the robot must stop, use its hardware emergency stop"


def running() -> dict[str, Path]:
    """The sockets of supervisors that run, by name."""
    found: dict[str, Path] = {}
    for name, path in sockets().items():
        end = _connected(path, TIMEOUT_S)
        if end is not None:
            end.close()
            found[name] = path
    return found


def send(command: str, robot: str | None = None, timeout_s: float = TIMEOUT_S, velocity: Velocity = NEUTRAL) -> Answer:
    """Ask the supervisor that runs.

    Args:
        command: One of `COMMANDS`, or `steer`.
        robot: Name of its robot; None where only one runs.
        timeout_s: How long to wait for the answer.
        velocity: For `steer`.

    Raises:
        LinkError: None runs, several do, or it does not answer.
    """
    if robot is None:
        found = running()
        if len(found) > 1:
            raise LinkError(f"several supervisors are running; say which with --robot: {', '.join(found)}")
        path = next(iter(found.values()), None)
        name = "supervisor"
    else:
        path = sockets().get(socket_name(robot))
        name = f"supervisor of {robot}"
    end = None if path is None else _connected(path, timeout_s)
    if end is None:
        raise LinkError(_nobody(name, robot))
    with end:
        _require_ours(end)
        try:
            # Who is refused already has an answer waiting, and nobody who would hear more.
            with contextlib.suppress(BrokenPipeError):
                end.send(encode_request(command, velocity))
            raw = end.recv(ANSWER_BYTES)
        except TimeoutError:
            raise LinkError(f"the {name} has not answered for {timeout_s:g} s; {_HARDWARE}") from None
        except OSError as error:
            raise LinkError(f"the {name} has gone away: {error.strerror}; {_HARDWARE}") from None
    answer = decode_answer(raw)
    if answer is None:
        ended = "it has just ended" if not raw else "it is of another version"
        raise LinkError(f"no answer of the {name} that can be read: {ended}; {_HARDWARE}")
    return answer


def _connected(path: Path, timeout_s: float) -> socket.socket | None:
    """A connection, None where nobody listens."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(timeout_s)
    try:
        end.connect(str(path))
    except OSError:
        end.close()
        return None
    return end


def _require_ours(end: socket.socket) -> None:
    """Whoever answers must be us, or anybody could say that the robot has stopped.

    Raises:
        LinkError: Somebody else does.
    """
    _, user, _ = _PEER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if user != os.geteuid():
        raise LinkError(f"user {user} answers in the place of a supervisor of user {os.geteuid()}; {_HARDWARE}")


def _nobody(name: str, robot: str | None) -> str:
    others = [one for one in running() if robot is None or one != socket_name(robot)]
    hint = f"; running: {', '.join(others)}" if others else ""
    return (
        f"no {name} of user {os.geteuid()} is running{hint}; start one with `handrail run`, and give commands as the "
        "user who runs it"
    )
