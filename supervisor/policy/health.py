"""What a policy step says of itself: how far its observation and action are from what they should be.

Observation, action and change of action stand in one array, so that each is measured with the same few operations.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector
from supervisor.policy.contract import Contract

NO_RANGE = 1e6
"""Half width where no training range is known: more than any sensor of a robot delivers."""

AT_BOUND = 1.0 - 1e-6
"""From here on an action counts as saturated: a network that clips delivers its bound to the last bit or two."""

UNBOUNDED = 1e-300
"""Inverse half width of an action without a bound: every finite one reads as 0, an infinite one still as infinite."""

WINDOW_S = 1.0
"""Saturation is counted over this long."""


class HealthMonitor:
    """Measures the steps of one policy.

    Attributes:
        raw: (frame_width,) where the newest raw observation is written.
        action: (n,) where the newest action is written.
        peak: Largest |action| of the last step, relative to its bound.
    """

    def __init__(self, contract: Contract) -> None:
        width, count = contract.observation.frame_width, len(contract.joints)
        values = np.zeros(width + 2 * count)
        self.raw: Vector = values[:width]
        self.action: Vector = values[width : width + count]
        self.peak = 0.0
        self._again: Vector = values[width + count :]
        self._values = values
        self._distance = np.zeros_like(values)
        self._parts = np.array([0, width, width + count], np.intp)
        self._excess = self._change_peak = 0.0
        self._raw_distance = self._distance[:width]
        self._action_distance = self._distance[width : width + count]
        self._centre, self._inverse = _expected(contract)
        # The action stands in the array twice, and the second time its centre is the action before.
        self._previous: Vector = self._centre[width + count :]
        self._has_previous = False
        self._period_s = contract.period_s
        self._window: deque[int] = deque(maxlen=max(1, round(WINDOW_S * contract.policy_hz)))
        self._saturated = 0
        self.health = PolicyHealth(period_s=self._period_s)

    def reset(self) -> None:
        """Forget every step."""
        self._has_previous = False
        self._window.clear()
        self._saturated = 0
        self.health = PolicyHealth(period_s=self._period_s)

    def measure(self) -> bool:
        """Measure the action just written; False when it is not finite."""
        action, distance = self.action, self._distance
        self._again[...] = action if self._has_previous else self._previous
        np.subtract(self._values, self._centre, distance)
        np.abs(distance, distance)
        np.multiply(distance, self._inverse, distance)
        # The largest of each part; NaN and infinity come through.
        observed, peak, change = np.maximum.reduceat(distance, self._parts).tolist()
        if not peak < math.inf:
            return False
        self._previous[...] = action
        self._has_previous = True
        self._excess, self.peak, self._change_peak = observed - 1.0, peak, change
        self._count_saturated()
        return True

    def _count_saturated(self) -> None:
        """Keep the window of saturated actions."""
        window = self._window
        if len(window) == window.maxlen:
            self._saturated -= window[0]
        count = 0 if self.peak < AT_BOUND else int(np.count_nonzero(self._action_distance >= AT_BOUND))
        window.append(count)
        self._saturated += count

    def accept(self, now_s: float, elapsed_s: float) -> None:
        """Report a step whose output may be used."""
        excess = self._excess
        is_outside = excess > 0.0
        self.health = PolicyHealth(
            True,
            now_s,
            elapsed_s,
            self._period_s,
            True,
            self.peak,
            self._change_peak,
            self._saturated / (len(self._window) * len(self.action)),
            0.5 * excess if is_outside else 0.0,
            int(self._raw_distance.argmax()) if is_outside else -1,
        )

    def refuse(self, elapsed_s: float) -> None:
        """Report a step without a usable output; the stamp stays that of the last one with."""
        self.health = PolicyHealth(True, self.health.stamp_s, elapsed_s, self._period_s, is_finite=False)


def _expected(contract: Contract) -> tuple[Vector, Vector]:
    """Centre and inverse half width of every value: 1 is the edge of what was trained, or the action's bound."""
    count = len(contract.joints)
    lows: list[float] = []
    highs: list[float] = []
    for term in contract.observation.terms:
        lows += term.minimum or (-NO_RANGE,) * term.dim
        highs += term.maximum or (NO_RANGE,) * term.dim
    low, high = np.array(lows), np.array(highs)
    centre, inverse = 0.5 * (low + high), 2.0 / (high - low)
    bound_centre, bound = _action_bound(contract)
    return (
        np.concatenate([centre, bound_centre, np.zeros(count)]),
        np.concatenate([inverse, bound, bound]),
    )


def _action_bound(contract: Contract) -> tuple[Vector, Vector]:
    """Centre and inverse half width of the action."""
    count = len(contract.joints)
    if contract.action.clip is None:
        return np.zeros(count), np.full(count, UNBOUNDED)
    low, high = contract.action.clip
    half = np.full(count, 0.5 * (high - low))
    centre = np.full(count, 0.5 * (high + low))
    if contract.action.clip_order == "after_scale":
        scale = np.array([joint.scale for joint in contract.joints.values()])
        half, centre = half / np.abs(scale), centre / scale
    return centre, 1.0 / half
