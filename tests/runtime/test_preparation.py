"""Reading and checking before a robot is touched: all problems at once, and what is known about the signature."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.core.clock import VirtualClock
from supervisor.core.errors import ConfigError, RefusedError
from supervisor.core.robot_file import load_robot
from supervisor.runtime import preparation
from supervisor.runtime.preparation import (
    check_all,
    gain_limits,
    prepare,
    read_signature,
    robot_problems,
    write_signature,
)
from tests.cli.badfiles import Files, change
from tests.drivers.sim.fitted import fitted


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Sound copies of everything."""
    return Files(tmp_path)


def names(files: Files) -> tuple[str, str, str]:
    """As `prepare` takes them."""
    return str(files.robot), str(files.policy), str(files.mission)


def test_sound_files_are_read_into_one_value(files: Files) -> None:
    prepared = prepare(*names(files), VirtualClock(), files.fault)
    assert (prepared.policy_path, prepared.mission_path) == (files.policy, files.mission)
    assert prepared.signature is not None
    assert prepared.remarks == ()
    assert prepared.faults is not None
    assert [fault.kind for fault in prepared.faults.faults] == ["bus_off"]
    assert prepare(*names(files), VirtualClock()).faults is None


def test_the_problems_of_every_file_come_in_one_error(files: Files) -> None:
    change(files.robot, "name: pup", "name: pup\ncolour: red")
    change(files.mission, "kind: observe", "kind: dance")
    files.fault.write_text("schema: 1\nfaults: 3\n")
    with pytest.raises(ConfigError) as caught:
        prepare(*names(files), VirtualClock(), files.fault)
    assert {Path(problem.file).name for problem in caught.value.problems} == {
        "robot.yaml", "deployment.yaml", "fault.yaml",
    }  # fmt: skip
    assert all(problem.line is not None for problem in caught.value.problems)


def test_policy_guards_and_signature_are_checked_together_against_a_sound_robot(files: Files) -> None:
    change(files.safety, "id: tilt", "id: lean")
    change(files.policy, "policy_hz: 50.0", "policy_hz: 60.0")
    files.signature.write_bytes(b"no signature")
    with pytest.raises(ConfigError) as caught:
        prepare(*names(files), VirtualClock())
    found = {Path(problem.file).name for problem in caught.value.problems}
    assert {"pup.yaml", "contract.yaml", "signature.npz"} <= found
    (lean,) = [problem for problem in caught.value.problems if problem.found == "lean"]
    text = files.safety.read_text(encoding="utf-8")
    assert lean.line == text[: text.index("id: lean")].count("\n") + 1


def test_an_error_of_the_wiring_is_a_refusal_with_every_reason(files: Files) -> None:
    change(files.robot, "DM8009, bus: can0, id: 1,", "DM9999, bus: can0, id: 1,")
    change(files.robot, "DM8009, bus: can1, id: 1,", "DM8888, bus: can1, id: 1,")
    with pytest.raises(RefusedError) as caught:
        prepare(*names(files), VirtualClock())
    reasons = " ".join(caught.value.reasons)
    assert "DM9999" in reasons
    assert "DM8888" in reasons
    with pytest.raises(RefusedError, match="DM9999"):
        check_all(str(files.robot), None, str(files.mission))


def test_a_temperature_guard_over_motors_that_do_not_say_theirs_is_refused(files: Files) -> None:
    drive = "drive: {torque_max_nm: 40, velocity_max_rad_per_s: 30, encoder_counts_per_turn: 4096, rated_torque_nm: 2}"
    for bus in range(4):
        change(
            files.robot,
            f"{{make: damiao, model: DM8009, bus: can{bus}, id: 1, feedback_id: 17}}",
            f"{{make: canopen, model: CiA402, bus: can{bus}, id: 1, {drive}}}",
        )
    with pytest.raises(RefusedError) as caught:
        check_all(str(files.robot), None, str(files.mission))
    assert len(caught.value.reasons) == 4
    expected = (
        "joint fl_hip: canopen CiA402 does not say its temperature, so the guard motor_temperature would never be"
    )
    assert caught.value.reasons[0].startswith(expected)
    row = "  - id: motor_temperature"
    text = files.safety.read_text(encoding="utf-8")
    start = text.index(row)
    files.safety.write_text(text[:start] + text[text.index("  - id: tilt", start) :], encoding="utf-8")
    assert check_all(str(files.robot), None, str(files.mission))


