"""The folder of a run: named after time, robot and policy, with copies of everything that went in.

Whatever would make the record incomplete is found here, before anything moves.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from supervisor.core.errors import RefusedError

MINIMUM_FREE_BYTES = 500_000_000
"""A 12-joint robot at 500 Hz records 1.2 MB a second: seven minutes. A longer mission is stopped by its guard."""

INPUTS = "inputs"
SUMS = "SHA256SUMS"
"""In the format that `sha256sum --check` reads."""

EVENTS = "events.jsonl"
CYCLES = "cycles.bin"
SUMMARY = "summary.json"
REPORT = "report.txt"
DRAWING = "tree.svg"
CHANGES_SUFFIX = ".changes"
"""Of the file beside the cycles."""

WOULD_HAVE = "would_have.json"
"""Of a run that commanded nothing only."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder, made and found writable.

    Attributes:
        path: The folder.
        hashes: sha256 of each input, by the name it was given.
    """

    path: Path
    hashes: Mapping[str, str]

    @property
    def events(self) -> Path:
        """The event log."""
        return self.path / EVENTS

    @property
    def cycles(self) -> Path:
        """The record of every control cycle."""
        return self.path / CYCLES

    @property
    def summary(self) -> Path:
        """What a program reads."""
        return self.path / SUMMARY

    @property
    def report(self) -> Path:
        """What a person reads."""
        return self.path / REPORT

    @property
    def drawing(self) -> Path:
        """The mission's tree."""
        return self.path / DRAWING


def create_run_folder(
    runs: Path,
    robot: str,
    policy: str,
    inputs: Mapping[str, Path],
    *,
    started: datetime | None = None,
    minimum_free_bytes: int = MINIMUM_FREE_BYTES,
) -> RunFolder:
    """Make a run's folder and copy the inputs into it.

    Args:
        runs: Where run folders go; made if it does not exist.
        robot: Name of the robot.
        policy: Name of the policy.
        inputs: Every file that goes into the run, by a short name ("policy", "contract", "robot", ...).
        started: Wall-clock time for the folder's name, now if not given.
        minimum_free_bytes: Room that must be left on the disk.

    Raises:
        RefusedError: The folder cannot be made or written, the disk is nearly full, or an input cannot be read.
    """
    stamp = (started or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        path = _fresh_folder(runs, f"{stamp}_{_slug(robot)}_{_slug(policy)}")
        (path / INPUTS).mkdir()
        _probe(path)
        free_bytes = shutil.disk_usage(path).free
    except OSError as error:
        raise RefusedError(
            [f"the run folder under {runs} cannot be written ({error.strerror or error}); choose another with --runs"]
        ) from None
    if free_bytes < minimum_free_bytes:
        shutil.rmtree(path, ignore_errors=True)
        found = (
            f"only {free_bytes / 1e6:.0f} MB are free where {runs} is, a run needs {minimum_free_bytes / 1e6:.0f} MB"
        )
        raise RefusedError([f"{found}; delete old runs or choose another folder with --runs"])
    return RunFolder(path, _copy_inputs(path / INPUTS, inputs))


def changes_path(cycles: Path) -> Path:
    """Where the changes are that belong to a record of cycles."""
    return cycles.with_suffix(CHANGES_SUFFIX)


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_inputs(path: Path) -> tuple[str, ...]:
    """Hold the copies of a run's inputs against their hashes.

    Args:
        path: The run's folder.

    Returns:
        What does not match, in words; empty when all copies are as they were.
    """
    folder = path / INPUTS
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return (f"{INPUTS}/{SUMS} cannot be read: {error}",)
    problems: list[str] = []
    for line in lines:
        digest, _, name = line.partition("  ")
        file = folder / name
        if not name or file.resolve().parent != folder.resolve():
            problems.append(f"{INPUTS}/{SUMS} has a line that is not a hash and a name")
            continue
        try:
            if sha256_of(file) != digest:
                problems.append(f"{INPUTS}/{name} was changed after the run")
        except OSError as error:
            problems.append(f"{INPUTS}/{name} cannot be read: {error.strerror or error}")
    return tuple(problems)


def _fresh_folder(runs: Path, name: str) -> Path:
    """Make a folder that nobody else has: two runs may start in the same second."""
    for attempt in range(1, 1000):
        path = runs / (name if attempt == 1 else f"{name}_{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise OSError("a thousand runs in the same second")


def _probe(path: Path) -> None:
    """Write and remove a file: permissions alone do not show a read-only or a full disk."""
    probe = path / ".writable"
    with probe.open("wb") as file:
        file.write(b"\0" * 65_536)
        file.flush()
        os.fsync(file.fileno())
    probe.unlink()


def _copy_inputs(folder: Path, inputs: Mapping[str, Path]) -> dict[str, str]:
    """Copy each input under its short name and hash the copy: what was copied is what ran."""
    hashes: dict[str, str] = {}
    lines: list[str] = []
    reasons: list[str] = []
    for name, source in inputs.items():
        copy = folder / f"{_slug(name)}{source.suffix}"
        try:
            shutil.copyfile(source, copy)
            hashes[name] = sha256_of(copy)
        except OSError as error:
            reasons.append(f"the {name} file {source} cannot be copied into the run folder: {error.strerror or error}")
            continue
        lines.append(f"{hashes[name]}  {copy.name}\n")
    if reasons:
        raise RefusedError(reasons)
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return hashes


def _slug(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", Path(name).name).strip("._") or "unnamed"
