from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.bus import CanBus, Frame
from drivers.can.datagram import QUEUE_FRAMES, DatagramBus
from drivers.can.frame_layout import pack_message
from drivers.hardware import HardwareBuses
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

Join = Callable[..., DatagramBus]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "can0"


@pytest.fixture
def join(folder: Path) -> Iterator[Join]:
    """Opens participants of one bus, and closes them at the end."""
    opened: list[DatagramBus] = []

    def open_one(**options: object) -> DatagramBus:
        opened.append(DatagramBus(folder, **options))
        return opened[-1]

    yield open_one
    for bus in opened:
        bus.shutdown()


def message(number: int, data: bytes = b"", *, extended: bool = False, fd: bool = False) -> can.Message:
    return can.Message(arbitration_id=number, data=data, is_extended_id=extended, is_fd=fd)


def drain(bus: DatagramBus) -> list[can.Message]:
    taken: list[can.Message] = []
    while (next_one := bus.recv(timeout=0)) is not None:
        taken.append(next_one)
    return taken


def numbers(bus: DatagramBus) -> list[int]:
    return [taken.arbitration_id for taken in drain(bus)]


def test_two_participants_hear_each_other_and_not_themselves(join: Join) -> None:
    one, two = join(), join()
    one.send(message(0x11, b"\x01\x02"))
    two.send(message(0x22, b"\x03"))
    (heard,) = drain(two)
    assert (heard.arbitration_id, bytes(heard.data), heard.is_extended_id, heard.is_fd) == (
        0x11,
        b"\x01\x02",
        False,
        False,
    )
    assert numbers(one) == [0x22]


def test_every_one_of_three_hears_the_other_two(join: Join) -> None:
    one, two, three = buses = [join() for _ in range(3)]
    for number, bus in enumerate(buses, 1):
        bus.send(message(number))
    assert [numbers(bus) for bus in (one, two, three)] == [[2, 3], [1, 3], [1, 2]]


def test_a_frame_to_nobody_is_sent(join: Join) -> None:
    alone = join()
    alone.send(message(1))
    assert numbers(alone) == []


def test_who_comes_later_hears_what_is_sent_then(join: Join) -> None:
    one = join()
    one.send(message(1))
    for number in range(2, 6):
        newest = join()
        one.send(message(number))
        assert numbers(newest) == [number]


def test_a_participant_is_found_although_the_folder_says_no_change(join: Join, folder: Path) -> None:
    one, two = join(), join()
    one.send(message(1))
    changed_ns = folder.stat().st_mtime_ns
    three = join()
    os.utime(folder, ns=(changed_ns, changed_ns))
    one.send(message(2))
    assert numbers(three) == [2]
    assert numbers(two) == [1, 2]


