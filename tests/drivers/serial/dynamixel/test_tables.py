from __future__ import annotations

from drivers.serial.dynamixel import tables


def test_no_two_registers_share_a_byte() -> None:
    taken = [register.address + k for register in tables.REGISTERS.values() for k in range(register.size)]
    assert len(taken) == len(set(taken))
    assert len(tables.REGISTERS) > 40


def test_what_is_stored_lies_below_the_torque_switch() -> None:
    for name, register in tables.REGISTERS.items():
        assert register.is_stored == (register.address < tables.TORQUE_ENABLE.address), name


def test_one_read_of_motion_gets_current_velocity_and_position() -> None:
    rows = (tables.PRESENT_CURRENT, tables.PRESENT_VELOCITY, tables.PRESENT_POSITION)
    at = tables.MOTION_ADDRESS
    for register in rows:
        assert register.address == at
        at += register.size
    assert at == tables.MOTION_ADDRESS + tables.MOTION_BYTES


def test_every_model_has_a_source_and_a_number_of_its_own() -> None:
    assert all(model.source for model in tables.MODELS.values())
    assert len({model.number for model in tables.MODELS.values()}) == len(tables.MODELS)
    for model in tables.MODELS.values():
        assert (model.current_count_a is None) == (tables.MODE_CURRENT not in model.modes)


def test_small_servos_need_firmware_52_for_their_watchdog() -> None:
    assert {name for name, model in tables.MODELS.items() if model.watchdog_firmware} == {"XL330-M077", "XL330-M288"}
