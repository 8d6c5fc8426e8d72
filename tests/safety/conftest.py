from __future__ import annotations

import pytest

from supervisor.core.levels import Level
from supervisor.safety.gate import Gate
from tests.safety.bench import ROBOT, SAFETY, measured


@pytest.fixture
def gate() -> Gate:
    """Holding the default pose under power at time 0."""
    made = Gate(ROBOT, SAFETY)
    made.measure(measured())
    made.relax(0.0, enable=True)
    made.hold(Level.NONE, 0.0)
    return made
