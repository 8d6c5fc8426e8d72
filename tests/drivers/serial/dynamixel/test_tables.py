from __future__ import annotations

from drivers.serial.dynamixel import tables


def test_no_two_registers_share_a_byte() -> None:
    taken = [register.address + k for register in tables.REGISTERS.values() for k in range(register.size)]
    assert len(taken) == len(set(taken))
    assert len(tables.REGISTERS) > 40


def test_what_is_stored_lies_below_the_torque_switch() -> None:
    for name, register in tables.REGISTERS.items():
        assert register.is_stored == (register.address < tables.TORQUE_ENABLE.address), name


def test_every_model_has_a_source_and_a_number_of_its_own() -> None:
    assert all(model.source for model in tables.SERVOS.values())
    assert len({model.number for model in tables.SERVOS.values()}) == len(tables.SERVOS)
    for model in tables.SERVOS.values():
        assert (model.current_count_a is None) == (tables.MODE_CURRENT not in model.modes)


def test_small_servos_need_firmware_52_for_their_watchdog() -> None:
    assert {name for name, model in tables.SERVOS.items() if model.watchdog_firmware} == {"XL330-M077", "XL330-M288"}


def test_only_models_with_current_control_are_driven() -> None:
    assert tables.SERVOS.keys() - tables.MODELS.keys() == {"XL430-W250"}
    for name, model in tables.MODELS.items():
        servo = tables.SERVOS[name]
        largest_nm = servo.torque_max_count * servo.torque_count_nm
        assert 0.95 * largest_nm < model.torque_max_nm <= min(largest_nm, servo.stall_nm)
        assert "at" in model.source


def test_what_is_read_in_every_cycle_can_be_listed_and_fits() -> None:
    assert all(address >= 64 for address in tables.CYCLE_BLOCK_ADDRESSES)
    assert tables.CYCLE_BLOCK_BYTES <= (tables.INDIRECT_DATA_330 - tables.INDIRECT_ADDRESS) // 2


def test_twelve_servos_at_500_hz_need_less_than_their_line_has() -> None:
    assert tables.CYCLE_COST.motors_within(500, 4_000_000) >= 12
    assert tables.CYCLE_COST.load(3, 500, 1_000_000) > 0.7
