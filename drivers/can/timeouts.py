"""Command timeouts as counts: the one setting that stops a motor when this computer dies."""

from __future__ import annotations

import math

from supervisor.core.errors import EncodeError


def count_timeout(timeout_s: float, step_s: float, highest: int = 0xFFFFFFFF) -> int:
    """A command timeout as the number that a motor stores, 0 for "off".

    Args:
        timeout_s: 0 switches the timeout off.
        step_s: Unit of the stored number.
        highest: Largest number that can be stored.

    Raises:
        EncodeError: Negative, not finite, too long, or so short that it would silently become 0, "off".
    """
    if not math.isfinite(timeout_s) or timeout_s < 0.0:
        raise EncodeError(f"command timeout {timeout_s} s; allowed: 0 (off) or a positive duration")
    # Half a millionth of a count: 0.1 s / 50 us is 1999.9999999999998 in binary.
    counts = int(timeout_s / step_s + 5e-7)
    if counts == 0 and timeout_s > 0.0:
        raise EncodeError(f"command timeout {timeout_s} s would be stored as 0, which is off; at least {step_s:g} s")
    if counts > highest:
        raise EncodeError(f"command timeout {timeout_s} s is longer than the motor can store, {highest * step_s:g} s")
    return counts
