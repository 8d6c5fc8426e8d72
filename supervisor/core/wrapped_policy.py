"""What every policy around another one passes on as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from supervisor.core.command import JointCommand
from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from supervisor.core.state import RobotState


class WrappedPolicy(ABC):
    """A `PolicyPort` around another one; who inherits says what a step is.

    Args:
        policy: The other one.
    """

    def __init__(self, policy: PolicyPort) -> None:
        self._policy = policy

    @property
    def period_s(self) -> float:
        """One step's period."""
        return self._policy.period_s

    @property
    def command_names(self) -> tuple[str, ...]:
        """What the command vector means."""
        return self._policy.command_names

    @property
    def command_range(self) -> tuple[Vector, Vector]:
        """Recommended smallest and largest command."""
        return self._policy.command_range

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself."""
        return self._policy.health

    def reset(self) -> None:
        """Forget history."""
        self._policy.reset()

    @abstractmethod
    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step; see `PolicyPort.step`."""
