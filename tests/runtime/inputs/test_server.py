"""The local socket serves its owner, whatever else arrives."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.core.errors import LinkError, RefusedError
from supervisor.core.levels import OperatorAction
from supervisor.core.velocity import Velocity
from supervisor.runtime.inputs import server as server_module
from supervisor.runtime.inputs.messages import Answer, decode_answer, encode_request
from supervisor.runtime.inputs.pressing import Outcome, Press
from supervisor.runtime.inputs.server import CONNECTIONS, NO_HELM, REQUESTS_PER_S, SILENT_S, CommandServer

NOBODY = 65_534

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can be another user as well")


class Buttons:
    """Takes presses, and settles them when told."""

    def __init__(self) -> None:
        self.made: list[Press] = []
        self.outcome = Outcome.ACCEPTED

    def press(self, action: OperatorAction, source: str, now_s: float) -> Press:
        press = Press(action, source, now_s, self.outcome, ("the robot is stopped",))
        self.made.append(press)
        return press


@pytest.fixture
def buttons() -> Buttons:
    return Buttons()


@pytest.fixture
def server(folder: Path, buttons: Buttons) -> Iterator[CommandServer]:
    made = CommandServer("pup", buttons.press, lambda: {"level": "NONE"})
    yield made
    made.close()


def connect(server: CommandServer) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(2.0)
    end.connect(str(server.path))
    return end


def ask(server: CommandServer, raw: bytes, now_s: float = 1.0) -> Answer | None:
    """Send a packet, poll once, and read the answer."""
    with connect(server) as end:
        end.send(raw)
        server.poll(now_s)
        return decode_answer(end.recv(200_000))


def test_nobody_steers_where_there_is_nothing_to_steer(server: CommandServer, buttons: Buttons) -> None:
    answer = ask(server, encode_request("steer", Velocity(0.3)))
    assert answer == NO_HELM
    assert "--mission teleoperation" in NO_HELM.lines[0]
    assert buttons.made == []


def test_a_wish_for_a_velocity_reaches_the_helm_and_its_answer_the_asker(folder: Path, buttons: Buttons) -> None:
    wishes: list[tuple[Velocity, float]] = []

    def steer(velocity: Velocity, now_s: float) -> Answer:
        wishes.append((velocity, now_s))
        return Answer("refused", ("not centred",))

    server = CommandServer("pup", buttons.press, dict, steer)
    assert ask(server, encode_request("steer", Velocity(0.3, -0.1, 0.5)), 7.0) == Answer("refused", ("not centred",))
    assert ask(server, b'{"command": "steer", "velocity": [0, 0, NaN]}', 8.0).kind == "error"
    assert wishes == [((0.3, -0.1, 0.5), 7.0)]
    server.close()


def test_wishes_beyond_the_rate_are_refused_and_a_stop_is_not(folder: Path, buttons: Buttons) -> None:
    server = CommandServer("pup", buttons.press, dict, lambda velocity, now_s: Answer("accepted"))
    kinds = [ask(server, encode_request("steer"), 1.0).kind for _ in range(int(REQUESTS_PER_S) + 5)]
    assert kinds == ["accepted"] * int(REQUESTS_PER_S) + ["error"] * 5
    assert ask(server, encode_request("stop"), 1.0).kind == "accepted"
    server.close()


@pytest.mark.parametrize("action", list(OperatorAction))
def test_a_press_is_taken_and_answered(server: CommandServer, buttons: Buttons, action: OperatorAction) -> None:
    assert ask(server, encode_request(action.value)) == Answer("accepted", ("the robot is stopped",))
    assert [(one.action, one.source, one.pressed_s) for one in buttons.made] == [(action, "command", 1.0)]


def test_a_status_is_answered(server: CommandServer, buttons: Buttons) -> None:
    assert ask(server, encode_request("status")) == Answer("accepted", (), {"level": "NONE"})
    assert buttons.made == []


def test_a_status_that_cannot_be_told_breaks_nothing(folder: Path, buttons: Buttons) -> None:
    def fail() -> Mapping[str, Any]:
        raise KeyError("buses")

    server = CommandServer("pup", buttons.press, fail)
    answer = ask(server, encode_request("status"))
    assert answer is not None
    assert (answer.kind, answer.lines) == ("error", ("the status cannot be told: KeyError: 'buses'",))
    server.close()


def test_an_answer_waits_until_the_outcome_is_known(server: CommandServer, buttons: Buttons) -> None:
    buttons.outcome = Outcome.WAITING
    with connect(server) as end:
        end.send(encode_request("arm"))
        server.poll(1.0)
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.recv(1000)
        buttons.made[0].outcome, buttons.made[0].lines = Outcome.REFUSED, ("tilt", "imu_age")
        server.poll(1.02)
        assert decode_answer(end.recv(1000)) == Answer("refused", ("tilt", "imu_age"))
    assert len(buttons.made) == 1


def test_who_waits_does_not_keep_others_waiting(server: CommandServer, buttons: Buttons) -> None:
    buttons.outcome = Outcome.WAITING
    with connect(server) as first:
        first.send(encode_request("arm"))
        server.poll(1.0)
        assert ask(server, encode_request("status"), 1.02) is not None


def test_one_connection_is_one_press(server: CommandServer, buttons: Buttons) -> None:
    with connect(server) as end:
        for _ in range(5):
            end.send(encode_request("start"))
        server.poll(1.0)
        server.poll(1.02)
    assert len(buttons.made) == 1


@pytest.mark.parametrize("raw", [b"stop", b"{}", b"\x00" * 100, encode_request("stop") + b" " * 1000, b"[" * 5000])
def test_what_is_no_request_is_answered_and_counted(server: CommandServer, buttons: Buttons, raw: bytes) -> None:
    answer = ask(server, raw)
    assert answer is not None
    assert answer.kind == "error"
    assert (server.counters.malformed, buttons.made) == (1, [])


def test_who_says_nothing_is_dropped(server: CommandServer) -> None:
    with connect(server) as end:
        server.poll(1.0)
        server.poll(1.0 + SILENT_S)
        assert server.counters.malformed == 0
        server.poll(1.01 + SILENT_S)
        assert (server.counters.malformed, end.recv(10)) == (1, b"")


def test_who_goes_away_is_forgotten(server: CommandServer, buttons: Buttons) -> None:
    connect(server).close()
    end = connect(server)
    end.send(encode_request("stop"))
    end.close()
    server.poll(1.0)
    assert len(buttons.made) == 1
    assert (server.counters.lost, server.counters.malformed) == (1, 0)


def test_connections_beyond_the_most_wait_their_turn(server: CommandServer, buttons: Buttons) -> None:
    silent = [connect(server) for _ in range(CONNECTIONS)]
    server.poll(1.0)
    with connect(server) as end:
        end.send(encode_request("stop"))
        server.poll(1.5)
        assert buttons.made == []
        server.poll(1.1 + SILENT_S)
        server.poll(1.12 + SILENT_S)
        assert len(buttons.made) == 1
    for one in silent:
        one.close()


def test_requests_beyond_the_rate_are_refused_but_never_a_stop(server: CommandServer, buttons: Buttons) -> None:
    kinds = [getattr(ask(server, encode_request("status"), 1.0), "kind", "") for _ in range(int(REQUESTS_PER_S) + 5)]
    assert kinds == ["accepted"] * int(REQUESTS_PER_S) + ["error"] * 5
    assert server.counters.too_many == 5
    for action in ("stop", "hold", "cut"):
        assert ask(server, encode_request(action), 1.0) == Answer("accepted", ("the robot is stopped",))
    assert ask(server, encode_request("start"), 1.0) == Answer("error", ("more than 50 requests in a second",))
    assert ask(server, encode_request("start"), 1.5) == Answer("accepted", ("the robot is stopped",))
    assert [one.action.value for one in buttons.made] == ["stop", "hold", "cut", "start"]


def test_a_clock_that_goes_back_takes_no_allowance_for_good(server: CommandServer) -> None:
    ask(server, encode_request("status"), 100.0)
    ask(server, encode_request("status"), 1.0)
    assert getattr(ask(server, encode_request("status"), 10.0), "kind", "") == "accepted"


@root_only
def test_another_user_cannot_reach_the_socket(server: CommandServer, buttons: Buttons) -> None:
    assert as_nobody(lambda: connect(server).close()) == "PermissionError"
    server.poll(1.0)
    assert buttons.made == []


@root_only
def test_another_user_who_reaches_the_socket_is_refused(server: CommandServer, buttons: Buttons) -> None:
    for path, mode in ((server.path.parent.parent, 0o755), (server.path.parent, 0o755), (server.path, 0o777)):
        path.chmod(mode)

    def press() -> None:
        with connect(server) as end:
            # The refusal may be there already, and nobody who would hear more.
            with suppress(BrokenPipeError):
                end.send(encode_request("start"))
            os.write(1, end.recv(1000))

    told = as_nobody(press, lambda: server.poll(1.0))
    assert "takes commands from user 0 only" in told
    assert (server.counters.strangers, server.counters.requests, buttons.made) == (1, 0, [])


@root_only
def test_the_superuser_is_another_user_too(
    server: CommandServer, buttons: Buttons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_user", 1000)
    answer = ask(server, encode_request("start"))
    assert answer is not None
    assert (answer.kind, "user 1000 only" in answer.lines[0]) == ("refused", True)
    assert buttons.made == []


def as_nobody(work: Callable[[], None], meanwhile: Callable[[], None] = lambda: None) -> str:
    """What `work` writes to its output, or the name of its error, in a process of another user."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.dup2(writer, 1)
        try:
            work()
        except OSError as error:
            os.write(1, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writer)
    told = b""
    os.set_blocking(reader, False)
    until_s = time.monotonic() + 10.0
    while time.monotonic() < until_s:
        meanwhile()
        try:
            part = os.read(reader, 1000)
        except BlockingIOError:
            continue
        told += part
        if not part:
            break
    os.close(reader)
    os.waitpid(child, 0)
    return told.decode()


