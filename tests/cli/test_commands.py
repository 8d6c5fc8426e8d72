"""The commands' exit codes, and what they print where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from supervisor.cli import app
from supervisor.core.errors import BusError
from supervisor.evidence.record_reader import read_record
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.replay import Replayed, replay_run
from tests.cli.badfiles import ROOT, Files

USAGE, REFUSED, INTERNAL = 2, 10, 70
QUICK_MISSION = """schema: 1
name: quick
description: preflight only, for a test of the command
timeout_s: 60.0
stages:
  - name: preflight
    kind: preflight
    description: devices, guards, emergency-stop drill; motors off
    support: gantry
    knobs: {action_gain: 0.0, torque_fraction: 1.0, speed_fraction: 1.0}
    confirm: false
    timeout_s: 30.0
    duration: {minimum_s: 0.2, maximum_s: 0.2}
    accept:
      - {metric: drill_passed, op: '>=', limit: LIMIT, reason: "a test's number"}
    not_accepted: {retry: 0, step_back: false, then: stop}
"""
RUN = ("run", "pup", "--policy", "pup_walk", "--fast")


def invoke(*arguments: str) -> Any:
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*arguments: str, code: int = USAGE) -> str:
    """Run a command that must refuse.

    Returns:
        What it said, in one line.
    """
    result = invoke(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


@pytest.fixture
def mission(tmp_path: Path) -> str:
    """A mission of two simulated seconds."""
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK_MISSION.replace("LIMIT", "1.0"))
    return str(path)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("run",),
        ("run", "pup"),
        ("run", "pup", "--policy"),
        (*RUN, "--seed", "-1"),
        (*RUN, "--seed", "one"),
        (*RUN, "--speed", "9"),
        ("check",),
        ("tree",),
        ("report",),
        ("new", "dog"),
        ("signature", "pup", "--processes", "-1"),
    ],
)
def test_a_command_line_that_cannot_be_understood_ends_in_2(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == USAGE
    assert "Traceback" not in result.output


@pytest.mark.parametrize("modes", [("--sim", "--live"), ("--dry-run", "--live"), ("--sim", "--dry-run")])
def test_two_modes_exclude_each_other(modes: tuple[str, str]) -> None:
    assert "exclude each other" in refused("run", "pup", "--policy", "pup_walk", *modes)


@pytest.mark.parametrize("mode", ["--live", "--dry-run"])
def test_what_is_for_simulation_is_refused_on_a_robot(mode: str) -> None:
    assert "simulated robot only" in refused("run", "pup", "--policy", "pup_walk", mode, "--fast")


@pytest.mark.parametrize("mode", ["--live", "--dry-run", "--shadow"])
def test_a_robot_whose_buses_are_not_there_is_refused_and_the_refusal_is_kept(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "runtime"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    runs = tmp_path / "runs"
    result = invoke("run", "pup", "--policy", "pup_walk", mode, "--runs", str(runs))
    assert result.exit_code == REFUSED, result.output
    assert "process could not start" in result.stderr
    assert "can0" in result.stderr
    (folder,) = runs.glob("*_pup_*")
    assert json.loads((folder / "summary.json").read_text())["outcome"] == "refused"
    assert "process could not start: " in " ".join((folder / "report.txt").read_text().split())


def test_unknown_names_are_all_listed_with_those_there_are(tmp_path: Path) -> None:
    said = refused(
        "run", "dog", "--policy", "swim", "--mission", "moon", "--fault", "f.yaml", "--runs", str(tmp_path / "runs")
    )
    for part in ("dog: found no such robot", "swim: found no such policy", "moon: found no such mission", "f.yaml"):
        assert part in said
    assert "pup_walk" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["/proc/runs", "file"])
def test_a_folder_for_runs_that_cannot_be_written_refuses_before_motion(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = Path(where) if where.startswith("/") else tmp_path / where
    said = refused(*RUN, "--runs", str(folder), code=REFUSED)
    assert "choose another with --runs" in said


def test_a_run_prints_its_report_and_says_how_it_goes(mission: str, tmp_path: Path) -> None:
    result = invoke(*RUN, "--mission", mission, "--runs", str(tmp_path / "runs"))
    assert result.exit_code == 0, result.output
    assert "completed" in result.stdout
    assert "stage preflight" in result.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    again = invoke("report", str(folder))
    assert again.exit_code == 0
    assert again.stdout == result.stdout
    assert (folder / "report.txt").read_text(encoding="utf-8").split() == result.stdout.split()


def test_json_prints_one_document_and_nothing_else(mission: str, tmp_path: Path) -> None:
    result = invoke(*RUN, "--mission", mission, "--runs", str(tmp_path / "runs"), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    summary = json.loads(result.stdout)
    (folder,) = (tmp_path / "runs").iterdir()
    assert summary == json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["outcome"], summary["exit_code"]) == ("completed", 0)


def test_a_stage_that_is_not_accepted_before_motion_ends_in_refusal(mission: str, tmp_path: Path) -> None:
    Path(mission).write_text(QUICK_MISSION.replace("LIMIT", "2.0"))
    result = invoke(*RUN, "--mission", mission, "--runs", str(tmp_path / "runs"), "--json")
    assert result.exit_code == REFUSED
    assert json.loads(result.stdout)["outcome"] == "refused"


def test_a_loop_that_breaks_ends_in_70_with_the_motors_off_and_the_record_closed(
    mission: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = MissionCore.tick

    def broken(self: MissionCore, now_s: float) -> Any:
        if now_s > 1.0:
            raise RuntimeError("out of memory")
        return tick(self, now_s)

    monkeypatch.setattr(MissionCore, "tick", broken)
    result = invoke(*RUN, "--mission", mission, "--runs", str(tmp_path / "runs"), "--json")
    assert result.exit_code == INTERNAL
    assert json.loads(result.stdout)["outcome"] == "error"
    (folder,) = (tmp_path / "runs").iterdir()
    record = read_record(folder / "cycles.bin")
    assert record.leftover_bytes == 0
    assert record.numbers["Drive"][record.column("drive")[-1]] == "disable"
    assert replay_run(folder) == Replayed(len(record), len(record), None, "")
    assert "RuntimeError: out of memory" in (folder / "events.jsonl").read_text(encoding="utf-8")


def test_check_tells_what_it_found_with_and_without_a_policy() -> None:
    bare, whole = invoke("check", "pup"), invoke("check", "pup", "--policy", "pup_walk")
    assert (bare.exit_code, whole.exit_code) == (0, 0)
    assert "12 joints on can0, can1, can2, can3, imu0" in bare.stdout
    assert "golden pairs" not in bare.stdout
    assert "policy pup_walk: 20 golden pairs" in whole.stdout


def test_check_prints_json_and_nothing_else() -> None:
    for extra in ([], ["--policy", "pup_walk"]):
        result = invoke("check", "pup", "--json", *extra)
        assert (result.exit_code, result.stderr) == (0, "")
        assert all(isinstance(line, str) for line in json.loads(result.stdout))


def test_replay_tells_what_is_the_same_and_what_is_not(mission: str, tmp_path: Path) -> None:
    invoke(*RUN, "--mission", mission, "--runs", str(tmp_path / "runs"))
    (folder,) = (tmp_path / "runs").iterdir()
    same = invoke("replay", str(folder))
    rows = read_record(folder / "cycles.bin").rows
    count = len(rows)
    assert (same.exit_code, same.stdout) == (0, f"{count} of {count} decisions are the same, bit for bit\n")
    raw = bytearray((folder / "cycles.bin").read_bytes())
    raw[len(raw) - rows.itemsize + rows.dtype.fields["level"][1]] = 7
    (folder / "cycles.bin").write_bytes(raw)
    other = invoke("replay", str(folder))
    assert other.exit_code == REFUSED
    assert f"decision {count - 1} at " in other.stdout
    assert "level: recorded TERMINAL, replayed " in other.stdout
    assert f"{count - 1} of {count} decisions are the same" in other.stdout
    assert "SHA256SUMS cannot be read" in refused("replay", str(tmp_path))


def test_report_refuses_what_is_no_run(tmp_path: Path) -> None:
    assert "is not the folder of a run" in refused("report", str(tmp_path))
    assert "is not a folder" in refused("report", str(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("x")
    assert "is not a folder" in refused("report", str(tmp_path / "file"))


def test_tree_draws_to_a_file_and_refuses_what_it_cannot(tmp_path: Path) -> None:
    drawing = tmp_path / "tree.svg"
    result = invoke("tree", "deployment", "--format", "svg", "-o", str(drawing))
    assert (result.exit_code, result.stdout) == (0, "")
    assert drawing.read_text(encoding="utf-8").startswith("<svg")
    assert "unicode, dot, svg, mermaid" in refused("tree", "deployment", "--format", "png")
    assert "no such mission" in refused("tree", "moon")
    assert "no such robot" in refused("tree", "deployment", "--robot", "dog")
    assert "a file to write" in refused("tree", "deployment", "-o", str(tmp_path / "nowhere" / "tree"))
    assert "a file to write" in refused("tree", "deployment", "-o", str(tmp_path))


def test_new_refuses_what_it_cannot_make(tmp_path: Path) -> None:
    model = str(ROOT / "config/robots/pup/pup.xml")
    out = tmp_path / "dog"

    def said(*arguments: str, mjcf: str = model, name: str = "dog") -> str:
        return refused("new", name, "--mjcf", mjcf, "-o", str(out), *arguments)

    assert "letters, digits" in said(name="a dog")
    assert "readable MJCF" in said(mjcf=str(tmp_path / "none.xml"))
    assert "damiao" in said("--make", "acme")
    assert "--policy as well" in said("--keyframe", "stand", "--policy", "pup_walk")
    assert "no such policy" in said("--policy", "swim")
    assert "nowhere" in said("--keyframe", "nowhere")
    (tmp_path / "broken.xml").write_text("<mujoco")
    assert "broken.xml" in said(mjcf=str(tmp_path / "broken.xml"))
    assert not out.exists()
    out.mkdir()
    (out / "mine").write_text("keep")
    assert "not empty" in said()
    assert (out / "mine").read_text() == "keep"


def test_signature_refuses_unknown_and_unsound_robots(tmp_path: Path) -> None:
    assert "no such robot" in refused("signature", "dog")
    files = Files(tmp_path)
    files.robot.write_text("schema: 1\n")
    assert "this key is required" in refused("signature", str(files.robot))


WITHOUT_MUJOCO = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mujoco":
            raise ModuleNotFoundError("No module named 'mujoco'", name="mujoco")

sys.meta_path.insert(0, Missing())
from supervisor.cli import main
main()
"""


