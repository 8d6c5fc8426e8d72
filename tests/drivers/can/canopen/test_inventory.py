from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.bus import Frame
from drivers.can.canopen import codec
from drivers.sim.motors import canopen_objects
from drivers.sim.motors.canopen import OPERATIONAL
from drivers.sim.motors.conditions import MotorCondition
from supervisor.core.command import Drive
from tests.drivers.can.canopen.bench import DRIVE, Bench


def problems(bench: Bench, timeout_s: float = 0.1) -> str:
    """Of the first drive; the second has none."""
    first, second = bench.inventory(timeout_s)
    assert second.problems == ()
    return " | ".join(first.problems)


def test_an_inventory_sets_everything_up_and_never_energises() -> None:
    bench = Bench()
    first, second = bench.inventory()
    assert (first.problems, second.problems) == ((), ())
    facts = first.facts
    assert (facts["device"], facts["firmware"], facts["serial"]) == ("simulated drive", "1.2.0", "0x1000")
    assert (facts["vendor"], facts["product"], facts["state"]) == ("0x5EED", "0x402", "SWITCH ON DISABLED")
    assert (facts["rated_torque_nm"], facts["torque_max_nm"]) == (1.5, 29.997)
    assert (facts["counts_per_turn"], facts["velocity_unit"]) == (16_384.0, "0.001 turns/min")
    assert (facts["timeout_s"], facts["mode"], facts["after_timeout"]) == (0.1, 10, "goes on reporting")
    values = bench.drives.objects[0].values
    assert values[0x1016, 1] == 127 << 16 | 100
    assert values[0x6007, 0] == 2
    assert bench.drives.nmt == [OPERATIONAL] * 2
    written = [frame.data for frame in bench.bus.sent if frame.data[1:3] == b"\x40\x60"]
    commanded = [frame.data[:2] for frame in bench.bus.sent if frame.arbitration_id in (0x201, 0x202)]
    assert {data[4:6] for data in written} | set(commanded) == {bytes(2)}
    assert bench.drives.is_on.tolist() == [False, False]


def test_an_inventory_switches_off_what_another_program_left_on() -> None:
    bench = Bench().set_up().enable()
    assert bench.drives.is_on.all()
    bench.inventory()
    assert not bench.drives.is_on.any()


@pytest.mark.parametrize("seed", range(3))
def test_an_inventory_gets_through_a_lossy_bus(seed: int) -> None:
    bench = Bench(loss=0.25, seed=seed)
    assert [report.problems for report in bench.inventory()] == [(), ()]


def test_a_second_inventory_finds_nothing_to_complain_about() -> None:
    assert problems(Bench().set_up()) == ""


def test_a_silent_drive_is_named() -> None:
    bench = Bench()
    bench.drives.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    first, second = bench.inventory()
    assert "motor 1 on can0 does not answer 10 requests" in first.problems[0]
    assert not first.answered
    assert second.problems == ()


def test_two_drives_under_one_id_are_named() -> None:
    first, second = Bench(same_id=True).inventory()
    assert "more than one motor answers under id 1 (serial numbers 0x1000, 0x1001)" in " ".join(first.problems)
    assert not second.answered


def test_two_drives_with_one_serial_number_are_counted() -> None:
    bench = Bench(same_id=True)
    bench.drives.objects[1].values[0x1018, 4] = 0x1000
    assert "more than one motor answers under id 1 (10 answers to 5 questions)" in " ".join(
        bench.inventory()[0].problems
    )


def test_what_is_no_drive_is_named() -> None:
    bench = Bench()
    bench.drives.objects[0].values[0x1000, 0] = 0x00030191
    assert problems(bench) == "is no CiA 402 drive: device type reads profile 401"


@pytest.mark.parametrize("fault", ["EXCESS_TEMPERATURE_DRIVE", "DC_LINK_UNDERVOLTAGE"])
def test_a_fault_is_named_and_stays(fault: str) -> None:
    bench = Bench()
    bench.drives.set_conditions([MotorCondition(0, fault=fault), MotorCondition(1)])
    bench.drives.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert problems(bench) == f"reports fault {fault}: find the cause, then clear it"
    assert bench.drives.fault[0]


def test_a_hot_drive_protects_itself_and_says_so() -> None:
    bench = Bench()
    bench.drives.set_conditions([MotorCondition(0, temperature_degc=101.0), MotorCondition(1)])
    assert "reports fault EXCESS_TEMPERATURE_DEVICE" in problems(bench)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (
            replace(DRIVE, rated_torque_nm=1.6),
            "its rated torque (0x6076) is 1.5 N·m, drive.rated_torque_nm 1.6",
        ),
        (
            replace(DRIVE, encoder_counts_per_turn=4096),
            "counts 16384 to a turn of the motor (0x6092, 0x6091, 0x608F), drive.encoder_counts_per_turn 4096",
        ),
        (
            replace(DRIVE, torque_max_nm=31.0),
            "gives at most 29.997 N·m at the output (0x6072), drive.torque_max_nm 31",
        ),
    ],
)
def test_units_that_differ_from_the_robot_file_are_named_with_both_values(configured, expected: str) -> None:
    reports = Bench(configured).inventory()
    assert [report.problems for report in reports] == [(expected,), (expected,)]


def test_a_position_that_would_wrap_within_reach_is_named() -> None:
    drive = replace(DRIVE, encoder_counts_per_turn=1 << 24)
    bench = Bench(drive)
    for objects in bench.drives.objects:
        objects.values[0x608F, 1] = 1 << 24
    assert bench.inventory()[0].problems == ("its position wraps at 89.4 rad, allowed: at least 100 rad",)


