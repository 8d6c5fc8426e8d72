"""Single keys from the terminal that a run was started in. However the run ends, the terminal is left as it was."""

from __future__ import annotations

import atexit
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from supervisor.core.levels import OperatorAction
from supervisor.runtime.inputs.keys import RELEASED_S, KeyDecoder

_READ_BYTES: Final = 1024


class Terminal:
    """Keys of a terminal, one by one and without echo, while this process is in its foreground.

    Args:
        descriptor: Of the terminal; standard input.
        suspend: Suspends this process, as Ctrl-Z wants it.

    Attributes:
        is_there: False for good once the terminal was closed.
    """

    def __init__(
        self, descriptor: int, suspend: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGSTOP)
    ) -> None:
        self.is_there = True
        self._descriptor = descriptor
        self._suspend = suspend
        self._decoder = KeyDecoder()
        self._saved: list[Any] | None = None
        self._last_key_s = float("-inf")
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._previous: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number, handler in (
                (signal.SIGTSTP, self._on_suspend),
                (signal.SIGCONT, self._on_continue),
                (signal.SIGHUP, self._on_hangup),
            ):
                self._previous[number] = signal.signal(number, handler)
        atexit.register(self._restore)

    def poll(self, now_s: float) -> list[OperatorAction]:
        """The presses since the last call. Never waits, never raises."""
        if not self.is_there:
            return []
        try:
            return self._read(now_s)
        except (OSError, termios.error):
            self.is_there = False
            return []

    def _read(self, now_s: float) -> list[OperatorAction]:
        # Whoever reads or sets a terminal from its background is stopped by the kernel.
        if os.tcgetpgrp(self._descriptor) != os.getpgrp():
            return []
        if self._saved is None:
            self._saved = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
            self._decoder.begin(now_s)
        if not self._poll.poll(0):
            return []
        raw = os.read(self._descriptor, _READ_BYTES)
        if not raw:
            self.is_there = False
            return []
        self._last_key_s = now_s
        return self._decoder.take(raw, now_s)

    def is_held(self, now_s: float) -> bool:
        """Whether a key is held down, as far as a terminal can tell: it sends one again and again."""
        return self.is_there and now_s - self._last_key_s < RELEASED_S

    def steered(self, now_s: float) -> tuple[float, float, float]:
        """What its keys steer: see `KeyDecoder.steered`. Nothing once it was closed."""
        return self._decoder.steered(now_s) if self.is_there else (0.0, 0.0, 0.0)

    def close(self) -> None:
        """Leave the terminal as it was found. Idempotent."""
        self._restore()
        atexit.unregister(self._restore)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _restore(self) -> None:
        saved, self._saved = self._saved, None
        if saved is None:
            return
        previous = None
        try:
            if threading.current_thread() is threading.main_thread():
                # In the background the kernel would stop us for this; ignored, it lets us.
                previous = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, saved)
        except (OSError, termios.error):
            self.is_there = False
        finally:
            if previous is not None:
                signal.signal(signal.SIGTTOU, previous)

    def _on_suspend(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._restore()
        self._suspend()

    def _on_continue(self, number: int, frame: FrameType | None) -> None:
        # The shell may have set the terminal meanwhile: the next poll in the foreground begins anew.
        del number, frame
        self._restore()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_there = False
