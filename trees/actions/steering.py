"""Letting the policy drive where a person steers."""

from __future__ import annotations

from typing import Final

import numpy as np
from py_trees.common import Status

from supervisor.core.joints import Vector
from supervisor.core.levels import OperatorAction
from supervisor.core.ports import Prompt
from supervisor.core.velocity import COMMANDS, UNITS, Velocity, VelocityAsk
from trees.actions.moving import MovingLeaf
from trees.base import RUNNING, SUCCESS
from trees.context import MissionContext
from trees.missions.schema import STAND_S, Duration, SteeringSpec
from trees.motion import Motion
from trees.steering import Steering

NOTE_S: Final = 0.1
"""What is asked goes into the record when it has changed, at most this often."""

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
        self._command: Vector = np.zeros(0)
        self._places: tuple[int, ...] = ()
        self._steering: Steering | None = None
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self._offer: Prompt | None = None
        self._noted: tuple[object, ...] = ()
        self._noted_s = float("-inf")

    def initialise(self) -> None:
        """Stand, and count nothing that was asked before."""
        policy = self.context.policy
        low, high = policy.command_range
        self._places = tuple(policy.command_names.index(name) for name in COMMANDS)
        self._command = np.zeros(len(policy.command_names))
        self._steering = Steering(
            Velocity(*(float(low[i]) for i in self._places)),
            Velocity(*(float(high[i]) for i in self._places)),
            self._spec,
        )
        self._began_s = self._ended_s = self._offer = None
        self._noted, self._noted_s = (), float("-inf")

    def move(self) -> Status:
        """One tick of driving."""
        context, steering = self.context, self._steering
        if steering is None:
            raise RuntimeError("ticked without initialise")
        if self._began_s is None:
            self._tell(Velocity())
            if self.motion.is_steady:
                self._began_s = context.now_s
                context.begin_measuring(again=True)
            return RUNNING
        if self._ended_s is None:
            ask = context.pilot.asked()
            self._tell(steering.step(ask, context.now_s))
            self._note(ask, steering)
            if self._is_over(context.now_s - self._began_s):
                self._ended_s = context.now_s
                self.say("coming to a stand")
            return RUNNING
        self._tell(steering.stand(context.now_s))
        has_stood = context.now_s - self._ended_s >= STAND_S - _EPSILON_S
        return SUCCESS if has_stood and steering.velocity.is_neutral else RUNNING

    def _tell(self, velocity: Velocity) -> None:
        """Let the policy follow a velocity for this tick, and the judge see it."""
        # A new one in each tick: motion and judge keep what they are given.
        command = np.zeros_like(self._command)
        for place, value in zip(self._places, velocity, strict=True):
            command[place] = value
        self.motion.policy(command, self._gain, self.name)
        self.sample("approach" if self._began_s is None else "steered", command)

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

    def _note(self, ask: VelocityAsk | None, steering: Steering) -> None:
        """Put what was asked, and what became of it, on record where either has changed."""
        now_s = self.context.now_s
        asked = None if ask is None else ask.velocity
        source = "" if ask is None else ask.source
        news = (asked, source, steering.velocity, bool(steering.reason))
        if news == self._noted or now_s - self._noted_s < NOTE_S - _EPSILON_S:
            return
        self._noted, self._noted_s = news, now_s
        self.say(steering.reason or f"told {steering.velocity}")
        wish = "nobody asks" if asked is None or not source else f"{source} asks {asked}"
        doubt = f" ({steering.reason})" if steering.reason else ""
        self.context.note(
            f"steering: {wish}; told {steering.velocity}{doubt}",
            {
                "asked": None if asked is None or not asked.is_finite else list(asked),
                "source": source,
                "told": list(steering.velocity),
                "reason": steering.reason,
            },
        )
