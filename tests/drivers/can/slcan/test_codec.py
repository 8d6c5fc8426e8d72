from __future__ import annotations

import can
import pytest
from can.interfaces.slcan import slcanBus
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.slcan import codec, tables
from supervisor.core.errors import EncodeError, FrameError

LINE_BYTES = b"0123456789ABCDEFabcdeftTrRdDbBzZVNF\r\a +_-\x00\xff"


@st.composite
def frames(draw: st.DrawFn) -> tuple[Frame, bool]:
    is_extended, is_fd = draw(st.booleans()), draw(st.booleans())
    size = draw(st.sampled_from(tables.LENGTHS if is_fd else tables.LENGTHS[:9]))
    identifier = draw(st.integers(0, 0x1FFFFFFF if is_extended else 0x7FF))
    data = draw(st.binary(min_size=size, max_size=size))
    return Frame(identifier, data, is_extended, is_fd), is_fd and draw(st.booleans())


streams = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(LINE_BYTES), max_size=400).map(bytes),
    st.lists(st.one_of(st.binary(max_size=9), frames().map(lambda f: codec.encode_frame(*f[:1]))), max_size=8).map(
        b"".join
    ),
)


@given(frames())
def test_any_frame_comes_back(given_frame: tuple[Frame, bool]) -> None:
    frame, switch = given_frame
    (found,) = codec.LineParser().feed(codec.encode_frame(frame, bitrate_switch=switch))
    assert found[:2] == frame[:2]
    assert (found.is_extended, found.is_fd, found.bitrate_switch) == (frame.is_extended, frame.is_fd, switch)
    assert (found.length, found.is_remote, found.timestamp_ms) == (len(frame.data), False, None)


@given(st.integers(0, 0x7FF), st.integers(0, 8))
def test_a_remote_frame_comes_back(identifier: int, length: int) -> None:
    (found,) = codec.LineParser().feed(codec.encode_remote(identifier, length))
    assert (found.arbitration_id, found.length, found.is_remote, found.data) == (identifier, length, True, b"")


@given(streams, st.lists(st.integers(0, 60), max_size=8))
def test_any_bytes_are_taken_and_however_they_are_cut_the_outcome_is_the_same(data: bytes, sizes: list[int]) -> None:
    whole, cut = codec.LineParser(), codec.LineParser()
    expected = whole.feed(data)
    found, at = [], 0
    for size in sizes:
        found += cut.feed(data[at : at + size])
        at += size
    found += cut.feed(data[at:])
    assert found == expected
    assert cut == whole
    assert len(whole._rest) <= tables.MAXIMUM_LINE_BYTES


@given(streams, frames())
def test_after_any_bytes_and_an_end_of_line_the_next_frame_is_found(
    garbage: bytes, given_frame: tuple[Frame, bool]
) -> None:
    parser = codec.LineParser()
    parser.feed(garbage + b"\r")
    (found,) = parser.feed(codec.encode_frame(given_frame[0]))
    assert found.data == given_frame[0].data


@given(frames(), st.integers(0, 200), st.integers(1, 20))
def test_a_line_with_bytes_missing_gives_no_frame_or_one_of_exact_form(
    given_frame: tuple[Frame, bool], start: int, size: int
) -> None:
    line = codec.encode_frame(given_frame[0])[:-1]
    damaged = line[:start] + line[start + size :] + b"\r"
    for frame in codec.LineParser().feed(damaged):
        assert len(frame.data) == frame.length


