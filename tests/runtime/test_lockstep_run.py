from __future__ import annotations

import pytest

from supervisor.runtime.lockstep_run import _cut


def test_a_control_loop_that_cannot_even_cut_does_not_keep_the_record_open(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def cut(self, now_s: float) -> None:
            raise OSError("no such bus")

    _cut(Broken(), 0.0)  # type: ignore[arg-type]
    assert "their own command timeout" in caplog.text
