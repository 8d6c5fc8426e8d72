from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.hipnuc import codec
from drivers.imu.hipnuc.tables import HI83_FIELDS
from supervisor.core.errors import FrameError
from tests.drivers.fake_devices import hi91, hipnuc_frame

payloads = st.binary(max_size=506)


def crc_by_hand(data: bytes) -> int:
    """CRC-16/XMODEM bit by bit, apart from the library's."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def accepted_by_hand(frame: bytes) -> bool:
    return crc_by_hand(frame[:4] + frame[6:]) == struct.unpack_from("<H", frame, 4)[0]


def feed_in_parts(data: bytes, sizes: list[int]) -> tuple[codec.FrameParser, list[bytes]]:
    parser = codec.FrameParser()
    found: list[bytes] = []
    at = 0
    for size in sizes:
        found += parser.feed(data[at : at + size])
        at += size
    return parser, found + parser.feed(data[at:])


def test_the_check_value_of_the_checksum() -> None:
    assert codec.frame_crc(b"1234", b"56789") == crc_by_hand(b"123456789") == 0x31C3


@given(payloads)
def test_any_payload_comes_back(payload: bytes) -> None:
    frame = hipnuc_frame(payload)
    assert accepted_by_hand(frame)
    assert codec.FrameParser().feed(frame) == [payload]


@given(
    st.lists(st.one_of(st.binary(max_size=40), payloads.map(hipnuc_frame)), max_size=6), st.lists(st.integers(0, 99))
)
def test_however_the_bytes_are_cut_the_frames_are_the_same(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    whole = codec.FrameParser()
    expected = whole.feed(data)
    parser, found = feed_in_parts(data, sizes)
    assert found == expected
    assert (parser.frames, parser.rejected, parser.dropped_bytes) == (whole.frames, whole.rejected, whole.dropped_bytes)


@given(st.binary(max_size=3000))
def test_noise_never_raises_never_grows_and_never_passes_a_bad_checksum(data: bytes) -> None:
    parser = codec.FrameParser()
    found = parser.feed(data)
    taken = sum(len(payload) + 6 for payload in found)
    assert 0 <= len(data) - taken - parser.dropped_bytes <= 511
    for payload in found:
        assert hipnuc_frame(payload) in data


@given(st.binary(max_size=200).map(hipnuc_frame), st.data())
def test_one_flipped_bit_is_never_accepted(frame: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 1 << bit % 8
    assert frame[6:] not in codec.FrameParser().feed(bytes(damaged) + bytes(600))


def test_a_good_frame_after_a_damaged_one_is_found() -> None:
    bad = bytearray(hi91(time_ms=1))
    bad[20] ^= 0xFF
    good = hi91(time_ms=2)
    parser = codec.FrameParser()
    assert parser.feed(bytes(bad) + good) == [good[6:]]
    assert (parser.rejected, parser.dropped_bytes, parser.frames) == ({"checksum": 1}, 82, 1)


def test_a_good_frame_inside_a_frame_with_a_wrong_length_is_found() -> None:
    good = hi91()
    wrong = b"\x5a\xa5\xff\x00\x00\x00"
    parser = codec.FrameParser()
    assert parser.feed(wrong + good) == []
    assert parser.feed(4 * good) == [good[6:]] * 5


def test_a_length_that_cannot_be_is_skipped_at_once() -> None:
    good = hi91()
    assert codec.FrameParser().feed(b"\x5a\xa5\xfb\x01\x00\x00" + good) == [good[6:]]


def test_half_a_header_at_the_end_is_kept() -> None:
    parser = codec.FrameParser()
    good = hi91()
    assert parser.feed(b"xyz" + good[:1]) == []
    assert parser.feed(good[1:]) == [good[6:]]
    assert parser.dropped_bytes == 3


@given(payloads)
def test_decoding_any_payload_never_raises(payload: bytes) -> None:
    codec.decode_packets(payload)


@given(st.sampled_from([0x91, 0x83, 0x81]), payloads)
def test_decoding_a_payload_that_starts_like_a_packet_never_raises(tag: int, payload: bytes) -> None:
    codec.decode_packets(bytes((tag,)) + payload)


def test_several_packets_in_one_frame_are_all_decoded_and_strangers_skipped() -> None:
    packet = hi91()[6:]
    assert len(codec.decode_packets(b"\x00\x01" + packet + b"\x42" + packet)) == 2


def test_a_packet_cut_short_is_a_frame_error() -> None:
    for decode, tag in ((codec.decode_hi91, 0x91), (codec.decode_hi83, 0x83), (codec.decode_hi81, 0x81)):
        with pytest.raises(FrameError):
            decode(bytes((tag, 0, 0)))


@given(st.sets(st.sampled_from(sorted(HI83_FIELDS))))
def test_hi83_has_the_fields_that_its_bitmap_names(bits: set[int]) -> None:
    layouts = [HI83_FIELDS[bit][1] for bit in sorted(bits)]
    size = sum(struct.calcsize("<" + layout) for layout in layouts)
    payload = struct.pack("<BHBI", 0x83, 16, 0, sum(1 << bit for bit in bits)) + bytes(size)
    packet, taken = codec.decode_hi83(payload + b"\x00\x00")
    assert set(packet.fields) == {HI83_FIELDS[bit][0] for bit in bits}
    assert taken == len(payload)


@pytest.mark.parametrize("bit", [20, 25, 29])
def test_hi83_with_fields_that_only_the_vendor_knows_is_refused(bit: int) -> None:
    with pytest.raises(FrameError, match="unknown bits"):
        codec.decode_hi83(struct.pack("<BHBI", 0x83, 0, 0, 1 << bit) + bytes(100))


def test_hi83_of_early_firmware_has_four_bytes_of_time() -> None:
    payload = struct.pack("<BHBI3fI", 0x83, 0, 0, 0b100001, 1.0, 2.0, 3.0, 77)
    packet, taken = codec.decode_hi83(payload)
    assert packet.fields == {"acc_m_per_s2": (1.0, 2.0, 3.0), "time_us": (77,)}
    assert taken == len(payload)


def test_hi81_is_scaled_from_fixed_point() -> None:
    head = struct.pack("<BHBHIH", 0x81, 8, 1, 0, 0, 0)
    motion = struct.pack("<9h", 1000, -1000, 0, 2048, 0, -2048, 100, 0, -100)
    rest = struct.pack("<hhb5BHhhH4h", 1325, 0, 35, 0, 0, 0, 0, 0, 0, 100, -200, 9000, 10_000, 0, 0, -5000)
    payload = (head + motion + rest).ljust(104, b"\0")
    packet = codec.decode_hi81(payload)
    assert packet.gyro_rad_per_s == pytest.approx((1.0, -1.0, 0.0))
    assert packet.acc_m_per_s2 == pytest.approx((10.0, 0.0, -10.0), abs=1e-3)
    assert packet.quat_wxyz == pytest.approx((1.0, 0.0, 0.0, -0.5))
    assert packet.rpy_deg == pytest.approx((1.0, -2.0, 90.0))
    assert (packet.pressure_pa, packet.temperature_degc, packet.main_status) == (101_325.0, 35, 8)
    assert codec.decode_packets(payload) == [packet]


def test_values_that_are_no_numbers_come_through() -> None:
    packet = codec.decode_hi91(hi91(quat_wxyz=(math.nan, math.inf, 0.0, 0.0))[6:])
    assert math.isnan(packet.quat_wxyz[0])
    assert math.isinf(packet.quat_wxyz[1])
