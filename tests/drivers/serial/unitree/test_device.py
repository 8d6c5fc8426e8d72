from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import FAULT, POSITION, STAMP, STATUS, TEMPERATURE, TORQUE, VELOCITY, WiredMotor
from drivers.serial.unitree.device import UnitreeMotors
from drivers.serial.unitree.tables import LOST_S, MODELS, ZERO_PERIOD_RAD
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.serial.unitree.fake import FakeLine, FakeMotor, command, reply

MODEL = MODELS["GO-M8010-6"]
PERIOD_S = 0.002
BRAKE, FOC = 0, 1
EVERYBODY = (15, BRAKE)
WITHIN = (-0.1, 0.7)
HOLD = np.array([[0.3] * 4, [0.0] * 4, [20.0] * 4, [1.0] * 4, [0.5] * 4])


class Rig:
    """Three motors on one line and one on another, with the blocks that `RobotIO` would hold."""

    def __init__(self, within: tuple[float, float] | None = WITHIN) -> None:
        self.motors = [FakeMotor(i, 0.2) for i in (0, 1, 2, 0)]
        self.lines = {"rs0": FakeLine(*self.motors[:3]), "rs1": FakeLine(self.motors[3])}
        places = [("rs0", 0), ("rs0", 1), ("rs0", 2), ("rs1", 0)]
        wired = [
            WiredMotor(f"j{n}", MotorConfig("unitree", MODEL.name, bus, number), MODEL, within)
            for n, (bus, number) in enumerate(places)
        ]
        self.group = UnitreeMotors(wired, self.lines)
        self.values, self.codes = np.full((5, 4), math.nan), np.zeros((2, 4), dtype=np.int64)
        self.now_s = 0.0
        self.ages_s: list[float] = []
        """Of whom was not heard for longest, by cycle."""

    @property
    def line(self) -> FakeLine:
        return self.lines["rs0"]

    def read(self) -> None:
        self.now_s += PERIOD_S
        self.group.receive(self.now_s)
        self.group.decode(self.values, self.codes)
        self.ages_s.append(self.now_s - float(self.values[STAMP].min()))

    def step(self, drive: Drive, cycles: int = 1, values: np.ndarray = HOLD) -> None:
        for _ in range(cycles):
            self.group.write(drive, values)
            self.read()

    def hear(self, data: bytes) -> None:
        """Bytes out of nowhere, on the first line."""
        self.line.pending += data
        self.read()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_motors_of_a_line_take_turns_and_lines_do_not_wait_for_each_other(rig: Rig) -> None:
    rig.step(Drive.POLL, 4)
    assert rig.line.told() == [(0, BRAKE), (1, BRAKE), (2, BRAKE), (0, BRAKE)]
    assert rig.lines["rs1"].told() == [(0, BRAKE)] * 4
    assert (rig.line.counters.expected, rig.line.counters.received) == (4, 4)


def test_feedback_is_at_the_output_and_has_the_time_of_its_arrival(rig: Rig) -> None:
    rig.motors[1].counts |= {"torque": 256, "velocity": 256, "temperature": -7}
    rig.step(Drive.POLL, 2)
    assert rig.values[POSITION].tolist() == pytest.approx([0.2, 0.2, math.nan, 0.2], abs=1e-4, nan_ok=True)
    assert rig.values[VELOCITY, 1] == pytest.approx(math.tau / 6.33)
    assert rig.values[TORQUE, 1] == pytest.approx(6.33)
    assert rig.values[TEMPERATURE, 1] == -7.0
    assert rig.values[STAMP].tolist() == [PERIOD_S, 2 * PERIOD_S, NEVER_S, 2 * PERIOD_S]
    assert rig.codes[STATUS].tolist() == [
        MotorStatus.DISABLED,
        MotorStatus.DISABLED,
        MotorStatus.UNKNOWN,
        MotorStatus.DISABLED,
    ]


