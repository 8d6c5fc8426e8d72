"""Dynamixel protocol 2.0: `drivers.serial.dynamixel` against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.serial.dynamixel import codec as dynamixel
from drivers.serial.dynamixel import instructions
from drivers.serial.dynamixel.crc import crc16
from supervisor.core.errors import FrameError
from tests.drivers.vector_adapters import Case, UnknownOperationError

Inputs = Mapping[str, Any]


def without_stuffing(packet: dynamixel.Packet) -> bytes:
    """The packet as it is before bytes are stuffed."""
    body = bytes((packet.instruction,)) + packet.params
    whole = b"\xff\xff\xfd\x00" + bytes((packet.id,)) + (len(body) + 2).to_bytes(2, "little") + body
    return whole + crc16(whole).to_bytes(2, "little")


def assert_packet(found: bytes, case: Case) -> None:
    """Compare a packet with the vector's, byte by byte.

    The vectors' reference works out the stuffing of what it sends and then drops it, against the manual and against
    the vectors' own note: its packet may also be ours from before the stuffing.
    """
    accepted = (case["bytes"], *case.get("alt_data", ()))
    if found.hex() in accepted:
        return
    assert b"\xff\xff\xfd" in found[4:], f"bytes {found.hex()}, expected {case['bytes']}"
    (packet,) = dynamixel.PacketParser().feed(found)
    assert without_stuffing(packet).hex() in accepted


def data_of(item: Inputs, length: int) -> bytes:
    if "data" in item:
        data = bytes.fromhex(item["data"])
        if "value" in item:
            assert data == dynamixel.pack(item["value"], length, is_signed=item["value"] < 0)
        return data
    return dynamixel.pack(item["value"], length, is_signed=item["value"] < 0)


def sync_write(i: Inputs) -> bytes:
    items = [(item["id"], data_of(item, i["length"])) for item in i["items"]]
    return instructions.make_sync_write(i["address"], i["length"], items)


def bulk_items(i: Inputs) -> list[instructions.BulkItem]:
    return [instructions.BulkItem(item["id"], item["address"], item["length"]) for item in i["items"]]


def bulk_write(i: Inputs) -> bytes:
    return instructions.make_bulk_write(
        [(item["id"], item["address"], data_of(item, item["length"])) for item in i["items"]]
    )


ENCODE: Mapping[str, Callable[[Inputs], bytes]] = {
    "ping": lambda i: instructions.make_ping(i["id"]),
    "read": lambda i: instructions.make_read(i["id"], i["address"], i["length"]),
    "write": lambda i: instructions.make_write(i["id"], i["address"], data_of(i, i["length"])),
    "write_stuffing": lambda i: instructions.make_write(i["id"], i["address"], data_of(i, i["length"])),
    "reg_write": lambda i: instructions.make_reg_write(i["id"], i["address"], data_of(i, i["length"])),
    "action": lambda i: instructions.make_action(i["id"]),
    "reboot": lambda i: instructions.make_reboot(i["id"]),
    "factory_reset": lambda i: instructions.make_factory_reset(i["id"], i["option"]),
    "clear_multi_turn": lambda i: instructions.make_clear_multi_turn(i["id"]),
    "sync_write": sync_write,
    "sync_read": lambda i: instructions.make_sync_read(i["address"], i["length"], i["ids"]),
    "fast_sync_read": lambda i: instructions.make_fast_sync_read(i["address"], i["length"], i["ids"]),
    "bulk_read": lambda i: instructions.make_bulk_read(bulk_items(i)),
    "fast_bulk_read": lambda i: instructions.make_fast_bulk_read(bulk_items(i)),
    "bulk_write": bulk_write,
}


def parsed(case: Case) -> list[dynamixel.Packet]:
    """The packets in the vector's bytes, whether they come at once or one by one."""
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = dynamixel.PacketParser(), dynamixel.PacketParser()
    packets = at_once.feed(data)
    assert [packet for byte in data for packet in by_byte.feed(bytes((byte,)))] == packets
    return packets


def statuses(packets: list[dynamixel.Packet]) -> list[dynamixel.Status]:
    found: list[dynamixel.Status] = []
    for packet in packets:
        try:
            found.append(dynamixel.decode_status(packet))
        except FrameError:
            continue
    return found


def check_status(case: Case) -> None:
    answers, expect = statuses(parsed(case)), case["expect"]
    if not expect["valid"]:
        assert answers == []
        return
    (status,) = answers
    found = {
        "valid": True,
        "id": status.id,
        "error_code": status.error_code,
        "error": dynamixel.error_name(status.error_code),
        "alert": status.has_alert,
        "params": status.data.hex(),
    }
    assert {key: found[key] for key in expect if key != "reason"} == {
        key: value for key, value in expect.items() if key != "reason"
    }


def check_fast(case: Case, asked: list[tuple[int, int]]) -> None:
    packets, expect = parsed(case), case["expect"]
    assert statuses(packets) == []
    if not expect["valid"]:
        for packet in packets:
            with pytest.raises(FrameError):
                dynamixel.decode_fast_status(packet, asked)
        return
    (packet,) = packets
    answers = dynamixel.decode_fast_status(packet, asked)
    found = [
        {"id": answer.id, "error": answer.error_code | answer.has_alert << 7, "data": answer.data.hex()}
        for answer in answers
    ]
    assert found == expect["servos"]


def check_fast_sync(case: Case) -> None:
    check_fast(case, [(servo_id, case["inputs"]["length"]) for servo_id in case["inputs"]["ids"]])


def check_fast_bulk(case: Case) -> None:
    check_fast(case, [(item["id"], item["length"]) for item in case["inputs"]["items"]])


DECODE: Mapping[str, Callable[[Case], None]] = {
    "status": check_status,
    "status_invalid": check_status,
    "fast_sync_status": check_fast_sync,
    "fast_bulk_status": check_fast_bulk,
}


def check(case: Case) -> None:
    if case["direction"] == "encode" and case["op"] in ENCODE:
        assert_packet(ENCODE[case["op"]](case["inputs"]), case)
    elif case["direction"] == "decode" and case["op"] in DECODE:
        DECODE[case["op"]](case)
    else:
        raise UnknownOperationError(case["op"])
