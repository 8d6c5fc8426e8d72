"""LX-16A servos: `drivers.serial.lx16a` against vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from drivers.serial.framing import Packet
from drivers.serial.lx16a import codec as lx16a
from drivers.serial.lx16a import tables
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of

Inputs = Mapping[str, Any]


def angle(i: Inputs) -> float:
    return math.radians(i["angle_deg"])


ENCODE: Mapping[str, Callable[[Inputs], bytes]] = {
    "move": lambda i: lx16a.make_move(i["id"], angle(i), i["time_ms"]),
    "move_wait": lambda i: lx16a.make_move_wait(i["id"], angle(i), i["time_ms"]),
    "move_start": lambda i: lx16a.make_move_start(i["id"]),
    "move_stop": lambda i: lx16a.make_move_stop(i["id"]),
    "torque_on": lambda i: lx16a.make_load(i["id"], is_loaded=True),
    "torque_off": lambda i: lx16a.make_load(i["id"], is_loaded=False),
    "read_position": lambda i: lx16a.make_read(i["id"], tables.READ_POSITION),
    "read_temperature": lambda i: lx16a.make_read(i["id"], tables.READ_TEMPERATURE),
    "read_voltage": lambda i: lx16a.make_read(i["id"], tables.READ_VOLTAGE),
    "motor_mode": lambda i: lx16a.make_motor_mode(i["id"], i["speed"]),
    "servo_mode": lambda i: lx16a.make_servo_mode(i["id"]),
}


def parsed(case: Case) -> list[Packet]:
    """The packets in the vector's bytes, whether they come at once or one by one."""
    given = bytes.fromhex(case["bytes"])
    at_once, by_byte = lx16a.make_parser(), lx16a.make_parser()
    packets = at_once.feed(given)
    assert [packet for byte in given for packet in by_byte.feed(bytes((byte,)))] == packets
    return packets


def position(packet: Packet) -> dict[str, float]:
    position_rad = lx16a.decode_position(packet)
    return {"raw": round(position_rad / tables.POSITION_COUNT_RAD), "angle_deg": math.degrees(position_rad)}


DECODE: Mapping[str, Callable[[Packet], dict[str, float]]] = {
    "position_reply": position,
    "voltage_reply": lambda packet: {"voltage_mv": lx16a.decode_voltage(packet) * 1000.0},
    "temperature_reply": lambda packet: {"temp_c": lx16a.decode_temperature(packet)},
}


def check(case: Case) -> None:
    op = case["op"]
    if case["direction"] == "encode" and op in ENCODE:
        found = ENCODE[op](case["inputs"])
        assert found.hex() in (case["bytes"], *case.get("alt_data", ()))
        return
    if case["direction"] != "decode" or op not in {*DECODE, "reply_invalid"}:
        raise UnknownOperationError(op)
    packets, expect = parsed(case), dict(case["expect"])
    if not expect.pop("valid"):
        assert packets == []
        return
    (packet,) = packets
    values = {"id": packet.id, **DECODE[op](packet)}
    for key, wanted in expect.items():
        assert_close(values[key], wanted, tolerance_of(case, key), key)
