from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.dynamixel import codec, tables
from drivers.serial.dynamixel import instructions as make
from drivers.serial.dynamixel.codec import PacketParser, Status
from drivers.sim.servos.dynamixel import DynamixelBus
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from drivers.sim.servos.dynamixel_table import ACCESS, DATA_LENGTH, DATA_LIMIT, DATA_RANGE, RESULT_FAIL
from supervisor.core.errors import SimulationError


def line(*ids: int, **given_kwargs: object) -> DynamixelBus:
    return DynamixelBus([DynamixelServo(servo_id, **given_kwargs) for servo_id in ids])  # type: ignore[arg-type]


def ask(bus: DynamixelBus, request: bytes, now_s: float = 0.0) -> list[Status]:
    return [codec.decode_status(packet) for packet in PacketParser().feed(bus.hear(request, now_s))]


def write(bus: DynamixelBus, register: tables.Register, value: int, now_s: float = 0.0, servo_id: int = 1) -> int:
    (status,) = ask(bus, make.make_register_write(servo_id, register, value), now_s)
    return status.error_code


def read(bus: DynamixelBus, register: tables.Register, now_s: float = 0.0, servo_id: int = 1) -> int:
    (status,) = ask(bus, make.make_read(servo_id, register.address, register.size), now_s)
    assert status.error_code == 0
    return codec.unpack(status.data, is_signed=register.is_signed)


def test_a_ping_tells_model_and_firmware_and_all_answer_in_the_order_of_their_ids() -> None:
    bus = DynamixelBus([DynamixelServo(7, "XL430-W250", firmware=45), DynamixelServo(3)])
    assert ask(bus, make.make_ping(7)) == [Status(7, 0, False, b"\x24\x04\x2d")]
    assert [status.id for status in ask(bus, make.make_ping(254))] == [3, 7]
    assert ask(bus, make.make_ping(9)) == []


def test_a_goal_is_followed_at_the_speed_limit_with_the_torque_on_only() -> None:
    bus = line(1)
    assert write(bus, tables.GOAL_POSITION, 3048) == 0
    assert read(bus, tables.PRESENT_POSITION, 1.0) == 2048
    write(bus, tables.PROFILE_VELOCITY, 100, 1.0)
    write(bus, tables.TORQUE_ENABLE, 1, 1.0)
    # 22.9 rpm are 1563 counts/s.
    assert read(bus, tables.PRESENT_POSITION, 1.1) == pytest.approx(2048 + 156, abs=1)
    assert (read(bus, tables.PRESENT_VELOCITY, 1.1), read(bus, tables.MOVING, 1.1)) == (100, 1)
    assert read(bus, tables.PRESENT_POSITION, 2.0) == 3048
    assert (read(bus, tables.PRESENT_VELOCITY, 2.0), read(bus, tables.MOVING, 2.0)) == (0, 0)


@pytest.mark.parametrize(
    ("register", "value", "code"),
    [
        (tables.GOAL_POSITION, 4096, DATA_LIMIT),
        (tables.GOAL_POSITION, -1, DATA_LIMIT),
        (tables.GOAL_VELOCITY, 201, DATA_LIMIT),
        (tables.GOAL_CURRENT, -1194, DATA_LIMIT),
        (tables.BUS_WATCHDOG, 128, DATA_LIMIT),
        (tables.TORQUE_ENABLE, 2, DATA_LIMIT),
        (tables.OPERATING_MODE, 2, DATA_LIMIT),
        (tables.ID, 253, DATA_LIMIT),
        (tables.LED, 1, 0),
    ],
)
def test_a_write_out_of_range_is_refused_and_leaves_everything_as_it_was(
    register: tables.Register, value: int, code: int
) -> None:
    bus = line(1)
    before = read(bus, register)
    assert write(bus, register, value) == code
    assert (read(bus, register) == before) == (code != 0)


def test_a_goal_out_of_range_in_a_sync_write_is_ignored_silently() -> None:
    bus = line(1, 2)
    goals = [(1, codec.pack(5000, 4, is_signed=True)), (2, codec.pack(1000, 4, is_signed=True))]
    assert bus.hear(make.make_sync_write(116, 4, goals), 0.0) == b""
    assert (read(bus, tables.GOAL_POSITION), read(bus, tables.GOAL_POSITION, servo_id=2)) == (2048, 1000)


