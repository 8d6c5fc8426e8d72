"""Reading a mission file, with every problem named: those of the file, and those against the robot's guards."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.loading import Document, KeyPath, read_document, validate_document
from supervisor.core.safety import SafetyConfig
from trees.missions.metrics import is_known_metric, is_tracking
from trees.missions.schema import MOTION_KINDS, POLICY_KINDS, STAND_S, Mission, StageSpec

SHORTEST_SEGMENT_S = 2.0
"""Below this nothing is left of a segment once the robot has reached its new speed."""

SHORTEST_AGE_S, LONGEST_AGE_S = 0.1, 1.0
"""Of what a person asks: it is renewed every 20 ms, and a robot at 0.6 m/s goes that far in a second."""


def load_mission(path: Path, safety: SafetyConfig | None = None, metrics: Collection[str] | None = None) -> Mission:
    """Read and check one mission file.

    Args:
        path: The file.
        safety: The robot's safety file, to check tightened guards against; None skips that.
        metrics: Names that criteria may use; None takes the list of `trees.missions.metrics`.

    Raises:
        ConfigError: Every problem found.
    """
    document = read_document(path)
    mission = validate_document(document, Mission)
    problems = list(mission_problems(mission, document, safety, metrics))
    if problems:
        raise ConfigError(problems)
    return mission


def mission_problems(
    mission: Mission, document: Document, safety: SafetyConfig | None, metrics: Collection[str] | None
) -> Iterator[Problem]:
    """What contradicts itself in a mission file whose keys and types are right."""
    if not mission.stages:
        yield document.problem(("stages",), "no stage", "at least one stage, preflight first")
    if mission.timeout_s <= 0.0:
        yield document.problem(("timeout_s",), str(mission.timeout_s), "a number above 0")
    seen: set[str] = set()
    kinds: set[str] = set()
    for i, stage in enumerate(mission.stages):
        here: KeyPath = ("stages", i)
        if stage.name in seen or not stage.name.strip():
            yield document.problem((*here, "name"), repr(stage.name), "a name that no other stage has")
        if stage.kind in MOTION_KINDS and "preflight" not in kinds:
            yield document.problem((*here, "kind"), stage.kind, "a stage of kind preflight before anything moves")
        if stage.kind in POLICY_KINDS and "stand" not in kinds:
            yield document.problem((*here, "kind"), stage.kind, "a stage of kind stand before the policy drives")
        if stage.not_accepted.step_back and (i == 0 or mission.stages[i - 1].kind not in MOTION_KINDS):
            yield document.problem(
                (*here, "not_accepted", "step_back"), "true", "false: there is no moving stage before this one"
            )
        yield from _stage_problems(stage, here, document)
        yield from _guard_problems(stage, here, document, safety)
        yield from _criterion_problems(stage, here, document, metrics)
        seen.add(stage.name)
        kinds.add(stage.kind)


def _stage_problems(stage: StageSpec, here: KeyPath, document: Document) -> Iterator[Problem]:
    """Numbers of one stage that contradict each other."""
    knobs = stage.knobs
    if not 0.0 <= knobs.action_gain <= 1.0:
        yield document.problem((*here, "knobs", "action_gain"), str(knobs.action_gain), "0 to 1")
    for key in ("torque_fraction", "speed_fraction"):
        if not 0.0 < getattr(knobs, key) <= 1.0:
            yield document.problem((*here, "knobs", key), str(getattr(knobs, key)), "above 0, at most 1")
    duration = stage.duration
    if not 0.0 < duration.minimum_s <= duration.maximum_s:
        yield document.problem(
            (*here, "duration"), f"{duration.minimum_s} to {duration.maximum_s} s", "0 < minimum_s <= maximum_s"
        )
    if duration.stable_s is not None and not 0.0 < duration.stable_s <= duration.maximum_s:
        yield document.problem((*here, "duration", "stable_s"), str(duration.stable_s), "above 0, at most maximum_s")
    needed_s = max(duration.maximum_s, sum(segment.duration_s for segment in stage.schedule))
    needed_s += 0.0 if stage.steering is None else STAND_S
    if stage.timeout_s <= needed_s:
        yield document.problem((*here, "timeout_s"), str(stage.timeout_s), f"above the stage's {needed_s:g} s")
    if stage.not_accepted.retry < 0 or stage.not_accepted.retry > 5:
        yield document.problem((*here, "not_accepted", "retry"), str(stage.not_accepted.retry), "0 to 5")
    moves = stage.kind in ("stand", "single_joint")
    speed = stage.move_speed_rad_per_s
    if moves and (speed is None or speed <= 0.0):
        yield document.problem((*here, "move_speed_rad_per_s"), str(speed), "a number above 0")
    if not moves and speed is not None:
        yield document.problem(
            (*here, "move_speed_rad_per_s"), str(speed), "only stand and single_joint move to a pose"
        )
    if stage.then_support is not None and stage.kind != "single_joint":
        yield document.problem((*here, "then_support"), stage.then_support.value, "only single_joint changes support")
    if stage.kind == "zero_action" and knobs.action_gain != 0.0:
        yield document.problem((*here, "knobs", "action_gain"), str(knobs.action_gain), "0: the action is zero")
    if stage.kind in ("small_amplitude", "ramp", "rollout") and knobs.action_gain == 0.0:
        yield document.problem((*here, "knobs", "action_gain"), "0", "above 0: the policy drives")
    yield from _schedule_problems(stage, here, document)
    yield from _steering_problems(stage, here, document)


def _schedule_problems(stage: StageSpec, here: KeyPath, document: Document) -> Iterator[Problem]:
    if stage.kind == "rollout" and not stage.schedule and stage.steering is None:
        yield document.problem(
            (*here, "schedule"), "nothing", "at least one segment, or steering: a rollout follows commands"
        )
    if stage.schedule and stage.kind not in ("ramp", "rollout"):
        yield document.problem((*here, "schedule"), "a schedule", "only ramp and rollout follow one")
    seen: set[str] = set()
    for j, segment in enumerate(stage.schedule):
        place: KeyPath = (*here, "schedule", j)
        if segment.name in seen or not segment.name.strip():
            yield document.problem((*place, "name"), repr(segment.name), "a name that no other segment has")
        seen.add(segment.name)
        if segment.duration_s < SHORTEST_SEGMENT_S:
            yield document.problem((*place, "duration_s"), str(segment.duration_s), f"{SHORTEST_SEGMENT_S:g} s or more")
        for name, fraction in segment.command.items():
            if not -1.0 <= fraction <= 1.0:
                yield document.problem((*place, "command", name), str(fraction), "a fraction from -1 to 1")


def _steering_problems(stage: StageSpec, here: KeyPath, document: Document) -> Iterator[Problem]:
    """A stage in which a person steers, and what it is judged by."""
    steering = stage.steering
    if steering is None:
        return
    place: KeyPath = (*here, "steering")
    if stage.kind != "rollout":
        yield document.problem(place, f"a {stage.kind} that a person steers", "only rollout is steered")
    if stage.schedule:
        yield document.problem(place, "steering beside a schedule", "one of them")
    if stage.duration.stable_s is not None:
        yield document.problem((*here, "duration", "stable_s"), str(stage.duration.stable_s), "nothing with steering")
    for key in ("forward_m_per_s2", "left_m_per_s2", "yaw_rad_per_s2"):
        if getattr(steering, key) <= 0.0:
            yield document.problem((*place, key), str(getattr(steering, key)), "a number above 0")
    if not SHORTEST_AGE_S <= steering.maximum_age_s <= LONGEST_AGE_S:
        yield document.problem(
            (*place, "maximum_age_s"), str(steering.maximum_age_s), f"{SHORTEST_AGE_S:g} to {LONGEST_AGE_S:g} s"
        )
    for j, criterion in enumerate(stage.accept):
        if is_tracking(criterion.metric):
            yield document.problem(
                (*here, "accept", j, "metric"), criterion.metric, "another quantity: who steers promises no speed"
            )


def _guard_problems(
    stage: StageSpec, here: KeyPath, document: Document, safety: SafetyConfig | None
) -> Iterator[Problem]:
    """A stage may only tighten guards that exist."""
    if safety is None:
        return
    rows = safety.rows_by_id()
    for guard, limit in stage.guards.items():
        place: KeyPath = (*here, "guards", guard)
        row = rows.get(guard)
        if row is None:
            yield document.problem(place, "an unknown guard", f"a guard of the safety file: {', '.join(rows)}")
        elif limit > row.limit:
            yield document.problem(place, f"{limit:g} {row.unit}", f"at most the guard's own {row.limit:g} {row.unit}")


def _criterion_problems(
    stage: StageSpec, here: KeyPath, document: Document, metrics: Collection[str] | None
) -> Iterator[Problem]:
    """A criterion without a reason, or on something that nobody measures."""
    if not stage.accept:
        yield document.problem((*here, "accept"), "no criterion", "at least one: a stage is accepted for a reason")
    for j, criterion in enumerate(stage.accept):
        place: KeyPath = (*here, "accept", j)
        known = criterion.metric in metrics if metrics is not None else is_known_metric(criterion.metric)
        if not known:
            yield document.problem((*place, "metric"), criterion.metric, "a quantity that is measured")
        if not criterion.reason.strip():
            yield document.problem((*place, "reason"), "no reason", "why this number")
