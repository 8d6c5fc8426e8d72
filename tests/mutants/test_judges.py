from __future__ import annotations

import pytest

judges = pytest.importorskip("tests.mutants.judges", reason="mutmut is not installed").judges


@pytest.mark.parametrize(
    ("test", "function", "it_does"),
    [
        ("tests/safety/test_gate.py", "supervisor.safety.gate.x_f", True),
        ("tests/safety/test_gate_exactly.py", "supervisor.safety.gate.xǁGateǁoff", True),
        ("tests/safety/test_guards.py", "supervisor.safety.guards.imu.x_tilt", True),
        ("tests/safety/test_core.py", "supervisor.safety.gate.x_f", False),
        ("tests/guardian/test_latch.py", "supervisor.safety.latch_file.x_read", False),
        ("tests/safety/test_restart.py", "supervisor.safety.core.x_f", True),
        ("tests/safety/test_core.py", "supervisor.safety.restart.x_f", False),
        ("tests/guardian/test_process.py", "__main__.x_main", False),
    ],
)
def test_a_test_judges_the_file_that_it_is_named_after(test: str, function: str, it_does: bool) -> None:
    assert judges(test, function) is it_does
