"""A stage with what happens when it is not accepted, drawn with stock composites."""

from __future__ import annotations

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector, Sequence

from trees.conditions.state import StageIsPassed
from trees.missions.schema import StageSpec
from trees.stages.builders import Parts, build_stage


def build_rung(spec: StageSpec, before: StageSpec | None, parts: Parts) -> Behaviour:
    """One rung of the ladder: passed already, or tried, tried again, or reached from one step back.

    Args:
        spec: The stage.
        before: The stage before it, None for the first.
        parts: What all stages share.
    """
    name = spec.name
    choices: list[Behaviour] = [StageIsPassed(name, parts.context), build_stage(spec, parts, name)]
    choices += [build_stage(spec, parts, f"{name} retry {i + 1}") for i in range(spec.not_accepted.retry)]
    if spec.not_accepted.step_back and before is not None:
        again = [build_stage(before, parts, f"{before.name} again"), build_stage(spec, parts, f"{name} again")]
        choices.append(Sequence(f"step back to {before.name}", memory=True, children=again))
    return Selector(f"{name} or not accepted", memory=True, children=choices)
