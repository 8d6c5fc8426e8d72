from __future__ import annotations

import can.interfaces
import can.util
import pytest


@pytest.fixture
def datagram_interface(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of our python-can interface, known to python-can even where this checkout is not installed."""
    name = "handrail_datagram"
    monkeypatch.setitem(can.interfaces.BACKENDS, name, ("drivers.can.datagram", "DatagramBus"))
    monkeypatch.setattr(can.util, "VALID_INTERFACES", can.util.VALID_INTERFACES | {name})
    return name
