from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.exchange import Stop
from supervisor.core.levels import ArmingState, Level
from supervisor.safety.guards import GUARDS
from supervisor.safety.latch_format import (
    BLANK,
    CAPACITY,
    PLACE_BYTES,
    Clocks,
    boot_id,
    decode,
    encode,
    found_in,
    framed,
    newest,
)
from supervisor.safety.restart import Kept

STOP = Stop(
    Level.DAMP, "tilt", 0.81, 0.7, "rad", 90.0, 89.5, "walk", ("fl_hip",), ("imu_age",), False, Level.HOLD,
)  # fmt: skip
KEPT = Kept(ArmingState.STOPPED, STOP, {"tilt": (10.0, 90.0)})


@dataclass
class Times:
    now: float = 100.0
    wall: float = 1e9

    def clocks(self, boot: str = "a") -> Clocks:
        return Clocks(lambda: self.now, lambda: self.wall, boot)


def files(*contents: bytes) -> bytes:
    places = [BLANK, BLANK]
    for number, content in enumerate(contents, start=1):
        places[number % 2] = framed(content, number)
    return b"".join(places)


def restarted(passed_s: float, wall_s: float, *, boot: str, now_s: float | None = None) -> tuple[Kept, tuple[str, ...]]:
    """What is read so long afterwards."""
    raw = encode(KEPT, "pup", Times().clocks())
    return decode(raw, "pup", Times(100.0 + passed_s if now_s is None else now_s, 1e9 + wall_s).clocks(boot))


def test_what_is_kept_comes_back_as_it_was() -> None:
    assert restarted(0.0, 0.0, boot="a") == (replace(KEPT, trips={"tilt": [10.0, 90.0]}), ())
    raw = encode(Kept(ArmingState.RUNNING), "pup", Times().clocks())
    assert decode(raw, "pup", Times().clocks())[0] == Kept(ArmingState.RUNNING)


def test_a_stop_without_numbers_comes_back_without_numbers() -> None:
    nan = float("nan")
    kept = replace(KEPT, stop=replace(STOP, measured=nan, limit=nan))
    stop = decode(encode(kept, "pup", Times().clocks()), "pup", Times().clocks())[0].stop
    assert math.isnan(stop.measured)
    assert math.isnan(stop.limit)


@pytest.mark.parametrize("wall_s", [-7200.0, 30.0, 7200.0])
def test_while_the_computer_runs_steps_of_the_wall_clock_do_nothing(wall_s: float) -> None:
    kept, notes = restarted(30.0, wall_s, boot="a")
    assert kept.trips == {"tilt": [10.0, 90.0]}
    assert (kept.stop.time_s, kept.stop.since_s) == (90.0, 89.5)
    assert notes == ()


def test_across_a_start_of_the_computer_the_wall_clock_says_how_long_ago_it_was() -> None:
    kept, notes = restarted(0.0, 600.0, boot="b", now_s=20.0)
    assert kept.trips == {"tilt": [20.0 - 600.0 - 90.0, 20.0 - 600.0 - 10.0]}
    assert kept.stop.time_s == 20.0 - 600.0 - 10.0
    assert notes == ()


@pytest.mark.parametrize("boot", ["b", ""])
def test_a_wall_clock_that_went_back_makes_nothing_older(boot: str) -> None:
    kept, notes = restarted(0.0, -5e8, boot=boot, now_s=20.0)
    assert kept.trips == {"tilt": [-70.0, 10.0]}
    assert notes == ()


def test_what_a_wall_clock_makes_too_old_is_told() -> None:
    kept, notes = restarted(0.0, 3600.0 - 50.0, boot="b", now_s=20.0)
    assert notes == ("by the wall clock 1 trips of tilt are more than an hour old: not counted",)
    assert kept.trips["tilt"][1] == pytest.approx(20.0 - 3560.0)


def test_what_was_too_old_already_is_not_told_again() -> None:
    times = Times(now=5000.0)
    raw = encode(Kept(ArmingState.DISARMED, None, {"tilt": (10.0,)}), "pup", times.clocks())
    assert decode(raw, "pup", Times(20.0, 1e9 + 60.0).clocks("b"))[1] == ()


def test_nothing_comes_from_the_future() -> None:
    raw = encode(Kept(ArmingState.DISARMED, None, {"tilt": (200.0,)}), "pup", Times().clocks())
    assert decode(raw, "pup", Times(110.0).clocks())[0].trips == {"tilt": [100.0]}
    assert decode(raw, "pup", Times(50.0).clocks())[0].trips == {"tilt": [50.0]}


def test_the_newest_of_two_places_counts() -> None:
    assert newest(files()) == (0, b"", "")
    assert newest(files(b"one")) == (1, b"one", "")
    assert newest(files(b"one", b"two")) == (2, b"two", "")
    assert newest(files(b"one", b"two", b"three")) == (3, b"three", "")


