"""The robot file and its safety file: what contradicts itself is named, all of it in one go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.joints import JointOrder
from supervisor.core.levels import Level
from supervisor.core.robot import RealtimeConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.core.robot_inputs import CanFrameStopConfig, GpioStopConfig, SerialLineStopConfig, StickConfig
from supervisor.core.safety import SafetyConfig

ROBOT = """\
schema: 1
name: bench
model: bench.xml
safety: safety.yaml
control_hz: 500
motor_timeout_s: 0.1
estimator: none
rest_support: gantry
buses:
  can0: {kind: can, interface: socketcan, channel: can0, bitrate_bps: 1000000}
  imu0: {kind: serial, port: /dev/ttyUSB0, baud_bps: 921600}
imu: {make: hipnuc, bus: imu0, packet: hi91, rate_hz: 250, orientation_imu_in_base_wxyz: [1.0, 0.0, 0.0, 0.0]}
joints:
  hip:
    motor: {make: damiao, model: DM8009, bus: can0, id: 1, feedback_id: 17}
    direction: 1
    offset_rad: 0.0
    gear: 1.0
    position_rad: [-0.75, 0.75]
    velocity_rad_per_s: 18.0
    torque_nm: 20.0
    kp_nm_per_rad: 35.0
    kd_nm_s_per_rad: 0.8
    default_rad: 0.06
    rest_rad: 0.443
  knee:
    motor: {make: damiao, model: DM8009, bus: can0, id: 2, feedback_id: 18}
    direction: -1
    offset_rad: 0.1
    gear: 1.5
    position_rad: [-2.6, -0.4]
    velocity_rad_per_s: 12.0
    torque_nm: 25.0
    kp_nm_per_rad: 40.0
    kd_nm_s_per_rad: 0.9
    default_rad: -1.6
    rest_rad: -2.5
"""

SAFETY = """\
schema: 1
guards:
  - id: tilt
    limit: 0.6
    unit: rad
    hysteresis: 0.1
    persistence: {cycles: 10, of_cycles: 12}
    level: DAMP
    clear: operator
    reason: falls beyond it
gate:
  position_margin_rad: 0.0
  target_speed_fraction: 1.0
  torque_fraction: 0.9
  measured_distance_rad: 1.0
  reason: measured
profile:
  hold_timeout_s: 5.0
  hold_falls_to: SETTLE
  settle_speed_rad_per_s: 1.5
  settle_timeout_s: 6.0
  settle_falls_to: DAMP
  damp_kd_nm_s_per_rad: 2.0
  damp_duration_s: 3.0
  unknown: DAMP
  reason: measured
arming: {clear_s: 0.5, start_timeout_s: 10.0}
"""

Load = Callable[[str, str], Robot]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a robot and a safety file given as text."""

    def load_texts(robot: str, safety: str) -> Robot:
        (tmp_path / "robot.yaml").write_text(robot)
        (tmp_path / "safety.yaml").write_text(safety)
        (tmp_path / "bench.xml").write_text("<mujoco/>")
        return load_robot(tmp_path)

    return load_texts


def problems_of(load: Load, robot: str = ROBOT, safety: str = SAFETY) -> tuple[Problem, ...]:
    """The problems of files that must have some."""
    with pytest.raises(ConfigError) as caught:
        load(robot, safety)
    return caught.value.problems


def first_changed_line(good: str, bad: str) -> int:
    """The line from which on two texts differ."""
    pairs = zip(good.splitlines(), bad.splitlines(), strict=False)
    return next(line for line, (one, other) in enumerate(pairs, start=1) if one != other)


def test_good_files_become_a_robot(load: Load, tmp_path: Path) -> None:
    robot = load(ROBOT, SAFETY)
    assert robot.config.order == JointOrder(("hip", "knee"))
    assert robot.config.control_period_s == 0.002
    assert robot.config.joints["knee"].direction == -1
    assert robot.model_path == tmp_path / "bench.xml"
    assert robot.safety.rows_by_id()["tilt"].level is Level.DAMP
    np.testing.assert_array_equal(robot.config.vector("torque_nm"), [20.0, 25.0])
    np.testing.assert_array_equal(robot.config.position_minimum_rad, [-0.75, -2.6])
    np.testing.assert_array_equal(robot.config.position_maximum_rad, [0.75, -0.4])
    assert load_robot(tmp_path / "robot.yaml").config == robot.config


