from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.canopen import codec, tables
from drivers.can.canopen.tables import I8, I16, I32, OBJECTS, U8, U16, U32, NmtCommand, Service
from supervisor.core.errors import EncodeError, FrameError

node_ids = st.integers(1, 127)
entries = st.sampled_from(sorted(OBJECTS.values(), key=lambda entry: (entry.index, entry.subindex)))
decoders = [codec.decode_sdo_reply, codec.decode_heartbeat, codec.decode_emergency]


@given(node_ids, entries, st.data())
def test_what_is_written_is_what_reads_back(node_id: int, entry: tables.ObjectEntry, data: st.DataObject) -> None:
    value = data.draw(st.integers(*entry.type.range))
    request = codec.make_write(node_id, entry, value).data
    answer = bytes((0x43 | (4 - entry.type.size) << 2,)) + request[1:]
    reply = codec.decode_sdo_reply(answer)
    assert isinstance(reply, codec.SdoValue)
    assert (reply.index, reply.subindex, reply.number(entry.type)) == (entry.index, entry.subindex, value)


@given(entries, st.integers(1, 1 << 40))
def test_what_does_not_fit_an_object_is_refused(entry: tables.ObjectEntry, excess: int) -> None:
    low, high = entry.type.range
    for value in (low - excess, high + excess, math.nan, math.inf, 0.5):
        with pytest.raises(EncodeError):
            codec.make_write(1, entry, value)  # type: ignore[arg-type]


def test_an_object_of_another_size_is_a_frame_error() -> None:
    reply = codec.decode_sdo_reply(bytes.fromhex("4b41600037020000"))
    assert isinstance(reply, codec.SdoValue)
    assert reply.number(U16) == 567
    for kind in (U8, U32, I8, I32):
        with pytest.raises(FrameError):
            reply.number(kind)


def test_a_read_that_does_not_say_its_size_has_four_bytes() -> None:
    assert codec.decode_sdo_reply(bytes.fromhex("4200100092010200")).data == b"\x92\x01\x02\x00"  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [0, 5, 8])
def test_an_expedited_write_has_one_to_four_bytes(size: int) -> None:
    with pytest.raises(EncodeError):
        codec.make_sdo_write(1, 0x6040, 0, 0, size)


@pytest.mark.parametrize(
    "make",
    [
        lambda: codec.make_nmt(NmtCommand.STOPPED, 128),
        lambda: codec.make_nmt(NmtCommand.STOPPED, -1),
        lambda: codec.make_heartbeat(0, 5),
        lambda: codec.make_heartbeat(1, 6),
        lambda: codec.make_sdo_read(0, 0x1000, 0),
        lambda: codec.make_sdo_read(128, 0x1000, 0),
        lambda: codec.make_sdo_read(1, 0x10000, 0),
        lambda: codec.make_sdo_read(1, -1, 0),
        lambda: codec.make_sdo_read(1, 0x1000, 256),
        lambda: codec.make_sdo_write(1, 0x1000, 0, 256, 1),
        lambda: codec.make_sdo_write(1, 0x1000, 0, -129, 1),
        lambda: codec.make_watch_heartbeat(1, 0, 0.1),
    ],
)
def test_numbers_that_do_not_fit_are_refused(make) -> None:
    with pytest.raises(EncodeError):
        make()


@given(st.integers(0, 65_535))
@example(1001)  # 1000.9999999999999 ms in binary
def test_the_heartbeat_timeout_is_exact_to_the_millisecond(milliseconds: int) -> None:
    data = codec.make_watch_heartbeat(5, 127, milliseconds / 1e3).data
    assert struct.unpack("<BHBHH", data) == (0x23, 0x1016, 1, milliseconds, 127)