def test_a_listing_that_has_settled_is_not_made_again(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = join(wall_clock_s=lambda: time.time() + 10.0), join()
    one.send(message(1))
    monkeypatch.setattr(os, "listdir", lambda _: pytest.fail("listed again"))
    one.send(message(2))
    assert numbers(two) == [1, 2]


def test_who_leaves_is_forgotten(join: Join, folder: Path) -> None:
    one, two = join(), join()
    one.send(message(1))
    two.shutdown()
    two.shutdown()
    one.send(message(2))
    assert one._peers == {}
    assert len(list(folder.iterdir())) == 1
    assert one.counters.leftovers == 0
    with pytest.raises(can.CanOperationError, match="closed"):
        two.send(message(3))
    with pytest.raises(can.CanOperationError, match="closed"):
        two.recv(timeout=0)


def test_order_is_kept_beyond_what_the_kernel_queues(join: Join) -> None:
    one, two = join(), join()
    for number in range(200):
        one.send(message(number))
    heard: list[int] = []
    for _ in range(200):
        heard += numbers(two)
        assert numbers(one) == []
    assert heard == list(range(200))
    assert one.counters.overruns == 0


def test_leaving_hands_over_what_there_is_room_for(join: Join) -> None:
    one, two = join(), join()
    for number in range(30):
        one.send(message(number))
    heard = numbers(two)
    assert 0 < len(heard) < 30
    one.shutdown()
    rest = numbers(two)
    assert rest
    assert heard + rest == list(range(len(heard) + len(rest)))


def test_a_full_queue_is_counted_and_holds_nobody_up(join: Join) -> None:
    sender, full, quick = join(), join(), join()
    heard: list[int] = []
    for number in range(2000):
        sender.send(message(number % 0x800))
        heard += numbers(quick)
    assert heard == list(range(2000))
    kept = 2000 - sender.counters.overruns
    assert QUEUE_FRAMES < kept < 2000
    late: list[int] = []
    for _ in range(kept):
        late += numbers(full)
        sender.recv(timeout=0)
    assert late == list(range(kept))


def test_a_full_queue_that_was_read_takes_frames_again(join: Join) -> None:
    sender, full = join(), join()
    while not sender.counters.overruns:
        sender.send(message(1))
    assert numbers(full)
    sender.send(message(2))
    assert sender.counters.overruns == 1


def test_a_waiting_receiver_also_hands_over(join: Join) -> None:
    one, two = join(), join()
    for number in range(40):
        one.send(message(number))
    heard = numbers(two)
    while len(heard) < 40:
        one.recv(timeout=0.002)
        before = len(heard)
        heard += numbers(two)
        assert len(heard) > before
    assert heard == list(range(40))


@pytest.mark.parametrize("length", [0, 8, 12, 64])
@pytest.mark.parametrize(("number", "extended"), [(0x7FF, False), (0x7FF, True), (0x1FFF_FFFF, True)])
def test_fd_frames_and_both_kinds_of_identifiers_arrive_whole(
    join: Join, number: int, extended: bool, length: int
) -> None:
    one, two = join(fd=True), join(fd=True)
    sent = message(number, bytes(range(length)), extended=extended, fd=True)
    one.send(sent)
    (heard,) = drain(two)
    assert sent.equals(heard, timestamp_delta=None, check_channel=False)


def test_remote_and_error_frames_arrive(join: Join) -> None:
    one, two = join(), join()
    one.send(can.Message(arbitration_id=5, is_extended_id=False, is_remote_frame=True, dlc=3))
    one.send(can.Message(arbitration_id=0x40, is_error_frame=True, data=bytes(8)))
    remote, error = drain(two)
    assert (remote.is_remote_frame, remote.dlc) == (True, 3)
    assert (error.is_error_frame, error.arbitration_id) == (True, 0x40)


def test_fd_frames_need_fd_at_both_ends(join: Join) -> None:
    classic, flexible = join(), join(fd=True)
    with pytest.raises(can.CanOperationError, match="without fd"):
        classic.send(message(1, fd=True))
    flexible.send(message(1, fd=True))
    flexible.send(message(2))
    assert numbers(classic) == [2]
    assert classic.counters.fd_refused == 1
    assert (classic.protocol, flexible.protocol) == (can.CanProtocol.CAN_20, can.CanProtocol.CAN_FD)


def test_filters_choose_by_identifier_and_kind(join: Join) -> None:
    sender = join()
    exact = join(can_filters=[{"can_id": 0x12, "can_mask": 0x7FF, "extended": False}])
    masked = join(can_filters=[{"can_id": 0x10, "can_mask": 0x7F0}])
    for number in range(0x0E, 0x22):
        sender.send(message(number))
        sender.send(message(number, extended=True))
        assert [taken.is_extended_id for taken in drain(exact)] == [False] * (number == 0x12)
        assert numbers(masked) == [number] * 2 * (0x10 <= number < 0x20)
    exact.set_filters(None)
    sender.send(message(0x7F0))
    assert numbers(exact) == [0x7F0]


def test_the_kernel_says_when_a_frame_arrived(join: Join) -> None:
    one, two = join(), join(wall_clock_s=lambda: 0.0)
    before_s = time.time()
    one.send(message(1))
    after_s = time.time()
    (heard,) = drain(two)
    assert before_s - 0.05 <= heard.timestamp <= after_s + 0.05


def test_waiting_ends_with_the_frame_or_with_the_time(join: Join) -> None:
    one, two = join(), join()
    one.send(message(1))
    assert two.recv(timeout=5.0) is not None
    assert two.recv(timeout=0.01) is None
    one.send(message(2))
    assert two.recv() is not None


def test_a_dead_participants_socket_is_removed(join: Join, folder: Path) -> None:
    one = join()
    code = (
        f"import os; from drivers.can.datagram import DatagramBus; bus = DatagramBus({str(folder)!r}); "
        "print(bus.recv(timeout=20) is not None, flush=True); os.kill(os.getpid(), 9)"
    )
    died = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    deadline_s = time.monotonic() + 20.0
    while len(list(folder.glob("*.can"))) < 2 and time.monotonic() < deadline_s:
        one.recv(timeout=0.01)
    one.send(message(1))
    assert died.communicate(timeout=20)[0] == b"True\n"
    assert died.returncode == -9
    two = join()
    assert len(list(folder.glob("*.can"))) == 3
    one.send(message(2))
    assert numbers(two) == [2]
    assert len(list(folder.glob("*.can"))) == 2
    assert one.counters.leftovers == 1


def test_a_leftover_from_before_is_removed_by_who_meets_it_first(join: Join, folder: Path) -> None:
    one = join()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(folder / "1-00000000.can"))
    dead.close()
    one.send(message(1))
    assert one.counters.leftovers == 1
    assert [entry.name for entry in folder.iterdir()] == [one._name]


