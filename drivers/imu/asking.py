"""One unit while it is set up: what is said to it, and what it answers in the midst of its stream."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol, TypeVar

from drivers.bus import SerialPort
from drivers.devices import Changing, Found, Settings
from supervisor.core.robot import ImuConfig

ATTEMPTS: Final = 3
ANSWER_S: Final = 0.3
"""How long a unit has to answer: more than a packet is under way, however slow the line."""

KEEP_S: Final = 2.0
"""How long it has to write its flash, and to say so."""

Answer = TypeVar("Answer")


class UnitLine:
    """What one unit is told and says.

    Args:
        config: How it is wired, and what it must stream.
        port: Its open serial port.

    Attributes:
        config: As given.
        heard: What has arrived since it was last asked something.
    """

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        self.config = config
        self.heard = b""
        self._port = port

    def tell(self, data: bytes) -> None:
        """Send what is not answered."""
        self._port.write(data)

    def ask(
        self,
        data: bytes,
        answer_in: Callable[[bytes], Answer | None],
        now_s: float,
        attempts: int = ATTEMPTS,
        wait_s: float = ANSWER_S,
    ) -> Generator[None, float, tuple[float, Answer | None]]:
        """Send something until it is answered, at most a few times.

        Args:
            data: What to send.
            answer_in: Finds the answer in what has arrived, None while it is not there.
            now_s: Time of the first step.
            attempts: How often.
            wait_s: How long to wait each time.

        Returns:
            The time, and the answer: None when nothing came back.
        """
        for _ in range(attempts):
            self.heard = b""
            self.tell(data)
            deadline_s = now_s + wait_s
            while now_s < deadline_s:
                now_s = yield
                answer = answer_in(self.heard)
                if answer is not None:
                    return now_s, answer
        return now_s, None


class UnitSettings(Protocol):
    """How a make compares and changes what its units keep: a module."""

    def find_settings(self, line: UnitLine, now_s: float) -> Found:
        """What the unit keeps otherwise than it should. Writes nothing."""
        ...

    def write_settings(self, line: UnitLine, settings: Settings, now_s: float) -> Changing:
        """Write settings and have them kept, once: flash wears."""
        ...


def pause(duration_s: float, now_s: float) -> Changing:
    """Let time pass."""
    until_s = now_s + duration_s
    while now_s < until_s:
        now_s = yield
    return now_s