def test_a_robot_without_a_model_is_fine(load: Load) -> None:
    assert load(ROBOT.replace("model: bench.xml\n", ""), SAFETY).model_path is None


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("control_hz: 500", "control_hz: 0", "control_hz", "above 0"),
        ("control_hz: 500", "control_hz: -500", "control_hz", "above 0"),
        ("motor_timeout_s: 0.1", "motor_timeout_s: 0.0", "motor_timeout_s", "above 0"),
        ("motor_timeout_s: 0.1", "motor_timeout_s: 0.005", "motor_timeout_s", "at least 3 control periods, 0.006 s"),
        ("model: bench.xml", "model: other.xml", "model", "a MuJoCo model beside this file"),
        ("gear: 1.5", "gear: 0.0", "joints.knee.gear", "above 0"),
        ("gear: 1.5", "gear: -1.5", "joints.knee.gear", "above 0"),
        ("velocity_rad_per_s: 12.0", "velocity_rad_per_s: 0", "joints.knee.velocity_rad_per_s", "above 0"),
        ("torque_nm: 25.0", "torque_nm: -25.0", "joints.knee.torque_nm", "above 0"),
        ("kp_nm_per_rad: 40.0", "kp_nm_per_rad: 0", "joints.knee.kp_nm_per_rad", "above 0"),
        ("kd_nm_s_per_rad: 0.9", "kd_nm_s_per_rad: 0", "joints.knee.kd_nm_s_per_rad", "above 0"),
        ("[-2.6, -0.4]", "[-0.4, -2.6]", "joints.knee.position_rad", "lowest first"),
        ("[-2.6, -0.4]", "[-2.6, -2.6]", "joints.knee.position_rad", "lowest first"),
        ("default_rad: -1.6", "default_rad: 0.0", "joints.knee.default_rad", "inside position_rad, -2.6 to -0.4"),
        ("rest_rad: -2.5", "rest_rad: -2.7", "joints.knee.rest_rad", "inside position_rad, -2.6 to -0.4"),
        (
            "bus: can0, id: 2",
            "bus: can9, id: 2",
            "joints.knee.motor.bus",
            "a bus of this file that the IMU is not on: can0",
        ),
        (
            "bus: can0, id: 2",
            "bus: can0, id: 2, drive: {torque_max_nm: 0, velocity_max_rad_per_s: 1}",
            "joints.knee.motor.drive.torque_max_nm",
            "a number above 0",
        ),
        (
            "bitrate_bps: 1000000",
            "bitrate_bps: 1000000, data_bitrate_bps: 5000000",
            "buses.can0.data_bitrate_bps",
            "fd",
        ),
        (
            "bus: can0, id: 2",
            "bus: imu0, id: 2",
            "joints.knee.motor.bus",
            "a bus of this file that the IMU is not on: can0",
        ),
        ("id: 2, feedback_id: 18", "id: 1, feedback_id: 18", "joints.knee.motor.id", "hip has it already"),
        ("feedback_id: 18", "feedback_id: 17", "joints.knee.motor.feedback_id", "hip has it already"),
        ("bus: imu0", "bus: can0", "imu.bus", "a serial bus of this file: imu0"),
        ("bus: imu0", "bus: nowhere", "imu.bus", "a serial bus of this file: imu0"),
        ("rate_hz: 250", "rate_hz: 0", "imu.rate_hz", "above 0"),
        ("[1.0, 0.0, 0.0, 0.0]", "[1.0, 1.0, 0.0, 0.0]", "imu.orientation_imu_in_base_wxyz", "a unit quaternion"),
        ("[1.0, 0.0, 0.0, 0.0]", "[0.0, 0.0, 0.0, 0.0]", "imu.orientation_imu_in_base_wxyz", "a unit quaternion"),
        (
            "  imu0: {",
            "  can1: {kind: can, interface: socketcan, channel: can1, bitrate_bps: 1}\n  imu0: {",
            "buses.can1",
            "remove it, or wire something to it",
        ),
    ],
)
def test_a_robot_file_that_contradicts_itself_is_refused(
    load: Load, old: str, new: str, key: str, allowed: str
) -> None:
    assert ROBOT.count(old) == 1
    bad = ROBOT.replace(old, new)
    match = [p for p in problems_of(load, robot=bad) if p.key == key and allowed in p.allowed]
    assert match, problems_of(load, robot=bad)
    assert match[0].line == first_changed_line(ROBOT, bad)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("torque_nm: 25.0", "", "joints.knee.torque_nm"),
        ("    torque_nm: 25.0", "    torque_nm: 25.0\n    effort_nm: 25.0", "joints.knee.effort_nm"),
        ("direction: -1", "direction: 0", "joints.knee.direction"),
        ("direction: -1", "direction: -1.5", "joints.knee.direction"),
        ("gear: 1.5", "gear: .nan", "joints.knee.gear"),
        ("[-2.6, -0.4]", "[-2.6]", "joints.knee.position_rad"),
        ("[-2.6, -0.4]", "[-2.6, -1.0, -0.4]", "joints.knee.position_rad"),
        ("[1.0, 0.0, 0.0, 0.0]", "[1.0, 0.0, 0.0]", "imu.orientation_imu_in_base_wxyz"),
        ("kind: can", "kind: carrier_pigeon", "buses.can0"),
        ("bitrate_bps: 1000000", "bitrate_bps: fast", "buses.can0.bitrate_bps"),
        ("rest_support: gantry", "rest_support: lowered", "rest_support"),
        ("estimator: none", "estimator: magic", "estimator"),
        ("safety: safety.yaml", "", "safety"),
        ("  knee:", "  hip:", "joints.hip"),
        ("schema: 1", "schema: 2", "schema"),
    ],
)
def test_a_robot_file_with_wrong_keys_or_types_is_refused(load: Load, old: str, new: str, key: str) -> None:
    assert ROBOT.count(old) == 1
    problems = problems_of(load, robot=ROBOT.replace(old, new))
    assert any(p.key.startswith(key) for p in problems), problems


