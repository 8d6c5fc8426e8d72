"""How a run is, in words. Apart from what gathers it: a command that only prints must not load numpy first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """A status in words."""
    if status.get("arming") is None:
        return ["the control loop has said nothing yet"]
    at_rest = ", motors off" if status["is_at_rest"] else ""
    lines = [
        f"robot     {status['arming']}, level {status['level']}{at_rest}",
        f"stage     {status['stage'] or '-'}",
    ]
    steering = status.get("steering")
    if steering is not None:
        why = f" ({steering['reason']})" if steering["reason"] else f" by {steering['source'] or 'nobody'}"
        lines.append(f"steering  told {steering['told']}{why}")
    question = status["question"]
    if question is not None:
        lines.append(f"question  {question['text']} (answer: handrail {question['action']})")
    stop = status["stop"]
    if stop is not None:
        joints = f" at {', '.join(stop['joints'])}" if stop["joints"] else ""
        measured = "" if stop["measured"] is None or not stop["unit"] else (
            f": {stop['measured']:.3g} of {_text(stop['limit'])} {stop['unit']}"
        )  # fmt: skip
        lines.append(f"stop      {stop['level']} by {stop['guard']}{joints}{measured}")
        if stop["further"]:
            lines.append(f"          then {', '.join(stop['further'])}")
    if status["tripped"]:
        lines.append(f"tripped   {', '.join(status['tripped'])}")
    lines += [f"refused   {reason}" for reason in status["refusals"]]
    for name, bus in status["buses"].items():
        off = ", OFF" if bus["is_off"] else ""
        lost = bus["expected"] - bus["received"]
        lines.append(
            f"bus       {name}: {bus['received']} received, {max(lost, 0)} missing, {bus['errors']} errors{off}"
        )
    ages = ", ".join(f"{name} {_text(age)} s" for name, age in status["ages_s"].items() if age is not None)
    lines.append(f"heard of  {ages or 'nobody'}")
    return lines


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
