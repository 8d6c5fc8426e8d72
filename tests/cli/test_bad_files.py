"""Every problem of every file ends in exit code 2 with file and line, nothing energised and no folder left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from supervisor.cli import app
from tests.cli.badfiles import DAMAGE, Files, change

USAGE, REFUSED = 2, 10
Spoil = Callable[[Files], int | None]
"""Spoils one thing; returns the line where it stands, None where that is no question."""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Sound copies of everything."""
    return Files(tmp_path)


def invoke(files: Files, code: int) -> str:
    """Run the command on spoiled files.

    Returns:
        What it said on standard error, in one line.
    """
    result = CliRunner().invoke(app, files.arguments())
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert not files.runs.exists(), "refused before a folder is made"
    return " ".join(result.stderr.split())


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["robot", "safety", "policy", "mission", "fault"])
def test_a_damaged_file_is_refused_by_name(files: Files, kind: str, damage: str) -> None:
    spoil, expected = DAMAGE[damage]
    path = files.of(kind)
    spoil(path)
    said = invoke(files, USAGE)
    assert path.name in said
    assert any(text in said for text in expected.split("|"))


def edit(kind: str, old: str, new: str) -> Spoil:
    return lambda files: change(files.of(kind), old, new)


def second(kind: str, first: str, old: str, new: str) -> Spoil:
    """Change the first `old` after `first`."""

    def spoil(files: Files) -> int:
        path = files.of(kind)
        text = path.read_text(encoding="utf-8")
        start = text.index(first)
        at = text.index(old, start)
        path.write_text(text[:at] + new + text[at + len(old) :], encoding="utf-8")
        return text[:at].count("\n") + 1

    return spoil


CONTRADICTIONS: dict[str, tuple[Spoil, str, str]] = {
    "robot: NaN": (edit("robot", "torque_nm: 20.0", "torque_nm: .nan"), "robot.yaml", "nan; allowed: a finite number"),
    "robot: infinity": (edit("robot", "gear: 1.0", "gear: .inf"), "robot.yaml", "inf; allowed: a finite number"),
    "robot: a joint twice": (edit("robot", "  fl_thigh:\n", "  fl_hip:\n"), "robot.yaml", "the same key twice"),
    "robot: limits upside down": (
        edit("robot", "position_rad: [-0.75, 0.75]", "position_rad: [0.75, -0.75]"), "robot.yaml", "lowest first",
    ),
    "robot: a joint without a motor": (
        edit("robot", "    motor: {make: damiao, model: DM8009, bus: can0, id: 1, feedback_id: 17}\n", ""),
        "", "joints.fl_hip.motor: found nothing; allowed: this key is required",
    ),
    "robot: two joints on one motor": (
        edit("robot", "bus: can0, id: 2, feedback_id: 18", "bus: can0, id: 1, feedback_id: 18"),
        "robot.yaml", "one motor per id; fl_hip has it already",
    ),
    "robot: no such bus": (
        edit("robot", "bus: can0, id: 1,", "bus: can9, id: 1,"), "robot.yaml", "a bus of this file",
    ),
    "robot: gear 0": (edit("robot", "gear: 1.0", "gear: 0.0"), "robot.yaml", "a number above 0"),
    "robot: text for a number": (edit("robot", "gear: 1.0", "gear: one"), "robot.yaml", "'one'"),
    "robot: no model file": (edit("robot", "model: pup.xml", "model: none.xml"), "robot.yaml", "a MuJoCo model"),
    "robot: an alias": (edit("robot", "name: pup", "name: &pup pup"), "robot.yaml", "an anchor"),
    "safety: NaN": (second("safety", "id: tilt", "limit: ", "limit: .nan #"), "pup.yaml", "a finite number"),
    "safety: a guard twice": (edit("safety", "id: imu_age", "id: motor_age"), "pup.yaml", "each guard once"),
    "safety: no such guard": (edit("safety", "id: tilt", "id: lean"), "pup.yaml", "lean"),
    "safety: a stop that clears itself": (
        second("safety", "id: tilt", "clear: operator", "clear: automatic"), "pup.yaml", "latches",
    ),
    "safety: no such level": (second("safety", "id: tilt", "level: DAMP", "level: PANIC"), "pup.yaml", "TERMINAL"),
    "safety: persistence upside down": (
        second("safety", "id: tilt", "persistence: {", "persistence: {cycles: 5, of_cycles: 2} #"),
        "pup.yaml", "cycles",
    ),
    "policy: width": (second("policy", "name: gait_clock", "dim: 2", "dim: 3"), "contract.yaml", ""),
    "policy: a joint twice": (
        edit("policy", "  fl_thigh: {default", "  fl_hip: {default"), "contract.yaml", "the same key twice",
    ),
    "policy: a joint the robot has not": (edit("policy", "  fl_hip: {", "  tail: {"), "contract.yaml", "tail"),
    "policy: NaN": (edit("policy", "scale_rad: 0.4", "scale_rad: .nan"), "contract.yaml", "a finite number"),
    "policy: range upside down": (
        edit("policy", "trained: [-0.4, 0.8]", "trained: [0.8, -0.4]"), "contract.yaml", "trained",
    ),
    "policy: rate": (
        edit("policy", "policy_hz: 50.0", "policy_hz: 60.0"), "contract.yaml", "500 Hz of pup's control loop",
    ),
    "policy: another network": (edit("policy", "sha256: c3fc", "sha256: c3fd"), "contract.yaml", "sha256"),
    "mission: NaN": (edit("mission", "timeout_s: 30.0", "timeout_s: .nan"), "deployment.yaml", "a finite number"),
    "mission: no such kind": (edit("mission", "kind: observe", "kind: dance"), "deployment.yaml", "dance"),
    "mission: a stage twice": (edit("mission", "name: observe", "name: preflight"), "deployment.yaml", "preflight"),
    "mission: no such metric": (
        edit("mission", "metric: drill_passed", "metric: drill_past"), "deployment.yaml", "drill_past",
    ),
    "mission: no such guard": (
        edit("mission", "guards: {tilt: 0.5}", "guards: {lean: 0.5}"), "deployment.yaml", "lean",
    ),
    "mission: no such support": (edit("mission", "support: gantry", "support: hope"), "deployment.yaml", "hope"),
    "fault: no such stage": (edit("fault", "stage: stand", "stage: stnad"), "fault.yaml", "stnad"),
    "fault: no such bus": (edit("fault", "bus: can0", "bus: can7"), "fault.yaml", "can7"),
    "fault: no such kind": (edit("fault", "kind: bus_off", "kind: bus_of"), "fault.yaml", "bus_of"),
    "fault: NaN": (edit("fault", "stage: stand", "stage: stand, after_s: .nan"), "fault.yaml", "a finite number"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_refused_with_file_and_line(files: Files, case: str) -> None:
    spoil, name, expected = CONTRADICTIONS[case]
    line = spoil(files)
    said = invoke(files, USAGE)
    assert expected in said
    found = [int(number) for number in re.findall(rf"{re.escape(name)}:(\d+):", said)]
    assert line is None or not name.endswith(".yaml") or any(abs(number - line) <= 1 for number in found), said


ONNX: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 16),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:5000]),
}