def test_a_second_supervisor_of_a_robot_is_refused(server: CommandServer, buttons: Buttons) -> None:
    with pytest.raises(RefusedError, match=f"a supervisor of pup is running already .process {os.getpid()}"):
        CommandServer("pup", buttons.press, dict)
    other = CommandServer("biped", buttons.press, dict)
    other.close()
    assert ask(server, encode_request("status")) is not None


def test_what_a_killed_supervisor_left_behind_is_in_nobodys_way(folder: Path, buttons: Buttons) -> None:
    folder.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(str(folder / "pup.socket"))
    left.close()
    (folder / "pup.lock").write_text("4711")
    server = CommandServer("pup", buttons.press, dict)
    assert ask(server, encode_request("status")) is not None
    server.close()


def test_closing_tells_who_waits_and_leaves_no_socket(server: CommandServer, buttons: Buttons) -> None:
    buttons.outcome = Outcome.WAITING
    with connect(server) as end:
        end.send(encode_request("arm"))
        server.poll(1.0)
        server.close()
        assert decode_answer(end.recv(1000)) == Answer("refused", ("the run has ended",))
    assert not server.path.exists()
    server.close()
    CommandServer("pup", buttons.press, dict).close()


def test_without_a_place_there_is_no_socket(folder: Path, buttons: Buttons) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(LinkError, match="no place for the operator's socket"):
        CommandServer("pup", buttons.press, dict)