def test_more_damping_than_a_motor_can_be_told_is_refused(files: Files) -> None:
    change(files.safety, "damp_kd_nm_s_per_rad: 2.0", "damp_kd_nm_s_per_rad: 5.0")
    assert check_all(str(files.robot), None, str(files.mission))
    change(files.safety, "damp_kd_nm_s_per_rad: 5.0", "damp_kd_nm_s_per_rad: 8.0")
    # Behind a gear of 2 the motor is asked for a quarter of it.
    change(files.robot, "gear: 1.0", "gear: 2.0")
    with pytest.raises(RefusedError) as caught:
        prepare(*names(files), VirtualClock())
    (reason,) = caught.value.reasons
    assert reason.startswith("profile.damp_kd_nm_s_per_rad asks 8 N·m·s/rad, and DAMP would not reach")
    assert "fl_hip" not in reason
    assert "fl_thigh 5 (DM8009, gear 1), fl_calf 5 " in reason
    assert "lower it in the safety file to 5," in reason


def test_feedback_that_can_never_be_young_enough_is_refused() -> None:
    slow = fitted("lx16a", independent_cut_off="contactor K1")
    soft = replace(slow.safety, profile=replace(slow.safety.profile, damp_kd_nm_s_per_rad=0.2))
    problems = robot_problems(replace(slow, safety=soft))
    assert len(problems) == 4
    assert problems[0] == (
        "bus lx16a_can0: 3 motors of lx16a at 100 Hz are heard of every 0.05 s, and the guard motor_age allows 0.02 s: "
        "raise its limit in the safety file above 0.05 s, lower the number of motors on this bus, or raise control_hz"
    )
    rows = tuple(replace(row, limit=0.05) if row.id == "motor_age" else row for row in soft.guards)
    assert robot_problems(replace(slow, safety=replace(soft, guards=rows))) == []


def test_a_signature_is_used_only_where_it_fits(files: Files) -> None:
    robot = load_robot(files.robot)
    signature, remarks = read_signature(robot)
    assert signature is not None
    assert remarks == ()
    files.model.write_text(files.model.read_text(encoding="utf-8") + "<!-- heavier -->\n", encoding="utf-8")
    signature, (remark,) = read_signature(robot)
    assert signature is None
    assert "another version of the robot" in remark
    files.signature.unlink()
    signature, (remark,) = read_signature(robot)
    assert signature is None
    assert "has no signature" in remark
    assert f"handrail signature {files.robot.parent}" in remark


def test_a_changed_joint_limit_outdates_the_signature(files: Files) -> None:
    change(files.robot, "torque_nm: 20.0", "torque_nm: 19.0")
    assert read_signature(load_robot(files.robot))[0] is None


@pytest.mark.parametrize("content", [b"", b"no signature", b"PK\x03\x04" + bytes(64)])
def test_a_damaged_signature_is_a_problem_and_not_a_remark(files: Files, content: bytes) -> None:
    files.signature.write_bytes(content)
    with pytest.raises(ConfigError, match=r"signature\.npz: found not a signature"):
        read_signature(load_robot(files.robot))


def test_a_check_tells_what_it_found(files: Files) -> None:
    bare = check_all(str(files.robot), None, str(files.mission))
    whole = check_all(*names(files))
    assert [line.split()[0] for line in bare] == ["robot", "safety", "mission"]
    assert whole[:3] == bare
    assert "20 golden pairs" in whole[3]


def test_the_gains_a_motor_takes_are_known_at_the_joint_gear_included(files: Files) -> None:
    change(files.robot, "gear: 1.0", "gear: 2.0")
    limits = gain_limits(load_robot(files.robot).config)
    assert len(limits) == 12
    assert limits["fl_hip"].kp_nm_per_rad == pytest.approx(4.0 * limits["fl_thigh"].kp_nm_per_rad)


def test_a_signature_that_cannot_be_written_is_a_problem(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    signature, _ = read_signature(load_robot(files.robot))
    monkeypatch.setattr("supervisor.diagnosis.making.make_signature", lambda *_, **__: signature)
    assert "hypotheses" in write_signature(str(files.robot), 1, io.StringIO())
    monkeypatch.setattr(preparation, "signature_path", lambda robot: files.folder / "nowhere" / "signature.npz")
    with pytest.raises(ConfigError, match="a file to write"):
        write_signature(str(files.robot), 1, io.StringIO())
