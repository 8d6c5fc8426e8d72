from __future__ import annotations

import pytest

from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.settings import COMPARED, needed_changes

SERVO = t.SERVOS["XM430-W350"]
GOOD = {
    t.RETURN_DELAY: 0,
    t.DRIVE_MODE: 0,
    t.OPERATING_MODE: 0,
    t.SECONDARY_ID: 255,
    t.PWM_LIMIT: 885,
    t.CURRENT_LIMIT: 1193,
    t.STARTUP_CONFIGURATION: 0,
    t.SHUTDOWN: 52,
}


def test_a_servo_that_is_set_up_needs_nothing() -> None:
    assert list(needed_changes(SERVO, GOOD)) == []
    assert GOOD.keys() == {*COMPARED}


def test_as_delivered_it_needs_its_mode_and_its_return_delay() -> None:
    delivered = {**GOOD, t.RETURN_DELAY: 250, t.OPERATING_MODE: 3}
    assert [(c.name, c.address, c.found, c.wanted) for c in needed_changes(SERVO, delivered)] == [
        ("RETURN_DELAY", 9, 250, 0),
        ("OPERATING_MODE", 11, 3, 0),
    ]


@pytest.mark.parametrize(
    ("register", "value", "wanted"),
    [
        (t.SHUTDOWN, 53, None),
        (t.SHUTDOWN, 1, 53),
        (t.CURRENT_LIMIT, 1003, None),
        (t.CURRENT_LIMIT, 0, 1003),
        (t.SECONDARY_ID, 253, None),
        (t.SECONDARY_ID, 0, 255),
    ],
)
def test_what_will_do_is_left_as_it_is(register: t.Register, value: int, wanted: int | None) -> None:
    changes = [change.wanted for change in needed_changes(SERVO, {**GOOD, register: value})]
    assert changes == ([] if wanted is None else [wanted])


def test_what_was_not_read_is_not_judged() -> None:
    assert list(needed_changes(SERVO, {})) == []


def test_a_change_says_what_to_set_and_why() -> None:
    (change,) = needed_changes(SERVO, {t.RETURN_DELAY: 250})
    assert change.needs_eeprom
    assert change.describe() == (
        "register 9 (RETURN_DELAY) is 250 and must be 0, because 250, as delivered, is half a millisecond of silence "
        "per servo: see handrail configure"
    )