def test_what_is_measured_stored_or_not_there_cannot_be_written_in_a_run() -> None:
    bus = line(1)
    assert ask(bus, make.make_write(1, 132, bytes(4)))[0].error_code == ACCESS
    assert ask(bus, make.make_write(1, 147, b"\0"))[0].error_code == ACCESS
    assert ask(bus, make.make_read(1, 140, 8))[0].error_code == ACCESS
    assert ask(bus, codec.make_packet(1, tables.READ, b"\0"))[0].error_code == DATA_LENGTH
    assert write(bus, tables.OPERATING_MODE, 1) == 0
    write(bus, tables.TORQUE_ENABLE, 1)
    assert write(bus, tables.OPERATING_MODE, 3) == ACCESS
    assert ask(bus, codec.make_packet(1, 0x77))[0].error_code == 2


def test_a_model_without_current_sensing_has_no_current_modes() -> None:
    bus = line(1, model="XL430-W250")
    assert write(bus, tables.OPERATING_MODE, tables.MODE_CURRENT) == DATA_LIMIT
    assert write(bus, tables.OPERATING_MODE, tables.MODE_VELOCITY) == 0


def running(firmware: int = 52, model: str = "XM430-W350", mode: int = tables.MODE_POSITION) -> DynamixelBus:
    """A servo on its way with a watchdog of 100 ms."""
    bus = line(1, firmware=firmware, model=model)
    write(bus, tables.OPERATING_MODE, mode)
    write(bus, tables.TORQUE_ENABLE, 1)
    write(bus, tables.BUS_WATCHDOG, 5)
    goal = tables.GOAL_VELOCITY if mode == tables.MODE_VELOCITY else tables.GOAL_POSITION
    write(bus, goal, 100 if mode == tables.MODE_VELOCITY else 4000)
    return bus


@pytest.mark.parametrize("mode", [tables.MODE_POSITION, tables.MODE_VELOCITY, tables.MODE_EXTENDED_POSITION])
def test_when_the_host_dies_the_watchdog_stops_the_servo_and_it_holds_with_torque(mode: int) -> None:
    bus = running(mode=mode)
    (servo,) = bus.servos
    bus.advance_to(0.099)
    assert servo.velocity_rad_per_s > 0.0
    bus.advance_to(0.101)
    stopped = servo.shaft_count
    bus.advance_to(5.0)
    assert (servo.has_torque, servo.velocity_rad_per_s, servo.shaft_count) == (True, 0.0, stopped)
    assert read(bus, tables.BUS_WATCHDOG, 5.0) == tables.WATCHDOG_EXPIRED


def test_expiry_is_at_its_own_time_however_far_the_clock_jumps() -> None:
    coarse, fine = running(), running()
    coarse.advance_to(3.0)
    for step in range(1, 300):
        fine.advance_to(step * 0.01)
    assert coarse.servos[0].shaft_count == pytest.approx(fine.servos[0].shaft_count, abs=1e-6)


def test_after_expiry_goals_are_refused_until_zero_is_written() -> None:
    bus = running()
    bus.advance_to(1.0)
    assert write(bus, tables.GOAL_POSITION, 2000, 1.0) == DATA_RANGE
    assert write(bus, tables.BUS_WATCHDOG, 5, 1.0) == DATA_RANGE
    assert write(bus, tables.BUS_WATCHDOG, 0, 1.0) == 0
    held = bus.servos[0].shaft_count
    bus.advance_to(2.0)
    assert bus.servos[0].shaft_count == held
    assert write(bus, tables.GOAL_POSITION, 2000, 2.0) == 0
    assert read(bus, tables.PRESENT_POSITION, 5.0) == 2000


def test_any_packet_on_the_line_restarts_the_watchdog() -> None:
    bus = running()
    for step in range(1, 20):
        bus.hear(make.make_ping(99), 0.09 * step)
    assert read(bus, tables.BUS_WATCHDOG, 0.09 * 19) == 5


