from __future__ import annotations

from typing import Any

import pytest

from supervisor.runtime.options import RunOptions, Voice


@pytest.mark.parametrize(
    ("more", "voice"),
    [
        ({}, Voice.COMMANDS),
        ({"mode": "live"}, Voice.COMMANDS),
        ({"mode": "dry_run"}, Voice.QUESTIONS),
        ({"shadow": True}, Voice.NOTHING),
        ({"shadow": True, "mode": "dry_run"}, Voice.NOTHING),
        ({"shadow": True, "mode": "live"}, Voice.NOTHING),
    ],
)
def test_a_run_says_no_more_than_it_was_asked_to(more: dict[str, Any], voice: Voice) -> None:
    assert RunOptions("pup", "pup_walk", **more).voice is voice
