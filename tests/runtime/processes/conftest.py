"""Places of the test's own for sockets, and for what outlives a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sockets and states of these runs are theirs alone; the path is short, because a socket's address is one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with tempfile.TemporaryDirectory(prefix="handrail-") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)