def test_the_watchdog_does_not_count_without_torque() -> None:
    bus = line(1)
    write(bus, tables.BUS_WATCHDOG, 1)
    assert read(bus, tables.BUS_WATCHDOG, 10.0) == 1
    write(bus, tables.TORQUE_ENABLE, 1, 10.0)
    assert read(bus, tables.BUS_WATCHDOG, 10.01) == 1


def test_the_smallest_models_with_firmware_51_expire_and_keep_turning() -> None:
    for firmware, keeps_turning in ((51, True), (52, False)):
        bus = running(firmware, "XL330-M288", tables.MODE_VELOCITY)
        bus.advance_to(1.0)
        assert (bus.servos[0].velocity_rad_per_s > 0.0) == keeps_turning
        assert bus.servos[0].table[tables.BUS_WATCHDOG] == tables.WATCHDOG_EXPIRED


def test_overheating_switches_the_torque_off_and_only_a_reboot_helps() -> None:
    bus = running()
    bus.servos[0].set_temperature(81)
    (status,) = ask(bus, make.make_read(1, 70, 1))
    assert (status.has_alert, codec.hardware_error_names(status.data[0])) == (True, ["OVERHEATING"])
    assert not bus.servos[0].has_torque
    assert write(bus, tables.TORQUE_ENABLE, 1) == RESULT_FAIL
    bus.servos[0].set_temperature(40)
    assert ask(bus, make.make_reboot(1)) == [Status(1, 0, False, b"")]
    assert write(bus, tables.TORQUE_ENABLE, 1) == 0
    assert read(bus, tables.BUS_WATCHDOG) == 0


def test_a_low_supply_is_told_but_shuts_nothing_down() -> None:
    bus = running()
    bus.servos[0].set_voltage(8.0)
    (status,) = ask(bus, make.make_ping(1))
    assert status.has_alert
    assert bus.servos[0].has_torque
    assert read(bus, tables.PRESENT_VOLTAGE) == 80


def test_a_write_left_for_later_waits_for_the_action() -> None:
    bus = line(1, 2)
    for servo_id in (1, 2):
        assert ask(bus, make.make_reg_write(servo_id, 116, b"\0\x04\0\0"))[0].error_code == 0
    assert (read(bus, tables.GOAL_POSITION), read(bus, tables.REGISTERED_INSTRUCTION)) == (2048, 1)
    assert bus.hear(make.make_action(), 0.0) == b""
    assert [read(bus, tables.GOAL_POSITION, servo_id=servo_id) for servo_id in (1, 2)] == [1024, 1024]
    assert read(bus, tables.REGISTERED_INSTRUCTION) == 0


def fast_statuses(data: bytes, *ids: int) -> list[Status]:
    return [
        status
        for packet in PacketParser().feed(data)
        for status in codec.decode_fast_status(packet, [(servo_id, 10) for servo_id in ids])
    ]


def test_a_sync_read_is_answered_in_the_order_asked_and_both_forms_agree() -> None:
    bus = line(1, 2, 3)
    write(bus, tables.TORQUE_ENABLE, 1, servo_id=3)
    write(bus, tables.GOAL_POSITION, 1000, servo_id=3)
    usual = ask(bus, make.make_sync_read(126, 10, (3, 1, 2)), 0.05)
    assert [status.id for status in usual] == [3, 1, 2]
    assert codec.unpack(usual[0].data[2:6], is_signed=True) < 0
    assert fast_statuses(bus.hear(make.make_fast_sync_read(126, 10, (3, 1, 2)), 0.05), 3, 1, 2) == usual


def test_a_servo_that_is_unplugged_shortens_a_sync_read_and_breaks_a_fast_one() -> None:
    bus = line(1, 2, 3)
    bus.servos = [bus.servos[0], bus.servos[2]]
    assert [status.id for status in ask(bus, make.make_sync_read(126, 10, (1, 2, 3)))] == [1, 3]
    assert PacketParser().feed(bus.hear(make.make_fast_sync_read(126, 10, (1, 2, 3)), 0.0)) == []


