from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.serial.dynamixel import tables as t
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from supervisor.core.command import Drive
from tests.drivers.serial.dynamixel.fake import FakePort, Rig, servo


@pytest.fixture
def rig() -> Rig:
    return Rig()


def problem(rig: Rig, joint: str = "j0") -> str:
    return "\n".join(rig.inventory()[joint].problems)


def test_a_servo_that_is_set_up_has_no_problems_and_its_facts_are_told(rig: Rig) -> None:
    rig.servos[0].shaft_count = 2048.0 + 512.0
    reports = rig.inventory()
    assert {report.problems for report in reports.values()} == {()}
    assert all(report.answered for report in reports.values())
    facts = reports["j0"].facts
    assert (facts["make"], facts["model"], facts["firmware"]) == ("dynamixel", "XM430-W350", "52")
    assert (facts["timeout_s"], facts["bus_voltage_v"], facts["status"]) == (0.1, 12.0, "off")
    assert facts["current_limit_a"] == pytest.approx(3.209)
    assert facts["position_rad"] == pytest.approx(0.7854)
    assert [one.table[t.BUS_WATCHDOG] for one in rig.servos] == [5] * 3


def test_nothing_is_energised_and_what_was_left_on_is_switched_off(rig: Rig) -> None:
    rig.servos[0].table[t.TORQUE_ENABLE] = 1
    rig.servos[0].table[t.GOAL_CURRENT] = 100
    assert problem(rig) == ""
    assert not any(one.has_torque for one in rig.servos)


def test_nothing_in_eeprom_is_written(rig: Rig) -> None:
    for one in rig.servos:
        one.table[t.RETURN_DELAY] = 20
    before = [[one.table[r] for r in t.REGISTERS.values() if r.is_stored] for one in rig.servos]
    rig.inventory()
    assert [[one.table[r] for r in t.REGISTERS.values() if r.is_stored] for one in rig.servos] == before


def test_a_watchdog_that_has_expired_is_cleared_first(rig: Rig) -> None:
    rig.servos[0].table[t.BUS_WATCHDOG] = t.WATCHDOG_EXPIRED
    assert problem(rig) == ""
    assert rig.servos[0].table[t.BUS_WATCHDOG] == 5


@pytest.mark.parametrize("level", [0, 1])
def test_a_servo_that_answers_little_is_made_to_answer(rig: Rig, level: int) -> None:
    rig.servos[0].table[t.STATUS_RETURN_LEVEL] = level
    assert problem(rig) == ""
    assert rig.servos[0].table[t.STATUS_RETURN_LEVEL] == 2


@pytest.mark.parametrize(
    ("register", "value", "text"),
    [
        (t.RETURN_DELAY, 250, "register 9 (RETURN_DELAY) is 250 and must be 0"),
        (t.DRIVE_MODE, 8, "register 10 (DRIVE_MODE) is 8 and must be 0"),
        (t.OPERATING_MODE, 3, "register 11 (OPERATING_MODE) is 3 and must be 0"),
        (t.SECONDARY_ID, 7, "register 12 (SECONDARY_ID) is 7 and must be 255"),
        (t.CURRENT_LIMIT, 1002, "register 38 (CURRENT_LIMIT) is 1002 and must be 1003"),
        (t.PWM_LIMIT, 800, "register 36 (PWM_LIMIT) is 800 and must be 885"),
        (t.PWM_LIMIT, 47733, "register 36 (PWM_LIMIT) is 47733 and must be 885"),
        (t.STARTUP_CONFIGURATION, 1, "register 60 (STARTUP_CONFIGURATION) is 1 and must be 0"),
        (t.SHUTDOWN, 0b1_0000, "register 63 (SHUTDOWN) is 16 and must be 52"),
    ],
)
def test_what_is_stored_otherwise_refuses_and_names_both_values(
    rig: Rig, register: t.Register, value: int, text: str
) -> None:
    rig.servos[0].table[register] = value
    reports = rig.inventory()
    assert len(reports["j0"].problems) == 1
    assert text in reports["j0"].problems[0]
    assert reports["j1"].problems == ()
    (change,) = rig.group.register_changes()["j0"]
    assert (change.address, change.found, change.needs_eeprom) == (register.address, value, True)
    assert rig.group.register_changes()["j1"] == ()


def test_old_firmware_is_not_asked_for_what_it_does_not_have() -> None:
    rig = Rig(servo(1, firmware=42), servo(2), servo(1, "XL330-M288"))
    assert problem(rig) == ""
    assert t.STARTUP_CONFIGURATION not in {change.register for change in rig.group.register_changes()["j0"]}


def test_the_smallest_servos_with_firmware_51_have_no_timeout_and_their_watchdog_stays_off() -> None:
    rig = Rig(servo(1), servo(2), servo(1, "XL330-M288", 51))
    reports = rig.inventory()
    assert reports["j2"].problems == (NO_TIMEOUT_PROBLEM,)
    assert (reports["j0"].problems, reports["j2"].facts["firmware_needed"]) == ((), "52")
    assert rig.servos[2].table[t.BUS_WATCHDOG] == 0
    rig.step(Drive.ENABLE)
    assert rig.servos[2].has_torque


