"""The guardian's ways to the buses: flags, queues and what is closed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from supervisor.core.stop_frames import BusStop
from supervisor.guardian import handles
from supervisor.guardian.handles import DATAGRAM_SUFFIX, QUEUE_FRAMES, DatagramFolder, Line, SocketCan, open_handle


class Deaf:
    """A socket whose peer has no room, until it is told to have some."""

    def __init__(self) -> None:
        self.has_room = False
        self.taken: list[bytes] = []

    def sendto(self, data: bytes, address: str) -> None:
        if not self.has_room:
            raise OSError(errno.EAGAIN, "no room")
        self.taken.append(data)


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    folder = tmp_path / "can0"
    folder.mkdir(mode=0o700)
    (folder / f"one{DATAGRAM_SUFFIX}").touch()
    return folder


@pytest.fixture
def deaf(bus: Path) -> tuple[DatagramFolder, Deaf]:
    handle, peer = DatagramFolder(str(bus)), Deaf()
    handle._socket.close()
    handle._socket = peer
    return handle, peer


def frames(count: int) -> tuple[bytes, ...]:
    return tuple(number.to_bytes(16, "big") for number in range(count))


def test_what_had_no_room_goes_first_with_the_next_turn(deaf: tuple[DatagramFolder, Deaf]) -> None:
    handle, peer = deaf
    assert not handle.send((b"first", b"second"))
    assert handle.is_pending
    peer.has_room = True
    assert handle.send((b"third",))
    assert peer.taken == [b"first", b"second", b"third"]
    assert not handle.is_pending


def test_of_what_has_no_room_the_newest_is_kept(deaf: tuple[DatagramFolder, Deaf]) -> None:
    handle, peer = deaf
    every = frames(QUEUE_FRAMES + 10)
    for frame in every:
        assert not handle.send((frame,))
    peer.has_room = True
    assert handle.send(())
    assert peer.taken == list(every[10:])


def test_a_folder_is_opened_with_all_its_flags(bus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags: list[int] = []
    really = os.open
    monkeypatch.setattr(os, "open", lambda name, flag, *more: (flags.append(flag), really(name, flag, *more))[1])
    DatagramFolder(str(bus)).close()
    assert flags == [os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC]


def test_a_folder_with_the_first_descriptor_is_a_folder_too(bus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = DatagramFolder(str(bus))
    folder, listed = handle._folder, []
    monkeypatch.setattr(os, "listdir", lambda descriptor: listed.append(descriptor) or [])
    handle._folder = 0
    assert not handle.send(())
    assert listed == [0]
    handle._folder = folder
    handle.close()


@pytest.mark.parametrize("kind", ["folder", "line"])
def test_what_is_closed_twice_closes_nothing_else(kind: str, bus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    handle = DatagramFolder(str(bus)) if kind == "folder" else Line(os.dup(writer))
    closed: list[int] = []
    really = os.close
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), really(descriptor)))
    handle.close()
    handle.close()
    monkeypatch.undo()
    assert len(closed) == 2
    assert closed[1] < 0
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_a_turn_on_a_line_is_one_run_of_bytes() -> None:
    reader, writer = os.pipe()
    line = Line(writer)
    assert line.send((b"one", b"two", b"three"))
    assert os.read(reader, 64) == b"onetwothree"
    line.close()
    os.close(reader)


@pytest.mark.parametrize("is_fd", [False, True])
def test_an_interface_is_opened_as_it_is_declared(is_fd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[object, ...]] = []

    class Opened(SocketCan):
        def __init__(self, interface: str, *, is_fd: bool) -> None:
            made.append((interface, is_fd))

    monkeypatch.setattr(handles, "SocketCan", Opened)
    open_handle(BusStop("leg", "socketcan", "can7", is_fd, 0.005, ((b"cut",),)))
    assert made == [("can7", is_fd)]


def test_after_a_full_queue_the_turn_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def send(self, frame: bytes) -> int:
            raise OSError(errno.ENOBUFS, "full")

    handle = SocketCan.__new__(SocketCan)
    handle._socket = Full()
    assert handle.send((b"frame",)) is False