def without_mujoco(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that has no MuJoCo."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_MUJOCO, *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_mujoco_a_run_says_how_to_install_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    done = without_mujoco(*RUN, "--runs", str(runs))
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert "pip install 'handrail[sim]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not runs.exists()


def test_without_mujoco_new_says_how_to_install_it_and_check_works(tmp_path: Path) -> None:
    model = str(ROOT / "config/robots/pup/pup.xml")
    done = without_mujoco("new", "dog", "--mjcf", model, "-o", str(tmp_path / "dog"))
    assert done.returncode == REFUSED
    assert "pip install 'handrail[sim]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert without_mujoco("check", "pup", "--policy", "pup_walk").returncode == 0


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (BusError("can0 is bus-off"), REFUSED, "can0 is bus-off"),
        (ZeroDivisionError("by zero"), INTERNAL, "internal error"),
    ],
)
def test_what_nobody_foresaw_has_an_exit_code_too(
    error: Exception, code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise error

    monkeypatch.setattr("supervisor.runtime.preparation.check_all", fail)
    result = invoke("check", "pup")
    assert result.exit_code == code
    assert text in result.stderr
    assert ("Traceback" in result.stderr) is (code == INTERNAL)


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom supervisor.cli import app\n"
        "heavy = {'mujoco', 'onnxruntime', 'py_trees', 'can', 'serial', 'pydantic', 'numpy'} & set(sys.modules)\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = invoke("--help")
    assert shown.exit_code == 0
    for command in ("run", "check", "tree", "report", "new", "signature"):
        assert command in shown.stdout
