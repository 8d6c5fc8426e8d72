"""Letting the policy drive where a person steers."""

from __future__ import annotations

from typing import Final

import numpy as np
from py_trees.common import Status

from supervisor.core.levels import OperatorAction
from supervisor.core.ports import Prompt
from supervisor.core.velocity import COMMANDS, UNITS, Steered, Velocity, VelocityAsk
from trees.actions.moving import MovingLeaf
from trees.base import RUNNING, SUCCESS
from trees.context import MissionContext
from trees.missions.schema import STAND_S, Duration, SteeringSpec
from trees.motion import Motion
from trees.steering import Steering

HANDOVER: Final = "the policy takes over"
ENDING: Final = "the stage ends: the robot comes to a stand"

_EPSILON_S = 1e-6


class SteerPolicy(MovingLeaf):
    """Lets the policy drive at an action gain, at the velocity that a person asks for.

    It begins at a stand. It ends when its time is up or the person confirms the end, and then with a stand, so that
    the robot never lies down while it walks.

    Args:
        gain: Action gain.
        duration: At least and at most how long the person steers.
        spec: How the wish is followed.
        context: The mission's context.
        motion: What carries the robot.
    """

    def __init__(
        self, gain: float, duration: Duration, spec: SteeringSpec, context: MissionContext, motion: Motion
    ) -> None:
        super().__init__("SteerPolicy", context, motion)
        limits = zip(spec.acceleration, UNITS, strict=True)
        self.details = (
            f"action gain {gain:g}, a person steers",
            f"changes by at most {', '.join(f'{limit:g} {unit}²' for limit, unit in limits)}",
            f"stand unless asked within {spec.maximum_age_s:g} s",
            f"{duration.minimum_s:g} to {duration.maximum_s:g} s",
        )
        self._gain = gain
        self._duration = duration
        self._spec = spec
        self._commands = 0
        self._places: tuple[int, ...] = ()
        self._steering: Steering | None = None
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self._offer: Prompt | None = None

    def initialise(self) -> None:
        """Stand, and count nothing that was asked before."""
        policy = self.context.policy
        low, high = policy.command_range
        self._places = tuple(policy.command_names.index(name) for name in COMMANDS)
        self._commands = len(policy.command_names)
        self._steering = Steering(
            Velocity(*(float(low[i]) for i in self._places)),
            Velocity(*(float(high[i]) for i in self._places)),
            self._spec,
        )
        self._began_s = self._ended_s = self._offer = None

    def move(self) -> Status:
        """One tick of driving."""
        context, steering = self.context, self._steering
        if steering is None:
            raise RuntimeError("ticked without initialise")
        ask = context.pilot.asked()
        if self._began_s is None:
            self._tell(ask, steering.velocity, HANDOVER, "approach")
            if self.motion.is_steady:
                self._began_s = context.now_s
                context.begin_measuring(again=True)
            return RUNNING
        if self._ended_s is None:
            velocity = steering.step(ask, context.now_s)
            self._tell(ask, velocity, steering.reason, "steered")
            if self._is_over(context.now_s - self._began_s):
                self._ended_s = context.now_s
            return RUNNING
        self._tell(ask, steering.stand(context.now_s), ENDING, "steered")
        has_stood = context.now_s - self._ended_s >= STAND_S - _EPSILON_S
        return SUCCESS if has_stood and steering.velocity.is_neutral else RUNNING

    def _tell(self, ask: VelocityAsk | None, velocity: Velocity, reason: str, label: str) -> None:
        """Let the policy follow a velocity for this tick, and the judge and the record see it."""
        # A new one in each tick: motion and judge keep what they are given.
        command = np.zeros(self._commands)
        for place, value in zip(self._places, velocity, strict=True):
            command[place] = value
        self.motion.policy(command, self._gain, self.name)
        self.sample(label, command)
        self.say(reason)
        self.context.steered = Steered(ask, velocity, reason)

    def _is_over(self, elapsed_s: float) -> bool:
        if elapsed_s >= self._duration.maximum_s - _EPSILON_S:
            return True
        if elapsed_s < self._duration.minimum_s - _EPSILON_S:
            return False
        if self._offer is None:
            text = "Steer the robot; confirm to end: it stands, then lies down."
            self._offer = Prompt(self.context.new_key("steer"), text, OperatorAction.CONFIRM, is_offer=True)
            self.context.operator.ask(self._offer)
        return self.context.operator.answered(self._offer.key)
