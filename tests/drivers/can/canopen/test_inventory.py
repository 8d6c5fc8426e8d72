from __future__ import annotations

import pytest

from drivers.bus import Frame
from drivers.can.canopen import codec
from drivers.sim.motors.canopen import OPERATIONAL
from drivers.sim.motors.conditions import MotorCondition
from tests.drivers.can.canopen.bench import Bench, keep_out


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
    assert Bench().set_up().problems() == ""


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
    assert bench.problems() == "is no CiA 402 drive: device type reads profile 401"


@pytest.mark.parametrize("fault", ["EXCESS_TEMPERATURE_DRIVE", "DC_LINK_UNDERVOLTAGE"])
def test_a_fault_is_named_and_stays(fault: str) -> None:
    bench = Bench()
    bench.drives.set_conditions([MotorCondition(0, fault=fault), MotorCondition(1)])
    bench.drives.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.problems() == f"reports fault {fault}: find the cause, then clear it"
    assert bench.drives.fault[0]


def test_a_hot_drive_protects_itself_and_says_so() -> None:
    bench = Bench()
    bench.drives.set_conditions([MotorCondition(0, temperature_degc=101.0), MotorCondition(1)])
    assert "reports fault EXCESS_TEMPERATURE_DEVICE" in bench.problems()


def test_a_timeout_that_is_not_kept_is_named_with_both_values(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x1016, 1))
    expected = "heartbeat timeout (0x1016) reads back 0 s for node 0 after setting 0.1 s for node 127"
    assert bench.problems() == f"{expected}: it would not stop by itself"


def test_a_reaction_that_is_not_kept_is_named_with_both_values(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x6007, 0))
    assert bench.problems().startswith("abort connection option (0x6007) reads back 1 after setting 2, disable voltage")


def test_a_drive_without_heartbeat_consumer_is_refused() -> None:
    bench = Bench()
    del bench.drives.objects[0].values[0x1016, 1]
    assert "heartbeat timeout (0x1016) reads back refused (no such subindex) after setting 0.1 s" in bench.problems()


@pytest.mark.parametrize("timeout_s", [-1.0, 0.0001, 70.0, float("nan")])
def test_a_timeout_that_would_not_protect_is_refused(timeout_s: float) -> None:
    assert "heartbeat timeout" in Bench().inventory(timeout_s)[0].problems[0]


def test_a_mode_that_is_not_kept_or_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    keep_out(monkeypatch, bench, (0x6060, 0))
    assert bench.problems() == "mode reads back 1 after setting 10"
    bench = Bench()
    bench.drives.objects[0].values[0x6502, 0] = 0x000001AD
    assert bench.problems() == "has no cyclic synchronous torque mode: supported drive modes (0x6502) 0x000001AD"


def test_a_drive_that_does_not_start_is_named() -> None:
    bench = Bench()
    bench.bus.wrap = lambda frames: [frame for frame in frames if frame.arbitration_id != 0x281]
    assert bench.problems().startswith("sends no process data at a SYNC although it was started")


def test_the_inventory_begins_by_taking_the_drive_out_of_operational() -> None:
    bench = Bench()
    bench.inventory()
    first = next(frame for frame in bench.bus.sent if frame.arbitration_id in (0x000, 0x601))
    assert first == Frame(0x000, b"\x80\x01")
    assert codec.make_nmt(codec.NmtCommand.OPERATIONAL, 1) in bench.bus.sent