def test_a_timeout_that_is_not_kept_is_named_with_both_values(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x1016, 1))
    expected = "heartbeat timeout (0x1016) reads back 0 s for node 0 after setting 0.1 s for node 127"
    assert problems(bench) == f"{expected}: it would not stop by itself"


def test_a_reaction_that_is_not_kept_is_named_with_both_values(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x6007, 0))
    assert problems(bench).startswith("abort connection option (0x6007) reads back 1 after setting 2, disable voltage")


def test_a_drive_without_heartbeat_consumer_is_refused() -> None:
    bench = Bench()
    del bench.drives.objects[0].values[0x1016, 1]
    assert "heartbeat timeout (0x1016) reads back refused (no such subindex) after setting 0.1 s" in problems(bench)


@pytest.mark.parametrize("timeout_s", [-1.0, 0.0001, 70.0, float("nan")])
def test_a_timeout_that_would_not_protect_is_refused(timeout_s: float) -> None:
    assert "heartbeat timeout" in Bench().inventory(timeout_s)[0].problems[0]


def test_a_mode_that_is_not_kept_or_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x6060, 0))
    assert problems(bench) == "mode reads back 1 after setting 10"
    bench = Bench()
    bench.drives.objects[0].values[0x6502, 0] = 0x000001AD
    assert problems(bench) == "has no cyclic synchronous torque mode: supported drive modes (0x6502) 0x000001AD"


def test_a_mapping_that_is_not_kept_is_named_and_its_process_data_are_not_believed(monkeypatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x1A00, 2))
    assert problems(bench) == "TPDO 1 cannot be set up: 0x1A00:2 reads back 0x0 after setting 0x60640020"
    bench.cycle(Drive.POLL)
    assert bench.values[4, 0] == float("-inf")


def test_a_drive_that_does_not_start_is_named() -> None:
    bench = Bench()
    bench.bus.wrap = lambda frames: [frame for frame in frames if frame.arbitration_id != 0x281]
    assert problems(bench).startswith("sends no process data at a SYNC although it was started")


@pytest.mark.parametrize("model", ["CiA402", "CiA402-counts", "CiA402-rpm"])
def test_a_drive_that_does_not_say_its_velocity_unit_needs_a_row_that_does(model: str) -> None:
    bench = Bench(model=model)
    for objects in bench.drives.objects:
        del objects.values[0x60A9, 0]
    first, _ = bench.inventory()
    if model == "CiA402":
        expected = ("does not say its velocity unit (0x60A9): use the model CiA402-counts or CiA402-rpm",)
        assert first.problems == expected
    else:
        assert first.problems == ()
        assert first.facts["velocity_unit"] == {"CiA402-counts": "counts/s", "CiA402-rpm": "turns/min"}[model]


def test_a_velocity_unit_that_differs_from_the_rows_is_named() -> None:
    assert "its velocity unit (0x60A9) is 0.001 turns/min, that of model CiA402-rpm turns/min" in str(
        Bench(model="CiA402-rpm").inventory()[0].problems
    )


def test_a_velocity_unit_that_is_no_angle_per_time_is_named() -> None:
    bench = Bench()
    bench.drives.objects[0].values[0x60A9, 0] = 0x00010300
    assert problems(bench) == "its velocity unit (0x60A9) is 0x00010300, which is no known angle per time"


def test_a_gear_ratio_in_the_drive_makes_turns_ambiguous() -> None:
    bench = Bench(replace(DRIVE, encoder_counts_per_turn=16_384))
    bench.drives.objects[0].values[0x6091, 1] = 9
    assert "has a gear ratio (0x6091) of 9 and a velocity in 0.001 turns/min" in problems(bench)


def test_a_drive_that_does_not_say_its_rated_torque_is_refused() -> None:
    bench = Bench()
    del bench.drives.objects[0].values[0x6076, 0]
    assert problems(bench) == "does not say its rated torque (0x6076): refused (no such object)"


def test_unused_process_data_are_switched_off() -> None:
    bench = Bench()
    bench.drives.objects[0].values[0x1802, 1] = 0x40000381
    bench.set_up()
    assert bench.drives.objects[0].values[0x1802, 1] == 0xC0000381


def test_a_fixed_mapping_that_is_right_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().set_up()
    written: list[tuple[int, int]] = []
    original = canopen_objects.Objects.write

    def write(objects: canopen_objects.Objects, where: tuple[int, int], data: bytes) -> int:
        written.append(where)
        return original(objects, where, data)

    monkeypatch.setattr(canopen_objects.Objects, "write", write)
    assert problems(bench) == ""
    assert not [where for where in written if where[0] in (0x1600, 0x1A00, 0x1A01)]


def keep_out(monkeypatch: pytest.MonkeyPatch, bench: Bench, kept: tuple[int, int]) -> None:
    """The first drive acknowledges that an object is written, and does not keep it."""
    original, victim = canopen_objects.Objects.write, bench.drives.objects[0]

    def write(objects: canopen_objects.Objects, where: tuple[int, int], data: bytes) -> int:
        return 0 if objects is victim and where == kept else original(objects, where, data)

    monkeypatch.setattr(canopen_objects.Objects, "write", write)


def test_the_inventory_begins_by_taking_the_drive_out_of_operational() -> None:
    bench = Bench()
    bench.inventory()
    first = next(frame for frame in bench.bus.sent if frame.arbitration_id in (0x000, 0x601))
    assert first == Frame(0x000, b"\x80\x01")
    assert codec.make_nmt(codec.NmtCommand.OPERATIONAL, 1) in bench.bus.sent
