from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.runtime.served_robot import default_folder, served_config
from tests.drivers.sim.plants import served
from tests.drivers.sim.simulated import pup


def test_only_the_interfaces_of_the_buses_change() -> None:
    with served() as bench:
        config = served_config(pup().config, bench.folder)
        assert replace(config, buses=pup().config.buses) == pup().config
        can, imu = config.buses["can0"], config.buses["imu0"]
        assert can == CanBusConfig("can", "handrail_datagram", str(bench.folder / "buses" / "can0"), 1_000_000)
        assert imu == SerialBusConfig("serial", bench.plant.places[-1][1], 921_600)


def test_who_only_listens_has_serial_lines_of_its_own() -> None:
    with served() as bench:
        driving, listening = (served_config(pup().config, bench.folder, listens=listens) for listens in (False, True))
        assert listening == replace(driving, buses={**driving.buses, "imu0": listening.buses["imu0"]})
        line, other = driving.buses["imu0"], listening.buses["imu0"]
        assert isinstance(line, SerialBusConfig)
        assert isinstance(other, SerialBusConfig)
        assert line.port != other.port
        assert other.port.startswith("/dev/pts/")


def test_rates_and_flexible_data_stay() -> None:
    with served() as bench:
        bus = CanBusConfig("can", "socketcan", "can0", 500_000, True, 2_000_000)
        robot = replace(pup().config, buses={**pup().config.buses, "can0": bus})
        folder = str(bench.folder / "buses" / "can0")
        assert served_config(robot, bench.folder).buses["can0"] == replace(
            bus, interface="handrail_datagram", channel=folder
        )


def test_another_robot_and_a_line_that_is_not_there_are_refused() -> None:
    with served() as bench:
        with pytest.raises(BusError, match="is pup, not dog"):
            served_config(replace(pup().config, name="dog"), bench.folder)
        robot = replace(pup().config, buses={"imu1": pup().config.buses["imu0"]})
        with pytest.raises(BusError, match="no serial line imu1 now; it has: imu0"):
            served_config(robot, bench.folder)


def test_a_robot_is_served_in_the_sessions_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_folder("pup") == tmp_path / "handrail" / "pup"


@pytest.mark.parametrize("own", ["", "relative", "/no/such/folder"])
def test_without_one_it_is_served_among_temporary_files(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", own)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert default_folder("pup") == Path(tempfile.gettempdir()) / f"handrail-{os.geteuid()}" / "pup"
