"""Copies of the demo robot, policy and mission, to be spoiled."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"


class Files:
    """One of each, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.robot = self._copy(CONFIG / "robots/pup/robot.yaml", "robots/pup/robot.yaml")
        self.model = self._copy(CONFIG / "robots/pup/pup.xml", "robots/pup/pup.xml")
        self.signature = self._copy(CONFIG / "robots/pup/signature.npz", "robots/pup/signature.npz")
        self.safety = self._copy(CONFIG / "safety/pup.yaml", "safety/pup.yaml")
        self.policy = self._copy(CONFIG / "policies/pup_walk/contract.yaml", "walk/contract.yaml")
        self.onnx = self._copy(CONFIG / "policies/pup_walk/policy.onnx", "walk/policy.onnx")
        self.mission = self._copy(CONFIG / "missions/deployment.yaml", "deployment.yaml")
        self.fault = folder / "fault.yaml"
        self.fault.write_text("schema: 1\nfaults:\n  - {kind: bus_off, bus: can0, at: {stage: stand}}\n")

    def _copy(self, source: Path, name: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return target

    def of(self, kind: str) -> Path:
        """One of the files by name."""
        return {
            "robot": self.robot,
            "safety": self.safety,
            "policy": self.policy,
            "mission": self.mission,
            "fault": self.fault,
        }[kind]

    def arguments(self) -> list[str]:
        """The command that uses all of them."""
        return [
            "run", str(self.robot), "--policy", str(self.policy), "--mission", str(self.mission), "--fault",
            str(self.fault), "--runs", str(self.runs), "--sim", "--fast", "--json",
        ]  # fmt: skip


def change(path: Path, old: str, new: str) -> int:
    """Replace the first `old` of a file; returns the line it stood on."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def truncate(path: Path) -> None:
    """Cut a file off inside its last mapping: what a broken copy looks like."""
    content = path.read_text(encoding="utf-8").rstrip()
    path.write_text(content[: content.rindex(":")] + ": {", encoding="utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "readable file|no such"),
    "empty": (lambda path: path.write_bytes(b""), "an empty file"),
    "binary": (lambda path: path.write_bytes(struct.pack("<8d", *range(-4, 4)) + b"\xff\xfe\x00"), "not UTF-8"),
    "truncated": (truncate, "not YAML"),
    "wrong schema": (lambda path: change(path, "schema: 1", "schema: 2"), "1 (this version's schema)"),
    "unknown key": (lambda path: change(path, "schema: 1", "schema: 1\ncolour: red"), "colour: found an unknown key"),
    "key twice": (lambda path: change(path, "schema: 1", "schema: 1\nschema: 1"), "the same key twice"),
    "a list": (lambda path: path.write_text("- 1\n- 2\n"), "a mapping"),
}
"""What can be wrong with any file, and what is said about it (alternatives by a bar)."""
