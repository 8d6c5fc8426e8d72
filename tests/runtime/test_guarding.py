from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.core.guard import GuardBoard
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.guardian.messages import (
    KEY_BYTES,
    Beat,
    Echo,
    Kind,
    Tokens,
    beat_body,
    echo_body,
    read_beat,
    read_hello,
    sealed,
)
from supervisor.guardian.watch import Phase
from supervisor.runtime.guarding import Heart, bitmaps, board_order, guardian_setup, guardian_socket
from supervisor.safety.board import GuardBoardEvaluator
from tests.drivers.sim.simulated import pup
from tests.guardian.beating import GUARDS, readings, snapshot

KEY = bytes(range(KEY_BYTES))
TOKENS = Tokens(KEY)


class Other:
    """The guardian's end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = end

    def beat(self) -> Beat:
        found = read_beat(TOKENS.body(self.end.recv(4096)))
        assert found is not None
        return found

    def echo(self, sequence: int, phase: Phase = Phase.GUARDING, *, is_latched: bool = False) -> None:
        self.end.send(sealed(TOKENS, echo_body(Echo(phase, 0, is_latched, sequence))))


@pytest.fixture
def ends() -> Iterator[tuple[Heart, Other]]:
    ours, theirs = guardian_socket()
    heart = Heart(ours.detach(), KEY, GUARDS, {})
    raw, descriptors, _, _ = socket.recv_fds(theirs, 4096, 8)
    assert read_hello(TOKENS.body(raw)) == ()
    for descriptor in descriptors:
        os.close(descriptor)
    yield heart, Other(theirs)
    theirs.close()
    heart._socket.close()


RUNNING = snapshot(ArmingState.RUNNING)


def test_the_hello_brings_the_process_and_its_lines() -> None:
    ours, theirs = guardian_socket()
    reader, writer = os.pipe()
    heart = Heart(ours.detach(), KEY, GUARDS, {"leg": reader, "arm": writer})
    raw, descriptors, _, _ = socket.recv_fds(theirs, 4096, 8)
    assert read_hello(TOKENS.body(raw)) == ("leg", "arm")
    own, theirs_reader, theirs_writer = descriptors
    # A descriptor of this very process, which has not ended; and both lines are open on both sides.
    signal.pidfd_send_signal(own, 0)
    assert select.select([own], (), (), 0.0)[0] == []
    os.write(theirs_writer, b"over there")
    assert os.read(reader, 64) == b"over there"
    for descriptor in (own, theirs_reader, theirs_writer, reader, writer):
        os.close(descriptor)
    heart.close()
    theirs.close()


def test_a_beat_says_what_the_snapshot_says(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    heart.beat(snapshot(ArmingState.STOPPED, Level.DAMP, is_at_rest=True), 12.5)
    assert other.beat() == Beat(Kind.BEAT, 5, 4, True, 1, (1 << GUARDS) - 1, 0, 12.5)
    heart.beat(RUNNING, 12.502)
    assert other.beat() == Beat(Kind.BEAT, 0, 3, False, 2, (1 << GUARDS) - 1, 0, 12.502)


def test_a_beat_says_which_guards_were_evaluated_and_which_are_tripped(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    rows = list(readings())
    rows[1] = replace(rows[1], value=GuardValue.NOT_EVALUATED)
    rows[2] = replace(rows[2], value=GuardValue.VIOLATED, tripped=True)
    rows[GUARDS - 1] = replace(rows[GUARDS - 1], tripped=True)
    state = snapshot(ArmingState.RUNNING)
    state.board = GuardBoard(tuple(rows), Level.DAMP)
    heart.beat(state, 0.0)
    found = other.beat()
    assert found.evaluated == (1 << GUARDS) - 1 - 2
    assert found.tripped == 4 | 1 << (GUARDS - 1)


def test_a_guard_that_is_ok_and_still_tripped_is_told(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    rows = (replace(readings()[0], tripped=True), *readings()[1:])
    state = snapshot(ArmingState.RUNNING)
    state.board = GuardBoard(rows, Level.DAMP)
    heart.beat(state, 0.0)
    assert other.beat().tripped == 1


def test_a_board_with_a_guard_too_few_is_not_all_of_it(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    state = snapshot(ArmingState.RUNNING)
    state.board = GuardBoard(readings(GUARDS - 1), Level.NONE)
    heart.beat(state, 0.0)
    assert other.beat().evaluated == (1 << (GUARDS - 1)) - 1


def test_a_full_socket_is_counted_and_leaves_no_gap(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    while not heart.unsent:
        heart.beat(RUNNING, 0.0)
    heart.beat(RUNNING, 0.0)
    assert (heart.unsent, heart.failed) == (2, 0)
    sent = heart._sequence
    assert [other.beat().sequence for _ in range(sent)] == list(range(1, sent + 1))
    heart.beat(RUNNING, 0.0)
    assert other.beat().sequence == sent + 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_raises(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    heart.beat(None, 0.0)  # type: ignore[arg-type]
    other.end.close()
    heart.beat(RUNNING, 0.0)
    heart.listen(0.0)
    assert heart.failed == 2
    heart.farewell()


def test_the_guardian_is_not_heard_before_it_has_echoed(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    assert heart.silence_s(5.0) == float("inf")
    heart.beat(RUNNING, 5.0)
    other.echo(1)
    heart.listen(5.5)
    assert heart.silence_s(5.75) == 0.25
    assert not heart.is_latched


def test_a_guardian_that_has_stopped_the_robot_is_as_good_as_silent(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    heart.beat(RUNNING, 5.0)
    other.echo(1, Phase.STOPPING, is_latched=True)
    heart.listen(5.5)
    assert heart.silence_s(5.5) == float("inf")
    assert heart.is_latched


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense",
        sealed(Tokens(b"l" * KEY_BYTES), echo_body(Echo(1, 0, False, 1))),
        sealed(TOKENS, beat_body(Beat(Kind.BEAT, 0, 0, True, 1, 0, 0, 0.0))),
        sealed(TOKENS, echo_body(Echo(1, 0, False, 2))),
    ],
    ids=["bytes", "another run", "a beat", "from the future"],
)
def test_what_is_no_echo_of_ours_counts_for_nothing(ends: tuple[Heart, Other], raw: bytes) -> None:
    heart, other = ends
    heart.beat(RUNNING, 5.0)
    other.end.send(raw)
    heart.listen(5.5)
    assert heart.silence_s(5.5) == float("inf")


def test_a_farewell_is_one_more_beat_and_the_end(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    heart.beat(snapshot(ArmingState.DISARMED, is_at_rest=True), 5.0)
    heart.farewell()
    assert other.beat()._replace(kind=Kind.FAREWELL, sequence=2) == other.beat()
    assert other.end.recv(64) == b""


def test_who_never_began_ends_without_a_word(ends: tuple[Heart, Other]) -> None:
    heart, other = ends
    heart.farewell()
    assert other.end.recv(64) == b""


def test_a_farewell_waits_no_longer_than_it_may(ends: tuple[Heart, Other]) -> None:
    heart, _ = ends
    while not heart.unsent:
        heart.beat(RUNNING, 0.0)
    began_s = time.monotonic()
    heart.farewell()
    assert time.monotonic() - began_s < 2.0
    assert heart.failed == 1


def test_bitmaps_of_a_real_board_are_in_the_order_that_the_guardian_is_told() -> None:
    robot = pup()
    board = GuardBoardEvaluator(robot.safety).board
    assert [reading.id for reading in board.readings] == [row.id for row in board_order(robot.safety)]
    assert bitmaps(board) == (0, 0)


def test_the_setup_is_what_the_robots_files_say(tmp_path: Path) -> None:
    robot = pup()
    made = guardian_setup(robot.config, robot.safety, descriptor=5, run=tmp_path / "run", state=tmp_path)
    assert (made.socket, made.window_s, made.period_s, made.damp_s) == (5, 0.02, 0.002, 3.0)
    assert made.latches == (str(tmp_path / "pup.guardian"), str(tmp_path / "run" / "pup.guardian"))
    assert made.priority == robot.config.realtime.fifo_priority + 1
    assert made.guard_levels[0] == Level.CUT
    assert len(made.guard_levels) == len(robot.safety.guards)
    assert len(made.key) == KEY_BYTES
    again = guardian_setup(robot.config, robot.safety, descriptor=5, run=tmp_path, state=tmp_path)
    assert again.key != made.key
    assert again.latches == (str(tmp_path / "pup.guardian"),)


def test_without_a_priority_for_control_there_is_none_for_the_guardian(tmp_path: Path) -> None:
    robot = pup()
    config = replace(robot.config, realtime=replace(robot.config.realtime, fifo_priority=0))
    made = guardian_setup(config, robot.safety, descriptor=5, run=tmp_path, state=tmp_path, key=KEY)
    assert (made.priority, made.key) == (0, KEY)


def test_more_guards_than_bits_are_refused(tmp_path: Path) -> None:
    robot = pup()
    safety = replace(robot.safety, guards=robot.safety.guards * 2)
    with pytest.raises(ValueError, match="the guardian hears of 64"):
        guardian_setup(robot.config, safety, descriptor=5, run=tmp_path, state=tmp_path)
