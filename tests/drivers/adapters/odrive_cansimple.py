"""ODrive on CAN: `drivers.can.odrive` against vectors."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.bus import Frame
from drivers.can.odrive import codec
from drivers.can.odrive.tables import AxisState, ControlMode, InputMode, Message, RebootAction
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    assert_frame,
    clipped,
    number,
    simple,
    tolerance_of,
)


def floats(make: Callable[..., Frame], *keys: str) -> Callable[[Case], None]:
    """A command whose values are all floats."""

    def check_floats(case: Case) -> None:
        i = case["inputs"]
        values = [number(i[key]) for key in keys]
        if not all(map(math.isfinite, values)):
            with pytest.raises(EncodeError):
                make(i["node_id"], *values)
            return
        assert_frame(make(i["node_id"], *values), case)

    return check_floats


def check_input_position(case: Case) -> None:
    i = case["inputs"]
    given = [number(i[key]) for key in ("pos_rev", "vel_ff_rev_s", "torque_ff_nm")]
    values = [given[0], *(clipped(value, -32.768, 32.767) for value in given[1:])]
    if values != given or not all(map(math.isfinite, given)):
        with pytest.raises(EncodeError):
            codec.make_input_position(i["node_id"], *given)
    if all(map(math.isfinite, given)):
        frame = codec.make_input_position(i["node_id"], *values)
        assert_frame(frame, case, lambda data: dict(zip("pvt", struct.unpack("<Ihh", data), strict=True)))


def check_address(case: Case) -> None:
    i = case["inputs"]
    frame = codec.make_set_address(i["new_node_id"], i["serial_number"], i["connection_id"])
    assert_frame(frame, case)
    assert codec.sender(frame) is None


NAMES: Mapping[type, tuple[str, ...]] = {
    codec.EncoderEstimates: ("pos_rev", "vel_rev_s"),
    codec.Currents: ("iq_setpoint_a", "iq_measured_a"),
    codec.Temperatures: ("fet_c", "motor_c"),
    codec.Supply: ("bus_v", "bus_a"),
    codec.Torques: ("target_nm", "estimate_nm"),
    codec.Powers: ("electrical_w", "mechanical_w"),
    codec.Version: ("protocol", "hw", "fw", "unreleased"),
    codec.Heartbeat: ("axis_error", "axis_state", "procedure_result", "trajectory_done"),
    codec.Errors: ("active_errors", "disarm_reason"),
    codec.Address: ("node_id", "serial_number", "connection_id"),
}
"""The vectors' names of what each report holds, in order."""


def check_report(message: Message) -> Callable[[Case], None]:
    def check_one(case: Case) -> None:
        wanted = case["frame"]
        frame = Frame(wanted["arbitration_id"], bytes.fromhex(wanted["data"]), wanted["is_extended"], wanted["is_fd"])
        sender = codec.sender(frame)
        assert sender is not None
        assert sender[1] is message
        report = codec.decode_report(message, frame.data)
        found = {"node_id": sender[0], **dict(zip(NAMES[type(report)], report, strict=True))}
        if isinstance(report, codec.Heartbeat):
            found["errors"] = codec.error_names(report.axis_error)
        elif isinstance(report, codec.Errors):
            found |= {"active": codec.error_names(report.active), "disarm": codec.error_names(report.disarm_reason)}
        for key, value in case["expect"].items():
            assert_close(found[key], value, tolerance_of(case, key), key)

    return check_one


def state(i: Mapping[str, Any]) -> Frame:
    return codec.make_set_axis_state(i["node_id"], AxisState(i["state"]))


def mode(i: Mapping[str, Any]) -> Frame:
    return codec.make_set_controller_mode(i["node_id"], ControlMode(i["control_mode"]), InputMode(i["input_mode"]))


CHECKS: Mapping[str, Callable[[Case], None]] = {
    "set_axis_state": simple(state),
    "set_controller_mode": simple(mode),
    "set_input_pos": check_input_position,
    "set_input_vel": floats(codec.make_input_velocity, "vel_rev_s", "torque_ff_nm"),
    "set_input_torque": floats(codec.make_input_torque, "torque_nm"),
    "set_limits": floats(codec.make_set_limits, "vel_limit_rev_s", "current_limit_a"),
    "set_traj_vel_limit": floats(codec.make_set_trajectory_velocity, "vel_rev_s"),
    "set_traj_accel_limits": floats(codec.make_set_trajectory_acceleration, "accel_rev_s2", "decel_rev_s2"),
    "set_traj_inertia": floats(codec.make_set_trajectory_inertia, "inertia"),
    "set_pos_gain": floats(codec.make_set_position_gain, "pos_gain"),
    "set_vel_gains": floats(codec.make_set_velocity_gains, "vel_gain", "vel_integrator_gain"),
    "set_absolute_position": floats(codec.make_set_absolute_position, "pos_rev"),
    "estop": simple(lambda i: codec.make_estop(i["node_id"])),
    "clear_errors": simple(lambda i: codec.make_clear_errors(i["node_id"], identify=bool(i["identify"]))),
    "reboot": simple(lambda i: codec.make_reboot(i["node_id"], RebootAction(i["action"]))),
    "set_address": check_address,
    "heartbeat": check_report(Message.HEARTBEAT),
    "get_error": check_report(Message.ERROR),
    "encoder_estimates": check_report(Message.ENCODER_ESTIMATES),
    "iq": check_report(Message.CURRENTS),
    "temperature": check_report(Message.TEMPERATURES),
    "bus_voltage_current": check_report(Message.SUPPLY),
    "torques": check_report(Message.TORQUES),
    "powers": check_report(Message.POWERS),
    "version": check_report(Message.VERSION),
    "address_reply": check_report(Message.ADDRESS),
}


def check(case: Case) -> None:
    """One case of the file."""
    if case["op"] not in CHECKS:
        raise UnknownOperationError(case["op"])
    CHECKS[case["op"]](case)
