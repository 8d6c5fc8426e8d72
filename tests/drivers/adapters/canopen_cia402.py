"""CANopen drives: `drivers.can.canopen` against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.bus import Frame
from drivers.can.canopen import codec, pdo
from drivers.can.canopen.states import TRANSITIONS, State, decode_statusword
from drivers.can.canopen.tables import NMT_STATES, OBJECTS, NmtCommand, ObjectEntry, Service
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    assert_frame,
    simple,
    tolerance_of,
)

NMT_NAMES = {"RESET": NmtCommand.RESET_NODE, "INITIALISING": NmtCommand.RESET_NODE}
"""The reference's names of commands that are not ours with underscores."""


def nmt(i: Mapping[str, Any]) -> Frame:
    name = i["command"]
    command = NMT_NAMES[name] if name in NMT_NAMES else NmtCommand[name.replace(" ", "_").replace("-", "_")]
    return codec.make_nmt(command, i["node_id"])


def frame_of(wanted: Mapping[str, Any]) -> Frame:
    return Frame(wanted["arbitration_id"], bytes.fromhex(wanted["data"]), wanted["is_extended"], wanted["is_fd"])


def received(wanted: Mapping[str, Any], service: Service) -> tuple[int, bytes]:
    frame = frame_of(wanted)
    found = codec.sender(frame)
    assert found is not None
    assert found[0] is service
    return found[1], frame.data


def compare(case: Case, found: Mapping[str, object]) -> None:
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_sdo_write(case: Case) -> None:
    i = case["inputs"]
    at = (i["index"], i["subindex"])
    assert_frame(codec.make_sdo_write(i["node_id"], *at, i["value"], i["size"]), case)
    if at in OBJECTS:
        assert_frame(codec.make_write(i["node_id"], OBJECTS[at], i["value"]), case)
    for key, wanted in case.get("expect", {}).items():
        assert key == "ack_frame"
        node_id, data = received(wanted, Service.SDO_REPLY)
        assert (node_id, codec.decode_sdo_reply(data)) == (i["node_id"], codec.SdoWritten(*at))


def check_sdo_read(case: Case) -> None:
    i = case["inputs"]
    at = (i["index"], i["subindex"])
    assert_frame(codec.make_sdo_read(i["node_id"], *at), case)
    node_id, data = received(case["expect"]["reply_frame"], Service.SDO_REPLY)
    reply = codec.decode_sdo_reply(data)
    assert isinstance(reply, codec.SdoValue)
    assert (node_id, reply.index, reply.subindex) == (i["node_id"], *at)
    assert reply.number(OBJECTS[at].type) == case["expect"]["value"]


def check_sdo_abort(case: Case) -> None:
    node_id, data = received(case["frame"], Service.SDO_REPLY)
    reply = codec.decode_sdo_reply(data)
    assert isinstance(reply, codec.SdoAbort)
    assert reply.reason
    found = {"node_id": node_id, "index": reply.index, "subindex": reply.subindex, "abort_code": reply.code}
    compare(case, {**found, "abort_hex": f"0x{reply.code:08X}"})


def check_heartbeat(case: Case) -> None:
    node_id, data = received(case["frame"], Service.HEARTBEAT)
    state = codec.decode_heartbeat(data)
    assert_frame(codec.make_heartbeat(node_id, state), case)
    name = NMT_STATES[state]
    found = {"node_id": node_id, "state": name, "bootup": state == 0}
    # The reference shows a node that has just booted as being where it goes next.
    compare(case, {**found, "library_state": "PRE-OPERATIONAL" if state == 0 else name})


def check_emergency(case: Case) -> None:
    node_id, data = received(case["frame"], Service.EMERGENCY)
    emergency = codec.decode_emergency(data)
    found = {"node_id": node_id, "code": emergency.code, "register": emergency.error_register}
    found |= {"vendor_data": emergency.vendor_data.hex(), "description": emergency.description}
    compare(case, found)


def check_statusword(case: Case) -> None:
    status = decode_statusword(case["inputs"]["statusword"])
    found: dict[str, object] = {"state": status.state.value, "voltage_enabled": status.is_voltage_enabled}
    found |= {"warning": status.has_warning, "remote": status.is_remote, "target_reached": status.is_target_reached}
    compare(case, {**found, "internal_limit": status.is_limit_active})


def check_controlword(case: Case) -> None:
    i = case["inputs"]
    compare(case, {"controlword": TRANSITIONS[State(i["from_state"]), State(i["to_state"])]})


def entries(mapping: Sequence[str]) -> list[ObjectEntry]:
    return [OBJECTS[int(text, 16), 0] for text in mapping]


def check_tpdo(case: Case) -> None:
    i = case["inputs"]
    node_id, data = received(case["frame"], Service[f"TPDO_{i['pdo']}"])
    compare(case, {"node_id": node_id, "values": pdo.PdoLayout(entries(i["mapping"])).unpack(data)})


def check_pdo_config(case: Case) -> None:
    """All requests of the reference, in its order; and between them nothing but the mapping itself.

    The reference asks the drive how many entries the mapping has after it emptied it, gets 0, and then writes none: its
    drive ends up with a count and no entries. Ours are written as CiA 301 has it, and checked here one by one.
    """
    i = case["inputs"]
    mapping = entries(i["mapping"])
    is_transmit = i["cob_id"] & 0x80 != 0
    record = (0x1A00 if is_transmit else 0x1600) + i["pdo"] - 1
    frames = pdo.make_pdo_configuration(
        i["node_id"],
        i["pdo"],
        pdo.PdoLayout(mapping),
        i["transmission_type"],
        is_transmit=is_transmit,
        cob_id=i["cob_id"],
    )
    mapped = [
        codec.make_sdo_write(i["node_id"], record, place, entry.index << 16 | entry.type.size * 8, 4)
        for place, entry in enumerate(mapping, 1)
    ]
    assert [frame for frame in frames if frame in mapped] == mapped
    wanted = [frame_of(frame) for frame in case["expect"]["sdo_request_frames"]]
    assert [f for f in frames if f not in mapped] == [f for f in wanted if f not in mapped]
    assert [f for f in wanted if f in mapped] in ([], mapped)


CHECKS: Mapping[str, Callable[[Case], None]] = {
    "nmt": simple(nmt),
    "sync": simple(lambda i: codec.SYNC),
    "sdo_write": check_sdo_write,
    "sdo_read": check_sdo_read,
    "sdo_abort": check_sdo_abort,
    "heartbeat": check_heartbeat,
    "emcy": check_emergency,
    "statusword": check_statusword,
    "controlword": check_controlword,
    "rpdo": simple(lambda i: pdo.make_rpdo(i["node_id"], i["pdo"], pdo.PdoLayout(entries(i["mapping"])), i["values"])),
    "tpdo": check_tpdo,
    "pdo_config": check_pdo_config,
}


def check(case: Case) -> None:
    """One case of the file."""
    if case["op"] not in CHECKS:
        raise UnknownOperationError(case["op"])
    CHECKS[case["op"]](case)