def test_the_turns_of_the_rotor_that_a_motor_does_not_know_of_are_added_both_ways(rig: Rig) -> None:
    rig.motors[0].counts["position"] -= 32768
    rig.motors[3].counts["position"] += 5 * 32768
    rig.step(Drive.POLL, 3)
    assert rig.values[POSITION].tolist() == pytest.approx([0.2] * 4, abs=1e-4)
    rig.step(Drive.ENABLE, 3)
    rig.step(Drive.COMMAND, 3)
    targets = [int.from_bytes(motor.heard[-1][7:11], "little", signed=True) for motor in rig.motors]
    at_0_3_rad = int(0.3 * 6.33 / math.tau * 32768)
    assert targets == pytest.approx([at_0_3_rad - 32768, at_0_3_rad, at_0_3_rad, at_0_3_rad + 5 * 32768], abs=1)


@pytest.mark.parametrize("state", range(64))
def test_mode_and_error_become_a_status_with_a_name(rig: Rig, state: int) -> None:
    mode, error = state >> 3, state & 7
    rig.group.write(Drive.POLL, HOLD)
    rig.line.pending = b""
    rig.hear(reply(0, mode=mode, error=error))
    healthy = {0: MotorStatus.DISABLED, 1: MotorStatus.ENABLED}
    expected = MotorStatus.FAULT if error else healthy.get(mode, MotorStatus.FAULT)
    assert rig.codes[STATUS, 0] == expected
    assert bool(rig.codes[FAULT, 0]) == (expected is MotorStatus.FAULT)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1, "over_temperature"),
        (8 + 2, "over_current"),
        (4, "encoder"),
        (7, "error_7"),
        (16, "CALIBRATE"),
        (40, "mode_5"),
    ],
)
def test_faults_have_the_makers_names(rig: Rig, code: int, name: str) -> None:
    assert rig.group.fault_name(code) == name


def damaged(frame: bytes) -> bytes:
    return frame[:8] + bytes((frame[8] ^ 4,)) + frame[9:]


@pytest.mark.parametrize(
    "data",
    [reply(7), damaged(reply(0)), reply(0)[:-1], command(0, FOC), reply(0)[::-1], b"\xfd\xee" * 20],
    ids=["stranger", "checksum", "short", "command", "backwards", "heads"],
)
def test_what_is_no_reply_of_ours_is_no_feedback(rig: Rig, data: bytes) -> None:
    rig.motors[0].is_silent = True
    rig.group.write(Drive.POLL, HOLD)
    rig.hear(data)
    rig.hear(bytes(16))
    assert rig.values[STAMP].tolist() == [NEVER_S, NEVER_S, NEVER_S, PERIOD_S]
    assert rig.line.counters.received == 0
    assert rig.line.counters.dropped >= len(data)


def test_who_was_not_asked_is_not_listened_to(rig: Rig) -> None:
    rig.hear(reply(1, position=99))
    assert rig.values[STAMP, 1] == NEVER_S
    rig.step(Drive.POLL, 3)
    rig.hear(reply(1, position=99))
    assert rig.values[POSITION, 1] == pytest.approx(0.2, abs=1e-4)
    assert rig.line.counters.dropped == 32


def test_an_answer_that_an_adapter_held_back_is_still_taken(rig: Rig) -> None:
    rig.group.write(Drive.POLL, HOLD)
    late, rig.line.pending = rig.line.pending, b""
    rig.step(Drive.POLL)
    rig.hear(late)
    assert rig.values[STAMP].tolist() == [2 * PERIOD_S, PERIOD_S, NEVER_S, PERIOD_S]
    assert rig.line.counters.dropped == 0


def test_several_answers_may_be_held_back_but_not_any_number(rig: Rig) -> None:
    rig.group.write(Drive.POLL, HOLD)
    answer, rig.line.pending = rig.line.pending, b""
    for _ in range(15):
        rig.group.write(Drive.POLL, HOLD)
    rig.line.pending = b""
    rig.hear(6 * answer)
    assert rig.line.counters.received == 4
    assert rig.line.counters.dropped == 2 * 16


