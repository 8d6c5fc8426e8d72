"""moteus controllers on CAN FD: `drivers.can.moteus` against vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.bus import Frame
from drivers.can.moteus import codec
from drivers.can.moteus.multiplex import READ, Access, encode, parse
from drivers.can.moteus.tables import SCALES, Mode, Register, Resolution
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, assert_frame, number, tolerance_of

POSITION = {
    "position": Register.COMMAND_POSITION,
    "velocity": Register.COMMAND_VELOCITY,
    "feedforward_torque": Register.COMMAND_FEEDFORWARD_TORQUE,
    "kp_scale": Register.COMMAND_KP_SCALE,
    "kd_scale": Register.COMMAND_KD_SCALE,
    "maximum_torque": Register.COMMAND_MAXIMUM_TORQUE,
    "stop_position": Register.COMMAND_STOP_POSITION,
    "watchdog_timeout": Register.COMMAND_TIMEOUT,
    "velocity_limit": Register.COMMAND_VELOCITY_LIMIT,
    "accel_limit": Register.COMMAND_ACCELERATION_LIMIT,
    "ilimit_scale": Register.COMMAND_ILIMIT_SCALE,
}
"""The vectors' names of what a position command can state."""

COUNT_LIMITS = {Resolution.INT8: 127, Resolution.INT16: 32767, Resolution.INT32: 2147483647}


def address(i: Mapping[str, Any]) -> codec.Address:
    return codec.Address(i["id"], i["source"])


def query(i: Mapping[str, Any]) -> bytes:
    return codec.DEFAULT_QUERY if i.get("query") else b""


def saturated(register: Register, resolution: Resolution, given: float) -> float | None:
    """What the reference makes of a value; ours must refuse wherever that is another one."""
    if not math.isfinite(given):
        with pytest.raises(EncodeError):
            codec.encode_values({register: given}, {register: resolution})
        return None
    if resolution is Resolution.F32:
        return given
    scale, top = SCALES[register][resolution], COUNT_LIMITS[resolution]
    if abs(given / scale) < top + 1:
        return given
    with pytest.raises(EncodeError):
        codec.encode_values({register: given}, {register: resolution})
    # Half a count beyond the last, which truncation takes away again.
    return math.copysign((top + 0.5) * scale, given)


def check_frame(found: Frame, case: Case) -> None:
    assert_frame(found, case)
    unpadded = case["frame"].get("data_unpadded", "")
    assert found.data.hex().startswith(unpadded)
    assert found.data[len(unpadded) // 2 :].strip(b"\x50") == b""


def check_position(case: Case) -> None:
    i = case["inputs"]
    resolutions = {POSITION[key]: Resolution[name.upper()] for key, name in i["resolution"].items()}
    given = {POSITION[key]: number(value) for key, value in i["values"].items()}
    values = {register: saturated(register, resolutions[register], value) for register, value in given.items()}
    check_frame(codec.make_command(address(i), Mode.POSITION, values, resolutions, query(i)), case)


def command(mode: Mode, **registers: Register) -> Callable[[Case], None]:
    def check_command(case: Case) -> None:
        i = case["inputs"]
        values = {register: number(i[key]) for key, register in registers.items() if key in i}
        check_frame(codec.make_command(address(i), mode, values, query=query(i)), case)

    return check_command


def set_output(*, is_exact: bool) -> Callable[[Case], None]:
    def check_set_output(case: Case) -> None:
        i = case["inputs"]
        frame = codec.make_set_output(address(i), number(i["position_rev"]), is_exact=is_exact, query=query(i))
        check_frame(frame, case)

    return check_set_output


def check_query(case: Case) -> None:
    check_frame(codec.make_query(address(case["inputs"])), case)


def check_worked_example(case: Case) -> None:
    """Taken apart and put together again it is the same, and every number in it is in the example's own words."""
    data = bytes.fromhex(case["frame"].get("data_unpadded", case["frame"]["data"]))
    accesses = [item for item in parse(data) if isinstance(item, Access)]
    assert encode(accesses).hex() == data.hex()
    for access in accesses:
        if access.command != READ and access.register != Register.MODE:
            assert f"{codec.scaled(access):.10g}" in case["inputs"]["note"]
    values = {Register(a.register): codec.scaled(a) for a in accesses if a.command != READ and a.register}
    resolutions = {Register(a.register): a.resolution for a in accesses if a.command != READ}
    asked = encode([access for access in accesses if access.command == READ])
    # Half a count more, because truncation would make less of a value that was rounded on its way here.
    nudged = {
        r: value + math.copysign(0.5 * SCALES[r][resolutions[r]], value) if resolutions[r] < Resolution.F32 else value
        for r, value in values.items()
    }
    check_frame(codec.make_command(address(case["inputs"]), Mode.POSITION, nudged, resolutions, asked), case)


def check_reply(case: Case) -> None:
    wanted = case["frame"]
    frame = Frame(wanted["arbitration_id"], bytes.fromhex(wanted["data"]), wanted["is_extended"], wanted["is_fd"])
    expected = case["expect"]
    assert codec.sender(frame, expected["destination"]) == expected["id"]
    found = codec.decode_reply(frame.data).values
    assert {f"0x{register:03x}" for register in found} == set(expected["registers"])
    for register, value in found.items():
        assert_close(value, expected["registers"][f"0x{register:03x}"], tolerance_of(case, "registers"), hex(register))


CHECKS: Mapping[str, Callable[[Case], None]] = {
    "position_command": check_position,
    "stop": command(Mode.STOPPED),
    "brake": command(Mode.BRAKE),
    "zero_velocity": command(Mode.ZERO_VELOCITY, kd_scale=Register.COMMAND_KD_SCALE),
    "current_command": command(Mode.CURRENT, q_A=Register.COMMAND_Q_CURRENT, d_A=Register.COMMAND_D_CURRENT),
    "stay_within": command(Mode.STAY_WITHIN, lower=Register.WITHIN_LOWER_BOUND, upper=Register.WITHIN_UPPER_BOUND),
    "query": check_query,
    "set_output_nearest": set_output(is_exact=False),
    "set_output_exact": set_output(is_exact=True),
    "worked_example": check_worked_example,
    "reply": check_reply,
}


def check(case: Case) -> None:
    """One case of the file."""
    if case["op"] not in CHECKS:
        raise UnknownOperationError(case["op"])
    CHECKS[case["op"]](case)
