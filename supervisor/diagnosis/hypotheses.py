"""Which single faults a robot's signature tells apart."""

from __future__ import annotations

import itertools
import math

from supervisor.core.robot import RobotConfig
from supervisor.core.signature import Hypothesis

ALL_PAIRS_UP_TO = 12
"""With more joints only pairs that cabling can swap are tried: on one bus, or mirrored left and right."""

_MIRRORS = (("left", "right"), ("fl_", "fr_"), ("rl_", "rr_"), ("l_", "r_"), ("L_", "R_"), ("FL", "FR"), ("RL", "RR"))


def single_faults(robot: RobotConfig) -> tuple[Hypothesis, ...]:
    """Everything a signature tells apart, nominal first.

    Up to `ALL_PAIRS_UP_TO` joints every pair may be swapped and wrong zeros and weak motors come in two sizes; beyond
    that only pairs on one bus or mirrored, and one size.
    """
    names = tuple(robot.joints)
    is_small = len(names) <= ALL_PAIRS_UP_TO
    found = [Hypothesis("nominal")]
    found += [
        Hypothesis("swapped_ids", (a, b))
        for a, b in itertools.combinations(names, 2)
        if is_small or robot.joints[a].motor.bus == robot.joints[b].motor.bus or _are_mirrored(a, b)
    ]
    found += [Hypothesis("sign_flip", (name,)) for name in names]
    offsets = (0.3, -0.3, 0.15, -0.15) if is_small else (0.3, -0.3)
    found += [Hypothesis("encoder_offset", (name,), offset) for name in names for offset in offsets]
    found += [
        Hypothesis("motor_weak", (name,), share) for name in names for share in ((0.3, 0.6) if is_small else (0.3,))
    ]
    quarter = math.pi / 2.0
    found += [Hypothesis("imu_rotated", (), angle, axis) for axis in "xyz" for angle in (quarter, -quarter, math.pi)]
    return tuple(found)


def _are_mirrored(a: str, b: str) -> bool:
    return any(a != b and (a.replace(x, y) == b or b.replace(x, y) == a) for x, y in _MIRRORS)