def test_what_is_no_participant_is_left_alone(join: Join, folder: Path, tmp_path: Path) -> None:
    one, two = join(), join()
    (folder / "notes.can").write_text("a plain file")
    (folder / "readme.txt").write_text("another")
    (folder / "link.can").symlink_to(tmp_path / "nowhere")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(folder / "stream.can"))
    listener.listen()
    one.send(message(1))
    listener.close()
    assert numbers(two) == [1]
    assert {"notes.can", "readme.txt", "link.can", "stream.can"} <= {entry.name for entry in folder.iterdir()}


def test_the_folder_is_made_for_its_owner_alone(join: Join, folder: Path) -> None:
    before = os.umask(0)
    try:
        join()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o770, 0o777, 0o500])
def test_a_folder_that_others_may_enter_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(can.CanInitializationError, match=f"{mode:04o}.*chmod 700"):
        DatagramBus(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(can.CanInitializationError, match="belongs to user"):
        DatagramBus(folder)


def test_what_is_no_folder_is_refused() -> None:
    # A folder of its own: pytest's carry the test's name, and a socket's path is short.
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "file").write_text("")
        (place / "real").mkdir(mode=0o700)
        (place / "link").symlink_to(place / "real")
        for wrong in ("file", "link", "missing/can0"):
            with pytest.raises(can.CanInitializationError, match="not the folder of a bus"):
                DatagramBus(place / wrong)
        with pytest.raises(can.CanInitializationError, match="too long"):
            DatagramBus(place / ("x" * 100))
        with pytest.raises(can.CanInitializationError, match="own frames"):
            DatagramBus(place / "real", receive_own_messages=True)


def test_a_folder_that_was_removed_says_so(join: Join, folder: Path) -> None:
    one = join()
    next(folder.iterdir()).unlink()
    folder.rmdir()
    with pytest.raises(can.CanOperationError) as caught:
        one.send(message(1))
    assert caught.value.error_code == errno.ENETDOWN


