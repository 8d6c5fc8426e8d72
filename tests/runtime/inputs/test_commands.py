"""The operator's commands as a user types them: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from supervisor.cli import app
from supervisor.runtime.inputs import client, commands
from supervisor.runtime.inputs.messages import COMMANDS, Answer

STATUS = {
    "arming": "running", "level": "NONE", "is_at_rest": False, "stage": "stand", "question": None, "stop": None,
    "refusals": [], "tripped": [], "buses": {}, "ages_s": {"control": 0.002},
}  # fmt: skip


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What the supervisor answers; what it was asked goes to `asked`."""
    given: list[Answer] = []
    monkeypatch.setattr(commands, "send", lambda command, robot: given[0])
    return given


@pytest.mark.parametrize(
    ("answer", "code", "out", "err"),
    [
        (Answer("accepted", ("the robot is stopped",)), 0, "stop accepted: the robot is stopped\n", ""),
        (Answer("refused", ("tilt", "imu_age")), 10, "", "stop refused:\n  tilt\n  imu_age\n"),
        (Answer("unanswered", ("silent",)), 70, "", "stop unanswered: silent\n"),
        (Answer("error", ("unknown",)), 2, "", "stop error: unknown\n"),
    ],
)
def test_a_press_is_answered_in_words_and_by_its_exit_code(
    answers: list[Answer], answer: Answer, code: int, out: str, err: str
) -> None:
    answers.append(answer)
    result = CliRunner().invoke(app, ["stop"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, out, err)


def test_an_answer_can_be_had_as_json(answers: list[Answer]) -> None:
    answers.append(Answer("refused", ("tilt",)))
    result = CliRunner().invoke(app, ["arm", "--json"])
    assert result.exit_code == 10
    assert json.loads(result.stdout) == {"command": "arm", "outcome": "refused", "lines": ["tilt"], "status": {}}


def test_a_status_is_told_in_lines(answers: list[Answer]) -> None:
    answers.append(Answer("accepted", (), STATUS))
    result = CliRunner().invoke(app, ["status"])
    assert (result.exit_code, result.stdout.splitlines()[:2]) == (
        0,
        ["robot     running, level NONE", "stage     stand"],
    )


@pytest.mark.parametrize("command", list(COMMANDS))
def test_without_a_supervisor_every_command_says_what_to_do(folder: Path, command: str) -> None:
    result = CliRunner().invoke(app, [command])
    assert (result.exit_code, result.stdout) == (10, "")
    assert "no supervisor" in result.stderr
    assert "handrail run" in result.stderr


def test_the_robot_is_handed_on(folder: Path) -> None:
    result = CliRunner().invoke(app, ["stop", "--robot", "pup"])
    assert "no supervisor of pup" in result.stderr
    assert client.running() == {}


def test_a_stop_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys, supervisor.runtime.inputs.commands; print([n for n in ('numpy', 'pydantic') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
