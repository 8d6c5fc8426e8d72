"""Joint moves: the path between two positions, and the plan by which single joints are tried.

The plan is shared by the robot's stage and by the simulation that predicts its answer, so that both make the very
same moves.
"""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core.levels import Support


def minimum_jerk(fraction: float) -> float:
    """Position along a minimum-jerk path, 0 to 1, for a share of its duration.

    Source: T. Flash, N. Hogan, The coordination of arm movements, J. Neuroscience 5(7), 1985, eq. for rest to rest.
    """
    s = min(max(fraction, 0.0), 1.0)
    return s * s * s * (10.0 + s * (-15.0 + 6.0 * s))


MINIMUM_JERK_PEAK_SPEED = 1.875
"""Largest speed on a minimum-jerk path, in units of distance over duration."""


@dataclass(frozen=True, slots=True)
class Move:
    """One joint moved away from the default pose, held, and moved back; the others hold.

    Attributes:
        joint: Which.
        offset_rad: How far from the default pose.
        support: What carries the robot meanwhile.
    """

    joint: str
    offset_rad: float
    support: Support

    def label(self, phase: str) -> str:
        """What samples of one phase of this move are labelled with: "lowered/fl_hip+/measure".

        The phases are "out", "hold", "measure", "back" and "rest", as timed by the plan.
        """
        return f"{self.support.value}/{self.joint}{'+' if self.offset_rad >= 0.0 else '-'}/{phase}"


@dataclass(frozen=True, slots=True)
class MovePlan:
    """All moves and their timing. Each support's moves begin with a baseline: nobody moves, everybody is measured.

    Attributes:
        moves: In order; all moves of one support stand together.
        settle_s: Waiting before each support's baseline.
        baseline_s: Duration of the baseline measurement.
        move_s: Duration of the minimum-jerk path, out and back alike.
        hold_s: Waiting at the far end before measuring.
        measure_s: Duration of the measurement at the far end.
        rest_s: Waiting after the way back.
    """

    moves: tuple[Move, ...]
    settle_s: float
    baseline_s: float
    move_s: float
    hold_s: float
    measure_s: float
    rest_s: float

    @staticmethod
    def baseline_label(support: Support) -> str:
        """What samples of a support's baseline are labelled with: "gantry/baseline"."""
        return f"{support.value}/baseline"

    @property
    def cycle_s(self) -> float:
        """Duration of one move from start to start of the next."""
        return 2.0 * self.move_s + self.hold_s + self.measure_s + self.rest_s
