"""The bytes of the latch, and what is said of old trips, at the edges."""

from __future__ import annotations

import hashlib
import json

import pytest

from supervisor.core.levels import ArmingState
from supervisor.safety.latch_format import (
    _HEAD,
    _MAGIC,
    CAPACITY,
    PLACE_BYTES,
    decode,
    encode,
    found_in,
    framed,
    newest,
)
from supervisor.safety.restart import Found, Kept
from supervisor.safety.severity import REPEAT_WINDOW_S
from tests.safety.test_latch_format import KEPT, Times, files


def test_content_is_json_without_blanks() -> None:
    raw = encode(KEPT, "pup", Times().clocks())
    assert raw == json.dumps(json.loads(raw), separators=(",", ":")).encode()
    assert b": " not in raw
    assert b", " not in raw
    assert len(raw) < CAPACITY


def test_what_is_found_says_when_and_what_a_person_should_know() -> None:
    kept = Kept(ArmingState.DISARMED, None, {"tilt": (90.0,)})
    raw = files(encode(kept, "pup", Times(100.0).clocks()))
    later = Times(5.0, 1e9 + 2 * REPEAT_WINDOW_S)
    found = found_in(raw, "pup", later.clocks("b"))
    note = "by the wall clock 1 trips of tilt are more than an hour old: not counted"
    assert found.now_s == 5.0
    assert found.notes == (note,)
    assert found.problem == ""


def test_what_is_not_of_the_form_says_when() -> None:
    found = found_in(files(b"{}"), "pup", Times(7.0).clocks())
    assert found == Found(None, "not of the expected form: 'robot'", 7.0)
    assert found_in(b"", "pup", Times(8.0).clocks()) == Found(None, f"0 bytes, expected {2 * PLACE_BYTES}", 8.0)


@pytest.mark.parametrize(
    ("trips", "passed_s", "told"),
    [
        ((90.0, 100.0), REPEAT_WINDOW_S - 10.0, 0),
        ((90.0, 100.0), REPEAT_WINDOW_S - 9.0, 1),
        ((90.0, 100.0), REPEAT_WINDOW_S, 1),
        ((90.0, 100.0), REPEAT_WINDOW_S + 1.0, 2),
        ((100.0 - REPEAT_WINDOW_S - 1.0, 90.0, 100.0), REPEAT_WINDOW_S + 1.0, 2),
        ((100.0 - REPEAT_WINDOW_S, 100.0), 1.0, 1),
        ((100.0 - REPEAT_WINDOW_S - 1.0, 100.0), 1.0, 0),
    ],
)
def test_only_what_the_wall_clock_has_made_too_old_is_told(
    trips: tuple[float, ...], passed_s: float, told: int
) -> None:
    raw = encode(Kept(ArmingState.DISARMED, None, {"tilt": trips}), "pup", Times(100.0).clocks())
    notes = decode(raw, "pup", Times(100.0, 1e9 + passed_s).clocks("b"))[1]
    words = f"by the wall clock {told} trips of tilt are more than an hour old: not counted"
    assert notes == ((words,) if told else ())


def test_a_boot_without_a_name_is_not_the_same_boot() -> None:
    raw = encode(Kept(ArmingState.DISARMED, None, {"tilt": (90.0,)}), "pup", Times(100.0).clocks(""))
    kept, _ = decode(raw, "pup", Times(500.0, 1e9 + 60.0).clocks(""))
    assert kept.trips == {"tilt": [430.0]}
    named = encode(Kept(ArmingState.DISARMED, None, {"tilt": (90.0,)}), "pup", Times(100.0).clocks("XXXX"))
    assert decode(named, "pup", Times(500.0, 1e9 + 60.0).clocks("XXXX"))[0].trips == {"tilt": [90.0]}


def test_a_place_is_its_head_its_content_and_zeros() -> None:
    key = (258).to_bytes(8, "little")
    digest = hashlib.blake2b(b"content", digest_size=16, key=key).digest()
    raw = framed(b"content", 258)
    assert len(raw) == PLACE_BYTES
    assert raw[: _HEAD.size] == _HEAD.pack(_MAGIC, 258, 7, digest)
    assert raw[_HEAD.size :].rstrip(b"\0") == b"content"


def test_a_digest_is_of_its_number_too() -> None:
    one, three = framed(b"content", 1), framed(b"content", 3)
    assert one[-PLACE_BYTES:] != three[-PLACE_BYTES:]
    assert _HEAD.unpack_from(one)[3] != _HEAD.unpack_from(three)[3]


def test_two_problems_are_told_apart_and_the_same_one_once() -> None:
    torn = bytearray(framed(b"content", 1))
    torn[_HEAD.size] ^= 1
    strange = b"x" * PLACE_BYTES
    words = "not a state file of this version; torn, or changed by somebody else"
    assert newest(strange + bytes(torn)) == (0, b"", words)
    assert newest(strange + strange) == (0, b"", "not a state file of this version")
