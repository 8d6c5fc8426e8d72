"""A key is one press, however long it is held; what nobody typed is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.levels import OperatorAction
from supervisor.runtime.inputs.keys import KEY_FRACTION, KEYS, LEGEND, RELEASED_S, STEERING_KEYS, KeyDecoder

STOP, HOLD, START, CUT = OperatorAction.STOP, OperatorAction.HOLD, OperatorAction.START, OperatorAction.CUT


@pytest.mark.parametrize(("key", "action"), list(KEYS.items()))
def test_every_key_is_its_press(key: str, action: OperatorAction) -> None:
    assert KeyDecoder().take(key.encode(), 1.0) == [action]


def test_every_press_has_a_key_and_every_key_is_in_the_legend() -> None:
    assert set(KEYS.values()) == set(OperatorAction)
    words = {word for line in LEGEND for word in line.split()}
    assert {key for key in KEYS if key not in " \r\n"} <= words
    assert {"space", "enter"} <= words


@pytest.mark.parametrize("delay_s", [0.25, 0.5, 0.7])
def test_a_key_that_is_held_down_is_one_press(delay_s: float) -> None:
    keys = KeyDecoder()
    pressed = keys.take(b"s", 1.0)
    for number in range(300):
        pressed += keys.take(b"s", 1.0 + delay_s + number * 0.033)
    assert pressed == [START]


def test_a_key_that_was_let_go_can_be_pressed_again() -> None:
    keys = KeyDecoder()
    times = (1.0, 1.0 + 0.99 * RELEASED_S, 1.0 + 2.0 * RELEASED_S)
    assert [keys.take(b"c", now_s) for now_s in times] == [[OperatorAction.CONFIRM], [], [OperatorAction.CONFIRM]]


def test_another_key_in_between_has_let_the_first_one_go() -> None:
    keys = KeyDecoder()
    pressed = [keys.take(key, 1.0 + 0.1 * number) for number, key in enumerate((b"a", b"s", b"a"))]
    assert pressed == [[OperatorAction.ARM], [START], [OperatorAction.ARM]]


def test_a_key_that_repeats_within_one_reading_is_one_press() -> None:
    assert KeyDecoder().take(b"sssss", 1.0) == [START]


@pytest.mark.parametrize(
    ("pasted", "pressed"),
    [(b"start", []), (b"as", []), (b"axR\r", []), (b"a stop\n", [STOP]), (b"sh", [HOLD]), (b"x", [CUT])],
)
def test_pasted_text_can_only_stop(pasted: bytes, pressed: list[OperatorAction]) -> None:
    assert KeyDecoder().take(pasted, 1.0) == pressed


@pytest.mark.parametrize(
    "sequence",
    [b"\x1b[A", b"\x1b[1;5C", b"\x1bOR", b"\x1bOs", b"\x1b[15~", b"\x1b", b"\x1b[", b"\x1b[<0;1;2M", b"\x1b[A\x1b[A"],
)
def test_arrows_and_function_keys_are_no_presses(sequence: bytes) -> None:
    assert KeyDecoder().take(sequence, 1.0) == []


def test_a_stop_right_after_escape_is_obeyed() -> None:
    keys = KeyDecoder()
    assert keys.take(b"\x1b", 1.0) == []
    assert keys.take(b" ", 1.02) == [STOP]
    assert KeyDecoder().take(b"\x1b ", 1.0) == [STOP]


@pytest.mark.parametrize("raw", [b"\xc3\xa4", b"\xff", b"\x00", b"\x04", b"d", b"A", b"S", b"\xf0\x9f\xa4\x96"])
def test_other_keys_are_no_presses(raw: bytes) -> None:
    assert KeyDecoder().take(raw, 1.0) == []


def test_a_key_that_is_held_down_at_the_start_is_no_press() -> None:
    keys = KeyDecoder()
    keys.begin(1.0)
    pressed: list[OperatorAction] = []
    for number in range(200):
        pressed += keys.take(b"s", 1.5 + number * 0.033)
    assert pressed == []
    assert keys.take(b"s", 1.5 + 200 * 0.033 + RELEASED_S) == [START]


@pytest.mark.parametrize(("key", "action"), [(b" ", STOP), (b"q", STOP), (b"h", HOLD), (b"x", CUT)])
def test_a_stop_is_obeyed_from_the_start(key: bytes, action: OperatorAction) -> None:
    keys = KeyDecoder()
    keys.begin(1.0)
    assert keys.take(key, 1.1) == [action]


@given(st.lists(st.tuples(st.binary(max_size=20), st.floats(0.0, 2.0)), max_size=20))
def test_any_bytes_are_presses_or_none(readings: list[tuple[bytes, float]]) -> None:
    keys, now_s = KeyDecoder(), 0.0
    keys.begin(now_s)
    for raw, elapsed_s in readings:
        now_s += elapsed_s
        assert set(keys.take(raw, now_s)) <= set(OperatorAction)


# Keys that steer

STANDING = (0.0, 0.0, 0.0)


def held(keys: KeyDecoder, key: bytes, from_s: float, until_s: float) -> float:
    """Hold a key down as a terminal shows it; returns when it was sent last."""
    now_s = from_s
    while now_s <= until_s:
        keys.take(key, now_s)
        now_s += 0.033
    return now_s - 0.033


@pytest.mark.parametrize(
    ("key", "steered"),
    [
        (b"\x1b[A", (1, 0, 0)),
        (b"\x1bOA", (1, 0, 0)),
        (b"\x1b[B", (-1, 0, 0)),
        (b",", (0, 1, 0)),
        (b".", (0, -1, 0)),
        (b"\x1b[D", (0, 0, 1)),
        (b"\x1b[C", (0, 0, -1)),
        (b"\x1b[A\x1b[A\x1b[A", (1, 0, 0)),
    ],
)
def test_a_key_steers_its_way_while_it_is_held(key: bytes, steered: tuple[int, ...]) -> None:
    keys = KeyDecoder()
    last_s = held(keys, key, 1.0, 4.0)
    assert keys.steered(last_s + 0.99 * RELEASED_S) == tuple(KEY_FRACTION * way for way in steered)
    assert keys.steered(last_s + 1.01 * RELEASED_S) == STANDING


def test_the_opposite_key_steers_the_other_way_at_once() -> None:
    keys = KeyDecoder()
    keys.take(b"\x1b[A", 1.0)
    keys.take(b"\x1b[B", 1.1)
    assert keys.steered(1.1) == (-KEY_FRACTION, 0.0, 0.0)


def test_two_keys_one_after_the_other_steer_together() -> None:
    keys = KeyDecoder()
    keys.take(b"\x1b[A", 1.0)
    keys.take(b"\x1b[D", 1.1)
    assert keys.steered(1.2) == (KEY_FRACTION, 0.0, KEY_FRACTION)


@pytest.mark.parametrize("key", [b"d", b" ", b"\x1b", b"\x1b[1;5A", b"\x1b[A\x1b[B", b",.", b"\x1b[Ah"])
def test_every_other_key_and_pasted_ones_end_all_steering(key: bytes) -> None:
    keys = KeyDecoder()
    keys.take(b"\x1b[A", 1.0)
    keys.take(key, 1.1)
    assert keys.steered(1.1) == STANDING


def test_a_key_that_is_held_down_at_the_start_steers_nothing_until_it_was_let_go() -> None:
    keys = KeyDecoder()
    keys.begin(1.0)
    last_s = held(keys, b"\x1b[A", 1.1, 8.0)
    assert keys.steered(last_s) == STANDING
    keys.take(b"\x1b[A", last_s + 1.01 * RELEASED_S)
    assert keys.steered(last_s + 1.01 * RELEASED_S) == (KEY_FRACTION, 0.0, 0.0)


def test_a_terminal_that_begins_anew_has_let_go_of_what_steered() -> None:
    keys = KeyDecoder()
    keys.take(b",", 1.0)
    keys.begin(1.1)
    assert keys.steered(1.1) == STANDING


def test_no_key_steers_and_presses() -> None:
    assert not set(STEERING_KEYS) & set(KEYS)


@given(st.lists(st.tuples(st.binary(max_size=8) | st.sampled_from([b"\x1b[A", b",", b"\x1bOB"]), st.floats(0.0, 2.0))))
def test_any_bytes_steer_by_the_fraction_of_a_key_or_not(readings: list[tuple[bytes, float]]) -> None:
    keys, now_s = KeyDecoder(), 0.0
    keys.begin(now_s)
    for raw, elapsed_s in readings:
        now_s += elapsed_s
        keys.take(raw, now_s)
        assert set(map(abs, keys.steered(now_s))) <= {0.0, KEY_FRACTION}
