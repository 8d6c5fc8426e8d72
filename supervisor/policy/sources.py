"""Where an observation value comes from: the sources a contract may name, with width, unit and frame.

A contract repeats unit and frame, and a difference is refused: a policy trained on degrees or on the world frame
looks exactly like one that was not, until it moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal[
    "base_angular_velocity",
    "base_linear_velocity",
    "projected_gravity",
    "base_euler_xyz",
    "velocity_command",
    "joint_position",
    "joint_position_minus_default",
    "joint_velocity",
    "last_action",
    "gait_clock",
    "constant",
]
Width = Literal["three", "joints", "command", "clock", "any"]
Frame = Literal["base", "world", "joint", "none"]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What one source delivers.

    Attributes:
        width: How many values: three, one per joint of the term, one per command, those of the clock, or any.
        unit: Unit of each value before scaling; "" where the contract's command or constant decides.
        frame: Frame the values are expressed in.
    """

    width: Width
    unit: str
    frame: Frame


SOURCES: Mapping[Source, SourceRow] = {
    "base_angular_velocity": SourceRow("three", "rad/s", "base"),
    "base_linear_velocity": SourceRow("three", "m/s", "base"),
    "projected_gravity": SourceRow("three", "1", "base"),
    "base_euler_xyz": SourceRow("three", "rad", "world"),
    "velocity_command": SourceRow("command", "", "base"),
    "joint_position": SourceRow("joints", "rad", "joint"),
    "joint_position_minus_default": SourceRow("joints", "rad", "joint"),
    "joint_velocity": SourceRow("joints", "rad/s", "joint"),
    "last_action": SourceRow("joints", "1", "joint"),
    "gait_clock": SourceRow("clock", "1", "none"),
    "constant": SourceRow("any", "", "none"),
}
