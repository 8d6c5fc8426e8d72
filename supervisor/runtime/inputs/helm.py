"""Where a person's wish for a velocity comes together: sticks first, then keys, then commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from supervisor.core.ports import PolicyPort
from supervisor.core.velocity import COMMANDS, NEUTRAL, Velocity, VelocityAsk
from supervisor.runtime.inputs.messages import Answer
from trees.missions.schema import Mission

COMMAND_S: Final = 0.5
"""A command that was not renewed for so long is over. The mission may find it too old before that."""

FRESH_S: Final = 0.5
"""A mission that has not said for so long what it makes of the wish is in no stage that a person steers."""

COMMAND: Final = "command"

Fractions = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SteeredMission:
    """What the operator's end must know of a mission that a person steers.

    Attributes:
        stages: Names of the stages that a person steers.
        lowest, highest: What the policy may be told: what a stick at its end asks for.
    """

    stages: tuple[str, ...]
    lowest: Velocity
    highest: Velocity


def steered_mission(mission: Mission, policy: PolicyPort) -> SteeredMission | None:
    """What to know of a mission, None where nobody steers in it.

    Args:
        mission: The mission.
        policy: One that can be steered, see `trees.steering.steering_problems`.
    """
    stages = tuple(stage.name for stage in mission.stages if stage.steering is not None)
    if not stages:
        return None
    low, high = policy.command_range
    places = [policy.command_names.index(name) for name in COMMANDS]
    return SteeredMission(
        stages, Velocity(*(float(low[i]) for i in places)), Velocity(*(float(high[i]) for i in places))
    )


class Helm:
    """Says what is asked, again and again, for as long as somebody looks.

    Args:
        mission: What is steered.
        say: Where the wish goes.
        told: What the mission made of the last wish, None before it said anything.
    """

    def __init__(
        self,
        mission: SteeredMission,
        say: Callable[[VelocityAsk], None],
        told: Callable[[], VelocityAsk | None],
    ) -> None:
        self._mission = mission
        self._say = say
        self._told = told
        self._command = VelocityAsk(NEUTRAL, float("-inf"), COMMAND)

    def command(self, velocity: Velocity, now_s: float) -> Answer:
        """Take a wish that came over the socket. It counts for `COMMAND_S`, unless it is asked again.

        One that the mission would not follow is not even kept: then it cannot begin to count later, unasked.
        """
        told = self._told()
        # What it said while this process took its time is younger than now.
        if told is None or not -FRESH_S <= now_s - told.stamp_s <= FRESH_S:
            stages = ", ".join(self._mission.stages)
            return Answer("refused", (f"nobody steers just now; a person steers in stage {stages}",))
        if told.absence:
            return Answer("refused", (told.absence,))
        self._command = VelocityAsk(velocity, now_s, COMMAND)
        return Answer("accepted", (f"asked {velocity}, told {told.velocity}",))

    def tell(self, absence: str, gamepad: Fractions, terminal: Fractions, now_s: float) -> None:
        """Say what is asked now: by the first that asks for anything at all.

        Args:
            absence: Why the person does not count as there, "" while there.
            gamepad: Forward, left and turning left, each from -1 to 1 of what the policy may be told.
            terminal: Likewise.
            now_s: Clock.
        """
        if any(gamepad):
            ask = VelocityAsk(self._scaled(gamepad), now_s, "gamepad")
        elif any(terminal):
            ask = VelocityAsk(self._scaled(terminal), now_s, "terminal")
        elif not self._command.velocity.is_neutral and now_s - self._command.stamp_s <= COMMAND_S:
            ask = self._command
        else:
            ask = VelocityAsk(NEUTRAL, now_s)
        self._say(ask._replace(absence=absence))

    def _scaled(self, fractions: Fractions) -> Velocity:
        mission = self._mission
        rows = zip(fractions, mission.lowest, mission.highest, strict=True)
        return Velocity(*(share * high if share >= 0.0 else -share * low for share, low, high in rows))
