"""The measured quantities: their names, and pure functions of recorded windows that compute them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from supervisor.core.joints import Vector
from supervisor.core.report import METRIC_NAMES
from supervisor.core.state import BusStatistics, RobotState

SEGMENT_SETTLE_S = 1.5
"""Dropped after a command change: a trotting robot needs about two strides to reach a new speed."""

RATIO_WINDOW_S = 1.0
"""Reply ratios are taken over this long: 500 replies a motor, so that one late reply is 0.2 %."""

_SEGMENTS_MAX = 32
_VELOCITY_AXES: Mapping[str, tuple[str, int]] = {
    "vx": ("linear", 0),
    "vy": ("linear", 1),
    "vz": ("linear", 2),
    "wx": ("angular", 0),
    "wy": ("angular", 1),
    "wz": ("angular", 2),
}


def metric_names(command_names: Sequence[str]) -> tuple[str, ...]:
    """Every metric a mission may ask for with a policy that takes these commands.

    For each command that can be measured: `<name>_error_max`, the largest over all segments of one commanded value
    of |mean measured - commanded|, and `<name>_mean`.
    """
    tracked = [name for name in command_names if name[:2] in _VELOCITY_AXES]
    return (*METRIC_NAMES, *(f"{name}_{what}" for name in tracked for what in ("error_max", "mean")))


def largest_slope(values: Vector, time_s: Vector) -> float:
    """Largest |slope| over the columns, least squares, per second; NaN with fewer than three samples."""
    if len(time_s) < 3:
        return float("nan")
    time = time_s - time_s.mean()
    return float(np.max(np.abs(time @ (values - values.mean(axis=0)) / (time @ time))))


def detrended(values: Vector, time_s: Vector) -> Vector:
    """Columns less their least-squares line."""
    time = time_s - time_s.mean()
    centred = values - values.mean(axis=0)
    return centred - np.outer(time, time @ centred / (time @ time))


def oscillation(values: Vector, time_s: Vector) -> tuple[float, float, int]:
    """The column that swings most.

    Args:
        values: (m, n) one column per joint.
        time_s: (m,) evenly spaced.

    Returns:
        Standard deviation about its line, dominant frequency (Hz, at most half the sample rate), column index.
        NaN, NaN, -1 with fewer than eight samples.
    """
    if len(time_s) < 8 or not np.all(np.isfinite(values)):
        return float("nan"), float("nan"), -1
    swing = detrended(values, time_s)
    deviation = swing.std(axis=0)
    worst = int(np.argmax(deviation))
    spectrum = np.abs(np.fft.rfft(swing[:, worst] * np.hanning(len(swing))))
    spectrum[0] = 0.0
    frequency = float(np.argmax(spectrum)) / (len(swing) * float(np.mean(np.diff(time_s))))
    return float(deviation[worst]), frequency, worst


class ReplyRatios:
    """Share of due replies that came, over consecutive windows, the worst of every bus."""

    __slots__ = ("_start", "_start_s", "smallest")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._start: Mapping[str, BusStatistics] = {}
        self._start_s = 0.0
        self.smallest: dict[str, float] = {}

    def add(self, buses: Mapping[str, BusStatistics], now_s: float) -> None:
        """Take the counters; a window is closed once it is long enough."""
        if not self._start:
            self._start, self._start_s = buses, now_s
        elif now_s - self._start_s >= RATIO_WINDOW_S:
            for name, ratio in self._ratios(buses).items():
                self.smallest[name] = min(ratio, self.smallest.get(name, ratio))
            self._start, self._start_s = buses, now_s

    def by_bus(self, buses: Mapping[str, BusStatistics]) -> dict[str, float]:
        """Smallest ratio by bus; of the unfinished window where no window was closed yet."""
        return dict(self.smallest) or self._ratios(buses)

    def _ratios(self, buses: Mapping[str, BusStatistics]) -> dict[str, float]:
        ratios: dict[str, float] = {}
        for name, then in self._start.items():
            expected = buses[name].expected - then.expected
            if expected > 0:
                ratios[name] = (buses[name].received - then.received) / expected
        return ratios


@dataclass(slots=True)
class _Segment:
    command: Vector
    start_s: float
    total: Vector
    count: int = 0


@dataclass(slots=True)
class CommandTracking:
    """How well each commanded velocity is followed, by segments of one commanded value.

    Attributes:
        names: Meaning of the command vector.
        ratio: (len(names),) measured over commanded, as the policy did in simulation.
    """

    names: tuple[str, ...]
    ratio: Vector
    _segments: list[_Segment] = field(default_factory=list[_Segment])

    def clear(self) -> None:
        """Forget everything."""
        self._segments.clear()

    def add(self, state: RobotState, command: Vector | None) -> None:
        """Take one tick; the first `SEGMENT_SETTLE_S` after a change of command are dropped."""
        if command is None:
            return
        segment = self._segments[-1] if self._segments else None
        if segment is None or not np.array_equal(segment.command, command):
            if len(self._segments) >= _SEGMENTS_MAX:
                del self._segments[0]
            self._segments.append(_Segment(command.copy(), state.now_s, np.zeros(len(self.names))))
        elif state.now_s - segment.start_s >= SEGMENT_SETTLE_S:
            segment.total += self._measured(state)
            segment.count += 1

    def metrics(self) -> dict[str, float]:
        """`<name>_error_max` (against the policy in simulation), `<name>_mean`, each segment's command and mean."""
        used = [segment for segment in self._segments if segment.count]
        found: dict[str, float] = {}
        if not used:
            return found
        commands = np.array([segment.command for segment in used])
        means = np.array([segment.total / segment.count for segment in used])
        counts = np.array([segment.count for segment in used])
        for i, name in enumerate(self.names):
            if np.isnan(means[:, i]).any():
                continue
            found[f"{name}_error_max"] = float(np.max(np.abs(means[:, i] - self.ratio[i] * commands[:, i])))
            found[f"{name}_mean"] = float(counts @ means[:, i] / counts.sum())
            if len(used) > 1:
                for k in range(len(used)):
                    found[f"{name}_segment{k}_command"] = float(commands[k, i])
                    found[f"{name}_segment{k}_mean"] = float(means[k, i])
        return found

    def _measured(self, state: RobotState) -> Vector:
        sources = {
            "linear": state.base_velocity.linear_velocity_base_in_base_m_per_s,
            "angular": state.imu.angular_velocity_base_in_base_rad_per_s,
        }
        has_estimator = np.isfinite(state.base_velocity.stamp_s)
        measured = np.full(len(self.names), np.nan)
        for i, name in enumerate(self.names):
            source, axis = _VELOCITY_AXES.get(name[:2], ("", 0))
            if source == "angular" or (source == "linear" and has_estimator):
                measured[i] = sources[source][axis]
        return measured
