from __future__ import annotations

import pytest

from drivers.sim.motors import canopen_objects
from supervisor.core.command import Drive
from supervisor.core.state import NEVER_S
from tests.drivers.can.canopen.bench import Bench, keep_out


def test_a_mapping_that_is_not_kept_is_named_and_its_process_data_are_not_believed(monkeypatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x1A00, 2))
    assert bench.problems() == "TPDO 1 cannot be set up: 0x1A00:2 reads back 0x0 after setting 0x60640020"
    bench.cycle(Drive.POLL)
    assert bench.values[4, 0] == NEVER_S


def test_unused_process_data_are_switched_off() -> None:
    bench = Bench()
    bench.drives.objects[0].values[0x1802, 1] = 0x40000381
    bench.set_up()
    assert bench.drives.objects[0].values[0x1802, 1] == 0xC0000381


def test_a_fixed_mapping_that_is_right_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().set_up()
    written: list[tuple[int, int]] = []
    original = canopen_objects.Objects.write

    def write(objects: canopen_objects.Objects, where: tuple[int, int], data: bytes) -> int:
        written.append(where)
        return original(objects, where, data)

    monkeypatch.setattr(canopen_objects.Objects, "write", write)
    assert bench.problems() == ""
    assert not [where for where in written if where[0] in (0x1600, 0x1A00, 0x1A01)]
