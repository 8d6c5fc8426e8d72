from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can import link_settings
from drivers.can.link_settings import LinkSettings, parse_reply, read_link

NEW_LINK, UP = 16, 1
NAME, QUEUE, LINK_INFO, INFO_KIND, INFO_DATA = 3, 13, 18, 1, 2
BIT_TIMING, STATE, MODE, RESTART, DATA_BIT_TIMING = 1, 4, 5, 6, 9


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def word(kind: int, number: int) -> bytes:
    return attribute(kind, struct.pack("=I", number))


def reply(*attributes: bytes, kind: int = NEW_LINK, flags: int = UP) -> bytes:
    body = struct.pack("=BxHiII", 0, 280, 3, flags, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def card(*attributes: bytes) -> bytes:
    """What the kernel says about a controller."""
    return attribute(LINK_INFO, attribute(INFO_KIND, b"can\0") + attribute(INFO_DATA | 0x8000, b"".join(attributes)))


def test_a_card_tells_how_it_is_set_up() -> None:
    timing, data_timing = (struct.pack("=8I", rate, 750, 125, 2, 3, 2, 1, 1) for rate in (1_000_000, 5_000_000))
    answer = reply(
        attribute(NAME, b"can0\0"),
        word(QUEUE, 10),
        card(
            attribute(BIT_TIMING, timing),
            word(STATE, 0),
            attribute(MODE, struct.pack("=II", 0xFFFF, 0x20)),
            word(RESTART, 100),
            attribute(DATA_BIT_TIMING, data_timing),
        ),
    )
    assert parse_reply(answer) == LinkSettings(
        is_up=True, queue_frames=10, bitrate_bps=1_000_000, data_bitrate_bps=5_000_000, is_fd=True, restart_ms=100
    )


def test_a_card_that_left_the_bus_or_only_listens_says_so() -> None:
    answer = reply(card(word(STATE, 3), attribute(MODE, struct.pack("=II", 0, 0x02))))
    assert parse_reply(answer) == LinkSettings(is_up=True, is_bus_off=True, is_listen_only=True)


def test_a_virtual_interface_has_no_rates() -> None:
    answer = reply(attribute(NAME, b"vcan0\0"), attribute(LINK_INFO, attribute(INFO_KIND, b"vcan\0")), flags=0)
    assert parse_reply(answer) == LinkSettings()


def test_an_error_is_no_interface() -> None:
    assert parse_reply(reply(kind=2)) is None


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    parse_reply(data)
    assert isinstance(parse_reply(reply(data)), LinkSettings)
    assert isinstance(parse_reply(reply(card(data))), LinkSettings)


@given(st.integers(0, 120))
def test_an_answer_may_end_anywhere(size: int) -> None:
    parse_reply(reply(word(QUEUE, 10), card(word(STATE, 3), word(RESTART, 1)))[:size])


def test_the_kernel_knows_its_loopback() -> None:
    loopback = read_link("lo")
    assert loopback is not None
    assert (loopback.bitrate_bps, loopback.restart_ms) == (0, 0)
    assert loopback.queue_frames > 0


def test_an_interface_that_is_not_there_is_none() -> None:
    assert read_link("can_not_there") is None
    assert read_link("a_name_that_is_much_longer_than_any") is None


def test_a_kernel_that_cannot_be_asked_is_no_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(link_settings.socket, "socket", refuse)
    assert read_link("lo") is None
