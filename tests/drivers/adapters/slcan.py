"""Serial-line CAN adapters: `drivers.can.slcan` against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.bus import Frame
from drivers.can.slcan import codec, tables
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close


def send(i: Mapping[str, Any]) -> bytes:
    if i["is_remote"]:
        return codec.encode_remote(i["arbitration_id"], i["dlc"], is_extended=i["is_extended"])
    frame = Frame(i["arbitration_id"], bytes.fromhex(i["data"]), i["is_extended"], i["is_fd"])
    return codec.encode_frame(frame, bitrate_switch=i["bitrate_switch"])


ENCODERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "send": send,
    "set_bitrate": lambda i: codec.encode_set_bitrate(i["bitrate"]),
    "set_bitrate_fd": lambda i: codec.encode_set_bitrate(i["bitrate"], i["data_bitrate"]),
    "open": lambda i: codec.encode_open(listen_only=i["listen_only"]),
    "close": lambda i: tables.CLOSE,
    "version": lambda i: tables.READ_VERSION,
    "serial_number": lambda i: tables.READ_SERIAL_NUMBER,
    "status": lambda i: tables.READ_STATUS,
}


def check_receive(case: Case) -> None:
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = codec.LineParser(), codec.LineParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    assert by_byte == at_once
    wanted = case["expect"]["frames"]
    assert len(frames) == len(wanted)
    for frame, expected in zip(frames, wanted, strict=True):
        found = {**frame._asdict(), "dlc": frame.length, "data": frame.data.hex()}
        for key, value in expected.items():
            assert_close(found[key], value, 0.0, key)


def check(case: Case) -> None:
    """Bytes in and frames out, or inputs in and bytes out."""
    if case["op"] == "receive":
        check_receive(case)
        return
    encode = ENCODERS.get(case["op"])
    if encode is None:
        raise UnknownOperationError(case["op"])
    data = encode(case["inputs"])
    assert data.hex() in (case["bytes"], *case.get("alt_data", ()))
    if case["op"] == "send":
        (back,) = codec.LineParser().feed(data)
        assert back.data.hex() == case["inputs"]["data"]
