"""`handrail steer`: a wish for a velocity, renewed for a while, and then a stand."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from supervisor.core.errors import LinkError
from supervisor.core.velocity import NEUTRAL, Velocity
from supervisor.runtime.inputs.client import send
from supervisor.runtime.inputs.commands import EXIT_CODES
from supervisor.runtime.inputs.messages import STEER, Answer

PERIOD_S: Final = 0.1
"""A wish may be 0.3 s old in the shipped mission: two may be lost."""


def _send(velocity: Velocity, robot: str | None) -> Answer:
    return send(STEER, robot, velocity=velocity)


def steer(
    velocity: Velocity,
    seconds: float,
    robot: str | None,
    say: Callable[[str], None],
    ask: Callable[[Velocity, str | None], Answer] = _send,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Ask for a velocity until the time is up, a person interrupts, or it is refused.

    Args:
        velocity: The wish.
        seconds: How long; 0 for until interrupted.
        robot: Name of the robot, None where one supervisor runs.
        say: Takes what to print: the first answer, and the last where it is another one.
        ask: Asks the supervisor.
        clock_s: Monotonic.
        sleep: Waits.

    Returns:
        The exit code.

    Raises:
        LinkError: No supervisor runs, several do, or it does not answer.
    """
    if not velocity.is_finite:
        say(f"steer: {velocity}: a velocity is three finite numbers")
        return EXIT_CODES["error"]
    until_s = clock_s() + (seconds or float("inf"))
    said, answer = "", Answer("accepted")
    try:
        while answer.kind == "accepted" and clock_s() < until_s:
            answer = ask(velocity, robot)
            if not said:
                said = _line(answer)
                say(said)
            sleep(PERIOD_S)
    except KeyboardInterrupt:
        pass  # Whoever interrupts wants the robot to stand, which comes next.
    finally:
        # It would stand by itself soon, but at once; asked, it slows down.
        with suppress(LinkError):
            ask(NEUTRAL, robot)
    if _line(answer) != said:
        say(_line(answer))
    return EXIT_CODES[answer.kind]


def _line(answer: Answer) -> str:
    return f"steer {answer.kind}: {'; '.join(answer.lines)}"
