"""The safety file, as frozen values: the guards, the gate's limits and what each level does on this robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from supervisor.core.guard import GuardRow
from supervisor.core.levels import Level

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Limits the gate puts on every proposal, each with its reason.

    Attributes:
        position_margin_rad: Targets stay this far inside the joint limits.
        target_speed_fraction: A target moves at most this share of the joint's velocity limit (times the stage's).
        torque_fraction: The predicted PD torque stays within this share of the joint's torque limit.
        measured_distance_rad: A target is never further than this from the measured position.
        reason: Why these numbers.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    position_margin_rad: float
    target_speed_fraction: float
    torque_fraction: float
    measured_distance_rad: float
    reason: str


@dataclass(frozen=True, slots=True)
class StopProfile:
    """What each level does on this robot.

    Attributes:
        hold_timeout_s: HOLD falls through to `hold_falls_to` after this long without an operator.
        hold_falls_to: Where HOLD goes when it cannot be kept (timeout, feedback stale, motor off).
        settle_speed_rad_per_s: Speed bound of the way to the rest pose.
        settle_timeout_s: SETTLE cuts after this long, arrived or not.
        settle_falls_to: Where SETTLE goes when it cannot be done (feedback stale, motor off).
        damp_kd_nm_s_per_rad: Damping gain of DAMP.
        damp_duration_s: DAMP cuts after this long.
        unknown: Level for what no rule covers.
        reason: Why these numbers.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    hold_timeout_s: float
    hold_falls_to: Level
    settle_speed_rad_per_s: float
    settle_timeout_s: float
    settle_falls_to: Level
    damp_kd_nm_s_per_rad: float
    damp_duration_s: float
    unknown: Level
    reason: str


@dataclass(frozen=True, slots=True)
class ArmingConfig:
    """What arming asks for.

    Attributes:
        clear_s: Every guard of level HOLD or above must have been OK for this long.
        start_timeout_s: An armed robot that is not started is disarmed after this long.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    clear_s: float
    start_timeout_s: float


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """One safety file. `guards` is never empty: a robot without guards is refused."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    schema: Literal[1]
    guards: tuple[GuardRow, ...]
    gate: GateConfig
    profile: StopProfile
    arming: ArmingConfig

    def rows_by_id(self) -> Mapping[str, GuardRow]:
        """The rows keyed by guard id."""
        return {row.id: row for row in self.guards}
