"""VectorNav units on a serial line: `drivers.imu.vectornav_vn100` against vectors."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from drivers.imu.vectornav_vn100 import codec, commands
from drivers.imu.vectornav_vn100.tables import ERROR_NAMES, TEXT_FIELDS
from supervisor.core.errors import EncodeError, FrameError
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of

GROUP_KEYS = ("common", "time", "imu", "gps", "attitude", "ins", "gps2")
NAMES = {
    "acc_m_per_s2": "acc_ms2",
    "linear_acc_body_m_per_s2": "acc_ms2",
    "linear_acc_ned_m_per_s2": "acc_ms2",
    "gyro_rad_per_s": "gyro_rad_s",
}
COMMAND_NAMES = {
    "restore_factory": "restore_factory_settings",
    "factory": "restore_factory_settings",
    "save": "write_settings",
    "gyro_bias": "set_gyro_bias",
}


def named(fields: Mapping[str, tuple[float, ...]]) -> dict[str, object]:
    return {NAMES.get(name, name): values[0] if len(values) == 1 else values for name, values in fields.items()}


def frames_of(case: Case) -> list[bytes]:
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = codec.FrameParser(), codec.FrameParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    return frames


def text_values(frame: bytes) -> dict[str, object]:
    """One message under the vectors' names."""
    text = codec.decode_text(frame)
    found: dict[str, object] = {"type": text.kind}
    if text.kind == "VNERR":
        code = codec.decode_error(text)
        return found | {"error_code": code, "error": ERROR_NAMES.get(code, "").replace(" ", "_")}
    if text.kind in TEXT_FIELDS:
        return found | named(codec.decode_streamed(text))
    if text.kind in ("VNRRG", "VNWRG"):
        return found | {"register": int(text.parameters[0]), "fields": list(text.parameters[1:])}
    return found | {"fields": list(text.parameters)}


def check_text(case: Case) -> None:
    frames, wanted = frames_of(case), case["expect"]["messages"]
    assert len(frames) == len(wanted)
    for frame, expected in zip(frames, wanted, strict=True):
        found = text_values(frame)
        for key, value in expected.items():
            assert_close(found[key], value, tolerance_of(case, key), key)


def check_binary(case: Case) -> None:
    expected = dict(case["expect"])
    frames = frames_of(case)
    if not expected.pop("valid"):
        assert frames == []
        with pytest.raises(FrameError):
            codec.decode_binary(bytes.fromhex(case["bytes"]))
        return
    (frame,) = frames
    packet = codec.decode_binary(frame)
    found = named(packet.fields) | {"groups": packet.groups, "fields": packet.masks, "length": len(frame)}
    for key, value in expected.items():
        assert_close(found[key], value, tolerance_of(case, key), key)


def check_sent(case: Case, frame: bytes) -> None:
    assert frame.hex() == case["bytes"]
    if "ascii" in case.get("expect", {}):
        assert frame.rstrip().decode("ascii") == case["expect"]["ascii"]
    assert codec.FrameParser().feed(frame) == [frame]


def check_read(case: Case) -> None:
    inputs = case["inputs"]
    check_sent(case, commands.make_register_read(inputs["register"], inputs.get("check", "xor8")))
    with pytest.raises(EncodeError):
        commands.make_register_read(inputs["register"] + 256)


def check_write(case: Case) -> None:
    inputs = case["inputs"]
    check_sent(case, commands.make_register_write(inputs["register"], [inputs["value"]], inputs.get("check", "xor8")))


def check_binary_output(case: Case) -> None:
    inputs = case["inputs"]
    masks = {group: inputs.get(key, 0) for group, key in enumerate(GROUP_KEYS)}
    frame = commands.make_binary_output(
        masks,
        port_mask=inputs["async_mode"],
        divisor=inputs["rate_divisor"],
        output=inputs["register"] - 74,
        check=inputs.get("check", "xor8"),
    )
    check_sent(case, frame)


def check_command(case: Case) -> None:
    inputs = case["inputs"]
    name = COMMAND_NAMES.get(inputs["command"], inputs["command"])
    check_sent(case, commands.make_command(name, inputs.get("check", "xor8")))


def check(case: Case) -> None:
    op, direction = case["op"], case["direction"]
    if direction == "decode" and op.startswith("ascii"):
        check_text(case)
    elif direction == "decode" and op.startswith("binary"):
        check_binary(case)
    elif direction == "encode" and op == "read_register":
        check_read(case)
    elif direction == "encode" and op.startswith("write_binary_output"):
        check_binary_output(case)
    elif direction == "encode" and op.startswith("write_"):
        check_write(case)
    elif direction == "encode" and op == "command":
        check_command(case)
    else:
        raise UnknownOperationError(op)