OPERATOR = (
    "operator:\n  deadman: gamepad\n  gamepad: {device: /dev/input/pad, buttons: {deadman: BTN_TL, stop: BTN_EAST}}\n"
)
STEERED = OPERATOR.replace(
    "BTN_EAST}}",
    "BTN_EAST}, sticks: {forward: {axis: ABS_Y, inverted: true, dead_zone: 0.1}, "
    "yaw: {axis: ABS_RX, inverted: true, dead_zone: 0.2}}}",
)
UNHELD = STEERED.replace("deadman: BTN_TL, ", "")
LINE = "emergency_stop: {kind: serial_line, port: /dev/ttyS0, line: cts, pressed_is: low}\n"
CAN = "emergency_stop: {kind: can_frame, bus: can0, id: 0x701, mask: [0x81], released: [0x80], max_age_s: 0.1}\n"
GPIO = "emergency_stop: {kind: gpio, chip: /dev/gpiochip0, line: ESTOP, pressed_is: high, bias: pull_up}\n"


def test_inputs_are_read(load: Load) -> None:
    config = load(ROBOT + OPERATOR + CAN, SAFETY).config
    assert config.operator.gamepad is not None
    assert dict(config.operator.gamepad.buttons) == {"deadman": "BTN_TL", "stop": "BTN_EAST"}
    assert isinstance(config.emergency_stop, CanFrameStopConfig)
    assert (config.emergency_stop.id, config.emergency_stop.mask) == (0x701, (0x81,))
    assert isinstance(load(ROBOT + LINE, SAFETY).config.emergency_stop, SerialLineStopConfig)
    assert isinstance(load(ROBOT + GPIO, SAFETY).config.emergency_stop, GpioStopConfig)