def test_our_own_commands_coming_back_are_neither_feedback_nor_damage_nor_somebody_elses(rig: Rig) -> None:
    rig.line.echoes = True
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.step(Drive.COMMAND, 3)
    rig.step(Drive.DISABLE, 5)
    counters = rig.line.counters
    assert (counters.received, counters.expected, counters.dropped, counters.foreign_commands) == (12, 12, 0, 0)


@pytest.mark.parametrize(("identifier", "expected"), [(0, 1), (15, 1), (9, 0)])
def test_commands_of_somebody_else_to_our_motors_are_counted(rig: Rig, identifier: int, expected: int) -> None:
    rig.hear(command(identifier, FOC, 1, 2, 3, 4, 5))
    assert rig.line.counters.foreign_commands == expected
    rig.hear(damaged(command(identifier, FOC, 1, 2, 3, 4, 5)))
    assert rig.line.counters.foreign_commands == expected


def test_a_motor_is_energised_by_enable_only_without_motion_and_then_commanded(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.COMMAND, 3)
    rig.line.told()
    rig.step(Drive.ENABLE)
    assert rig.line.written == [command(0, FOC)]
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert rig.line.told() == [(1, FOC), (2, FOC), (0, FOC)]
    torque, velocity, position, kp, kd = (
        int.from_bytes(rig.motors[0].heard[-1][a:b], "little", signed=True)
        for a, b in ((3, 5), (5, 7), (7, 11), (11, 13), (13, 15))
    )
    assert (torque, velocity) == (int(0.5 / 6.33 * 256), 0)
    assert (kp, kd) == (int(20.0 / 6.33**2 * 1280), int(1.0 / 6.33**2 * 1280))
    assert position == int(0.3 * 6.33 / math.tau * 32768)
    assert set(rig.codes[STATUS].tolist()) == {MotorStatus.ENABLED}


