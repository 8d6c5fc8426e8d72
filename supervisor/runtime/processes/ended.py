"""What is known when the processes of a run have ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.core.exchange import Snapshot, Stop
from supervisor.runtime.closing import MissionPart
from supervisor.runtime.parts import ControlPart


@dataclass(slots=True)
class Ended:
    """How the processes of a run ended.

    Attributes:
        control, mission: What each left; as if it had never run where it left nothing.
        last: The last snapshot.
        first_stop: The first stop that guards brought about, None without.
        has_moved: Whether the robot ever followed a proposal.
        was_interrupted: Whether a person interrupted the run.
        failure: What broke, "" when nothing did.
        refusal: Why nothing could begin, "" when it could.
        now_s: When it ended.
    """

    control: ControlPart = field(default_factory=ControlPart)
    mission: MissionPart = field(default_factory=MissionPart)
    last: Snapshot | None = None
    first_stop: Stop | None = None
    has_moved: bool = False
    was_interrupted: bool = False
    failure: str = ""
    refusal: str = ""
    now_s: float = 0.0
