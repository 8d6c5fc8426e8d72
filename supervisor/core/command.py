"""What may be sent to the joints, and who asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from supervisor.core.joints import Vector
from supervisor.core.levels import Level
from supervisor.core.quick import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class JointCommand:
    """One impedance command per joint: torque = kp (position - q) + kd (velocity - dq) + torque.

    Attributes:
        position_rad: (n,) target positions, joint frame.
        velocity_rad_per_s: (n,) target velocities.
        kp_nm_per_rad: (n,) stiffness at the joint.
        kd_nm_s_per_rad: (n,) damping at the joint.
        torque_nm: (n,) feed-forward torque.
    """

    position_rad: Vector
    velocity_rad_per_s: Vector
    kp_nm_per_rad: Vector
    kd_nm_s_per_rad: Vector
    torque_nm: Vector


@quickly_made
@dataclass(frozen=True, slots=True)
class Proposal:
    """A joint command that the mission would like to see executed. Not a command until the gate says so.

    Attributes:
        command: The wished command.
        origin: Who made it: the leaf's name ("move_to_pose", "policy", ...).
        stage: Name of the active stage.
        tick: Mission tick in which it was made.
        stamp_s: When it was made; the gate judges its age.
    """

    command: JointCommand
    origin: str
    stage: str
    tick: int
    stamp_s: float


class Drive(Enum):
    """What one cycle's write does to the motors."""

    POLL = "poll"
    """Ask for feedback; energises nothing."""
    ENABLE = "enable"
    """Switch the motors on; followed by COMMAND in the next cycle."""
    COMMAND = "command"
    """Send the impedance command."""
    DISABLE = "disable"
    """Switch the motors off, and ask for feedback."""
    CLEAR_FAULT = "clear_fault"
    """Clear latched motor faults; never enables."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Actuation:
    """The one thing written in a cycle. Only the gate makes these.

    Attributes:
        drive: What is written.
        command: The impedance command, used with `Drive.COMMAND` only (all motors, joint frame, within limits).
        level: The level that chose it.
    """

    drive: Drive
    command: JointCommand
    level: Level