def test_sticks_are_read(load: Load) -> None:
    gamepad = load(ROBOT + STEERED, SAFETY).config.operator.gamepad
    assert gamepad is not None
    assert dict(gamepad.sticks) == {
        "forward": StickConfig("ABS_Y", True, 0.1),
        "yaw": StickConfig("ABS_RX", True, 0.2),
    }


def test_without_inputs_there_is_no_deadman_and_no_stop_button(load: Load) -> None:
    config = load(ROBOT, SAFETY).config
    assert (config.operator.deadman, config.operator.gamepad, config.emergency_stop) == ("none", None, None)


def test_a_bus_that_only_the_stop_button_is_on_is_used(load: Load) -> None:
    bus = "  can1: {kind: can, interface: socketcan, channel: can1, bitrate_bps: 1}\n  imu0: {"
    config = load(ROBOT.replace("  imu0: {", bus) + CAN.replace("can0", "can1"), SAFETY).config
    assert config.emergency_stop.bus == "can1"


@pytest.mark.parametrize(
    ("block", "old", "new", "key", "allowed"),
    [
        (OPERATOR, "gamepad: {device: /dev/input/pad, ", "# ", "operator.deadman", "a gamepad block"),
        (OPERATOR, "/dev/input/pad", "pad", "operator.gamepad.device", "/dev/input/by-id/"),
        (OPERATOR, ", stop: BTN_EAST", "", "operator.gamepad.buttons", "a button for stop and deadman"),
        (OPERATOR, "deadman: BTN_TL, ", "", "operator.gamepad.buttons", "a button for stop and deadman"),
        (OPERATOR, "BTN_EAST", "B", "operator.gamepad.buttons.stop", "BTN_EAST"),
        (OPERATOR, "BTN_EAST", "BTN_TL", "operator.gamepad.buttons.stop", "deadman has it"),
        (OPERATOR, "deadman: gamepad", "deadman: none", "operator.gamepad.buttons.deadman", "deadman: gamepad"),
        (STEERED, "ABS_Y", "Y", "operator.gamepad.sticks.forward.axis", "as ABS_Y"),
        (STEERED, "ABS_RX", "ABS_Y", "operator.gamepad.sticks.yaw.axis", "forward has it"),
        (STEERED, "dead_zone: 0.1", "dead_zone: 0.0", "operator.gamepad.sticks.forward.dead_zone", "0.02 to 0.5"),
        (STEERED, "dead_zone: 0.2", "dead_zone: 0.9", "operator.gamepad.sticks.yaw.dead_zone", "0.02 to 0.5"),
        (STEERED, ", dead_zone: 0.2", "", "operator.gamepad.sticks.yaw.dead_zone", "required"),
        (STEERED, "yaw:", "roll:", "operator.gamepad.sticks.roll", "'forward', 'left' or 'yaw'"),
        (
            STEERED.replace("deadman: BTN_TL, ", ""),
            "deadman: gamepad",
            "deadman: none",
            "operator.gamepad.sticks",
            "deadman: gamepad",
        ),
        (OPERATOR, "stop:", "jump:", "operator.gamepad.buttons.jump", "'deadman', 'stop'"),
        (OPERATOR, "deadman: gamepad", "deadman: yes", "operator.deadman", "'none', 'terminal' or 'gamepad'"),
        (LINE, "/dev/ttyS0", "/dev/ttyUSB0", "emergency_stop.port", "imu0 has it"),
        (LINE, "cts", "rts", "emergency_stop.line", "'cts', 'dsr'"),
        (LINE, "pressed_is: low", "pressed_is: down", "emergency_stop.pressed_is", "'low' or 'high'"),
        (LINE, "serial_line", "serial", "emergency_stop.kind", "'serial_line', 'can_frame', 'gpio'"),
        (CAN, "can0", "imu0", "emergency_stop.bus", "a CAN bus of this file: can0"),
        (CAN, "can0", "can9", "emergency_stop.bus", "a CAN bus of this file: can0"),
        (CAN, "0x701", "0x800", "emergency_stop.id", "0 to 2047"),
        (CAN, "0x701", "-1", "emergency_stop.id", "0 to 2047"),
        (CAN, "0x701", "18", "emergency_stop.id", "no motor has"),
        (CAN, "mask: [0x81]", "mask: []", "emergency_stop.mask", "1 to 8 bytes"),
        (CAN, "mask: [0x81]", "mask: [256]", "emergency_stop.mask", "1 to 8 bytes"),
        (CAN, "mask: [0x81]", "mask: [0x81, 0]", "emergency_stop.released", "2 bytes"),
        (CAN, "mask: [0x81], released: [0x80]", "mask: [0], released: [0]", "emergency_stop.mask", "a bit"),
        (CAN, "mask: [0x81]", "mask: [0x01]", "emergency_stop.released", "no bit outside mask"),
        (CAN, "max_age_s: 0.1", "max_age_s: 0.0", "emergency_stop.max_age_s", "at most 0.5"),
        (CAN, "max_age_s: 0.1", "max_age_s: 0.6", "emergency_stop.max_age_s", "at most 0.5"),
        (GPIO, "pull_up", "up", "emergency_stop.bias", "'pull_up'"),
        (GPIO, "line: ESTOP, ", "", "emergency_stop.line", "required"),
    ],
)
def test_inputs_that_contradict_themselves_are_refused(
    load: Load, block: str, old: str, new: str, key: str, allowed: str
) -> None:
    bad = ROBOT + block.replace(old, new)
    assert bad != ROBOT + block
    problems = problems_of(load, robot=bad)
    assert [p.key for p in problems] == [key], problems
    assert allowed in problems[0].allowed


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [("kind: can,", "kind: cab,", "buses.can0.kind"), ("kind: can,", "", "buses.can0.kind"),
     ("channel: can0, ", "", "buses.can0.channel")],
)  # fmt: skip
def test_only_what_speaks_against_the_kind_that_is_meant_is_told(load: Load, old: str, new: str, key: str) -> None:
    assert [p.key for p in problems_of(load, robot=ROBOT.replace(old, new, 1))] == [key]


