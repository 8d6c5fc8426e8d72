"""The proposal that people read: what it says, and that it is never a safety file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from supervisor.cli import app
from supervisor.core.errors import ConfigError
from supervisor.core.guard import GuardRow
from supervisor.core.loading import load_yaml
from supervisor.core.safety import SafetyConfig
from supervisor.runtime import calibration_text
from supervisor.runtime.calibration import calibrate
from supervisor.runtime.calibration_text import proposal_rows, propose, rate_text
from supervisor.runtime.recorded_run import RecordedRun
from tests.runtime.recordings import SAFETY, make_run
from tests.safety.bench import LOADED, ROBOT


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[RecordedRun]:
    """Runs that are read whatever folders are named."""
    runs = [make_run([0.3] * 200)]
    iterator = iter(runs)
    monkeypatch.setattr(calibration_text, "read_run", lambda folder: replace(next(iterator), name=folder.name))
    return runs


def rows(run: RecordedRun) -> dict[str, dict[str, object]]:
    text = proposal_rows(calibrate(ROBOT, SAFETY, [run], 0.9, 1.3))
    return {row["id"]: row for row in yaml.safe_load(text)["guards"]}


def test_a_proposed_row_states_runs_cycles_quantile_and_margin() -> None:
    tilt = rows(make_run([0.3] * 200))["tilt"]
    assert tilt["limit"] == pytest.approx(0.39)
    for part in ("Tightened from 0.7", "1 runs (first)", "200 readings", "quantile 0.9", "margin 1.3", "Declared for:"):
        assert part in str(tilt["reason"])
    assert "level" in tilt


def test_a_kept_row_keeps_its_number_and_its_reason() -> None:
    declared = next(row for row in SAFETY.guards if row.id == "tilt")
    tilt = rows(make_run([0.65] * 200))["tilt"]
    assert tilt["limit"] == declared.limit
    assert tilt["reason"] == " ".join(declared.reason.split())


def test_a_proposed_row_is_a_row_of_a_safety_file(tmp_path: Path) -> None:
    file = tmp_path / "safety.yaml"
    whole = yaml.safe_load(LOADED.safety_path.read_text())
    whole["guards"] = list(rows(make_run([0.3] * 200)).values())
    file.write_text(yaml.safe_dump(whole))
    tilt: GuardRow = load_yaml(file, SafetyConfig).rows_by_id()["tilt"]
    assert tilt.limit == pytest.approx(0.39)


def test_a_loosened_row_is_marked_where_the_eye_falls() -> None:
    text = proposal_rows(calibrate(ROBOT, SAFETY, [make_run([0.75] * 200)], 0.9, 1.3))
    assert "# LOOSENS tilt: 0.7 -> 0.975 rad" in text
    assert "LOOSENED from 0.7" in text


def test_the_head_tells_rates_flags_and_what_was_left_out(told: list[RecordedRun]) -> None:
    text = propose([Path("monday")], "pup", 0.9, 1.3, None)
    for part in ("PROPOSAL for", "monday: live, 200 cycles in motion", "left out: emergency_stop (yes or no)"):
        assert part in text
    assert "within 20 % of tripping: none" in text
    assert "never near, by more than three times: " in text
    assert yaml.safe_load(text)["guards"]


def test_a_proposal_cannot_be_loaded_as_a_safety_file(told: list[RecordedRun], tmp_path: Path) -> None:
    output = tmp_path / "proposal.yaml"
    said = propose([Path("monday")], None, 0.9, 1.3, output)
    assert f"written to {output}" in said
    assert "guards:" not in said
    with pytest.raises(ConfigError):
        load_yaml(output, SafetyConfig)


def test_a_proposal_overwrites_nothing_least_of_all_the_safety_file(told: list[RecordedRun], tmp_path: Path) -> None:
    before = LOADED.safety_path.read_bytes()
    link, old = tmp_path / "link.yaml", tmp_path / "old.yaml"
    link.symlink_to(LOADED.safety_path)
    old.write_text("mine")
    told += [told[0]] * 2
    for output, words in (
        (LOADED.safety_path, "never applied by a program"),
        (link, "never applied by a program"),
        (old, "exists already"),
    ):
        with pytest.raises(ConfigError, match=words):
            propose([Path("monday")], "pup", 0.9, 1.3, output)
    assert LOADED.safety_path.read_bytes() == before
    assert old.read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(told: list[RecordedRun], tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="exists already"):
        propose([Path("monday")], "pup", 0.9, 1.3, link)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_told(told: list[RecordedRun], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a new file"):
        propose([Path("monday")], "pup", 0.9, 1.3, tmp_path / "no" / "such.yaml")


def test_no_trip_in_a_short_time_is_no_proof_of_none() -> None:
    assert rate_text(0, 0.5) == "0/h (95 %: below 6/h)"
    assert rate_text(3, 0.5) == "6/h"


@pytest.mark.parametrize("arguments", [("--quantile", "1"), ("--quantile", "0.4"), ("--margin", "0.9"), ()])
def test_the_command_refuses_what_makes_no_sense(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["calibrate-guards", str(tmp_path), *arguments])
    assert result.exit_code in (2, 10)
    assert "Traceback" not in result.output
