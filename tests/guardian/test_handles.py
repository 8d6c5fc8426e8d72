from __future__ import annotations

import contextlib
import errno
import os
import socket
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.can.datagram import SUFFIX, DatagramBus
from supervisor.core.errors import BusError
from supervisor.core.stop_frames import BusStop
from supervisor.guardian import handles
from supervisor.guardian.handles import DATAGRAM_SUFFIX, QUEUE_FRAMES, DatagramFolder, Line, SocketCan, open_handle

FRAMES = tuple(bytes([n]) * 16 for n in range(3))


# The kernel's CAN


class FakeSocket:
    """A raw CAN socket: takes `room` frames, then says what `error` says."""

    def __init__(self, *args: int) -> None:
        self.args = args
        self.options: list[tuple[object, ...]] = []
        self.frames: list[bytes] = []
        self.errors: list[int] = []
        self.bound: object = None
        self.is_closed = False

    def setblocking(self, flag: bool) -> None:
        self.options.append(("blocking", flag))

    def setsockopt(self, *option: object) -> None:
        self.options.append(option)

    def bind(self, address: tuple[str]) -> None:
        if address == ("gone0",):
            raise OSError(errno.ENODEV, "No such device")
        self.bound = address

    def send(self, frame: bytes) -> int:
        if self.errors and (code := self.errors.pop(0)):
            raise OSError(code, "no")
        self.frames.append(frame)
        return len(frame)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[FakeSocket]:
    made: list[FakeSocket] = []

    def make(*args: int) -> FakeSocket:
        made.append(FakeSocket(*args))
        return made[-1]

    monkeypatch.setattr(handles.socket, "socket", make)
    return made


def test_a_can_socket_receives_nothing_and_never_waits(fake: list[FakeSocket]) -> None:
    handle = SocketCan("can0", is_fd=False)
    assert fake[0].args == (socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    assert fake[0].options == [("blocking", False), (101, 1, b"")]
    assert fake[0].bound == ("can0",)
    handle.close()
    assert fake[0].is_closed


def test_flexible_frames_are_asked_for_where_they_are_sent(fake: list[FakeSocket]) -> None:
    SocketCan("can0", is_fd=True)
    assert (101, 5, 1) in fake[0].options


def test_all_frames_of_a_turn_are_sent_in_order(fake: list[FakeSocket]) -> None:
    handle = SocketCan("can0", is_fd=False)
    assert handle.send(FRAMES)
    assert tuple(fake[0].frames) == FRAMES
    assert not handle.is_pending


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.EAGAIN])
def test_a_full_queue_ends_the_turn(fake: list[FakeSocket], code: int) -> None:
    handle = SocketCan("can0", is_fd=False)
    fake[0].errors = [0, code]
    assert not handle.send(FRAMES)
    assert fake[0].frames == [FRAMES[0]]


def test_a_frame_that_is_refused_does_not_keep_back_the_next(fake: list[FakeSocket]) -> None:
    handle = SocketCan("can0", is_fd=False)
    fake[0].errors = [0, errno.EINVAL]
    assert not handle.send(FRAMES)
    assert fake[0].frames == [FRAMES[0], FRAMES[2]]


def test_an_interface_that_is_not_there_is_a_bus_error(fake: list[FakeSocket]) -> None:
    with pytest.raises(BusError, match="gone0: No such device"):
        SocketCan("gone0", is_fd=False)
    assert fake[0].is_closed


def test_a_system_without_can_sockets_is_a_bus_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: int) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported")

    monkeypatch.setattr(handles.socket, "socket", refuse)
    with pytest.raises(BusError, match="no CAN sockets here"):
        SocketCan("can0", is_fd=False)


# Datagrams


Enter = Callable[[Path], DatagramFolder]


@pytest.fixture
def enter() -> Iterator[Enter]:
    """Opens buses of datagrams, and closes them afterwards."""
    with contextlib.ExitStack() as stack:
        yield lambda path: stack.enter_context(contextlib.closing(DatagramFolder(str(path))))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[DatagramBus]:
    with DatagramBus(tmp_path / "can0", fd=True) as participant:
        yield participant


def heard(bus: DatagramBus) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(bus._socket.recv(128))
        except BlockingIOError:
            return found


def test_the_suffix_is_that_of_the_buses() -> None:
    assert DATAGRAM_SUFFIX == SUFFIX


def test_every_participant_hears_a_turn_and_nobody_can_answer(bus: DatagramBus, tmp_path: Path, enter: Enter) -> None:
    handle = enter(tmp_path / "can0")
    with DatagramBus(tmp_path / "can0") as other:
        assert handle.send(FRAMES)
        assert tuple(heard(bus)) == FRAMES
        assert tuple(heard(other)) == FRAMES
    assert sorted(path.name for path in (tmp_path / "can0").iterdir()) == [bus._name]
    handle.close()
    handle.close()


