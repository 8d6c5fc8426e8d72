"""The small protocols that leaves and loops are built against. Each can be mocked in five lines."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from supervisor.core.command import Actuation, JointCommand
from supervisor.core.exchange import DeviceReport, MissionOutput, PolicyHealth, Snapshot
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import OperatorAction, Support
from supervisor.core.moves import MovePlan
from supervisor.core.report import Criterion, CriterionResult
from supervisor.core.state import BusStatistics, RobotState
from supervisor.core.velocity import VelocityAsk


class RobotPort(Protocol):
    """All buses and devices of one robot. The control loop is its only user; nothing here blocks."""

    @property
    def order(self) -> JointOrder:
        """The robot's joint order."""
        ...

    @property
    def damping_maximum_nm_s_per_rad(self) -> Vector:
        """(n,) largest damping, at the joint, that each motor can be told: a command that asks more is not sent."""
        ...

    def read(self, now_s: float) -> RobotState:
        """Drain every bus, decode, and return what is known at `now_s`. Never raises on bytes."""
        ...

    def write(self, actuation: Actuation, now_s: float) -> None:
        """Send one cycle's frames to every motor. A failed write is counted, never retried."""
        ...

    def inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        """Probe and configure every device. Resumed once a cycle with `send(now_s)` until it returns.

        Reads identity, ranges and faults, writes the motors' mode and command timeout and reads them back.
        Energises nothing.
        """
        ...

    def statistics(self) -> Mapping[str, BusStatistics]:
        """Counters by bus name."""
        ...

    def fault_name(self, joint: int, code: int) -> str:
        """The make's name of a motor's fault code."""
        ...

    def close(self) -> None:
        """Close every bus. Idempotent."""
        ...


class ControlEnd(Protocol):
    """The control loop's end of the link. Each side sees only the newest value of the other."""

    def post_snapshot(self, snapshot: Snapshot) -> None:
        """Publish."""
        ...

    def output(self) -> MissionOutput | None:
        """The mission's newest output, None before the first."""
        ...

    def take_actions(self) -> Sequence[OperatorAction]:
        """The presses since the last call."""
        ...


class MissionEnd(Protocol):
    """The mission loop's end of the link."""

    def snapshot(self) -> Snapshot | None:
        """The control loop's newest snapshot, None before the first."""
        ...

    def post_output(self, output: MissionOutput) -> None:
        """Publish."""
        ...


class PressEnd(Protocol):
    """The operator's end of the link."""

    def post_action(self, action: OperatorAction) -> None:
        """One press."""
        ...


class Link(ControlEnd, MissionEnd, PressEnd, Protocol):
    """All ends, in the memory of one process."""


class PolicyPort(Protocol):
    """One trained policy: observation, inference, joint targets."""

    @property
    def period_s(self) -> float:
        """One step's period."""
        ...

    @property
    def command_names(self) -> tuple[str, ...]:
        """What the command vector means, in order, e.g. ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")."""
        ...

    @property
    def command_range(self) -> tuple[Vector, Vector]:
        """Recommended smallest and largest command, each (len(command_names),)."""
        ...

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself."""
        ...

    def reset(self) -> None:
        """Forget history, recurrent state, clock and last action."""
        ...

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step.

        Args:
            state: Newest measurements.
            command: (len(command_names),).
            action_gain: 0 to 1, multiplies the scaled action; what `last_action` sees is in the contract.
            now_s: Clock.

        Returns:
            Joint targets and gains in the robot's order, or None when the output is not usable (`health` says why).
        """
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to the operator.

    Attributes:
        key: Identifies the question; asking it twice is asking it once.
        text: What to do, in words a person can act on.
        action: The press that answers it.
        support: The support the robot must be on afterwards, None when it is not about support.
        is_offer: True for what a person may press but nobody waits for: a stand-in leaves it alone.
    """

    key: str
    text: str
    action: OperatorAction
    support: Support | None = None
    is_offer: bool = False


class Operator(Protocol):
    """The person in charge, or in simulation a stand-in."""

    @property
    def kind(self) -> str:
        """How the record names it: "auto" for the stand-in, "terminal", ..."""
        ...

    def ask(self, prompt: Prompt) -> None:
        """Put the question, once; repeated calls with the same key do nothing."""
        ...

    def answered(self, key: str) -> bool:
        """Whether the question was answered since it was asked."""
        ...


class Pilot(Protocol):
    """The person who steers the robot, where a stage of the mission lets one."""

    def asked(self) -> VelocityAsk | None:
        """What is asked now, with its age; None where nobody ever asked, or it cannot be read."""
        ...


class Judge(Protocol):
    """Measures a stage while it runs and judges it when it ends. Pure bookkeeping: commands nothing."""

    def move_plan(self) -> MovePlan:
        """The single-joint moves whose answers this robot's signature predicts."""
        ...

    def begin(self, stage: str, kind: str, now_s: float) -> None:
        """Start measuring a stage; what an earlier attempt measured is dropped."""
        ...

    def sample(self, snapshot: Snapshot, health: PolicyHealth, command: Vector | None, label: str) -> None:
        """Take one tick's measurements.

        Args:
            snapshot: Newest snapshot.
            health: Newest policy health.
            command: Velocity command in force, None where the stage has none.
            label: What is going on; samples of one label belong together: `MovePlan.baseline_label`, `Move.label`
                ("gantry/baseline", "lowered/fl_hip+/measure"), else free.
        """
        ...

    def metrics(self) -> Mapping[str, float]:
        """Everything measured since `begin`, by name with unit."""
        ...

    def judge(self, criteria: Sequence[Criterion]) -> tuple[CriterionResult, ...]:
        """Hold the metrics against criteria; a metric that was not measured is NaN and fails."""
        ...
