"""The documents are true: commands in the README run, links lead somewhere, pictures are what the code draws."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from supervisor.core.loading import read_document
from supervisor.runtime.drawing import draw_mission

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "SAFETY.md", "LIMITATIONS.md", "CHANGELOG.md")
BLOCK = re.compile(r"<!-- run: (\d+) -->\n```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ANCHOR = re.compile(r"\]\(([A-Z]+\.md)?#([^)]+)\)")


@dataclass(frozen=True)
class Command:
    """One line of a block marked `<!-- run: EXIT_CODE -->`."""

    line: str
    code: int


def commands() -> list[Command]:
    """Every command of the README that is marked to run."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [Command(line, int(code)) for code, block in BLOCK.findall(text) for line in block.splitlines() if line]


def slug(heading: str) -> str:
    """A heading as an anchor."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a fresh checkout, whose commands leave nothing in this one."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("config", "examples"):
        (folder / name).symlink_to(ROOT / name)
    binaries = folder / "bin"
    binaries.mkdir()
    handrail = binaries / "handrail"
    handrail.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m supervisor.cli "$@"\n')
    handrail.chmod(0o755)
    return folder


# One test and not one per command: the commands build on each other, as a reader would type them.
def test_every_command_of_the_readme_ends_as_it_says(workplace: Path) -> None:
    environment = {**os.environ, "PATH": f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    assert len(commands()) >= 5
    for command in commands():
        done = subprocess.run(
            ["/bin/sh", "-c", command.line],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == command.code, f"{command.line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    (report,) = (workplace / "runs").glob("*/report.txt")
    assert "motor ids of fl_hip and fr_hip are swapped" in " ".join(report.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [
        target for target in LINK.findall(text) if not target.startswith("http") and not (ROOT / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_anchor_is_a_heading(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for file, anchor in ANCHOR.findall(text):
        target = (ROOT / (file or name)).read_text(encoding="utf-8")
        assert anchor in {slug(line.lstrip("# ")) for line in target.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "missions").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_stored_picture_of_a_mission_is_what_the_code_draws(path: Path) -> None:
    stored = ROOT / "docs" / f"{path.stem}.svg"
    assert stored.read_text(encoding="utf-8") == draw_mission(path.stem, "svg", "pup"), "run `make drawings`"


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "faults").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_fault_kind_of_the_examples_is_in_the_architecture(path: Path) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    document = read_document(path).value
    assert isinstance(document, dict)
    for fault in document["faults"]:
        assert f"`{fault['kind']}`" in text