@pytest.mark.parametrize(
    "line",
    [
        b"t1239" + b"00" * 9,  # DLC 9 in a classic frame
        b"t1239" + b"00" * 12,  # what it would stand for in an FD frame
        b"t12321",  # too short
        b"t1231AAB",  # a digit too many
        b"t1231AA12345",  # more than a time stamp
        b"t8000",  # 12 bits of identifier
        b"T200000000",  # 30 bits
        b"t+231AA",  # int() would take the sign
        b"t1231A ",  # fromhex() would take the blank
        b"t1_31AA",
        b"t12",
        b"t",
        b"d1239" + b"00" * 11,
        b"x1231AA",
        b" t1231AA",
        b"t1231AAt1231AA",  # a lost end of line
        b"r12381122334455667788",  # data in a remote frame
        "t123é".encode(),
    ],
)
def test_a_damaged_line_is_counted_and_thrown_away(line: bytes) -> None:
    with pytest.raises(FrameError):
        codec.decode_line(line)
    parser = codec.LineParser()
    assert parser.feed(line + b"\r") == []
    assert (parser.bad_lines, parser.dropped_bytes, parser.frames) == (1, len(line), 0)


def test_acknowledgements_refusals_and_replies_are_told_apart() -> None:
    parser = codec.LineParser()
    assert parser.feed(b"z\rZ\r\r\aV1013\rt12\aF28\r") == []
    assert (parser.acknowledged, parser.refused, parser.bad_lines) == (3, 2, 1)
    assert codec.decode_status(parser.reply) == ("DATA_OVERRUN", "ERROR_PASSIVE")


@pytest.mark.parametrize("line", [b"", b"F", b"F1", b"F123", b"FXY", b"V12", b"F+1"])
def test_what_is_no_status_is_a_frame_error(line: bytes) -> None:
    with pytest.raises(FrameError):
        codec.decode_status(line)


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    parser = codec.LineParser()
    for _ in range(1000):
        assert parser.feed(b"A" * 100) == []
    assert parser.dropped_bytes == 100_000 - len(parser._rest)
    assert parser.oversize_lines == 1
    assert [frame.arbitration_id for frame in parser.feed(b"\rt1231AA\r")] == [0x123]


def test_the_time_stamp_is_read() -> None:
    assert codec.decode_line(b"t1232AABBEA5F").timestamp_ms == 59_999


@pytest.mark.parametrize(
    ("frame", "switch"),
    [
        (Frame(0x800, b""), False),
        (Frame(-1, b""), False),
        (Frame(0x20000000, b"", True), False),
        (Frame(1, bytes(9)), False),
        (Frame(1, bytes(9), is_fd=True), False),
        (Frame(1, bytes(65), is_fd=True), False),
        (Frame(1, b""), True),
    ],
)
def test_a_frame_that_cannot_be_is_refused(frame: Frame, switch: bool) -> None:
    with pytest.raises(EncodeError):
        codec.encode_frame(frame, bitrate_switch=switch)


@pytest.mark.parametrize(("identifier", "length"), [(0x800, 0), (-1, 0), (1, 9), (1, -1)])
def test_a_remote_frame_that_cannot_be_is_refused(identifier: int, length: int) -> None:
    with pytest.raises(EncodeError):
        codec.encode_remote(identifier, length)


@pytest.mark.parametrize("rates", [(0, None), (1_000_001, None), (1_000_000, 0), (1_000_000, 8_000_000)])
def test_a_bit_rate_without_a_letter_is_refused(rates: tuple[int, int | None]) -> None:
    with pytest.raises(EncodeError):
        codec.encode_set_bitrate(*rates)


def test_listening_and_sending_open_differently() -> None:
    assert (codec.encode_open(), codec.encode_open(listen_only=True)) == (b"O\r", b"L\r")


def test_python_can_sends_what_we_understand_and_understands_what_we_send() -> None:
    with slcanBus("loop://", bitrate=500_000, sleep_after_open=0) as bus:
        port = bus.serialPortOrig
        assert port.read(99) == codec.encode_set_bitrate(500_000) + codec.encode_open()
        for frame in (Frame(0x123, b"\x0a\x0b"), Frame(0x12345678, bytes(8), is_extended=True)):
            bus.send(can.Message(arbitration_id=frame[0], data=frame.data, is_extended_id=frame.is_extended))
            sent = port.read(99)
            assert sent == codec.encode_frame(frame)
            port.write(sent)
            message = bus.recv(timeout=1.0)
            assert message is not None
            assert (message.arbitration_id, message.data, message.is_extended_id) == frame[:3]
