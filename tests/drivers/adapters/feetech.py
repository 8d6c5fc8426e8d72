"""Feetech STS and SCS servos: `drivers.serial.feetech` against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.serial.feetech import codec as feetech
from drivers.serial.feetech import instructions
from drivers.serial.framing import Packet
from tests.drivers.vector_adapters import Case, UnknownOperationError

Inputs = Mapping[str, Any]

SIGN_BITS = {"bit15": 15, "bit11": 11, "bit10": 10}


def sts_goal(i: Inputs) -> instructions.StsGoal:
    return instructions.StsGoal(i["id"], i["position"], i["speed"], i["acc"])


def scs_goal(i: Inputs) -> instructions.ScsGoal:
    return instructions.ScsGoal(i["id"], i["position"], i["time"], i["speed"])


def data(i: Inputs) -> bytes:
    return bytes.fromhex(i["data"])


ENCODE: Mapping[str, Callable[[Inputs], bytes]] = {
    "ping": lambda i: instructions.make_ping(i["id"]),
    "read": lambda i: instructions.make_read(i["id"], i["address"], i["length"]),
    "write": lambda i: instructions.make_write(i["id"], i["address"], data(i)),
    "reg_write": lambda i: instructions.make_reg_write(i["id"], i["address"], data(i)),
    "action": lambda i: instructions.make_action(i["id"]),
    "reset": lambda i: instructions.make_reset(i["id"]),
    "offset_calibration": lambda i: instructions.make_calibrate_offset(i["id"]),
    "sts_write_pos_ex": lambda i: instructions.make_sts_goal(sts_goal(i)),
    "sts_reg_write_pos_ex": lambda i: instructions.make_sts_reg_goal(sts_goal(i)),
    "sts_write_speed": lambda i: instructions.make_sts_speed(i["id"], i["speed"], i["acc"]),
    "sts_sync_write_pos_ex": lambda i: instructions.make_sts_sync_goals([sts_goal(item) for item in i["items"]]),
    "sync_write_raw": lambda i: instructions.make_sync_write(
        i["address"], i["length"], [(item["id"], data(item)) for item in i["items"]]
    ),
    "sync_read": lambda i: instructions.make_sync_read(i["address"], i["length"], i["ids"]),
    "scs_write_pos": lambda i: instructions.make_scs_goal(scs_goal(i)),
    "scs_reg_write_pos": lambda i: instructions.make_scs_reg_goal(scs_goal(i)),
    "scs_sync_write_pos": lambda i: instructions.make_scs_sync_goals([scs_goal(item) for item in i["items"]]),
}


def parsed(case: Case) -> list[Packet]:
    """The packets in the vector's bytes, whether they come at once or one by one."""
    given = bytes.fromhex(case["bytes"])
    at_once, by_byte = feetech.make_parser(), feetech.make_parser()
    packets = at_once.feed(given)
    assert [packet for byte in given for packet in by_byte.feed(bytes((byte,)))] == packets
    return packets


def check_status(case: Case) -> None:
    packets, expect = parsed(case), case["expect"]
    if not expect["valid"]:
        assert packets == []
        return
    (packet,) = packets
    status = feetech.decode_status(packet)
    assert feetech.match_status(packet, status.id, len(status.data)) == status
    found = {
        "valid": True,
        "id": status.id,
        "error_bits": status.error_bits,
        "errors": [name.lower() for name in feetech.error_names(status.error_bits)],
        "params": status.data.hex(),
    }
    # The references have two names for the error of the position sensor.
    wanted = dict(expect)
    if "errors" in wanted:
        wanted["errors"] = ["angle" if name == "sensor" else name for name in wanted["errors"]]
    assert {key: found[key] for key in wanted} == wanted


def check_sign(case: Case) -> None:
    *_, direction, word = case["op"].replace("_load_", "_").replace("_offset_", "_").split("_")
    sign_bit, i = SIGN_BITS[word], case["inputs"]
    if direction == "encode":
        assert feetech.sign_magnitude(i["value"], sign_bit) == case["expect"]["raw"]
        return
    if "bytes" in i:
        assert feetech.pack_word(i["raw"], "little").hex() == i["bytes"]
    assert feetech.signed_from_magnitude(i["raw"], sign_bit) == case["expect"]["value"]


SIGNS = {
    "sts_decode_bit15",
    "sts_encode_bit15",
    "sts_decode_load_bit10",
    "sts_encode_load_bit10",
    "sts_decode_offset_bit11",
    "sts_encode_offset_bit11",
}


def check(case: Case) -> None:
    op = case["op"]
    if op in SIGNS:
        check_sign(case)
    elif case["direction"] == "encode" and op in ENCODE:
        found = ENCODE[op](case["inputs"])
        assert found.hex() in (case["bytes"], *case.get("alt_data", ()))
    elif case["direction"] == "decode" and op in ("status", "status_invalid"):
        check_status(case)
    else:
        raise UnknownOperationError(op)
