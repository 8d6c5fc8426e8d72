"""From evidence to cause and remedy, the likeliest first. Pure: nothing is read, written or commanded."""

from __future__ import annotations

from supervisor.core.report import Diagnosis
from supervisor.diagnosis.cause_behaviour import behaviour
from supervisor.diagnosis.cause_devices import devices
from supervisor.diagnosis.cause_wiring import wiring
from supervisor.diagnosis.evidence import Evidence, Finding, finding, stop_numbers

MOST = 6
"""A list that is longer than this is not read."""


def diagnose(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """What is probably wrong, the likeliest first.

    Args:
        evidence: Everything known when the run ended badly.

    Returns:
        Empty when nothing went wrong; otherwise at least one entry, however little is known.
    """
    found = [*devices(evidence), *wiring(evidence), *behaviour(evidence)]
    stop = evidence.stop
    went_wrong = (
        (stop is not None and not stop.planned and stop.guard not in ("operator", "mission"))
        or any(report.outcome == "failed" for report in evidence.stages)
        or bool(evidence.refusals)
    )
    if not went_wrong:
        return ()
    if not found:
        found.append(_unknown(evidence))
    found.sort(key=lambda item: -item.weight)
    unique: dict[tuple[str, tuple[str, ...]], Diagnosis] = {}
    for item in found:
        unique.setdefault((item.diagnosis.cause, item.diagnosis.joints), item.diagnosis)
    return tuple(unique.values())[:MOST]


def _unknown(evidence: Evidence) -> Finding:
    """Nothing fits: say what was seen."""
    failed = next((report for report in reversed(evidence.stages) if report.outcome == "failed"), None)
    if evidence.guard:
        symptom = f"guard {evidence.guard} stopped the run"
    elif failed is not None:
        unmet = [result for result in failed.criteria if not result.passed]
        symptom = f"stage {failed.name} was not accepted: " + "; ".join(
            f"{result.metric} {result.value:.4g}, needed {result.op} {result.limit:.4g}" for result in unmet
        )
    else:
        symptom = "; ".join(evidence.refusals)
    return finding(
        10.0,
        symptom,
        "not known",
        "look at the record around this time",
        evidence.stop.joints if evidence.stop else (),
        **stop_numbers(evidence),
    )
