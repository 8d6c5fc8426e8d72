"""What a run is asked for, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal


class Voice(Enum):
    """What a run may say on the robot's buses."""

    COMMANDS = "commands"
    """Everything: it drives the robot."""

    QUESTIONS = "questions"
    """At most the question for feedback, while nobody else commands the motors."""

    NOTHING = "nothing"
    """Not a byte: another program drives the robot."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was asked for.

    Attributes:
        robot: A name or a path; likewise policy and mission.
        policy: The policy.
        mission: The mission.
        mode: What moves.
        shadow: Beside another program that drives the robot, or its simulation: send nothing at all.
        fast: As fast as possible instead of in real time.
        at: Folder in which `handrail sim` serves the robot; None for one of its own, or the real one.
        fault: Fault script, None for none.
        seed: Seed of the simulated noise, and of the variation.
        runs: Where run folders go.
        state: Where the latch is kept between runs; None for the usual place (`supervisor.runtime.state_folder`).
        variation: Spread of the simulated robot around its model (`drivers.sim.variation.Variation`), for campaigns.
    """

    robot: str
    policy: str
    mission: str = "deployment"
    mode: Literal["sim", "dry_run", "live"] = "sim"
    shadow: bool = False
    fast: bool = False
    at: Path | None = None
    fault: Path | None = None
    seed: int = 0
    runs: Path = Path("runs")
    state: Path | None = None
    variation: Any = None

    @property
    def voice(self) -> Voice:
        """What the run may say on the buses."""
        if self.shadow:
            return Voice.NOTHING
        return Voice.QUESTIONS if self.mode == "dry_run" else Voice.COMMANDS


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        exit_code: As the command ends.
        folder: The run's folder.
        summary: Content of summary.json.
    """

    exit_code: int
    folder: Path
    summary: dict[str, Any]
