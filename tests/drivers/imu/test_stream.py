"""Every make's stream parser against noise, damage and cuts anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.stream import StreamParser
from tests.drivers.imu.units import STILL, UNITS, is_sound

LONGEST_FRAME_BYTES = 2055
makes = pytest.mark.parametrize("name", UNITS)
cuts = st.lists(st.integers(0, 60), max_size=8)


def sample(name: str, number: int) -> bytes:
    return UNITS[name].sample(*STILL, number)


def parts_of(name: str) -> st.SearchStrategy[list[bytes]]:
    """Samples, damaged samples and noise in any order."""
    whole = st.integers(0, 100).map(lambda number: sample(name, number))
    cut = st.tuples(whole, st.integers(0, 80)).map(lambda pair: pair[0][: pair[1]])
    flipped = st.tuples(whole, st.integers(0, 10_000), st.integers(1, 255)).map(damage)
    noise = st.binary(max_size=60)
    return st.lists(st.one_of(whole, cut, flipped, noise, st.just(whole_start(name) * 20)), max_size=6)


def whole_start(name: str) -> bytes:
    return sample(name, 0)[:2]


def damage(what: tuple[bytes, int, int]) -> bytes:
    data, at, mask = what
    damaged = bytearray(data)
    damaged[at % len(data)] ^= mask
    return bytes(damaged)


def feed_in_parts(parser: StreamParser, data: bytes, sizes: list[int]) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    for size in sizes:
        found += parser.feed(data[at : at + size])
        at += size
    return found + parser.feed(data[at:])


@makes
@given(st.data())
def test_however_the_bytes_are_cut_the_frames_and_the_counts_are_the_same(name: str, data: st.DataObject) -> None:
    stream = b"".join(data.draw(parts_of(name)))
    whole, cut = UNITS[name].parser(), UNITS[name].parser()
    assert feed_in_parts(cut, stream, data.draw(cuts)) == whole.feed(stream)
    assert (cut.frames, cut.rejected, cut.dropped_bytes) == (whole.frames, whole.rejected, whole.dropped_bytes)


@makes
@given(st.data())
def test_every_byte_is_in_a_frame_or_dropped_or_awaits_its_end(name: str, data: st.DataObject) -> None:
    stream = b"".join(data.draw(parts_of(name)))
    parser = UNITS[name].parser()
    found = parser.feed(stream)
    size = (6 if name == "hipnuc" else 0) * len(found) + sum(map(len, found))
    assert 0 <= len(stream) - size - parser.dropped_bytes < LONGEST_FRAME_BYTES
    assert parser.frames == len(found)
    # A refused frame costs the byte that looked like its start.
    assert sum(parser.rejected.values()) <= parser.dropped_bytes


@pytest.mark.parametrize("name", [name for name in UNITS if name != "hipnuc"])
@given(st.data())
def test_whatever_arrives_every_accepted_frame_has_a_right_checksum(name: str, data: st.DataObject) -> None:
    for frame in UNITS[name].parser().feed(b"".join(data.draw(parts_of(name)))):
        assert is_sound(name, frame)


@makes
@given(noise=st.binary(max_size=400))
def test_after_any_noise_it_finds_its_way_back(name: str, noise: bytes) -> None:
    parser = UNITS[name].parser()
    parser.feed(noise)
    last = sample(name, 7)
    for _ in range(LONGEST_FRAME_BYTES // len(last) + 2):
        found = parser.feed(last)
    assert found == UNITS[name].parser().feed(last)


@makes
def test_a_frame_with_a_broken_checksum_is_never_accepted_whichever_bit_broke(name: str) -> None:
    data = sample(name, 1)
    frames = UNITS[name].parser().feed(data)
    # A checksum digit in the other case is the same checksum.
    is_digit = {len(data) - at for at in range(3, 7)} if data.endswith(b"\r\n") else set[int]()
    for bit in (bit for bit in range(8 * len(data)) if not (bit // 8 in is_digit and bit % 8 == 5)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        parser = UNITS[name].parser()
        found = parser.feed(bytes(damaged) + bytes(LONGEST_FRAME_BYTES))
        assert len(found) == len(frames) - 1
        assert set(found) < set(frames)
        assert parser.dropped_bytes > 0


@makes
def test_what_was_thrown_away_is_counted_with_its_reason(name: str) -> None:
    damaged = bytearray(sample(name, 1))
    damaged[-3] ^= 1
    parser = UNITS[name].parser()
    parser.feed(bytes(damaged) + bytes(LONGEST_FRAME_BYTES))
    assert parser.rejected["checksum"] == 1