def test_a_socket_that_cannot_be_bound_leaves_no_lock(
    folder: Path, buttons: Buttons, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server_module, "SUFFIX", "x" * 200)
        with pytest.raises(OSError, match="too long"):
            CommandServer("pup", buttons.press, dict)
    CommandServer("pup", buttons.press, dict).close()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=600) | st.sampled_from([encode_request("start"), encode_request("stop")]), max_size=6)
)
def test_no_packets_break_it(server: CommandServer, packets: list[bytes]) -> None:
    with connect(server) as end:
        for packet in packets:
            end.send(packet)
        server.poll(1.0)
        server.poll(2.0 + SILENT_S)
    server.poll(9.0)
    assert ask(server, encode_request("stop"), 20.0) == Answer("accepted", ("the robot is stopped",))


def test_a_hundred_thousand_random_packets_press_nothing(server: CommandServer, buttons: Buttons) -> None:
    chance = random.Random(7)
    good = encode_request("start")
    for number in range(100_000):
        raw = bytearray(good if number % 2 else chance.randbytes(chance.randrange(1, 300)))
        if number % 2:
            # One byte of a good request is another one.
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        try:
            server_module.decode_request(bytes(raw))
        except ValueError:
            continue
        buttons.made.append(Press(OperatorAction.STOP, "", 0.0))
    for number in range(2000):
        ask(server, chance.randbytes(chance.randrange(1, 300)), float(number))
    assert buttons.made == []
    assert server.counters.malformed == 2000


def test_a_poll_with_nothing_to_do_is_quick(server: CommandServer) -> None:
    started_s = time.perf_counter()
    for _ in range(100):
        server.poll(1.0)
    assert (time.perf_counter() - started_s) / 100 < 1e-3
