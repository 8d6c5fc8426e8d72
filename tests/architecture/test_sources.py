"""Habits that every source file keeps, and data files that all load."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.core.loading import read_document
from supervisor.core.robot_file import load_robot
from supervisor.policy.contract import read_contract
from trees.missions.loader import load_mission

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
ROOMS = ("supervisor", "trees", "drivers")


def sources() -> list[Path]:
    """Every source file of the rooms."""
    return sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


def names(paths: list[Path]) -> list[str]:
    """Paths as test ids."""
    return [str(path.relative_to(ROOT)) for path in paths]


def calls(tree: ast.AST) -> Iterator[str]:
    """Names of the functions that are called by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("path", sources(), ids=names(sources()))
def test_a_source_file_prints_nothing_and_explains_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = set(calls(tree))
    assert not called & {"eval", "exec"}
    assert "print" not in called
    assert ast.get_docstring(tree), f"{path} has no docstring"


@pytest.mark.parametrize(
    "folder", [f for room in ROOMS for f in sorted((ROOT / room).rglob("*")) if f.is_dir()], ids=str
)
def test_a_folder_of_sources_is_a_package(folder: Path) -> None:
    if list(folder.glob("*.py")):
        assert (folder / "__init__.py").is_file()


def test_no_source_opens_a_yaml_file_by_another_door() -> None:
    users = [
        path
        for path in sources()
        if any(
            isinstance(node, ast.Import) and any(alias.name == "yaml" for alias in node.names)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    readers = [path for path in users if "yaml.compose" in path.read_text() or "yaml.load" in path.read_text()]
    assert names(readers) == ["supervisor/core/loading.py"]
    assert not [path for path in users if "safe_load" in path.read_text()]


@pytest.mark.parametrize("path", sorted(CONFIG.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONFIG)))
def test_a_data_file_is_plain_yaml_with_its_schema_first(path: Path) -> None:
    document = read_document(path)
    assert isinstance(document.value, dict)
    assert next(iter(document.value)) == "schema"


@pytest.mark.parametrize("path", sorted(CONFIG.glob("robots/*/robot.yaml")), ids=lambda p: p.parent.name)
def test_a_shipped_robot_loads(path: Path) -> None:
    robot = load_robot(path)
    assert robot.config.name == path.parent.name
    assert not [row.id for row in robot.safety.guards if len(row.reason) < 10]


@pytest.mark.parametrize("path", sorted(CONFIG.glob("policies/*/contract.yaml")), ids=lambda p: p.parent.name)
def test_a_shipped_policy_contract_loads(path: Path) -> None:
    contract, _ = read_contract(path)
    assert contract.name == path.parent.name


@pytest.mark.parametrize("path", sorted(CONFIG.glob("missions/*.yaml")), ids=lambda p: p.stem)
def test_a_shipped_mission_loads(path: Path) -> None:
    assert load_mission(path).name == path.stem


def test_nothing_is_shipped_that_should_not_be() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    tracked = done.stdout.splitlines()
    assert not [name for name in tracked if name.startswith(("runs/", ".venv", "build/")) or name.endswith(".pyc")]
    assert not [name for name in tracked if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 2_000_000]


def test_versions_are_pinned_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += [requirement for requirement in extra if not requirement.startswith("handrail")]
    pinned = {
        line.split("==")[0]
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    for requirement in wanted:
        name = requirement.split("[")[0].split(">")[0].split("=")[0].strip().lower().replace("_", "-")
        assert name in pinned, f"{name} is not in constraints.txt"


def test_the_continuous_integration_calls_what_people_call() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make check" in script
    assert "make test" in script