def test_a_robot_without_joints_is_refused(load: Load) -> None:
    problems = problems_of(load, robot=ROBOT[: ROBOT.index("joints:")] + "joints: {}\n")
    assert "at least one" in str(problems)


def test_problems_of_both_files_are_told_together(load: Load) -> None:
    problems = problems_of(
        load,
        robot=ROBOT.replace("gear: 1.5", "gear: 0.0").replace("rest_rad: -2.5", "rest_rad: 9.0"),
        safety=SAFETY.replace("hold_timeout_s: 5.0", "hold_timeout_s: 0.0").replace("clear_s: 0.5", "clear_s: -1.0"),
    )
    assert [p.key for p in problems] == [
        *("joints.knee.gear", "joints.knee.rest_rad", "profile.hold_timeout_s", "arming.clear_s"),
    ]
    assert {Path(p.file).name for p in problems} == {"robot.yaml", "safety.yaml"}


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("hysteresis: 0.1", "hysteresis: -0.1", "guards[0].hysteresis", "0 or above"),
        ("cycles: 10, of_cycles: 12", "cycles: 0, of_cycles: 12", "guards[0].persistence", "1 <= cycles"),
        ("cycles: 10, of_cycles: 12", "cycles: 13, of_cycles: 12", "guards[0].persistence", "cycles <= of_cycles"),
        ("cycles: 10, of_cycles: 12", "cycles: 1, of_cycles: 10001", "guards[0].persistence", "<= 10000"),
        ("clear: operator", "clear: automatic", "guards[0].clear", "operator or never: DAMP latches"),
        ("reason: falls beyond it", "reason: ' '", "guards[0].reason", "why this number"),
        ("target_speed_fraction: 1.0", "target_speed_fraction: 1.1", "gate.target_speed_fraction", "at most 1"),
        ("target_speed_fraction: 1.0", "target_speed_fraction: 0", "gate.target_speed_fraction", "above 0"),
        ("torque_fraction: 0.9", "torque_fraction: 1.01", "gate.torque_fraction", "at most 1"),
        ("measured_distance_rad: 1.0", "measured_distance_rad: 0", "gate.measured_distance_rad", "above 0"),
        ("settle_speed_rad_per_s: 1.5", "settle_speed_rad_per_s: 0", "profile.settle_speed_rad_per_s", "above 0"),
        ("settle_timeout_s: 6.0", "settle_timeout_s: -6", "profile.settle_timeout_s", "above 0"),
        ("damp_kd_nm_s_per_rad: 2.0", "damp_kd_nm_s_per_rad: 0", "profile.damp_kd_nm_s_per_rad", "above 0"),
        ("damp_duration_s: 3.0", "damp_duration_s: 0", "profile.damp_duration_s", "above 0"),
        ("hold_falls_to: SETTLE", "hold_falls_to: HOLD", "profile.hold_falls_to", "above HOLD"),
        ("settle_falls_to: DAMP", "settle_falls_to: SETTLE", "profile.settle_falls_to", "above SETTLE"),
        ("unknown: DAMP", "unknown: LIMIT", "profile.unknown", "HOLD or above"),
        ("start_timeout_s: 10.0", "start_timeout_s: 0", "arming.start_timeout_s", "above 0"),
    ],
)
def test_a_safety_file_that_contradicts_itself_is_refused(
    load: Load, old: str, new: str, key: str, allowed: str
) -> None:
    assert SAFETY.count(old) == 1
    bad = SAFETY.replace(old, new)
    match = [p for p in problems_of(load, safety=bad) if p.key == key and allowed in p.allowed]
    assert match, problems_of(load, safety=bad)
    assert match[0].line == first_changed_line(SAFETY, bad)