@pytest.mark.parametrize("at", [0, 8, 16, 20, 40, 200, PLACE_BYTES - 1])
@pytest.mark.parametrize("number", [2, 3])
def test_a_place_that_is_not_right_is_a_problem_and_leaves_the_other(at: int, number: int) -> None:
    raw = bytearray(files(b"one", b"2" * 300, b"3" * 300))
    raw[number % 2 * PLACE_BYTES + at] ^= 1
    found, content, problem = newest(bytes(raw))
    assert problem
    assert (found, content) == ({2: 3, 3: 2}[number], {2: b"3" * 300, 3: b"2" * 300}[number])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 * PLACE_BYTES - 1))
def test_a_write_torn_anywhere_is_found_or_has_not_begun(cut: int) -> None:
    before, after = files(b"one", b"2" * 9000), files(b"one", b"2" * 9000, b"3" * 9000)
    torn = after[:cut] + before[cut:]
    number, content, problem = newest(torn)
    assert (number, content[:1]) in ((2, b"2"), (3, b"3"))
    assert problem or torn in (before, after)


def test_places_that_do_not_follow_each_other_are_a_problem() -> None:
    one, two, three, four = (framed(b"content", number) for number in (1, 2, 3, 4))
    problem = "its two places do not follow each other"
    assert newest(four + one) == (4, b"content", problem)
    assert newest(two + BLANK) == (2, b"content", problem)
    assert newest(BLANK + three) == (3, b"content", problem)
    assert newest(two + three) == (3, b"content", "")
    assert newest(three + two)[2] == "torn, or changed by somebody else"


@pytest.mark.parametrize("size", [0, 1, PLACE_BYTES, 2 * PLACE_BYTES - 1, 2 * PLACE_BYTES + 1])
def test_another_size_is_a_problem(size: int) -> None:
    raw = (files(b"one") + b"\0")[:size]
    assert newest(raw) == (0, b"", f"{size} bytes, expected {2 * PLACE_BYTES}")


def test_another_version_is_a_problem() -> None:
    raw = files(b"one").replace(b"HNDRLST1", b"HNDRLST9")
    assert newest(raw) == (0, b"", "not a state file of this version")


def test_there_is_room_for_the_worst_stop() -> None:
    guards = tuple(GUARDS)
    kept = Kept(
        ArmingState.STOPPED,
        replace(STOP, further=guards, stage="s" * 255, joints=("j" * 64,)),
        dict.fromkeys(guards, (1123456.789012345,) * 3),
    )
    assert len(encode(kept, "r" * 64, Times().clocks(boot_id()))) < CAPACITY // 2


def test_what_is_too_large_is_refused() -> None:
    assert len(framed(bytes(CAPACITY), 1)) == PLACE_BYTES
    with pytest.raises(ValueError, match=f"room for {CAPACITY}"):
        framed(bytes(CAPACITY + 1), 1)


def test_a_file_of_another_robot_is_a_problem() -> None:
    raw = files(encode(KEPT, "cat", Times().clocks()))
    assert "belongs to the robot 'cat'" in found_in(raw, "pup", Times().clocks()).problem


def test_an_empty_file_holds_nothing() -> None:
    found = found_in(files(), "pup", Times().clocks())
    assert (found.kept, found.problem, found.now_s) == (None, "", 100.0)


def test_a_torn_file_still_tells_what_was_before() -> None:
    raw = bytearray(files(encode(KEPT, "pup", Times().clocks()), b"2" * 300))
    raw[100] ^= 1
    found = found_in(bytes(raw), "pup", Times().clocks())
    assert found.problem == "torn, or changed by somebody else"
    assert found.kept.stop == STOP


GOOD = json.loads(encode(KEPT, "pup", Times().clocks()))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"{}", b"[" * 15000,
        *(json.dumps({key: value for key, value in GOOD.items() if key != missing}).encode() for missing in GOOD),
        *(json.dumps(GOOD | {key: []}).encode() for key in GOOD if key not in ("stop", "boot")),
        json.dumps(GOOD | {"arming": "dancing"}).encode(),
        json.dumps(GOOD | {"stop": GOOD["stop"] | {"level": 9}}).encode(),
        json.dumps(GOOD | {"stop": GOOD["stop"] | {"mood": 9}}).encode(),
        json.dumps(GOOD | {"stop": {}}).encode(),
        json.dumps(GOOD | {"trips": {"tilt": [None]}}).encode(),
        json.dumps(GOOD | {"trips": {"tilt": 3}}).encode(),
    ],
)  # fmt: skip
def test_a_content_of_another_form_is_a_problem(content: bytes) -> None:
    found = found_in(files(content), "pup", Times().clocks())
    assert found.kept is None
    assert found.problem


@given(st.binary(max_size=300))
def test_rubbish_never_raises(rubbish: bytes) -> None:
    assert found_in(files(rubbish), "pup", Times().clocks()).problem
    assert found_in(rubbish, "pup", Times().clocks()).problem


def test_the_number_of_the_start_is_read_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    boot = tmp_path / "boot_id"
    monkeypatch.setattr("supervisor.safety.latch_format._BOOT", boot)
    assert boot_id() == ""
    boot.write_bytes(b"\xff")
    assert boot_id() == ""
    boot.write_text("c3135551\n")
    assert boot_id() == "c3135551"
