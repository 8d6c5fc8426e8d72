"""Xsens units on a serial line: `drivers.imu.xsens_xbus` against vectors."""

from __future__ import annotations

import pytest

from drivers.imu.xsens_xbus import codec
from drivers.imu.xsens_xbus.tables import MTDATA2
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of

UNITS = ("_degc", "_m_per_s2", "_rad_per_s", "_m_per_s", "_au", "_s")
NAMES = {"temperature_degc": "temperature_c", "delta_q_wxyz": "delta_q"}


def name_of(name: str) -> str:
    """The vectors' name of an item: mostly ours without the unit."""
    if name in NAMES:
        return NAMES[name]
    suffix = next((unit for unit in UNITS if name.endswith(unit)), "")
    return name.removesuffix(suffix)


def messages_of(case: Case) -> list[codec.Message]:
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = codec.FrameParser(), codec.FrameParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    return [codec.split_message(frame) for frame in frames]


def item_values(item: codec.DataItem) -> dict[str, object]:
    found: dict[str, object] = {"id": f"0x{item.data_id:04X}", "name": name_of(item.name)}
    if item.frame:
        found["frame"] = item.frame
    return found | {"value": item.values[0] if len(item.values) == 1 else item.values}


def check_messages(case: Case) -> None:
    messages, wanted = messages_of(case), case["expect"]["messages"]
    assert len(messages) == len(wanted)
    for message, expected in zip(messages, wanted, strict=True):
        assert message.message_id == expected["mid"]
        if "data" in expected:
            assert message.data.hex() == expected["data"]
        if "items" not in expected:
            continue
        assert message.message_id == MTDATA2
        items = codec.decode_items(message.data)
        assert len(items) == len(expected["items"])
        for item, values in zip(items, expected["items"], strict=True):
            found = item_values(item)
            for key, value in values.items():
                assert_close(found[key], value, tolerance_of(case, key), f"{values['id']} {key}")


def check_one_message(case: Case) -> None:
    (message,) = messages_of(case)
    found: dict[str, object] = {"mid": message.message_id, "data": message.data.hex(), "bid": message.bus_id}
    if case["op"] == "error_message":
        found["error_code"] = codec.decode_error(message)
    for key, value in case["expect"].items():
        assert_close(found[key], value, 0.0, key)


def check_command(case: Case) -> None:
    inputs = case["inputs"]
    assert codec.make_message(inputs["mid"], bytes.fromhex(inputs["data"])).hex() == case["bytes"]
    with pytest.raises(EncodeError):
        codec.make_message(inputs["mid"] + 256)


def check_output_configuration(case: Case) -> None:
    check_command(case)
    outputs = [(output["id"], output["rate_hz"]) for output in case["inputs"]["configuration"]]
    frame = codec.make_output_configuration(outputs)
    assert frame.hex() == case["bytes"]
    assert codec.decode_output_configuration(codec.split_message(frame).data) == outputs


CHECKS = {
    ("encode", "command"): check_command,
    ("encode", "command_data"): check_command,
    ("encode", "set_output_configuration"): check_output_configuration,
    ("decode", "mtdata2"): check_messages,
    ("decode", "invalid"): check_messages,
    ("decode", "stream"): check_messages,
    ("decode", "message"): check_one_message,
    ("decode", "error_message"): check_one_message,
}


def check(case: Case) -> None:
    check = CHECKS.get((case["direction"], case["op"]))
    if check is None:
        raise UnknownOperationError(case["op"])
    check(case)
