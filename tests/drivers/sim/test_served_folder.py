from __future__ import annotations

import stat
from pathlib import Path

import pytest

from drivers.sim.served_folder import PlantFolder, bus_folder, read_lines
from supervisor.core.errors import BusError, SimulationError

LINES = {"imu0": "/dev/pts/7"}
LISTENING = {"imu0": "/dev/pts/8"}


def test_what_a_plant_publishes_is_what_hosts_read(tmp_path: Path) -> None:
    folder = PlantFolder(tmp_path / "pup")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    with pytest.raises(BusError, match="not ready yet"):
        read_lines(folder.path)
    folder.publish("pup", LINES, LISTENING)
    assert read_lines(folder.path) == ("pup", LINES)
    assert read_lines(folder.path, listens=True) == ("pup", LISTENING)
    folder.close()


def test_a_folder_is_one_plants_until_that_leaves(tmp_path: Path) -> None:
    path = tmp_path / "pup"
    folder = PlantFolder(path)
    with pytest.raises(SimulationError, match=r"served at .* already"):
        PlantFolder(path)
    folder.close()
    PlantFolder(path).close()


def test_what_a_dead_plant_left_is_never_used(tmp_path: Path) -> None:
    (tmp_path / "lines.json").write_text('{"robot": "pup", "lines": {"imu0": "/dev/pts/7"}}')
    tmp_path.chmod(0o700)
    with pytest.raises(BusError, match=r"no simulated robot is served at .*handrail sim"):
        read_lines(tmp_path)
    folder = PlantFolder(tmp_path)
    with pytest.raises(BusError, match="not ready yet"):
        read_lines(tmp_path)
    folder.close()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"robot": "pup"}', '{"robot": "pup", "lines": 3}', "\x80"])
def test_lines_that_cannot_be_read_are_not_ready(content: str, tmp_path: Path) -> None:
    folder = PlantFolder(tmp_path / "pup")
    (folder.path / "lines.json").write_text(content, encoding="latin-1")
    with pytest.raises(BusError, match="not ready yet"):
        read_lines(folder.path)
    folder.close()


def test_a_folder_that_others_may_enter_is_refused_on_both_sides(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(SimulationError, match=r"permissions 0755.*chmod 700"):
        PlantFolder(tmp_path)
    with pytest.raises(BusError, match=r"permissions 0755.*chmod 700"):
        read_lines(tmp_path)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(SimulationError, match="must belong to user 12345"):
        PlantFolder(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(tmp_path)
    for path in (file, link):
        with pytest.raises(SimulationError, match="not the folder of a simulated robot"):
            PlantFolder(path)
    with pytest.raises(SimulationError, match="cannot make"):
        PlantFolder(file / "pup")
    with pytest.raises(SimulationError, match="cannot make"):
        PlantFolder(tmp_path / "no" / "such" / "place")


def test_leaving_removes_what_is_the_plants_and_nothing_else(tmp_path: Path) -> None:
    own = PlantFolder(tmp_path / "own")
    own.publish("pup", LINES, LISTENING)
    bus_folder(own.path, "can0").mkdir()
    own.close()
    assert not own.path.exists()
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    folder = PlantFolder(given)
    bus_folder(given, "can0").mkdir()
    (bus_folder(given, "can0") / "host.can").touch()
    folder.close()
    assert [str(path.relative_to(given)) for path in sorted(given.rglob("*"))] == [
        "buses",
        "buses/can0",
        "buses/can0/host.can",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "\0"])
def test_a_bus_whose_name_no_folder_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="cannot be served"):
        bus_folder(tmp_path, name)
