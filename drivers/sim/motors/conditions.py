"""What every simulated make of motor offers, and what can be wrong with a motor whatever its make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.bus import Frame
from supervisor.core.joints import Vector


@dataclass(slots=True)
class MotorCondition:
    """What is wrong with one motor, seen from the joint it sits on.

    Attributes:
        address_of: Joint whose bus and ids this motor answers to; its own joint when the wiring is right.
        is_flipped: Mounted the other way round: command and feedback are both mirrored about the joint's zero.
        offset_rad: Added to what the encoder reads, joint frame; the motor's own control loop uses the shifted reading.
        is_stuck: The encoder stays at what it read when this began.
        strength: Share of the torque it believes to produce that reaches the joint.
        temperature_degc: What its sensors read, None for the simulated temperature.
        is_silent: Without power: no answer, no torque.
        fault: The make's name of the fault it reports, "" for none. Clearing does not help while this lasts.
        is_browned_out: Its supply broke down: it restarts disabled, with an under-voltage fault and without the
            settings that were never stored.
    """

    address_of: int
    is_flipped: bool = False
    offset_rad: float = 0.0
    is_stuck: bool = False
    strength: float = 1.0
    temperature_degc: float | None = None
    is_silent: bool = False
    fault: str = ""
    is_browned_out: bool = False


class SimulatedMotors(Protocol):
    """All motors of one make on one robot, one per joint."""

    def exchange(
        self, inboxes: Sequence[list[Frame]], position_rad: Vector, velocity_rad_per_s: Vector, now_s: float
    ) -> list[list[Frame]]:
        """Act on what the host sent, and answer.

        Args:
            inboxes: Frames by bus, in the order of the buses given at construction.
            position_rad: (n,) true joint positions.
            velocity_rad_per_s: (n,) true joint velocities.
            now_s: Clock.

        Returns:
            Replies by bus, stamped with their arrival.
        """
        ...

    def torque(self, position_rad: Vector, velocity_rad_per_s: Vector, now_s: float) -> Vector:
        """(n,) joint torques for one physics step. The same array every time."""
        ...

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors, one condition per motor.

        Raises:
            SimulationError: A fault name that this make does not have.
        """
        ...