def test_commands_brake_before_an_enable_and_after_a_poll(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert {mode for _, mode in rig.line.told()} == {BRAKE}
    rig.step(Drive.ENABLE, 3)
    rig.step(Drive.POLL)
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert {mode for _, mode in rig.line.told()} == {BRAKE}


def test_clearing_a_fault_enables_nothing(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.line.told()
    rig.step(Drive.CLEAR_FAULT, 3)
    rig.step(Drive.COMMAND, 3)
    assert {mode for _, mode in rig.line.told()} == {BRAKE}


def test_disable_reaches_every_motor_with_its_first_write_and_then_each_by_itself(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 4)
    rig.line.told()
    rig.step(Drive.DISABLE)
    assert all(motor.heard[-1][2] >> 4 == BRAKE for motor in rig.motors)
    rig.step(Drive.DISABLE, 4)
    assert rig.line.told() == [EVERYBODY, (1, BRAKE), (2, BRAKE), (0, BRAKE), EVERYBODY]
    assert set(rig.codes[STATUS].tolist()) == {MotorStatus.DISABLED}
    assert rig.line.counters.expected == rig.line.counters.received == 10


def test_a_motor_that_reported_an_error_gets_no_commands_until_the_next_enable(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.motors[1].counts["error"] = 2
    rig.step(Drive.COMMAND, 3)
    rig.motors[1].counts["error"] = 0
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert rig.line.told() == [(0, FOC), (1, BRAKE), (2, FOC)]
    rig.step(Drive.ENABLE, 3)
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert rig.line.told() == [(0, FOC), (1, FOC), (2, FOC)]


def test_a_motor_that_may_have_restarted_is_braked_and_its_position_is_unknown(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.motors[1].is_silent = True
    rig.step(Drive.COMMAND, math.ceil(LOST_S / PERIOD_S))
    rig.motors[1].is_silent = False
    rig.step(Drive.COMMAND, 3)
    assert np.isnan(rig.values[POSITION]).tolist() == [False, True, False, False]
    rig.step(Drive.ENABLE, 3)
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert sorted(rig.line.told()) == [(0, FOC), (1, BRAKE), (2, FOC)]
    run(rig, rig.group.probes(0.1)[0])
    assert rig.values[POSITION, 1] == pytest.approx(0.2, abs=1e-4)


def test_a_motor_that_missed_a_few_commands_goes_on(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.motors[1].is_silent = True
    rig.step(Drive.COMMAND, 30)
    rig.motors[1].is_silent = False
    rig.line.told()
    rig.step(Drive.COMMAND, 3)
    assert sorted(rig.line.told()) == [(0, FOC), (1, FOC), (2, FOC)]
    assert not np.isnan(rig.values[POSITION, 1])


@pytest.mark.parametrize("within", [None, (-1.0, 1.0), (0.5, 0.6)], ids=["nobody says", "two places", "no place"])
def test_a_motor_whose_place_is_not_known_is_never_energised(within: tuple[float, float] | None) -> None:
    rig = Rig(within)
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.step(Drive.COMMAND, 3)
    assert {mode for _, mode in rig.line.told()} == {BRAKE}
    assert np.isnan(rig.values[POSITION]).all()
    assert set(rig.codes[STATUS].tolist()) == {MotorStatus.DISABLED}


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: Rig, field: int, value: float) -> None:
    rig.step(Drive.POLL, 3)
    rig.step(Drive.ENABLE, 3)
    rig.line.told()
    bad = HOLD.copy()
    bad[field, 1] = value
    rig.step(Drive.COMMAND, 3, bad)
    assert rig.line.told() == [(0, FOC), (2, FOC)]
    assert rig.line.counters.errors == 1


def test_an_answer_is_not_expected_to_what_the_port_did_not_take(rig: Rig) -> None:
    rig.line.takes = 3
    rig.step(Drive.POLL, 3)
    assert rig.line.counters.expected == 0


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.builds(reply, st.integers(0, 15), mode=st.integers(0, 7))), max_size=9
    )
)
def test_no_bytes_raise_or_energise(chunks: list[bytes]) -> None:
    rig = Rig()
    for data in chunks:
        rig.hear(data)
        rig.step(Drive.COMMAND)
    assert {mode for _, mode in rig.line.told()} <= {BRAKE}


def test_the_zero_is_not_in_the_motor(rig: Rig) -> None:
    with pytest.raises(DeviceError, match="zero of unitree cannot be set over its bus"):
        next(rig.group.set_zero("j1", 0.0))


# Inventory


def run(rig: Rig, probe, drive: Drive | None = Drive.POLL):
    """An inventory as the control loop carries it out: read, advance it, write."""
    next(probe)
    for _ in range(3000):
        rig.read()
        try:
            probe.send(rig.now_s)
        except StopIteration as end:
            return end.value
        if drive is not None:
            rig.group.write(drive, HOLD)
    raise AssertionError("the inventory does not end")


def problems(rig: Rig, slot: int = 1, drive: Drive | None = Drive.POLL) -> list[str]:
    """What the inventory finds wrong with one motor of the first line, besides that it has no timeout."""
    reports = run(rig, rig.group.probes(0.1)[0], drive)
    return [problem for problem in reports[slot].problems if "no command timeout" not in problem]


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, None])
def test_a_healthy_motor_says_where_it_stands_and_where_else_it_could(rig: Rig, drive: Drive | None) -> None:
    reports = run(rig, rig.group.probes(0.1)[0], drive)
    assert [report.name for report in reports] == ["j0", "j1", "j2"]
    assert all(report.answered and len(report.problems) == 1 for report in reports)
    assert "no command timeout" in reports[0].problems[0]
    facts = reports[0].facts
    assert facts["position_rad"] == pytest.approx(0.2, abs=1e-4)
    assert facts["reads_the_same_at_rad"] == f"{0.2 - ZERO_PERIOD_RAD:.3f}, {0.2 + ZERO_PERIOD_RAD:.3f}"
    assert (facts["mode"], facts["temperature_degc"]) == ("BRAKE", 25.0)


