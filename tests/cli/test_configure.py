"""The command configure."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from supervisor.cli import app
from tests.cli.test_commands import ROOT, invoke, refused


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_everything_that_differs_is_written_where_nobody_need_be_asked() -> None:
    result = invoke("configure", "pup", "--yes")
    assert result.exit_code == 0
    assert "Written and read back: 12." in result.stdout


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_written_without_a_yes(answer: str) -> None:
    result = CliRunner().invoke(app, ["configure", "pup", "fl_hip"], input=answer)
    assert result.exit_code == 10
    assert "Write all of this" in result.stdout
    assert result.stdout.endswith("Nothing was written.\n")


def test_a_yes_writes_what_was_shown() -> None:
    result = CliRunner().invoke(app, ["configure", "pup", "fl_hip", "imu"], input="y\n")
    assert result.exit_code == 0
    assert "Written and read back: 1." in result.stdout


def test_a_device_that_is_not_there_is_refused() -> None:
    assert "no device knee" in refused("configure", "pup", "knee", code=10)
