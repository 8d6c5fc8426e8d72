"""`handrail zero`: make where a joint stands its zero, with a person at the joint and the motor off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from drivers.capabilities import Zero
from drivers.registry import MOTOR_MAKES
from supervisor.core.errors import DeviceError
from supervisor.core.state import MotorStatus, RobotState
from supervisor.runtime.workbench.bench import Workbench

SETTLED_CYCLES: Final = 25
"""Polls before a motor is judged: the first answers may be under way still."""

STILL_RAD: Final = 0.02
"""A joint that moves more than this while it is looked at is not where the person believes it is."""

LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class ZeroResult:
    """What came of it.

    Attributes:
        joint: Whose zero.
        before_rad: Where the joint stood by the old zero, joint frame.
        after_rad: Where it stands by the new one; what it read before where nothing was set.
        was_set: Whether the motor has a new zero.
        advice: What to do next.
    """

    joint: str
    before_rad: float
    after_rad: float
    was_set: bool
    advice: str


class Answer(Enum):
    """What a person says to where a joint stands."""

    SET = "set"
    AGAIN = "again"
    LEAVE = "leave"


def set_zero(bench: Workbench, joint: str, ask: Callable[[str], Answer]) -> ZeroResult:
    """Guide a person through setting the zero of one joint's motor.

    Args:
        bench: The robot; its motors stay off.
        joint: Whose.
        ask: Shows where the joint stands, and returns what to do.

    Raises:
        DeviceError: No such joint, the motor does not answer, is not off, moves, or does not read zero afterwards.
    """
    if joint not in bench.config.joints:
        raise DeviceError(f"no joint {joint!r}; the robot has {', '.join(bench.config.joints)}")
    config = bench.config.joints[joint]
    # Some motors say whether they are off only after an inventory has told them to be.
    bench.finish(bench.robot.inventory(bench.now_s), is_started=True)
    zero = MOTOR_MAKES[config.motor.make].capabilities.zero
    before_rad = _look(bench, joint)
    if zero is Zero.NONE:
        offset_rad = config.offset_rad + before_rad
        return ZeroResult(
            joint,
            before_rad,
            before_rad,
            False,
            f"the zero of {config.motor.make} cannot be set over the bus. If the joint stands at its zero now, write "
            f"`offset_rad: {offset_rad:.4f}` for {joint} in the robot file instead (now {config.offset_rad:g})",
        )
    wanted_rad = 0.0 - config.offset_rad
    while True:
        answer = ask(
            f"{joint} reads {before_rad:+.4f} rad. Move it by hand to where it should read {wanted_rad:+.4f} rad, and "
            f"hold it there. The new zero is {zero.value}."
        )
        if answer is Answer.LEAVE:
            return ZeroResult(joint, before_rad, before_rad, False, "nothing was changed")
        before_rad = _look(bench, joint)
        if answer is Answer.SET:
            break
    bench.finish(bench.robot.set_zero(joint, bench.now_s))
    after_rad = _look(bench, joint)
    advice = "make the robot's signature again if its model's pose has changed by it"
    if zero is Zero.MEMORY:
        advice = "this zero is lost when the power is cut: set it again at every start, in the same pose"
    return ZeroResult(joint, before_rad, after_rad, True, advice)


def _look(bench: Workbench, joint: str) -> float:
    """Where a joint stands, joint frame; refuses unless its motor answers, is off, and is still."""
    for _ in range(SETTLED_CYCLES):
        bench.step()
    index = bench.config.order.index(joint)
    seen_rad: list[float] = []
    until_s = bench.now_s + LOOK_S
    while bench.now_s < until_s:
        state = bench.step()
        _refuse_unless_off(bench, state, index, joint)
        seen_rad.append(float(state.position_rad[index]))
    moved_rad = max(seen_rad) - min(seen_rad)
    if moved_rad > STILL_RAD:
        raise DeviceError(
            f"{joint} moved {moved_rad:.3f} rad in {LOOK_S:g} s, allowed {STILL_RAD:g} rad: hold it still and try again"
        )
    return seen_rad[-1]


def _refuse_unless_off(bench: Workbench, state: RobotState, index: int, joint: str) -> None:
    motor = bench.config.joints[joint].motor
    status = MotorStatus(int(state.motor_status[index]))
    if status is MotorStatus.UNKNOWN:
        raise DeviceError(
            f"motor of {joint} ({motor.make} {motor.id} on {motor.bus}) does not answer: see handrail scan"
        )
    if status is not MotorStatus.DISABLED:
        said = bench.robot.fault_name(index, int(state.fault_code[index])) or status.name
        raise DeviceError(f"motor of {joint} reports {said}: a zero may only be set while it is off and healthy")