def test_a_participant_that_comes_later_is_found(tmp_path: Path, enter: Enter) -> None:
    (tmp_path / "can0").mkdir(mode=0o700)
    handle = enter(tmp_path / "can0")
    assert not handle.send(FRAMES)
    with DatagramBus(tmp_path / "can0") as late:
        assert handle.send(FRAMES)
        assert tuple(heard(late)) == FRAMES


def test_what_a_participant_has_no_room_for_is_kept_for_it_and_is_never_too_much(
    bus: DatagramBus, tmp_path: Path, enter: Enter
) -> None:
    handle = enter(tmp_path / "can0")
    turns = 0
    while not handle.is_pending:
        handle.send(FRAMES)
        turns += 1
    for _ in range(2 * QUEUE_FRAMES):
        assert not handle.send(FRAMES)
    before = len(heard(bus))
    assert handle.send(()) or before
    while handle.is_pending:
        heard(bus)
        handle.send(())
    assert turns < 1000
    assert max(len(queue) for queue in handle._waiting.values()) == 0


def test_a_dead_participant_holds_nothing_up(bus: DatagramBus, tmp_path: Path, enter: Enter) -> None:
    handle = enter(tmp_path / "can0")
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "can0" / f"0{SUFFIX}"))
    dead.close()
    (tmp_path / "can0" / f"1{SUFFIX}").touch()
    assert handle.send(FRAMES)
    assert not handle.is_pending
    assert tuple(heard(bus)) == FRAMES


def test_a_closed_folder_takes_nothing(bus: DatagramBus, tmp_path: Path, enter: Enter) -> None:
    handle = enter(tmp_path / "can0")
    handle.close()
    assert not handle.send(FRAMES)


def test_a_folder_that_cannot_be_listed_any_more_takes_nothing(
    bus: DatagramBus, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    handle = enter(tmp_path / "can0")
    monkeypatch.setattr(handles.os, "listdir", fail)
    assert not handle.send(FRAMES)


def test_a_folder_that_is_not_there_is_a_bus_error(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="No such file"):
        DatagramFolder(str(tmp_path / "can7"))


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "can0").mkdir()
    (tmp_path / "can0").chmod(0o750)
    with pytest.raises(BusError, match="others may enter"):
        DatagramFolder(str(tmp_path / "can0"))


# Lines


def taken(far: int, size: int) -> bytes:
    """So many bytes from the far end of a line, which hands them over when it pleases."""
    os.set_blocking(far, True)
    data = b""
    while len(data) < size:
        data += os.read(far, size - len(data))
    return data


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal line, the far one first."""
    far, near = os.openpty()
    tty.setraw(near)
    os.set_blocking(far, False)
    yield far, near
    os.close(far)


def test_a_turn_goes_out_with_one_write(line: tuple[int, int]) -> None:
    far, near = line
    handle = Line(near)
    assert handle.send((b"\x01\x02\x03",))
    assert taken(far, 3) == b"\x01\x02\x03"
    handle.close()
    handle.close()
    assert not handle.send((b"\x01",))


def test_what_the_owner_still_had_to_say_is_thrown_away_once(
    line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    far, near = line
    flushed: list[tuple[int, int]] = []
    monkeypatch.setattr(handles.termios, "tcflush", lambda *args: flushed.append(args))
    handle = Line(near)
    handle.send((b"stop",))
    handle.send((b"stop",))
    assert flushed == [(near, termios.TCOFLUSH)]
    assert taken(far, 8) == b"stopstop"
    handle.close()


def test_a_line_that_is_full_does_not_wait(line: tuple[int, int]) -> None:
    _, near = line
    handle = Line(near)
    turn = (b"x" * 4096,)
    results = [handle.send(turn) for _ in range(100)]
    assert results[0]
    assert not results[-1]
    assert not handle.is_pending
    handle.close()


def test_a_descriptor_that_is_no_terminal_is_written_to_as_well() -> None:
    reader, writer = os.pipe()
    handle = Line(writer)
    assert handle.send((b"stop",))
    assert os.read(reader, 64) == b"stop"
    handle.close()
    os.close(reader)


def test_a_descriptor_that_is_none_takes_nothing() -> None:
    assert not Line(-1).send((b"stop",))


# Which


def stop(kind: str, where: str) -> BusStop:
    return BusStop("leg0", kind, where, False, 0.005, ((b"",),))


def test_a_line_is_not_opened_but_handed_over() -> None:
    assert open_handle(stop("line", "/dev/ttyUSB0")) is None


def test_each_kind_of_bus_has_its_handle(fake: list[FakeSocket], tmp_path: Path) -> None:
    (tmp_path / "can0").mkdir(mode=0o700)
    assert isinstance(open_handle(stop("socketcan", "can0")), SocketCan)
    folder = open_handle(stop("datagram", str(tmp_path / "can0")))
    assert isinstance(folder, DatagramFolder)
    folder.close()


def test_what_cannot_be_opened_names_the_bus(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="the guardian cannot open leg0"):
        open_handle(stop("datagram", str(tmp_path / "none")))