@pytest.mark.parametrize("timeout_s", [-0.001, -1e-9, 0.0009, 65.536, math.nan, math.inf])
def test_a_heartbeat_timeout_that_would_not_protect_is_refused(timeout_s: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_watch_heartbeat(5, 127, timeout_s)


@given(st.integers(0, 0x1FFFFFFF), st.booleans(), st.booleans())
def test_only_the_identifiers_that_nodes_send_on_are_theirs(identifier: int, is_extended: bool, is_fd: bool) -> None:
    for number in (identifier, identifier & 0x7FF):
        found = codec.sender(Frame(number, b"", is_extended, is_fd))
        if found is not None:
            assert (found[0].value + found[1], is_extended, is_fd) == (number, False, False)
            assert 1 <= found[1] <= 127


def test_every_service_of_a_node_is_known_and_what_hosts_send_is_not() -> None:
    for service in Service:
        assert codec.sender(Frame(service.value + 5, b"")) == (service, 5)
    for frame in (codec.SYNC, codec.make_nmt(NmtCommand.STOPPED, 5), codec.make_sdo_read(5, 0x1000, 0)):
        assert codec.sender(frame) is None
    for base in tables.RPDO_BASES:
        assert codec.sender(Frame(base + 5, b"")) is None


@given(st.sampled_from(decoders), st.binary(max_size=12))
def test_any_bytes_are_decoded_or_a_frame_error(decode, data: bytes) -> None:
    try:
        decode(data)
    except FrameError:
        is_whole = len(data) == (1 if decode is codec.decode_heartbeat else 8)
        assert not is_whole or decode is not codec.decode_emergency


@given(st.integers(0, 255), st.binary(min_size=7, max_size=7))
def test_segmented_and_block_transfers_are_not_taken_for_answers(command: int, rest: bytes) -> None:
    if command in (0x42, 0x43, 0x47, 0x4B, 0x4F, 0x60, 0x80):
        codec.decode_sdo_reply(bytes((command,)) + rest)
    else:
        with pytest.raises(FrameError):
            codec.decode_sdo_reply(bytes((command,)) + rest)


def test_a_refusal_names_its_reason() -> None:
    reply = codec.decode_sdo_reply(bytes.fromhex("80ff5f0000000206"))
    assert isinstance(reply, codec.SdoAbort)
    assert (reply.index, reply.reason) == (0x5FFF, "no such object")
    assert codec.SdoAbort(0, 0, 0x12345678).reason == "abort code 0x12345678"


def test_types_know_their_range() -> None:
    assert (I16.range, U16.range) == ((-32_768, 32_767), (0, 65_535))


@pytest.mark.parametrize(
    ("frame", "node"),
    [
        (codec.make_nmt(NmtCommand.OPERATIONAL), 0),
        (codec.make_nmt(NmtCommand.OPERATIONAL, 5), 5),
        (codec.SYNC, 0),
        (Frame(0x205, bytes(4)), 5),
        (Frame(0x505, bytes(4)), 5),
        (codec.make_write(5, tables.CONTROLWORD, 6), 5),
        (Frame(0x605, bytes(8)), 5),
        (codec.make_read(5, tables.CONTROLWORD), None),
        (codec.make_segment_read(5, 1), None),
        (codec.make_sdo_abort(5, 0x1008, 0, 0x05040000), None),
        (Frame(0x605, b""), None),
        (Frame(0x000, b""), None),
        (Frame(0x185, bytes(8)), None),
        (Frame(0x205, bytes(4), True), None),
        (Frame(0x205, bytes(4), False, True), None),
    ],
)
def test_frames_of_hosts_command_one_node_all_or_none(frame: Frame, node: int | None) -> None:
    assert codec.commanded_node(frame) == node


def test_long_values_come_in_segments_that_alternate() -> None:
    assert codec.make_segment_read(5, 0).data == bytes.fromhex("6000000000000000")
    assert codec.make_segment_read(5, 1) == Frame(0x605, bytes.fromhex("7000000000000000"))
    assert codec.is_segmented(bytes.fromhex("410810000f000000"), 0x1008, 0)
    assert not codec.is_segmented(bytes.fromhex("410810010f000000"), 0x1008, 0)
    assert not codec.is_segmented(bytes.fromhex("430810000f000000"), 0x1008, 0)
    assert codec.decode_segment(b"\x00seg one") == codec.Segment(0, b"seg one", False)
    assert codec.decode_segment(b"\x1bend\0\0\0\0") == codec.Segment(1, b"en", True)
    assert codec.make_sdo_abort(5, 0x1008, 0, 0x05040000) == Frame(0x605, bytes.fromhex("8008100000000405"))


@given(st.binary(max_size=9))
def test_any_bytes_are_a_segment_or_a_frame_error(data: bytes) -> None:
    try:
        segment = codec.decode_segment(data)
    except FrameError:
        assert len(data) != 8 or data[0] >= 0x20
    else:
        assert segment.toggle in (0, 1)
        assert len(segment.data) <= 7