def test_whoever_talks_on_after_a_question_destroys_its_answer_and_is_not_understood() -> None:
    bus = line(1, 2)
    led = make.make_register_write(2, tables.LED, 1)
    assert PacketParser().feed(bus.hear(make.make_ping(1) + led, 0.0)) == []
    assert read(bus, tables.LED, servo_id=2) == 0
    sync = make.make_sync_write(65, 1, [(2, b"\x01")])
    assert len(PacketParser().feed(bus.hear(sync + make.make_ping(1), 0.0))) == 1
    assert read(bus, tables.LED, servo_id=2) == 1


def listed(bus: DynamixelBus, *addresses: int) -> int:
    data = b"".join(address.to_bytes(2, "little") for address in addresses)
    (status,) = ask(bus, make.make_write(1, 168, data))
    return status.error_code


@pytest.mark.parametrize(("model", "data_at"), [("XM430-W350", 224), ("XL330-M288", 208)])
def test_listed_bytes_appear_side_by_side_until_a_restart(model: str, data_at: int) -> None:
    bus = line(1, model=model)
    assert ask(bus, make.make_read(1, data_at, 3))[0].data == bytes(3)
    assert listed(bus, 68, 146, 132, 133) == 0
    assert ask(bus, make.make_read(1, data_at, 4))[0].data == bytes((2, 30, 0, 8))
    assert ask(bus, make.make_read(1, 168, 4))[0].data == bytes((68, 0, 146, 0))
    ask(bus, make.make_reboot(1))
    assert ask(bus, make.make_read(1, data_at, 4))[0].data == bytes(4)


def test_what_is_not_in_ram_cannot_be_listed() -> None:
    bus = line(1)
    assert listed(bus, 7) == DATA_LIMIT
    assert listed(bus, 300) == DATA_LIMIT
    assert ask(bus, make.make_write(1, 168, b"\x44"))[0].error_code == ACCESS
    assert ask(bus, make.make_write(1, 224, b"\0"))[0].error_code == ACCESS


def test_the_watchdog_frees_a_servo_in_current_control_and_leaves_its_torque_switch_on() -> None:
    bus = line(1)
    write(bus, tables.OPERATING_MODE, tables.MODE_CURRENT)
    write(bus, tables.GOAL_CURRENT, 100)
    write(bus, tables.TORQUE_ENABLE, 1)
    write(bus, tables.BUS_WATCHDOG, 5)
    (servo,) = bus.servos
    assert servo.pushes_count == 100
    bus.advance_to(0.2)
    assert (servo.has_torque, servo.pushes_count) == (True, 0)
    assert write(bus, tables.GOAL_CURRENT, 50, 0.2) == DATA_RANGE
    write(bus, tables.BUS_WATCHDOG, 0, 0.2)
    assert write(bus, tables.GOAL_CURRENT, 50, 0.2) == 0
    assert servo.pushes_count == 50


def test_an_error_whose_cause_lasts_survives_a_restart() -> None:
    bus = line(1)
    (servo,) = bus.servos
    servo.lasting_errors = 1 << 5
    servo.fail(5)
    ask(bus, make.make_reboot(1))
    assert read(bus, tables.HARDWARE_ERROR) == 1 << 5
    servo.lasting_errors = 0
    ask(bus, make.make_reboot(1))
    assert read(bus, tables.HARDWARE_ERROR) == 0


def test_bulk_instructions_reach_different_registers() -> None:
    bus = line(1, 2)
    assert bus.hear(make.make_bulk_write([(1, 116, b"\0\x04\0\0"), (2, 65, b"\x01")]), 0.0) == b""
    items = [make.BulkItem(1, 116, 4), make.BulkItem(2, 65, 1)]
    assert [status.data for status in ask(bus, make.make_bulk_read(items))] == [b"\0\x04\0\0", b"\x01"]
    (packet,) = PacketParser().feed(bus.hear(make.make_fast_bulk_read(items), 0.0))
    answers = codec.decode_fast_status(packet, [(1, 4), (2, 1)])
    assert [status.data for status in answers] == [b"\0\x04\0\0", b"\x01"]


def test_two_servos_with_one_id_answer_over_each_other() -> None:
    bus = DynamixelBus([DynamixelServo(1), DynamixelServo(1)])
    bus.servos[0].shaft_count = 1000.0
    parser = PacketParser()
    assert parser.feed(bus.hear(make.make_read(1, 132, 4), 0.0)) == []
    assert parser.bad_crc == 1


