from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from drivers.bus import CanBus, Frame
from drivers.hardware import HardwareBuses
from drivers.sim import datagram_line
from drivers.sim.datagram_line import DatagramLine
from drivers.sim.wire import SimulatedCan, WireFaults
from supervisor.core.errors import SimulationError
from supervisor.core.robot import CanBusConfig
from tests.drivers.sim.plants import short_folder

PLAIN = Frame(0x123, b"\x01\x02", False, False)
FLEXIBLE = Frame(0x1ABCDEF, bytes(range(12)), True, True)


@pytest.fixture
def folder() -> Generator[Path]:
    with short_folder() as path:
        yield path


def config_of(folder: Path, *, fd: bool = False) -> CanBusConfig:
    return CanBusConfig("can", "handrail_datagram", str(folder), 1_000_000, fd, 5_000_000 if fd else 0)


class Ends:
    """A line, the bus in memory behind it, and a host."""

    def __init__(self, folder: Path, *, fd: bool = False) -> None:
        config = config_of(folder, fd=fd)
        self.wire = SimulatedCan("can0", (0,))
        self.line = DatagramLine(config, folder, self.wire)
        self.host: CanBus = HardwareBuses().open_can("can0", config)

    def close(self) -> None:
        self.host.close()
        self.line.close()
        self.line.close()


@pytest.mark.parametrize(("frame", "fd"), [(PLAIN, False), (PLAIN, True), (FLEXIBLE, True)])
def test_frames_go_through_unchanged_both_ways(frame: Frame, fd: bool, folder: Path) -> None:
    ends = Ends(folder, fd=fd)
    assert not ends.line.hear()
    assert ends.host.send([frame, frame]) == 2
    assert ends.line.hear()
    assert ends.wire.take(0.0) == [frame, frame]
    ends.wire.give([frame])
    ends.line.speak(1.0)
    assert [found._replace(stamp_s=0.0) for found in ends.host.receive(0.0)] == [frame]
    ends.close()
    assert list(folder.iterdir()) == []


def test_what_is_not_there_yet_is_not_said(folder: Path) -> None:
    ends = Ends(folder)
    ends.wire.give([PLAIN._replace(stamp_s=3.0)])
    ends.line.speak(2.9)
    assert ends.host.receive(0.0) == []
    assert ends.line.next_arrival_s() == 3.0
    ends.line.speak(3.0)
    assert len(ends.host.receive(0.0)) == 1
    ends.close()


def test_frames_that_a_host_had_no_room_for_follow(folder: Path) -> None:
    ends = Ends(folder)
    ends.wire.give([PLAIN] * 200)
    ends.line.speak(1.0)
    total = 0
    for _ in range(200):
        total += len(ends.host.receive(0.0))
        ends.line.speak(1.0)
    assert total == 200
    ends.close()


def test_a_bus_that_is_off_says_so_to_whoever_speaks(folder: Path) -> None:
    ends = Ends(folder)
    ends.wire.set_faults(WireFaults(is_off=True))
    ends.line.hear()
    assert ends.host.receive(0.0) == []
    assert not ends.host.counters.is_off
    ends.host.send([PLAIN])
    assert ends.line.hear()
    assert ends.wire.take(0.0) == []
    assert ends.host.receive(0.0) == []
    assert ends.host.counters.is_off
    ends.close()


def test_a_folder_that_cannot_be_a_bus_is_refused(folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(SimulationError, match=r"cannot serve can0: .*0755"):
        DatagramLine(config_of(folder), folder, SimulatedCan("can0", (0,)))


def test_other_systems_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagram_line, "is_available", lambda: False)
    with pytest.raises(SimulationError, match="Linux only"):
        DatagramLine(config_of(folder), folder, SimulatedCan("can0", (0,)))