@pytest.fixture
def stranger() -> Iterator[Callable[[DatagramBus, bytes], None]]:
    """Puts any bytes into a participant's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as raw:
        yield lambda bus, data: raw.sendto(data, str(bus._path / bus._name))


def test_what_is_no_frame_is_counted_and_hides_nothing(join: Join, stranger: Callable[..., None]) -> None:
    bus = join()
    stranger(bus, b"")
    stranger(bus, bytes(15))
    stranger(bus, bytes(73))
    stranger(bus, bytes(100_000))
    stranger(bus, struct.pack("=IB3x8s", 1, 9, b""))
    stranger(bus, pack_message(message(7)))
    assert numbers(bus) == [7]
    assert (bus.counters.malformed, bus.counters.oversized) == (3, 2)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.binary(min_size=16, max_size=16), st.binary(min_size=72, max_size=72)))
def test_any_datagram_is_a_frame_or_counted(join: Join, stranger: Callable[..., None], raw: bytes) -> None:
    bus = join(fd=True)
    stranger(bus, raw)
    heard = drain(bus)
    assert len(heard) + bus.counters.malformed + bus.counters.oversized == 1
    bus.shutdown()


@pytest.fixture
def hardware(join: Join, folder: Path, datagram_interface: str) -> Iterator[tuple[CanBus, DatagramBus]]:
    """A robot's bus as its file names it, and another participant."""
    ours = HardwareBuses().open_can("can0", CanBusConfig("can", datagram_interface, str(folder), 1_000_000))
    yield ours, join()
    ours.close()


def test_a_robots_bus_opens_by_its_name(hardware: tuple[CanBus, DatagramBus]) -> None:
    ours, other = hardware
    assert ours.send([Frame(number, bytes([number])) for number in range(12)]) == 12
    other.send(message(0x21, b"\x05"))
    assert [(f.arbitration_id, f.data) for f in ours.receive(100.0)] == [(0x21, b"\x05")]
    heard = numbers(other)
    assert ours.receive(100.0) == []
    assert heard + numbers(other) == list(range(12))
    assert (ours.counters.sent, ours.counters.errors) == (12, 0)


def test_a_robots_bus_is_off_when_its_folder_is_gone(hardware: tuple[CanBus, DatagramBus], folder: Path) -> None:
    ours, _ = hardware
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()
    assert ours.send([Frame(1, b"")]) == 0
    assert (ours.counters.errors, ours.counters.is_off) == (1, True)


def test_bus_off_is_heard_as_on_socketcan(hardware: tuple[CanBus, DatagramBus]) -> None:
    ours, other = hardware
    other.send(can.Message(arbitration_id=0x40, is_error_frame=True, data=bytes(8)))
    assert ours.receive(0.0) == []
    assert ours.counters.is_off


def test_a_robots_bus_in_an_open_folder_is_refused(folder: Path, datagram_interface: str) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(BusError, match=r"cannot open leg0.*0755"):
        HardwareBuses().open_can("leg0", CanBusConfig("can", datagram_interface, str(folder), 1_000_000))


def test_python_can_finds_the_interface_that_the_package_declares(join: Join, folder: Path, tmp_path: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["can.interface"]
    installed = tmp_path / "handrail_as_declared-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: handrail-as-declared\nVersion: 0\n")
    lines = [f"{name} = {target}" for name, target in declared.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[can.interface]", *lines]) + "\n")
    listener = join()
    code = (
        "import can; bus = can.Bus(interface='handrail_datagram', "
        f"channel={str(folder)!r}); bus.send(can.Message(arbitration_id=0x42)); bus.shutdown()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
    assert numbers(listener) == [0x42]


def test_python_cans_notifier_hands_out_frames(join: Join) -> None:
    one, two = join(), join()
    reader = can.BufferedReader()
    with can.Notifier(two, [reader], timeout=0.05):
        for number in range(5):
            one.send(message(number))
        heard = [reader.get_message(timeout=5.0) for _ in range(5)]
    assert [taken.arbitration_id for taken in heard if taken is not None] == list(range(5))
