from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.moteus import console
from drivers.can.moteus.codec import Address
from drivers.can.moteus.settings import SETTINGS
from drivers.can.moteus.tables import CONF_RATIO
from supervisor.core.errors import EncodeError

MOTOR = Address(5)


def test_what_is_typed_is_not_answered_and_a_wish_to_listen_is() -> None:
    said, listened = console.make_say(MOTOR, b"tel stop\n"), console.make_listen(MOTOR)
    assert (said.arbitration_id, said.data.hex()) == (5, "400109" + b"tel stop\n".hex())
    assert (listened.arbitration_id, listened.data.hex()) == (0x8005, "420130")
    assert said.is_fd
    assert not said.is_extended


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_asked_for_in_one_frame(name: str) -> None:
    frame = console.make_ask_setting(MOTOR, name)
    assert frame.data[3 : 3 + frame.data[2]] == f"conf get {name}\n".encode()
    assert len(frame.data) <= 64


@pytest.mark.parametrize("name", ["", "a b", "servo.kp\nd pos 0 0 9", "kp;", "größe", "a." + "b" * 60])
def test_what_is_no_name_of_a_setting_is_not_typed(name: str) -> None:
    with pytest.raises(EncodeError):
        console.make_ask_setting(MOTOR, name)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != CONF_RATIO])
def test_every_setting_but_the_gear_ratio_is_set_in_one_frame(name: str) -> None:
    frame = console.make_set_setting(MOTOR, name, -0.1591549)
    assert frame.data[3 : 3 + frame.data[2]] == f"conf set {name} -0.159155\n".encode()
    assert len(frame.data) <= 64


@pytest.mark.parametrize(("name", "value"), [("a b", 1.0), ("servo.kp 1\nconf", 1.0), ("servo.kp", math.inf)])
def test_what_is_no_setting_is_not_set(name: str, value: float) -> None:
    with pytest.raises(EncodeError):
        console.make_set_setting(MOTOR, name, value)


def test_text_is_found_and_so_is_its_absence() -> None:
    assert console.heard_text(bytes.fromhex("410105") + b"4.0\r\n" + b"\x50\x50") == b"4.0\r\n"
    assert console.heard_text(bytes.fromhex("410100505050")) == b""


@pytest.mark.parametrize("text", ["", "41", "4101", "410205aabbccddee", "410106aabbccddee", "400101aa", "2404000a00"])
def test_what_is_no_text_of_the_console_is_none(text: str) -> None:
    assert console.heard_text(bytes.fromhex(text)) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_text_or_none(data: bytes) -> None:
    text = console.heard_text(data)
    assert text is None or text in data


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"4.000000\r\n", 4.0),
        (b"-0.01", -0.01),
        (b"12", 12.0),
        (b"inf", None),
        (b"-inf", None),
        (b"OK", None),
        (b"ERR unknown group", None),
        (b"", None),
        (b"4.0 5.0", None),
        (b"\xff\xfe", None),
    ],
)
def test_a_line_is_a_number_or_none(line: bytes, expected: float | None) -> None:
    assert console.setting_value(line) == expected


def test_nan_is_a_value() -> None:
    assert math.isnan(console.setting_value(b"nan\r\n") or 0.0)