def test_an_inventory_energises_nothing_and_no_motor_seems_silent_meanwhile(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    rig.ages_s.clear()
    run(rig, rig.group.probes(0.1)[0])
    assert len(rig.ages_s) > 20
    assert {mode for _, mode in rig.line.told()} == {BRAKE}
    assert max(rig.ages_s) <= 0.012 + 1e-9


def test_a_silent_motor_is_named_with_what_to_check(rig: Rig) -> None:
    rig.motors[1].is_silent = True
    (problem,) = problems(rig)
    assert problem.startswith("motor 1 on rs0 does not answer")
    assert "A and B are not swapped" in problem
    assert "4000000 baud" in problem


@pytest.mark.parametrize("identifier", [0, 1, 2])
@pytest.mark.parametrize("drive", [Drive.POLL, None])
def test_bytes_that_are_no_reply_are_two_motors_on_one_id_where_others_are_understood(
    rig: Rig, identifier: int, drive: Drive | None
) -> None:
    rig.line.spoils = {identifier}
    (problem,) = problems(rig, identifier, drive)
    assert problem.startswith(f"more than one motor answers under id {identifier}")
    assert "others on rs0 are understood" in problem


def test_bytes_that_are_no_reply_on_the_whole_line_are_a_wrong_rate(rig: Rig) -> None:
    rig.line.spoils = {0, 1, 2}
    (problem,) = problems(rig, slot=0)
    assert "nothing on the line is understood: wrong baud rate; the motors speak 4000000 baud" in problem


def test_alone_on_a_line_two_motors_on_one_id_cannot_be_told_from_a_wrong_rate(rig: Rig) -> None:
    rig.lines["rs1"].spoils = {0}
    (report,) = run(rig, rig.group.probes(0.1)[1])
    assert "wrong baud rate, or more than one motor answers under id 0" in report.problems[0]


def test_two_answers_that_differ_are_two_motors(rig: Rig) -> None:
    rig.line.motors.append(FakeMotor(1, 0.4))
    assert problems(rig)[0].startswith("more than one motor answers under id 1 (12 answers to 6 questions)")


def test_the_same_answer_twice_is_one_motor_on_a_bad_line(rig: Rig) -> None:
    rig.line.motors.append(FakeMotor(1, 0.2))
    assert problems(rig) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (1, "reports over_temperature at 95 degC: let it cool"),
        (2, "reports over_current: find the cause"),
        (4, "reports encoder: find the cause"),
    ],
)
def test_an_error_is_named(rig: Rig, error: int, expected: str) -> None:
    rig.motors[1].counts |= {"error": error, "temperature": 95}
    (problem,) = problems(rig)
    assert problem.startswith(expected)


def test_a_motor_that_does_not_brake_is_named(rig: Rig) -> None:
    rig.motors[1].mode = 2
    assert problems(rig) == ["is in mode CALIBRATE after a command to brake: power it up again"]


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ((-1.0, 1.0), "may be at -0.793, 0.200 rad"),
        ((0.5, 0.6), "cannot be between 0.500 and 0.600 rad: the rotor allows 0.200 or 1.193 rad"),
        (None, "nobody says where it is: give `starts_within_rad`"),
    ],
)
def test_a_place_that_cannot_be_told_is_explained(within: tuple[float, float] | None, expected: str) -> None:
    (problem,) = problems(Rig(within))
    assert expected in problem


def test_a_place_once_found_is_kept_while_the_motor_is_heard(rig: Rig) -> None:
    rig.step(Drive.POLL, 3)
    for motor in rig.motors:
        motor.counts["position"] += 3 * 32768
    assert problems(rig) == []
    assert rig.values[POSITION, 1] == pytest.approx(0.2 + 3 * ZERO_PERIOD_RAD, abs=1e-3)
