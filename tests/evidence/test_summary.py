"""summary.json: exactly the keys of the contract, the same bytes for the same run."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import RecordError
from supervisor.evidence.summary import (
    EXIT_CODES,
    Outcome,
    Summary,
    read_summary,
    summary_document,
    summary_text,
    without_wall_clock,
    write_summary,
)
from tests.evidence.samples import SUMMARY


def test_the_document_has_exactly_the_keys_of_the_contract(summary: Summary) -> None:
    document = summary_document(summary)
    assert list(document) == [
        *("schema", "outcome", "exit_code", "robot", "policy", "mission", "mode", "seed", "hashes", "stages", "stop"),
        *("diagnosis", "timing", "gate", "buses"),
    ]
    assert document["hashes"] == {"policy": "ab", "contract": "", "robot": "cd", "mission": "", "safety": ""}
    assert list(document["stages"][0]) == [
        *("name", "kind", "outcome", "started_s", "ended_s", "knobs", "metrics", "criteria"),
    ]
    assert document["stages"][0]["knobs"] == {"action_gain": 0.0, "torque_fraction": 0.5, "speed_fraction": 0.5}
    assert document["stages"][0]["criteria"] == [
        {"metric": "tilt_rad", "op": "<=", "limit": 0.1, "value": 0.02, "passed": True}
    ]
    assert document["stop"] == {
        "level": "DAMP",
        "guard": "tilt",
        "value": 0.7,
        "limit": 0.6,
        "unit": "rad",
        "time_s": 5.9,
        "cause_to_command_s": 0.002,
        "stage": "zero_action",
        "joints": ["hip"],
        "further": ["joint_velocity"],
    }
    assert document["diagnosis"] == [
        {
            "symptom": "the body leans",
            "cause": "hip is mounted the other way round",
            "remedy": "turn the motor",
            "joints": ["hip"],
            "evidence": {"score": 3.5},
        }
    ]
    assert document["timing"] == {
        "control_hz": 500.0,
        "cycle_us": {"p50": 80.0, "p99": 120.0, "p999": 150.0, "max": 900.5},
        "overruns": 2,
        "policy_us": {"p50": 60.0, "p99": 90.0, "p999": 95.0, "max": 100.0},
        "tree_us": {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0},
    }
    assert document["gate"] == {"clamped": {"position": 1, "velocity": 2, "torque": 3, "rate": 4}, "rejected": 5}
    assert list(document["buses"].items()) == [
        ("can0", {"sent": 20, "received": 20, "dropped": 0, "errors": 0}),
        ("can1", {"sent": 10, "received": 9, "dropped": 1, "errors": 0}),
    ]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("completed", 0),
        ("refused", 10),
        ("guard_stop", 20),
        ("not_accepted", 30),
        ("operator_stop", 40),
        ("error", 70),
    ],
)
def test_the_outcome_fixes_the_exit_code(summary: Summary, outcome: Outcome, code: int) -> None:
    assert summary_document(replace(summary, outcome=outcome))["exit_code"] == code
    assert set(EXIT_CODES) == set(get_args(Outcome))


def test_what_was_not_measured_is_null(summary: Summary) -> None:
    stage = summary_document(summary)["stages"][1]
    assert stage["metrics"] == {"drift_rad_per_s": None}
    assert stage["criteria"][0]["value"] is None
    assert stage["criteria"][0]["passed"] is False


def test_no_stop_and_a_planned_stop_are_both_null(summary: Summary) -> None:
    assert summary.stop is not None
    assert summary_document(replace(summary, stop=None))["stop"] is None
    assert summary_document(replace(summary, stop=replace(summary.stop, planned=True)))["stop"] is None


def test_the_same_summary_is_the_same_text_whatever_order_mappings_were_filled_in(summary: Summary) -> None:
    turned = replace(
        summary,
        buses=dict(reversed(summary.buses.items())),
        hashes=dict(reversed(summary.hashes.items())),
        stages=tuple(replace(s, metrics=dict(reversed(s.metrics.items()))) for s in summary.stages),
    )
    assert summary_text(summary_document(turned)) == summary_text(summary_document(summary))


def test_without_wall_clock_two_runs_of_different_speed_are_the_same(summary: Summary) -> None:
    slow = replace(
        summary,
        timing=replace(summary.timing, cycle_us=replace(summary.timing.cycle_us, p50=999.0), overruns=77),
        stages=tuple(
            replace(
                stage,
                metrics={k: 9.0 if k.endswith("_wall_s") else v for k, v in stage.metrics.items()},
                criteria=tuple(replace(c, value=9.0) if c.metric.endswith("_wall_s") else c for c in stage.criteria),
            )
            for stage in summary.stages
        ),
        diagnosis=tuple(replace(found, evidence={**found.evidence, "step_wall_s": 3.0}) for found in summary.diagnosis),
    )
    assert summary_document(slow) != summary_document(summary)
    assert without_wall_clock(summary_document(slow)) == without_wall_clock(summary_document(summary))


def test_without_wall_clock_keeps_everything_else(summary: Summary) -> None:
    kept = without_wall_clock(summary_document(summary))
    other = without_wall_clock(summary_document(replace(summary, cause_to_command_s=0.004)))
    assert kept != other
    assert kept["timing"] == {"control_hz": 500.0}
    assert kept["stages"][0]["metrics"] == {"tilt_rad": 0.02}
    assert kept["stages"][0]["criteria"] == summary_document(summary)["stages"][0]["criteria"]


def test_a_written_summary_is_read_back(tmp_path: Path, summary: Summary) -> None:
    path = tmp_path / "summary.json"
    write_summary(path, summary_document(summary))
    assert read_summary(path) == json.loads(summary_text(summary_document(summary)))
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_a_summary_that_cannot_be_written_is_told_and_the_old_one_stays(
    tmp_path: Path, summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "summary.json"
    write_summary(path, summary_document(summary))
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="No space left"):
        write_summary(path, summary_document(replace(summary, seed=4)))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[1]", "not a mapping"),
        (b"[" * 200_000, "damaged"),
        (b'{"schema": 2}', "schema 2; this version reads 1"),
        (b'{"schema": 1, "outcome": "completed"}', "exit_code, robot"),
    ],
    ids=["empty", "binary", "list", "deep", "version", "few keys"],
)
def test_a_damaged_summary_is_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(RecordError, match=message):
        read_summary(tmp_path / "summary.json")


def test_a_missing_summary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        read_summary(tmp_path / "summary.json")


@given(start=st.integers(0, 3000), end=st.integers(0, 3000), content=st.binary(max_size=200))
def test_any_damage_ends_in_a_summary_or_a_record_error(
    tmp_path_factory: pytest.TempPathFactory, start: int, end: int, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("summary") / "summary.json"
    whole = summary_text(summary_document(SUMMARY)).encode()
    path.write_bytes(whole[:start] + content + whole[end:])
    try:
        document = read_summary(path)
    except RecordError:
        return
    assert document["schema"] == 1
