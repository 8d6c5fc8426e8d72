"""A mission on a robot that it does not move: who stands in for the operator, and how the judging goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from supervisor.core.exchange import Snapshot, Stop
from supervisor.core.levels import Level, OperatorAction, Support
from supervisor.core.ports import PressEnd
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.shadow_port import shadow_safety
from trees.missions.schema import Mission

RESET_PERIOD_S: Final = 0.5
"""A stop that would have been is reset as soon as a person could: the judging goes on."""


class Bystander:
    """Moves nothing: the robot stands where the program that drives it wants it."""

    support_reached = True

    def set_support(self, support: Support) -> None:
        """Nothing."""


def shadow_mission(mission: Mission) -> Mission:
    """A mission for a robot that is not commanded: no stage is judged by how somebody else moves it.

    Args:
        mission: As declared.
    """
    return replace(mission, stages=tuple(replace(stage, accept=(), confirm=False) for stage in mission.stages))


def as_shadow(prepared: Prepared) -> Prepared:
    """What a run that commands nothing judges with, from what was read.

    Args:
        prepared: As declared. The signature predicts the answers to our own moves, which nobody makes.
    """
    robot = replace(prepared.robot, safety=shadow_safety(prepared.robot.safety))
    return replace(prepared, robot=robot, mission=shadow_mission(prepared.mission), signature=None)


def stop_that_would_be(snapshot: Snapshot) -> Stop | None:
    """The stop that a guard would have brought about, None where there is none, or somebody asked for it."""
    stop = snapshot.stop
    return None if stop is None or stop.planned or stop.guard == "operator" else stop


class Pardon:
    """Resets each stop that would have been.

    Args:
        link: Where presses go.
    """

    def __init__(self, link: PressEnd) -> None:
        self._link = link
        self._due_s = float("-inf")

    def look(self, snapshot: Snapshot, now_s: float) -> bool:
        """Press what a person would press, once the cause is gone; to be called at every tick.

        Returns:
            Whether there is a stop that may be reset.
        """
        stop = stop_that_would_be(snapshot)
        if stop is None or stop.level is Level.TERMINAL:
            return False
        if now_s >= self._due_s and not snapshot.board.level.latches:
            self._due_s = now_s + RESET_PERIOD_S
            self._link.post_action(OperatorAction.RESET)
            if stop.level is Level.HOLD:
                self._link.post_action(OperatorAction.START)
        return True
