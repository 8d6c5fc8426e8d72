"""Requests and answers survive the way over the socket; nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.levels import OperatorAction
from supervisor.core.velocity import Velocity
from supervisor.runtime.inputs.messages import (
    ANSWER_BYTES,
    COMMANDS,
    REQUEST_BYTES,
    Answer,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)


def test_every_command_of_the_handbook_exists() -> None:
    assert {"stop", "hold", "resume", "confirm", "reset", "arm", "start", "cut", "status"} == set(COMMANDS)
    assert {action.value for action in OperatorAction} == {*COMMANDS} - {"status"}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_request_comes_back(command: str) -> None:
    assert decode_request(encode_request(command)) == Request(command)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"stop", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * REQUEST_BYTES, "not JSON"),
        (b'"stop"', "neither {"),
        (b"{}", "neither {"),
        (b'{"command": "stop", "robot": "pup"}', "neither {"),
        (b'{"command": "stop", "velocity": [0, 0, 0]}', "neither {"),
        (b'{"command": "steer"}', "unknown command"),
        (b'{"command": "steer", "velocity": [0, 0, 0], "robot": "pup"}', "neither {"),
        *(
            (b'{"command": "steer", "velocity": ' + wrong + b"}", "not three finite numbers")
            for wrong in (
                *(b"0", b"[]", b"[0, 0]", b"[0, 0, 0, 0]", b"[0, 0, NaN]", b"[Infinity, 0, 0]", b"[0, -Infinity, 0]"),
                *(b'["0", 0, 0]', b"[true, 0, 0]", b"[null, 0, 0]", b"[[0], 0, 0]", b'{"x": 0}', b"[1e999, 0, 0]"),
                *(b"[1" + b"0" * 150 + b"e200, 0, 0]", b"[0, 0, " + b"9" * 190 + b"e200]"),
            )
        ),
        (b'{"command": ["stop"]}', "unknown command"),
        (b'{"command": null}', "unknown command"),
        (b'{"command": "STOP"}', "unknown command; allowed: stop, hold"),
        (b'{"command": "stop"}' + b" " * REQUEST_BYTES, "more than 256 bytes"),
    ],
)
def test_anything_else_is_refused_by_what_is_wrong_with_it(raw: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode_request(raw)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(
    lambda tree: json.dumps({"command": tree}).encode()))  # fmt: skip
def test_any_bytes_are_a_command_or_a_value_error(raw: bytes) -> None:
    try:
        command = decode_request(raw).command
    except ValueError:
        command = "stop"
    assert command in COMMANDS


@given(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3))
def test_a_wish_for_a_velocity_comes_back_to_the_last_bit(velocity: tuple[float, float, float]) -> None:
    assert decode_request(encode_request("steer", Velocity(*velocity))) == Request("steer", Velocity(*velocity))


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers() | st.floats(), st.lists, max_leaves=6))
def test_whatever_stands_for_a_velocity_is_three_finite_numbers_or_a_value_error(tree: object) -> None:
    raw = json.dumps({"command": "steer", "velocity": tree}).encode()
    try:
        velocity = decode_request(raw).velocity
    except ValueError:
        velocity = Velocity()
    assert velocity.is_finite
    assert {type(value) for value in velocity} == {float}


def test_an_answer_comes_back() -> None:
    answer = Answer("refused", ("tilt 0.8 rad > 0.7 rad", "fl_hip"), {"level": "NONE", "buses": {}})
    assert decode_answer(encode_answer(answer)) == answer


def test_an_answer_that_is_too_long_keeps_what_became_of_it() -> None:
    answer = Answer("refused", tuple("x" * 5000 for _ in range(50)), {"level": "NONE"})
    raw = encode_answer(answer)
    assert len(raw) <= ANSWER_BYTES
    decoded = decode_answer(raw)
    assert decoded is not None
    assert (decoded.kind, decoded.lines[-1]) == ("refused", "the answer was too long")


@given(st.binary(max_size=300) | st.fixed_dictionaries({"kind": st.text() | st.just("accepted"),
    "lines": st.none() | st.lists(st.integers()), "status": st.none() | st.just({})}).map(
    lambda tree: json.dumps(tree).encode()))  # fmt: skip
def test_any_bytes_are_an_answer_or_none(raw: bytes) -> None:
    answer = decode_answer(raw)
    assert answer is None or answer.kind in ("accepted", "refused", "unanswered", "error")
