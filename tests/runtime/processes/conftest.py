"""Places of the test's own for sockets, and for what outlives a run; and the run's processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.runtime.inputs import places
from supervisor.runtime.processes import launcher
from supervisor.runtime.processes.setup import Child


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sockets and states of these runs are theirs alone; the path is short, because a socket's address is one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with tempfile.TemporaryDirectory(prefix="handrail-") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        # Nor does what else runs on this machine concern them, and they must not command it.
        monkeypatch.setattr(places, "candidates", lambda: [Path(made) / "handrail"])
        yield Path(made)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> dict[str, Child]:
    """The processes of the run, by name."""
    found: dict[str, Child] = {}

    class Noted(Child):
        def __init__(self, name: str, *arguments: object, **more: object) -> None:
            super().__init__(name, *arguments, **more)  # type: ignore[arg-type]
            found[name] = self

    monkeypatch.setattr(launcher, "Child", Noted)
    return found
