"""The run folder: complete before anything moves, or refused in words."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from supervisor.core.errors import RefusedError
from supervisor.evidence.run_folder import RunFolder, check_inputs, create_run_folder, sha256_of

STARTED = datetime(2026, 11, 20, 9, 30, 5, tzinfo=UTC)


def make(runs: Path, inputs: dict[str, Path] | None = None, **keys: object) -> RunFolder:
    """A run folder of the time above."""
    return create_run_folder(
        runs, "pup", "pup_walk", inputs or {}, **{"started": STARTED, "minimum_free_bytes": 0, **keys}
    )


def test_the_folder_is_named_after_time_robot_and_policy(tmp_path: Path) -> None:
    assert make(tmp_path / "runs").path == tmp_path / "runs" / "20261120T093005Z_pup_pup_walk"


def test_the_time_in_the_name_is_utc_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    elsewhere = STARTED.astimezone(timezone(timedelta(hours=5)))
    assert make(tmp_path, started=elsewhere).path.name == "20261120T093005Z_pup_pup_walk"


def test_two_runs_in_the_same_second_have_two_folders(tmp_path: Path) -> None:
    names = {make(tmp_path).path.name for _ in range(3)}
    assert names == {f"20261120T093005Z_pup_pup_walk{end}" for end in ("", "_2", "_3")}


def test_a_name_that_is_a_path_is_made_harmless(tmp_path: Path) -> None:
    folder = create_run_folder(
        tmp_path, "../../my robot", "/etc/pass wd.onnx", {}, started=STARTED, minimum_free_bytes=0
    )
    assert folder.path == tmp_path / "20261120T093005Z_my_robot_pass_wd.onnx"


def test_inputs_are_copied_with_their_hashes(tmp_path: Path) -> None:
    policy, robot = tmp_path / "policy.onnx", tmp_path / "r.yaml"
    policy.write_bytes(b"\x00onnx")
    robot.write_text("schema: 1\n")
    folder = make(tmp_path / "runs", {"policy": policy, "robot": robot})
    assert (folder.path / "inputs" / "policy.onnx").read_bytes() == b"\x00onnx"
    assert folder.hashes == {
        "policy": hashlib.sha256(b"\x00onnx").hexdigest(),
        "robot": hashlib.sha256(b"schema: 1\n").hexdigest(),
    }
    sums = (folder.path / "inputs" / "SHA256SUMS").read_text().splitlines()
    assert sums == [f"{folder.hashes['policy']}  policy.onnx", f"{folder.hashes['robot']}  robot.yaml"]
    assert check_inputs(folder.path) == ()
    assert sha256_of(policy) == folder.hashes["policy"]


def test_a_copy_that_was_changed_removed_or_renamed_is_told(tmp_path: Path) -> None:
    files = {}
    for name in ("a", "b", "c"):
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(name)
    folder = make(tmp_path / "runs", files)
    inputs = folder.path / "inputs"
    (inputs / "a.yaml").write_text("changed")
    (inputs / "b.yaml").unlink()
    with (inputs / "SHA256SUMS").open("a") as file:
        file.write("nonsense\n" + "0" * 64 + "  ../../../a.yaml\n")
    assert check_inputs(folder.path) == (
        "inputs/a.yaml was changed after the run",
        "inputs/b.yaml cannot be read: No such file or directory",
        "inputs/SHA256SUMS has a line that is not a hash and a name",
        "inputs/SHA256SUMS has a line that is not a hash and a name",
    )


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "binary"])
def test_hashes_that_cannot_be_read_are_told(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "inputs").mkdir()
    if content is not None:
        (tmp_path / "inputs" / "SHA256SUMS").write_bytes(content)
    assert "cannot be read" in check_inputs(tmp_path)[0]


def test_every_input_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        make(tmp_path, {"policy": tmp_path / "no.onnx", "robot": tmp_path / "no.yaml"})
    assert len(refused.value.reasons) == 2
    assert "the policy file" in refused.value.reasons[0]
    assert "the robot file" in refused.value.reasons[1]


def test_a_nearly_full_disk_refuses_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=12_000_000))
    with pytest.raises(RefusedError, match=r"only 12 MB are free .* a run needs 500 MB; delete old runs"):
        make(tmp_path / "runs", minimum_free_bytes=500_000_000)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_folder_that_is_a_file_refuses(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(RefusedError, match=r"cannot be written .* choose another with --runs"):
        make(tmp_path / "runs")


def test_a_folder_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(RefusedError, match="Permission denied"):
        make(tmp_path / "runs")


def test_a_disk_that_takes_folders_but_no_bytes_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RefusedError, match="No space left on device"):
        make(tmp_path)
