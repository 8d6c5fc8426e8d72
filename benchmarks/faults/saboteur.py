"""What every process of a sabotaged run carries: written out as its `sitecustomize`, which Python reads at its start.

SIGUSR1: a computation in C that holds the interpreter's lock for about a second. SIGUSR2: the wall clock jumps an hour
ahead, then two back, and so on.
"""

SITECUSTOMIZE = """
import signal
import time

_real_s = time.time
_step_s = [0.0]


def _stepped_s():
    return _real_s() + _step_s[0]


def _busy(number, frame):
    deadline_s = time.monotonic() + 1.0
    while time.monotonic() < deadline_s:
        3 ** 2_000_000


def _step(number, frame):
    _step_s[0] = -3600.0 if _step_s[0] > 0.0 else 3600.0


time.time = _stepped_s
signal.signal(signal.SIGUSR1, _busy)
signal.signal(signal.SIGUSR2, _step)
"""
