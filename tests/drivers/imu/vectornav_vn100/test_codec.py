from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.vectornav_vn100 import codec
from drivers.imu.vectornav_vn100.tables import FRAME_BYTES, GROUPS, TEXT_FIELDS
from supervisor.core.errors import FrameError
from tests.drivers.imu.units import STILL, vectornav, vectornav_binary, vectornav_text

masks = st.dictionaries(st.sampled_from(sorted(GROUPS)), st.integers(1, 0x7FFF), min_size=1).map(
    lambda found: {group: mask & (1 << len(GROUPS[group])) - 1 or 1 for group, mask in found.items()}
)


def header(found: dict[int, int]) -> bytes:
    used = sorted(found.items())
    return bytes((sum(1 << group for group, _ in used),)) + b"".join(struct.pack("<H", mask) for _, mask in used)


@given(masks, st.randoms(use_true_random=False))
def test_any_set_of_fields_is_as_long_as_its_layout_says(found: dict[int, int], random) -> None:
    names = [name for group, mask in sorted(found.items()) for name in names_of(group, mask)]
    size = sum(
        struct.calcsize("<" + GROUPS[group][bit][1])
        for group, mask in found.items()
        for bit in range(16)
        if mask >> bit & 1
    )
    packet = vectornav_binary(header(found), random.randbytes(size))
    assert codec.FrameParser().feed(packet) == [packet]
    binary = codec.decode_binary(packet)
    assert binary.masks == tuple(mask for _, mask in sorted(found.items()))
    assert set(binary.fields) == set(names)


def names_of(group: int, mask: int) -> list[str]:
    return [name for bit, (name, _) in enumerate(GROUPS[group]) if mask >> bit & 1]


@pytest.mark.parametrize(
    "head", [b"\x00", b"\x80\x01\x00", b"\x81\x01\x00\x01\x00", b"\x01\x00\x00", b"\x01\x00\x80", b"\x10\x00\x02"]
)
def test_groups_and_fields_that_are_not_known_are_refused_at_once(head: bytes) -> None:
    parser = codec.FrameParser()
    good = vectornav(*STILL, 1)
    assert parser.feed(b"\xfa" + head + good) == [good]
    assert parser.rejected == {"header": 1}
    with pytest.raises(FrameError):
        codec.decode_binary(vectornav_binary(head, bytes(12)))


@pytest.mark.parametrize("packet", ["binary", "vnymr", "vnqmr"])
def test_a_sample_is_as_long_as_the_load_is_computed_with(packet: str) -> None:
    short_checksum = 2 * (packet == "vnqmr")
    assert len(vectornav(*STILL, 1, packet)) + short_checksum == FRAME_BYTES[packet]


@given(st.binary(max_size=80))
def test_decoding_raises_nothing_but_frame_errors(data: bytes) -> None:
    for decode in (codec.decode_binary, codec.decode_text):
        with pytest.raises(FrameError):
            decode(data)


@given(
    st.sampled_from([*TEXT_FIELDS, "VNERR", "VNRRG", "VN"]), st.lists(st.text("+-.0123456789eEnaifSTxX_", max_size=9))
)
def test_text_with_any_words_raises_nothing_but_frame_errors(kind: str, words: list[str]) -> None:
    line = vectornav_text(",".join([kind, *words]))
    if len(line) >= 512:
        return
    text = codec.decode_text(line)
    assert text == (kind, tuple(words), True)
    with contextlib.suppress(FrameError):
        codec.measure(codec.decode_streamed(text))
    with contextlib.suppress(FrameError):
        assert 0 <= codec.decode_error(text) <= 255


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"$VNYPR,+001.000*00\r\n", "checksum"),
        (b"$VNYPR,+001.000*0000\r\n", "checksum"),
        (b"$VNYPR,+001.000*0\r\n", "text"),
        (b"$VNYPR,+001.000\r\n", "text"),
        (b"$GPGGA,1*56\r\n", "text"),
        (b"$VNYPR,1*4A*4A\r\n", "text"),
        (b"$VNYPR,1*4A\n\n", "text"),
        (b"$VNYPR\x00,1*4A\r\n", "text"),
        (b"$" + 600 * b"V", "length"),
    ],
)
def test_text_that_is_none_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    parser = codec.FrameParser()
    good = vectornav(*STILL, 1, "vnymr")
    assert parser.feed(line + good) == [good]
    assert parser.rejected == {reason: 1}
    with pytest.raises(FrameError):
        codec.decode_text(line)


def test_text_and_binary_may_share_a_line() -> None:
    parts = [
        vectornav(*STILL, 1),
        vectornav(*STILL, 1, "vnymr"),
        vectornav_text("VNRRG,01,VN-100", 2),
        vectornav(*STILL, 2),
    ]
    assert codec.FrameParser().feed(b"".join(parts)) == parts


@pytest.mark.parametrize("check", ["XX", "XXXX"])
def test_a_message_without_a_checksum_says_so(check: str) -> None:
    line = f"$VNYPR,+001.000,+002.000,+003.000*{check}\r\n".encode()
    assert codec.FrameParser().feed(line) == [line]
    assert not codec.decode_text(line).is_checked


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (("1", "2"), "2 parameters, not 3"),
        (("1", "2", "3", "4"), "4 parameters, not 3"),
        (("1", "x", "3"), "could not convert"),
    ],
)
def test_streamed_text_with_wrong_numbers_says_why(parameters: tuple[str, ...], message: str) -> None:
    with pytest.raises(FrameError, match=message):
        codec.decode_streamed(codec.Text("VNYPR", parameters, True))


def test_a_status_or_time_appended_to_a_message_is_left_out() -> None:
    text = codec.Text("VNYPR", ("1", "2", "3", "S0000", "T00000001"), True)
    assert codec.decode_streamed(text) == {"ypr_deg": (1.0, 2.0, 3.0)}


def test_other_messages_are_no_stream_and_no_error() -> None:
    with pytest.raises(FrameError):
        codec.decode_streamed(codec.Text("VNRRG", ("1",), True))
    for parameters in ((), ("xy",), ("-1",), ("123",)):
        with pytest.raises(FrameError):
            codec.decode_error(codec.Text("VNERR", parameters, True))


@pytest.mark.parametrize(
    ("status", "is_doubtful"),
    [(0, False), (1, False), (2, True), (3, True), (1 << 2, True), (1 << 3, True), (1 << 4, False), (1 << 9, True)],
)
def test_saturation_and_bad_attitude_are_doubtful(status: int, is_doubtful: bool) -> None:
    assert codec.measure({"vpe_status": (status,)}).is_doubtful == is_doubtful


def test_angles_are_yaw_pitch_and_roll_in_a_world_with_z_down() -> None:
    # Nose down by 90 degrees and upright: the unit's x axis points down.
    w, x, y, z = codec.measure({"ypr_deg": (0.0, -90.0, 0.0)}).orientation_imu_in_world_wxyz
    assert (2 * (x * z - w * y), 2 * (y * z + w * x)) == pytest.approx((-1.0, 0.0))
    assert all(map(math.isnan, codec.measure({"ypr_deg": (math.nan, 0, 0)}).orientation_imu_in_world_wxyz))
