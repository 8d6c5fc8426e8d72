"""The mission file, as frozen values. A mission is a list of stages; nothing here has a silent default that limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from supervisor.core.exchange import Knobs
from supervisor.core.levels import Support
from supervisor.core.report import Criterion

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}

Kind = Literal[
    "preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude", "ramp", "rollout"
]  # fmt: skip

POLICY_KINDS: frozenset[str] = frozenset({"zero_action", "small_amplitude", "ramp", "rollout"})
"""Kinds that run the policy on the robot."""

STAND_S = 2.0
"""How long a robot that a person has steered is told to stand before its stage ends: it lies down from a stand."""

MOTION_KINDS: frozenset[str] = POLICY_KINDS | {"stand", "single_joint"}
"""Kinds that need the robot armed and running."""


@dataclass(frozen=True, slots=True)
class KnobSpec:
    """What a stage turns down; see `supervisor.core.exchange.Knobs`."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    action_gain: float
    torque_fraction: float
    speed_fraction: float

    @property
    def knobs(self) -> Knobs:
        """The same, as it crosses the link."""
        return Knobs(self.action_gain, self.torque_fraction, self.speed_fraction)


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a stage measures.

    Attributes:
        minimum_s: At least this long.
        maximum_s: At most this long.
        stable_s: Measure in windows of this length and end with the first that is accepted, minimum and maximum
            kept; without it, measure once, for the minimum.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    minimum_s: float
    maximum_s: float
    stable_s: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a command schedule.

    Attributes:
        name: What the record calls it ("forward").
        command: By command name, fractions of the policy's recommended range, -1 to 1; unnamed ones are 0.
        duration_s: How long; the judge leaves out the first strides.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    name: str
    command: Mapping[str, float]
    duration_s: float


@dataclass(frozen=True, slots=True)
class SteeringSpec:
    """A person steers the policy during a stage: how fast what it is told may change, and how old a wish may be.

    Attributes:
        forward_m_per_s2, left_m_per_s2, yaw_rad_per_s2: Largest change of each velocity in a second. How fast it may
            become is in the policy's contract.
        maximum_age_s: A wish that is older, or is not a number, is none: the robot is told to stand.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    forward_m_per_s2: float
    left_m_per_s2: float
    yaw_rad_per_s2: float
    maximum_age_s: float

    @property
    def acceleration(self) -> tuple[float, float, float]:
        """Largest changes in a second: forward and left in m/s², yaw in rad/s²."""
        return self.forward_m_per_s2, self.left_m_per_s2, self.yaw_rad_per_s2


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """What happens when a stage is not accepted.

    Attributes:
        retry: Run it again, this often.
        step_back: After that, run the stage before it once more, then this one a last time.
        then: After that: settle and end the mission.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    retry: int
    step_back: bool
    then: Literal["stop"]


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage.

    Attributes:
        name: Unique in the mission.
        kind: Which builder makes it.
        support: What carries the robot.
        knobs: What is turned down.
        timeout_s: Time limit, waiting for the operator not counted; beyond it the guard `stage_timeout` acts.
        duration: How long it measures.
        accept: Criteria; all must pass.
        not_accepted: What happens otherwise.
        confirm: Whether the operator lets it begin.
        guards: Tightened limits by guard id, in the guard's unit.
        then_support: For `single_joint`: the same moves once more on this support.
        move_speed_rad_per_s: For `stand` and `single_joint`: largest joint speed on the way to the default pose.
        schedule: For `ramp` and `rollout`: commands; without it the command is zero.
        steering: For `rollout` in place of a schedule: a person steers, for `maximum_s` at most, or until the person
            confirms the end.
        description: For the drawing and the record.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    name: str
    kind: Kind
    support: Support
    knobs: KnobSpec
    timeout_s: float
    duration: Duration
    accept: tuple[Criterion, ...]
    not_accepted: NotAccepted
    confirm: bool
    guards: Mapping[str, float] = field(default_factory=dict[str, float])
    then_support: Support | None = None
    move_speed_rad_per_s: float | None = None
    schedule: tuple[Segment, ...] = ()
    steering: SteeringSpec | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Mission:
    """One mission file.

    Attributes:
        name: As the command line calls it.
        description: One line.
        timeout_s: Time limit of the whole mission; beyond it the guard `mission_timeout` acts.
        stages: In order.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    schema: Literal[1]
    name: str
    description: str
    timeout_s: float
    stages: tuple[StageSpec, ...]
