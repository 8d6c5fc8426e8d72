"""What crosses the link between the control and the mission loop. Values only, no behaviour.

Everything here has a fixed size for a given robot and safety file, so that the same values can travel
through memory in one process or through shared memory between two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from supervisor.core.command import JointCommand, Proposal
from supervisor.core.guard import GuardBoard
from supervisor.core.levels import ArmingState, Level
from supervisor.core.quick import quickly_made
from supervisor.core.state import BusStatistics, RobotState


@quickly_made
@dataclass(frozen=True, slots=True)
class Knobs:
    """What a stage turns down. The gate multiplies its limits by the fractions.

    Attributes:
        action_gain: Multiplies the policy's action, 0 to 1.
        torque_fraction: Of each joint's torque limit, above 0 to 1.
        speed_fraction: Of each joint's velocity limit, above 0 to 1.
    """

    action_gain: float = 0.0
    torque_fraction: float = 1.0
    speed_fraction: float = 1.0


@quickly_made
@dataclass(frozen=True, slots=True)
class PolicyHealth:
    """What one policy step said of itself; the guards judge it in the control loop.

    Attributes:
        is_active: True while a stage runs the policy; the policy guards are OK when it is not.
        stamp_s: When the newest accepted output was made.
        elapsed_s: How long the newest step took, from observation to targets.
        period_s: How long it may take.
        is_finite: False when an observation or output was NaN or infinite.
        action_peak: Largest |action| relative to the contract's bound (1 is the bound); 0 without a bound.
        action_step_peak: Largest change of an action since the last step, relative to the bound.
        saturated_fraction: Share of actions at their bound over the last second.
        observation_excess: Largest distance outside the training range, relative to that range's width; 0 inside.
        observation_index: Which observation value that is, -1 when all are inside.
    """

    is_active: bool = False
    stamp_s: float = float("-inf")
    elapsed_s: float = 0.0
    period_s: float = 0.0
    is_finite: bool = True
    action_peak: float = 0.0
    action_step_peak: float = 0.0
    saturated_fraction: float = 0.0
    observation_excess: float = 0.0
    observation_index: int = -1


class Request(Enum):
    """What the mission may ask of the control loop besides following a proposal."""

    INVENTORY = "inventory"
    """Ask every device who and how it is, set the motors' command timeouts and read them back. Motors stay off."""
    DRILL = "drill"
    """Emergency-stop drill: motors on without stiffness, stop, proof that they are off."""
    CLEAR_FAULTS = "clear_faults"
    """Clear motor faults; motors stay off."""
    SETTLE = "settle"
    """End of the mission: to the rest pose, then off. Not a fault."""
    DISARM = "disarm"
    """Motors off."""


@quickly_made
@dataclass(frozen=True, slots=True)
class MissionOutput:
    """What the mission hands over after a tick.

    Attributes:
        tick: Counts mission ticks.
        stamp_s: When the tick ended.
        proposal: The wished command, or None when the stage wishes none.
        request: What else is asked, an edge: acted on once per new `request_number`.
        request_number: Counts requests.
        stage: Name of the active stage, "" before the first and after the last.
        stage_elapsed_s, stage_limit_s: For the stage timeout.
        mission_elapsed_s, mission_limit_s: For the mission timeout.
        knobs: In force.
        guard_limits: Tightened limits by guard id; only values tighter than the row's are taken.
        policy: Health of the policy.
        needs_motion: True when the stage needs the robot armed and running.
    """

    tick: int
    stamp_s: float
    proposal: Proposal | None = None
    request: Request | None = None
    request_number: int = 0
    stage: str = ""
    stage_elapsed_s: float = 0.0
    stage_limit_s: float = float("inf")
    mission_elapsed_s: float = 0.0
    mission_limit_s: float = float("inf")
    knobs: Knobs = field(default_factory=Knobs)
    guard_limits: Mapping[str, float] = field(default_factory=dict[str, float])
    policy: PolicyHealth = field(default_factory=PolicyHealth)
    needs_motion: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """A latched stop: the first cause, kept until an operator resets it.

    Attributes:
        level: The level now in force; it only rises.
        guard: Guard id, or "operator", "mission" for stops that were asked for.
        measured, limit, unit: As the guard saw them when it tripped.
        time_s: When it tripped.
        since_s: When the cause was first seen.
        stage: Stage that was active.
        joints: Names of the joints concerned.
        further: Ids of guards that tripped later.
        planned: True for the end of a mission: not a fault.
        first_level: The level when it latched; `level` may have risen since.
        inherited: True when it was latched before this process began.
    """

    level: Level
    guard: str
    measured: float
    limit: float
    unit: str
    time_s: float
    since_s: float
    stage: str
    joints: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    planned: bool = False
    first_level: Level = Level.NONE
    inherited: bool = False

    @property
    def awaits_reset(self) -> bool:
        """Whether it was there when this process began, and may be reset in it."""
        return self.inherited and self.level is not Level.TERMINAL


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What one device answered when asked who it is.

    Attributes:
        name: Joint name, or "imu".
        bus: Bus it is wired to.
        answered: False when nothing came back; `problems` says what to check.
        problems: Everything that does not match the robot file; empty when fine.
        facts: What it said, for the record ("model", "position_range_rad", "timeout_s", ...).
    """

    name: str
    bus: str
    answered: bool
    problems: tuple[str, ...]
    facts: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Emergency-stop drill: were the motors on, and are they provably off again?

    Attributes:
        passed: All motors were seen enabled, then disabled and without torque, in time.
        problems: What was not seen, by joint.
        off_after_s: From the stop to the last motor reporting disabled; NaN when never.
    """

    passed: bool
    problems: tuple[str, ...]
    off_after_s: float


@dataclass(frozen=True, slots=True)
class GateCounts:
    """How often the gate changed or refused a proposal, in joint-cycles."""

    position: int = 0
    velocity: int = 0
    torque: int = 0
    rate: int = 0
    rejected: int = 0


@quickly_made
@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the mission sees of the control loop. One object, made anew each control cycle.

    Attributes:
        state: Newest measurements.
        board: Newest guard results: the same ones the gate acts on.
        level: Level in force.
        arming: Arming state.
        refusals: Why the last arming request was refused; empty when it was not.
        stop: The latched stop, if any.
        is_at_rest: True when a stop or settle has come to its end and the motors are off.
        applied: The command written last.
        inventory: Device reports of the last inventory, empty before.
        drill: Result of the last drill.
        gate: Gate counters.
        buses: Counters by bus.
    """

    state: RobotState
    board: GuardBoard
    level: Level
    arming: ArmingState
    refusals: tuple[str, ...]
    stop: Stop | None
    is_at_rest: bool
    applied: JointCommand
    inventory: tuple[DeviceReport, ...]
    drill: DrillReport | None
    gate: GateCounts
    buses: Mapping[str, BusStatistics]