@pytest.mark.parametrize("damage", ONNX)
def test_a_damaged_network_is_refused_by_name(files: Files, damage: str) -> None:
    ONNX[damage](files.onnx)
    said = invoke(files, USAGE)
    assert "policy.onnx" in said


@pytest.mark.parametrize("content", [b"", b"no signature", b"PK\x03\x04" + bytes(100)])
def test_a_damaged_signature_is_refused_by_name(files: Files, content: bytes) -> None:
    files.signature.write_bytes(content)
    said = invoke(files, USAGE)
    assert "signature.npz" in said
    assert "handrail signature" in said


def test_a_missing_and_an_outdated_signature_refuse_a_mission_that_needs_one(files: Files) -> None:
    files.model.write_text(files.model.read_text(encoding="utf-8") + "<!-- heavier -->\n", encoding="utf-8")
    assert "another version of the robot" in invoke(files, REFUSED)
    files.signature.unlink()
    said = invoke(files, REFUSED)
    assert "judges the robot by its signature" in said
    assert "make one with: handrail signature" in said


@pytest.mark.parametrize("content", ["", "<mujoco", "<mujoco><worldbody/></mujoco>"])
def test_a_damaged_model_is_refused(files: Files, content: str) -> None:
    files.model.write_text(content, encoding="utf-8")
    files.signature.unlink()
    invoke(files, REFUSED)


def test_a_motor_that_nobody_makes_is_found_by_the_check_of_the_robot(files: Files) -> None:
    change(files.robot, "make: damiao, model: DM8009", "make: damiao, model: DM9999")
    assert "DM9999" in invoke(files, REFUSED)


def test_all_problems_of_all_files_are_listed_at_once(files: Files) -> None:
    lines = {
        "robot.yaml": change(files.robot, "gear: 1.0", "gear: 0.0"),
        "pup.yaml": change(files.safety, "id: imu_age", "id: motor_age"),
        "deployment.yaml": change(files.mission, "kind: observe", "kind: dance"),
    }
    files.fault.write_text("schema: 1\nfaults: 3\n")
    said = invoke(files, USAGE)
    for name, line in lines.items():
        assert f"{name}:{line}" in said
    assert "fault.yaml:2" in said
    assert re.search(r"handrail: ([4-9]|\d\d) problems in the configuration", said)


def test_the_same_files_are_refused_by_check(files: Files) -> None:
    change(files.robot, "gear: 1.0", "gear: 0.0")
    change(files.mission, "kind: observe", "kind: dance")
    for extra in ([], ["--policy", str(files.policy)]):
        result = CliRunner().invoke(app, ["check", str(files.robot), "--mission", str(files.mission), "--json", *extra])
        assert (result.exit_code, result.stdout) == (USAGE, "")
        assert "gear" in result.stderr
        assert "dance" in result.stderr