def test_a_servo_at_another_baud_rate_understands_nothing() -> None:
    bus = DynamixelBus([DynamixelServo(1, baud=1_000_000)])
    assert bus.hear(make.make_ping(1), 0.0) == b""
    bus.baud = 1_000_000
    assert len(ask(bus, make.make_ping(1))) == 1


def test_an_id_is_changed_under_the_old_one() -> None:
    bus = line(1)
    assert write(bus, tables.ID, 5) == 0
    assert ask(bus, make.make_ping(1)) == []
    assert ask(bus, make.make_ping(5))[0].id == 5


def test_the_status_return_level_silences_writes_then_reads() -> None:
    bus = line(1)
    assert write(bus, tables.STATUS_RETURN_LEVEL, 1) == 0
    assert ask(bus, make.make_register_write(1, tables.LED, 1)) == []
    assert read(bus, tables.LED) == 1
    bus.hear(make.make_register_write(1, tables.STATUS_RETURN_LEVEL, 0), 0.0)
    assert ask(bus, make.make_read(1, 65, 1)) == []
    assert len(ask(bus, make.make_ping(1))) == 1


def test_a_factory_reset_keeps_what_it_says() -> None:
    for option, kept in ((2, True), (1, True), (255, False)):
        bus = line(9)
        write(bus, tables.SHUTDOWN, 1, servo_id=9)
        assert ask(bus, make.make_factory_reset(9, option))[0].error_code == 0
        assert bus.servos[0].table[tables.SHUTDOWN] == 52
        assert (bus.servos[0].servo_id == 9) == kept


def test_clearing_many_turns_leaves_the_place_in_the_turn() -> None:
    bus = line(1)
    write(bus, tables.OPERATING_MODE, tables.MODE_EXTENDED_POSITION)
    bus.servos[0].shaft_count = 3 * 4096.0 + 100.0
    assert read(bus, tables.PRESENT_POSITION) == 3 * 4096 + 100
    assert ask(bus, make.make_clear_multi_turn(1))[0].error_code == 0
    assert read(bus, tables.PRESENT_POSITION) == 100


def test_a_homing_offset_moves_the_position_and_not_the_shaft() -> None:
    bus = line(1)
    write(bus, tables.HOMING_OFFSET, -48)
    assert read(bus, tables.PRESENT_POSITION) == 2000
    write(bus, tables.GOAL_POSITION, 2100)
    write(bus, tables.TORQUE_ENABLE, 1)
    assert (read(bus, tables.PRESENT_POSITION, 3.0), bus.servos[0].shaft_count) == (2100, 2148.0)


@pytest.mark.parametrize("kwargs", [{"model": "XM999"}, {"baud": 12345}])
def test_what_does_not_exist_is_refused(kwargs: dict[str, object]) -> None:
    with pytest.raises(SimulationError):
        line(1, **kwargs)
    with pytest.raises(SimulationError):
        line(253)
    with pytest.raises(SimulationError):
        DynamixelBus([], baud=5)


PACKETS = st.builds(
    codec.make_packet,
    st.sampled_from([1, 2, 254]),
    st.sampled_from([1, 2, 3, 4, 5, 6, 8, 0x10, 0x20, 0x55, 0x82, 0x83, 0x8A, 0x92, 0x93, 0x9A, 0x77]),
    st.one_of(
        st.binary(max_size=24),
        st.lists(st.sampled_from([0, 1, 2, 4, 64, 98, 116, 255]), max_size=24).map(bytes),
    ),
)


@given(st.lists(st.one_of(PACKETS, st.binary(max_size=20)), max_size=12))
def test_whatever_is_on_the_line_the_servos_live_on(parts: list[bytes]) -> None:
    bus = line(1, 2)
    for step, part in enumerate(parts):
        answers = bus.hear(part, 0.01 * step)
        assert len(answers) < 4096
    bus.hear(bytes(1100), 1.0)
    for servo in bus.servos:
        assert 0 <= servo.servo_id <= 252
