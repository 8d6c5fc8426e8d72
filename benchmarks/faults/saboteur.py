"""What every process of a sabotaged run carries: written out as its `sitecustomize`, which Python reads at its start.

SIGUSR1: a computation in C that holds the interpreter's lock for about a second.
"""

SITECUSTOMIZE = """
import signal
import time


def _busy(number, frame):
    deadline_s = time.monotonic() + 1.0
    while time.monotonic() < deadline_s:
        3 ** 2_000_000


signal.signal(signal.SIGUSR1, _busy)
"""
