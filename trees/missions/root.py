"""The tree of a mission: guards first, the ladder last, the safe branch after it."""

from __future__ import annotations

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector, Sequence

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.guard import GuardRow
from supervisor.core.levels import Support
from supervisor.core.safety import SafetyConfig
from trees.actions.ending import EndMission, SafeBranch, Settle
from trees.actions.operator import ChangeSupport
from trees.actions.policy import command_problems
from trees.conditions.guards import GuardIsOk
from trees.conditions.state import IsMissionOpen, NoStopLatched
from trees.context import MissionContext
from trees.lint import lint
from trees.missions.schema import Mission, StageSpec
from trees.motion import Motion
from trees.stages.builders import Parts
from trees.stages.ladder import build_rung
from trees.steering import steering_problems
from trees.values import MissionResult


def create_root(context: MissionContext | None, mission: Mission, safety: SafetyConfig) -> Behaviour:
    """Build a mission's tree. Opens nothing; the tree may be drawn at once.

    Args:
        context: The mission's context; None to build for a drawing only.
        mission: The mission.
        safety: The robot's safety file: every guard in it gets a node.

    Raises:
        ConfigError: The schedule asks for commands that the policy does not take, or the tree's shape does not
            withhold motion.
    """
    is_wired = context is not None
    context = MissionContext.unwired() if context is None else context
    context.mission_limit_s = mission.timeout_s
    problems: list[str] = []
    if is_wired:
        for stage in mission.stages:
            found = command_problems(context.policy, stage.schedule)
            found += [] if stage.steering is None else steering_problems(context.policy)
            problems += [f"stage {stage.name}: {text}" for text in found]
    hoists = is_wired and context.robot.rest_support == "gantry"
    root = _compose(Parts(context, Motion(context), is_wired), mission, safety.guards, hoists=hoists)
    problems += lint(root)
    if problems:
        raise ConfigError(Problem(f"mission {mission.name}", None, "", text, "see there") for text in problems)
    return root


def _compose(parts: Parts, mission: Mission, rows: tuple[GuardRow, ...], *, hoists: bool) -> Behaviour:
    context = parts.context
    before: list[StageSpec | None] = [None, *mission.stages]
    rungs = [build_rung(spec, last, parts) for spec, last in zip(mission.stages, before, strict=False)]
    ladder = Sequence("ladder", memory=True, children=[*rungs, *_ending(MissionResult.COMPLETED, parts, hoists=hoists)])
    aftermath = Sequence(
        "not accepted", memory=True, children=_ending(MissionResult.NOT_ACCEPTED, parts, hoists=hoists)
    )
    return Selector(
        mission.name,
        memory=False,
        children=[
            Sequence(
                "guarded",
                memory=False,
                children=[
                    IsMissionOpen(context),
                    NoStopLatched(context),
                    *(GuardIsOk(row, i, context) for i, row in enumerate(rows)),
                    Selector("ladder or stop", memory=True, children=[ladder, aftermath]),
                ],
            ),
            SafeBranch(context),
        ],
    )


def _ending(result: MissionResult, parts: Parts, *, hoists: bool) -> list[Behaviour]:
    """How a mission ends; a robot that cannot lie down by itself is hung up first."""
    context = parts.context
    hoist = [ChangeSupport(Support.GANTRY, context, parts.motion)] if hoists else []
    return [*hoist, Settle(context), EndMission(result, context)]