def test_a_guard_declared_twice_is_refused(load: Load) -> None:
    row = SAFETY[SAFETY.index("  - id: tilt") : SAFETY.index("gate:")]
    (problem,) = problems_of(load, safety=SAFETY.replace("gate:", row + "gate:"))
    assert (problem.key, problem.found, problem.allowed) == ("guards[1].id", "tilt", "each guard once")


def test_a_safety_file_without_guards_is_refused(load: Load) -> None:
    row = SAFETY[SAFETY.index("guards:") : SAFETY.index("gate:")]
    assert [p.key for p in problems_of(load, safety=SAFETY.replace(row, "guards: []\n"))] == ["guards"]


def test_a_missing_safety_file_is_told_with_the_problems_of_the_robot_file(load: Load) -> None:
    bad = ROBOT.replace("safety: safety.yaml", "safety: nowhere.yaml").replace("gear: 1.5", "gear: 0")
    problems = problems_of(load, robot=bad)
    assert [p.key for p in problems] == ["joints.knee.gear", ""]
    assert "No such file" in problems[1].found


@pytest.mark.parametrize("key", ["limit", "unit", "level", "persistence", "reason", "clear", "hysteresis"])
def test_a_guard_row_has_no_defaults(load: Load, key: str) -> None:
    lines = [line for line in SAFETY.splitlines() if not line.startswith(f"    {key}:")]
    assert [p.key for p in problems_of(load, safety="\n".join(lines))] == [f"guards[0].{key}"]


@pytest.mark.parametrize("limit", [".nan", ".inf", "-.inf", "'0.6'", "null", "[0.6]"])
def test_a_limit_that_is_not_a_finite_number_is_refused(load: Load, limit: str) -> None:
    problems = problems_of(load, safety=SAFETY.replace("limit: 0.6", f"limit: {limit}"))
    assert [p.key for p in problems] == ["guards[0].limit"]


def test_the_safety_value_is_frozen(load: Load) -> None:
    safety: SafetyConfig = load(ROBOT, SAFETY).safety
    with pytest.raises(AttributeError):
        safety.gate.torque_fraction = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("file", ["docs/operating.md", "supervisor/core/robot.py"])
def test_what_is_documented_as_the_defaults_is_the_defaults(file: str) -> None:
    text = (Path(__file__).resolve().parents[2] / file).read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("realtime: {")]
    assert RealtimeConfig(**yaml.safe_load(line)["realtime"]) == RealtimeConfig()
