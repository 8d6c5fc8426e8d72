"""Which single-joint moves a robot is tried with, and how fast."""

from __future__ import annotations

from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from supervisor.core.robot import JointConfig, RobotConfig

GANTRY_OFFSET_RAD = 0.2
"""Large enough that a hanging leg's weight shifts by more than the joint's friction."""

LOWERED_OFFSET_RAD = 0.12
"""Small enough that a robot carrying 60 % of its weight keeps all feet on the floor."""

_LIMIT_MARGIN_RAD = 0.02


def default_move_plan(robot: RobotConfig) -> MovePlan:
    """The moves of `single_joint`: each joint once on the gantry, then each both ways with weight on the feet.

    A move that would leave the joint's limits goes the other way (gantry) or is shortened, and is left out where
    nothing worth measuring remains. 12 joints take about 35 s, 29 about 80 s.
    """
    moves: list[Move] = []
    for name, joint in robot.joints.items():
        offset = _towards_room(joint, GANTRY_OFFSET_RAD)
        if offset:
            moves.append(Move(name, offset, Support.GANTRY))
    for name, joint in robot.joints.items():
        for wished in (LOWERED_OFFSET_RAD, -LOWERED_OFFSET_RAD):
            offset = _clamped(joint, wished)
            if abs(offset) >= LOWERED_OFFSET_RAD / 3.0:
                moves.append(Move(name, offset, Support.LOWERED))
    return MovePlan(moves=tuple(moves), settle_s=1.5, baseline_s=0.5, move_s=0.3, hold_s=0.1, measure_s=0.2, rest_s=0.2)


def _clamped(joint: JointConfig, offset_rad: float) -> float:
    low, high = joint.position_rad
    lowest, highest = low + _LIMIT_MARGIN_RAD - joint.default_rad, high - _LIMIT_MARGIN_RAD - joint.default_rad
    return min(max(offset_rad, min(lowest, 0.0)), max(highest, 0.0))


def _towards_room(joint: JointConfig, offset_rad: float) -> float:
    forward, backward = _clamped(joint, offset_rad), _clamped(joint, -offset_rad)
    return forward if abs(forward) >= abs(backward) else backward
