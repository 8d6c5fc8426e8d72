"""What can go wrong with a policy: a wrapper that does it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivers.sim.fault_kinds import POLICY_FAULTS, Fault, PolicySlow
from supervisor.core.command import JointCommand
from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from supervisor.core.robot import RobotConfig
from supervisor.core.state import RobotState
from supervisor.core.wrapped_policy import WrappedPolicy

SATURATION_WINDOW_S = 1.0
"""`PolicyHealth.saturated_fraction` looks back this long."""


@dataclass(slots=True)
class _Running:
    """A step that is being computed."""

    began_s: float
    ready_s: float
    command: JointCommand | None
    health: PolicyHealth


class SlowedPolicy(WrappedPolicy):
    """A `PolicyPort` around another one whose steps really take longer while `policy_slow` is in force.

    For runs in real time, where whoever waits for a step waits; `FaultyPolicy` is for a clock that stands still.

    Args:
        policy: The real one.
        faults: Gives the faults in force at a time.
        sleep: Takes the time.
    """

    def __init__(
        self,
        policy: PolicyPort,
        faults: Callable[[float], Sequence[Fault]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(policy)
        self._faults, self._sleep = faults, sleep
        self._delay_s = 0.0

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself, and how long it took."""
        health = super().health
        return replace(health, elapsed_s=health.elapsed_s + self._delay_s) if self._delay_s else health

    def reset(self) -> None:
        """Forget everything but the faults."""
        super().reset()
        self._delay_s = 0.0

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step, and take the time."""
        self._delay_s = sum(fault.delay_s for fault in self._faults(now_s) if isinstance(fault, PolicySlow))
        result = self._policy.step(state, command, action_gain, now_s)
        if self._delay_s:
            self._sleep(self._delay_s)
        return result


class FaultyPolicy(WrappedPolicy):
    """A `PolicyPort` around another one, which misbehaves while policy faults are in force.

    - `policy_nan`: the step gives no usable command, and its health says that it was not finite.
    - `policy_saturated`: every joint is sent to the end of its range on the side to which the policy leans, as far as
      the action gain allows, and the health counts every action as being at its bound.
    - `policy_slow`: a step takes `delay_s` longer. Until it is done the last result stands; the next step starts from
      the measurements of that moment.

    Args:
        policy: The real one.
        robot: For the joints' ranges and default pose.
        faults: Gives the faults in force at a time.
    """

    def __init__(self, policy: PolicyPort, robot: RobotConfig, faults: Callable[[float], Sequence[Fault]]) -> None:
        super().__init__(policy)
        self._faults = faults
        self._default_rad = robot.vector("default_rad")
        self._room_rad = (
            robot.position_minimum_rad - self._default_rad,
            robot.position_maximum_rad - self._default_rad,
        )
        self._health: PolicyHealth | None = None
        self._last: JointCommand | None = None
        self._running: _Running | None = None
        self._saturated_since_s = math.inf

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself, with what the faults made of it."""
        return super().health if self._health is None else self._health

    def reset(self) -> None:
        """Forget everything but the faults."""
        super().reset()
        self._health = self._last = self._running = None
        self._saturated_since_s = math.inf

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step."""
        faults = [fault for fault in self._faults(now_s) if isinstance(fault, POLICY_FAULTS)]
        if not faults:
            self._running, self._saturated_since_s = None, math.inf
            self._last = self._policy.step(state, command, action_gain, now_s)
            self._health = self._policy.health
            return self._last
        self._finish(now_s)
        if self._running is None:
            delay_s = sum(fault.delay_s for fault in faults if isinstance(fault, PolicySlow))
            result = self._policy.step(state, command, action_gain, now_s)
            health = self._policy.health
            health = replace(health, elapsed_s=health.elapsed_s + delay_s)
            kinds = {fault.kind for fault in faults}
            if "policy_saturated" in kinds:
                result, health = self._saturate(result, health, action_gain, now_s)
            if "policy_nan" in kinds:
                # As a real session would: what is not finite never leaves the policy.
                result, health = None, replace(health, is_finite=False)
            self._running = _Running(now_s, now_s + delay_s, result, health)
            self._finish(now_s)
        return self._last

    def _finish(self, now_s: float) -> None:
        """Take over the step under way if it is done; otherwise only say how long it takes already."""
        running = self._running
        if running is None:
            return
        if now_s >= running.ready_s:
            self._last, self._running = running.command, None
            is_usable = running.command is not None
            self._health = replace(running.health, stamp_s=running.ready_s) if is_usable else running.health
        elif self._health is not None:
            self._health = replace(self._health, elapsed_s=max(self._health.elapsed_s, now_s - running.began_s))

    def _saturate(
        self, result: JointCommand | None, health: PolicyHealth, action_gain: float, now_s: float
    ) -> tuple[JointCommand | None, PolicyHealth]:
        self._saturated_since_s = min(self._saturated_since_s, now_s)
        share = min(1.0, (now_s - self._saturated_since_s) / SATURATION_WINDOW_S)
        health = replace(health, action_peak=max(1.0, health.action_peak), saturated_fraction=share)
        if result is None:
            return None, health
        low, high = self._room_rad
        room = np.where(result.position_rad < self._default_rad, low, high)
        return replace(result, position_rad=self._default_rad + action_gain * room), health
