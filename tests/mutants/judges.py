"""Which tests judge which mutants: those of the file that was changed. A plug-in for pytest, for mutmut's runs only.

Nearly every test of the safety core reaches nearly every function of it. That a change far below is noticed by a whole
run says little about the tests of what was changed, and would take hours to find out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from mutmut.state import state

ALSO: Final = {
    f"tests/safety/{test}": "tests/safety/test_core.py"
    for test in ("test_checking.py", "test_checking_exactly.py", "test_restart.py")
}
"""Tests of two source files: of a room's part, by way of the core that uses it."""


def judges(test: str, function: str) -> bool:
    """Whether a test file judges a function.

    Args:
        test: As `tests/safety/test_gate.py`; `tests/safety/test_gate_exactly.py` is of the same source file.
        function: As `supervisor.safety.gate.x_f`; of a package, its name is the file's. A file that is run as a program
            is judged by no test.
    """
    room, file = [*function.split("."), "", ""][1:3]
    return any(name.startswith(f"tests/{room}/test_{file}") for name in (test, ALSO.get(test, "")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Forget what a test has reached beyond what it judges, before mutmut notes it."""
    test = item.path.relative_to(Path.cwd()).as_posix()
    reached = state()._stats
    reached.intersection_update([function for function in reached if judges(test, function)])
