from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.guardian.messages import (
    BODY,
    ECHO_BODY,
    KEY_BYTES,
    SEQUENCE,
    SEQUENCE_AT,
    Beat,
    Echo,
    Kind,
    Tokens,
    beat_body,
    echo_body,
    hello_body,
    read_beat,
    read_echo,
    read_hello,
    sealed,
)

TOKENS = Tokens(b"k" * KEY_BYTES)

BEATS = st.builds(
    Beat,
    st.sampled_from([Kind.BEAT, Kind.FAREWELL]),
    st.integers(0, 255),
    st.integers(0, 255),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(allow_nan=False),
)


@given(BEATS)
def test_a_beat_is_the_same_after_the_way_there_and_back(beat: Beat) -> None:
    body = TOKENS.body(sealed(TOKENS, beat_body(beat)))
    assert read_beat(body) == beat
    assert SEQUENCE.unpack_from(body, SEQUENCE_AT) == (beat.sequence,)


@given(BEATS, st.integers(0), st.integers(0, 7))
def test_one_changed_bit_anywhere_is_found(beat: Beat, place: int, bit: int) -> None:
    raw = bytearray(sealed(TOKENS, beat_body(beat)))
    raw[place % len(raw)] ^= 1 << bit
    assert TOKENS.body(bytes(raw)) == b""


@given(st.binary(max_size=80))
def test_no_bytes_raise_and_none_are_believed(raw: bytes) -> None:
    assert TOKENS.body(raw) == b""
    for read in (read_beat, read_hello, read_echo):
        read(raw)


def test_a_beat_of_another_run_is_none_of_ours() -> None:
    beat = Beat(Kind.BEAT, 0, 0, True, 1, 7, 0, 1.0)
    assert TOKENS.body(sealed(Tokens(b"l" * KEY_BYTES), beat_body(beat))) == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(BODY.size),
        BODY.pack(Kind.ECHO, 0, 0, 0, 1, 0, 0, 0.0),
        BODY.pack(Kind.HELLO, 0, 0, 0, 1, 0, 0, 0.0),
        BODY.pack(Kind.BEAT, 0, 0, 2, 1, 0, 0, 0.0),
        BODY.pack(Kind.BEAT, 0, 0, 1, 1, 0, 0, 0.0) + b"\0",
    ],
)
def test_what_is_no_beat_is_none(body: bytes) -> None:
    assert read_beat(body) is None


@pytest.mark.parametrize("lines", [(), ("leg0",), ("leg0", "arm", "Bein rechts")])
def test_a_hello_names_the_lines_that_come_with_it(lines: tuple[str, ...]) -> None:
    assert read_hello(hello_body(lines)) == lines


@pytest.mark.parametrize(
    "body", [b"", bytes([Kind.BEAT]), bytes([Kind.HELLO]) + b"\xff\xfe", hello_body(("leg0", "arm", "leg0"))]
)
def test_what_is_no_hello_is_none(body: bytes) -> None:
    assert read_hello(body) is None


def test_an_echo_is_the_same_after_the_way_there_and_back() -> None:
    echo = Echo(3, 7, True, 2**40)
    assert read_echo(echo_body(echo)) == echo


@pytest.mark.parametrize("body", [b"", bytes(ECHO_BODY.size), ECHO_BODY.pack(Kind.ECHO, 0, 0, 0, 1) + b"\0"])
def test_what_is_no_echo_is_none(body: bytes) -> None:
    assert read_echo(body) is None
