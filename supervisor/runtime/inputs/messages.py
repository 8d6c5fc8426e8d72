"""What crosses the local socket: one small JSON request, one JSON answer. Reading is total."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from supervisor.core.levels import OperatorAction
from supervisor.core.velocity import NEUTRAL, Velocity

REQUEST_BYTES: Final = 256
"""No request comes near it."""

ANSWER_BYTES: Final = 131_072
"""A status of 30 joints and their buses takes 4 kB; a socket's buffer holds 200 kB."""

STATUS: Final = "status"
STEER: Final = "steer"

COMMANDS: Final = {
    OperatorAction.STOP.value: "Stop: the robot moves to its rest pose at bounded speed, then its motors go off.",
    OperatorAction.HOLD.value: "Hold the measured pose, power kept; end it with resume.",
    OperatorAction.RESUME.value: "Go on after a hold that was asked for.",
    OperatorAction.CONFIRM.value: "Answer the supervisor's open question.",
    OperatorAction.RESET.value: "After a stop whose cause is gone: back to disarmed, or after a hold to armed.",
    OperatorAction.ARM.value: "Check everything, then switch the motors on; the robot holds its pose.",
    OperatorAction.START.value: "Let an armed robot move.",
    OperatorAction.CUT.value: "Motors off at once: the robot falls.",
    STATUS: "Tell how the run is: stage, level, arming, question, stop, buses.",
}
"""Everything that can be asked of a running supervisor by a word alone, and what it does."""

AnswerKind = Literal["accepted", "refused", "unanswered", "error"]

_KINDS: Final = get_args(AnswerKind)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a supervisor says to a request.

    Attributes:
        kind: What became of it; "error" where the request itself is none.
        lines: The same in words.
        status: How the run is, for `status`.
    """

    kind: AnswerKind
    lines: tuple[str, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a supervisor.

    Attributes:
        command: One of `COMMANDS`, or `steer`.
        velocity: For `steer`: the wish, three finite numbers.
    """

    command: str
    velocity: Velocity = NEUTRAL


def encode_request(command: str, velocity: Velocity = NEUTRAL) -> bytes:
    """A request as bytes; the velocity is for `steer`."""
    content: dict[str, object] = {"command": command}
    if command == STEER:
        content["velocity"] = list(velocity)
    return json.dumps(content).encode()


def decode_request(raw: bytes) -> Request:
    """A request out of bytes.

    Raises:
        ValueError: It is none, and what is wrong with it.
    """
    if len(raw) > REQUEST_BYTES:
        raise ValueError(f"a request of more than {REQUEST_BYTES} bytes")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("a request that is not JSON") from None
    found = cast("dict[str, object]", content) if isinstance(content, dict) else {}
    command = found.get("command")
    if command == STEER and set(found) == {"command", "velocity"}:
        return Request(STEER, _velocity(found["velocity"]))
    if set(found) != {"command"}:
        raise ValueError('a request that is neither {"command": …} nor {"command": "steer", "velocity": […]}')
    if not isinstance(command, str) or command not in COMMANDS:
        raise ValueError(f"an unknown command; allowed: {', '.join(COMMANDS)}, {STEER} with a velocity")
    return Request(command)


def _velocity(found: object) -> Velocity:
    """A wish out of JSON.

    Raises:
        ValueError: It is not three finite numbers.
    """
    values = cast("list[object]", found) if isinstance(found, list) else []
    # In JSON true is no number, but in Python it is one.
    if len(values) == 3 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        with suppress(OverflowError):
            velocity = Velocity(*(float(cast(float, value)) for value in values))
            if velocity.is_finite:
                return velocity
    raise ValueError("a velocity that is not three finite numbers: forward m/s, left m/s, yaw rad/s")


def encode_answer(answer: Answer) -> bytes:
    """An answer as bytes; one that is too long loses what it says of the status."""
    content = {"kind": answer.kind, "lines": list(answer.lines), "status": dict(answer.status)}
    raw = json.dumps(content, default=str).encode()
    if len(raw) <= ANSWER_BYTES:
        return raw
    lines = [line[:1000] for line in answer.lines[:20]]
    return json.dumps({"kind": answer.kind, "lines": [*lines, "the answer was too long"], "status": {}}).encode()


def decode_answer(raw: bytes) -> Answer | None:
    """An answer out of bytes; None where they are none."""
    try:
        content = json.loads(raw)
        kind, lines, status = content["kind"], content["lines"], content["status"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    if kind not in _KINDS or not isinstance(lines, list) or not isinstance(status, dict):
        return None
    return Answer(kind, tuple(map(str, cast("list[object]", lines))), cast("dict[str, Any]", status))
