"""Who imports whom, and what the control loop never loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("py_trees", "onnxruntime", "pydantic", "mujoco", "rich", "typer", "yaml")
"""What the control loop must not load: each takes time to import, memory, and time in garbage collections."""

CONTROL_LOOP = (
    *("supervisor.core.clock", "supervisor.core.command", "supervisor.core.errors", "supervisor.core.exchange"),
    *("supervisor.core.guard", "supervisor.core.joints", "supervisor.core.levels", "supervisor.core.moves"),
    *("supervisor.core.ports", "supervisor.core.report", "supervisor.core.robot", "supervisor.core.safety"),
    *("supervisor.core.state", "supervisor.safety.core", "supervisor.evidence.record", "supervisor.evidence.timing"),
    *("supervisor.evidence.events", "supervisor.runtime.control", "supervisor.runtime.link", "drivers.robot_io"),
    "supervisor.runtime.inputs.emergency_stop",
)


def loaded_after_importing(*modules: str) -> set[str]:
    """Names in `sys.modules` of a fresh interpreter that imported `modules`."""
    code = (
        "import importlib, json, sys\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        "print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_every_import_contract_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_the_contracts_have_no_exceptions() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "[[tool.importlinter.contracts]]" in text
    assert "ignore_imports" not in text


@pytest.mark.parametrize("module", CONTROL_LOOP)
def test_a_module_of_the_control_loop_loads_nothing_heavy(module: str) -> None:
    loaded = loaded_after_importing(module)
    assert sorted(name for name in HEAVY if name in loaded) == []


def test_the_whole_control_loop_together_loads_nothing_heavy() -> None:
    loaded = loaded_after_importing(*CONTROL_LOOP)
    assert sorted(name for name in HEAVY if name in loaded) == []


def test_the_command_loads_nothing_heavy_before_it_knows_what_to_do() -> None:
    loaded = loaded_after_importing("supervisor.cli")
    assert sorted(name for name in ("numpy", "onnxruntime", "mujoco", "py_trees", "pydantic") if name in loaded) == []


def test_simulation_is_the_only_place_where_mujoco_is_loaded() -> None:
    loaded = loaded_after_importing("supervisor.runtime.app", "trees.missions.root", "drivers.robot_io")
    assert "mujoco" not in loaded
