"""A folder of the test's own for sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.runtime.inputs import places


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder that may hold sockets; a short path, because a socket's address is one."""
    with tempfile.TemporaryDirectory(prefix="handrail-") as made:
        own = Path(made) / "handrail"
        monkeypatch.setattr(places, "candidates", lambda: [own])
        yield own