def refusing(one: DynamixelServo, register: t.Register) -> None:
    """Let a servo acknowledge writes of a register, and not keep them."""
    write = one.write

    def kept(address: int, data: bytes) -> int:
        return 0 if address == register.address else write(address, data)

    one.write = kept  # type: ignore[method-assign]


def test_a_timeout_that_does_not_read_back_is_named_with_both_values(rig: Rig) -> None:
    refusing(rig.servos[0], t.BUS_WATCHDOG)
    assert "command timeout reads back 0 s after setting 0.1 s" in problem(rig)


@pytest.mark.parametrize("timeout_s", [0.01, 3.5])
def test_a_timeout_that_the_servo_does_not_have_is_refused(rig: Rig, timeout_s: float) -> None:
    reports = rig.inventory(timeout_s)
    assert f"command timeout not possible: watchdog {timeout_s:g} s, allowed: 0.02 to 2.54 s" in reports["j0"].problems


def test_a_list_that_is_not_kept_is_named(rig: Rig) -> None:
    refusing(rig.servos[0], t.Register(168, 2))
    assert "does not take the list of what to read in each cycle (register 168)" in problem(rig)


def test_a_silent_servo_among_others_is_named_with_its_bus_and_id(rig: Rig) -> None:
    rig.port.bus.servos = rig.port.bus.servos[:1]
    reports = rig.inventory()
    assert not reports["j1"].answered
    (text,) = reports["j1"].problems
    assert text.startswith("motor 2 on a does not answer 10 pings, others do: check its power")
    assert reports["j0"].problems == ()


def test_where_nobody_answers_the_rate_is_named(rig: Rig) -> None:
    rig.port.bus.servos = ()
    assert "nor does anybody on a: check power, the data line, and that baud_bps" in problem(rig)


def test_where_only_rubbish_arrives_the_rate_is_named(rig: Rig) -> None:
    rig.port.spoil = lambda _: b"\x5a\x33" * 9
    assert "nothing on a is readable though bytes arrive: check that baud_bps" in problem(rig)


def test_two_servos_with_one_id_are_named_even_where_they_stand_alike() -> None:
    one, other = servo(1), servo(1)
    other.started_s = -0.1
    rig = Rig(one, servo(2), servo(1, "XL330-M288"))
    rig.port.bus.servos = [one, other, rig.servos[1]]
    assert "more than one motor answers under id 1 (5 of 5 answers were no packet): give each an id" in problem(rig)
    assert rig.inventory()["j1"].problems == ()


def test_two_servos_with_one_id_that_answer_nothing_readable_are_named() -> None:
    rig = Rig(servo(1), servo(2), servo(1, "XL330-M288"))
    rig.port.bus.servos = [rig.servos[0], DynamixelServo(1, "XL430-W250", baud=4_000_000), rig.servos[1]]
    assert "with a packet, but with bytes that are none: more than one motor answers under id 1" in problem(rig)


def test_another_model_is_named_with_both() -> None:
    rig = Rig(
        servo(1, "XM540-W270"), servo(2), servo(1, "XL330-M288"), models=("XM430-W350", "XM430-W350", "XL330-M288")
    )
    assert "is model 1120 (XM540-W270), the robot file says 1020 (XM430-W350)" in problem(rig)


@pytest.mark.parametrize("bit", t.HARDWARE_ERROR_BITS)
def test_every_hardware_error_is_named(rig: Rig, bit: int) -> None:
    rig.servos[0].fail(bit)
    assert f"reports {t.HARDWARE_ERROR_BITS[bit]} (register 70)" in problem(rig)


def test_a_hot_servo_is_named_with_its_limit(rig: Rig) -> None:
    rig.servos[0].set_temperature(85)
    text = problem(rig)
    assert "reports OVERHEATING" in text
    assert "has 85 degC, its limit is 80" in text


@pytest.mark.parametrize(("count", "is_near"), [(100, True), (4000, True), (2048, False), (300, False)])
def test_where_a_turn_ends_is_no_place_to_start(rig: Rig, count: int, is_near: bool) -> None:
    rig.servos[0].shaft_count = float(count)
    assert ("where its turn ends (allowed: 2.84)" in problem(rig)) == is_near


def lossy(port: FakePort, every: int) -> Callable[[bytes], bytes]:
    """Lose every so-many-th answer."""
    return lambda data: b"" if len(port.written) % every == 0 else data


@pytest.mark.parametrize("every", [3, 5, 7])
def test_lost_answers_are_asked_for_again(rig: Rig, every: int) -> None:
    rig.port.spoil = lossy(rig.port, every)
    assert problem(rig) == ""
