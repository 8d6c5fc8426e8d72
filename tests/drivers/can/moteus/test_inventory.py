from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisor.core.exchange import DeviceReport
from tests.drivers.can.moteus.fake import FakeMoteus
from tests.drivers.can.moteus.rig import MoteusRig
from tests.drivers.fake_devices import TroubledBus


@pytest.fixture
def rig() -> MoteusRig:
    return MoteusRig()


def second_report(rig: MoteusRig, change: Callable[[FakeMoteus], object]) -> DeviceReport:
    """What is said of the second motor when something is wrong with it; the first has no problems."""
    change(rig.fakes[1])
    first, second = rig.inventory()
    assert first.problems == ()
    return second


def test_a_healthy_motor_has_facts_and_no_problems(rig: MoteusRig) -> None:
    report = rig.inventory()[1]
    assert (report.name, report.bus, report.answered, report.problems) == ("j9", "can0", True, ())
    assert report.facts == {
        "make": "moteus",
        "model": "r4",
        "mode": "STOPPED",
        "temperature_degc": 30,
        "supply_v": 24.0,
        "position_rad": 0.6283,
        "serial_number": "000000010000000200000009",
        "board": 7,
        "firmware": "0x00010a",
        "position_refers_to": "the output",
        "timeout_s": 0.1,
        "configured_kp_nm_per_rad": pytest.approx(60.0014, abs=1e-3),
        "configured_kd_nm_s_per_rad": pytest.approx(3.0239, abs=1e-3),
        "after_timeout": "is damped",
        "after_timeout_torque_nm": 5.0,
    }


def test_an_inventory_energises_nothing(rig: MoteusRig) -> None:
    rig.inventory()
    written = [data[2] for fake in rig.fakes for data in fake.log if data[:2] == b"\x01\x00"]
    typed = [data[3 : 3 + data[2]] for fake in rig.fakes for data in fake.log if data[0] == 0x40]
    assert set(written) == {0}
    assert all(text.startswith((b"conf get ", b"tel stop")) for text in typed)


def test_a_motor_that_was_left_on_is_stopped(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: setattr(fake, "mode", 11.0))
    assert report.facts["mode"] == "TIMEOUT"
    assert report.problems == ()
    assert rig.fakes[1].mode == 0.0


def test_a_silent_motor_is_named_with_what_to_check(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: setattr(fake, "is_silent", True))
    assert not report.answered
    assert "motor 9 on can0 does not answer 10 polls" in report.problems[0]
    assert "can.prefix 0" in report.problems[0]


def test_two_motors_on_one_id_are_told_by_their_serial_numbers(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: fake.serials.append((1, 2, 77)))
    (problem,) = report.problems
    assert problem.startswith(
        "more than one motor answers under id 9 (000000010000000200000009, 00000001000000020000004d)"
    )


def test_a_fault_is_named_and_left_as_it_is(rig: MoteusRig) -> None:
    def break_down(fake: FakeMoteus) -> None:
        fake.mode, fake.condition[5] = 1.0, 38

    report = second_report(rig, break_down)
    assert report.problems == ("reports fault OVER_TEMPERATURE: find the cause, then clear it",)
    assert rig.fakes[1].mode == 1.0
    assert not [data for data in rig.fakes[1].log if data[:2] == b"\x01\x00"]


@pytest.mark.parametrize(("counts", "found"), [(50, "0.05 s"), (0, "0 s"), (-32768, "nothing")])
def test_a_timeout_that_is_not_accepted_names_both(rig: MoteusRig, counts: int, found: str) -> None:
    report = second_report(rig, lambda fake: setattr(fake, "timeout", counts))
    assert report.problems == (f"command timeout reads back {found} after setting 0.1 s: it would not stop by itself",)


@pytest.mark.parametrize(
    ("timeout_s", "expected"),
    [(0.0, "would leave it to the controller"), (0.0005, "stored as 0"), (33.0, "longer than"), (-1.0, "allowed: 0")],
)
def test_a_timeout_that_cannot_be_sent_is_refused(rig: MoteusRig, timeout_s: float, expected: str) -> None:
    reports = rig.inventory(timeout_s)
    assert all(expected in report.problems[0] for report in reports)
    assert all(fake.mode == 0.0 for fake in rig.fakes)


@pytest.mark.parametrize("version", [3, 6])
def test_another_register_map_is_refused(rig: MoteusRig, version: int) -> None:
    report = second_report(rig, lambda fake: setattr(fake, "register_map", version))
    assert f"has register map {version}, this program knows 4 or 5" in report.problems[0]


def test_a_position_that_refers_to_nothing_is_refused(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: fake.condition.__setitem__(2, 0))
    assert "its position refers to nothing" in report.problems[0]
    assert report.facts["position_refers_to"] == "nothing"


def test_a_missing_setting_is_named(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: fake.settings.pop("servo.pid_position.kd"))
    assert report.problems == ("does not tell its setting servo.pid_position.kd: update its firmware",)


def test_a_console_that_says_nothing_ends_the_inventory(rig: MoteusRig) -> None:
    report = second_report(rig, lambda fake: setattr(fake, "is_mute_console", True))
    assert report.problems == ("does not tell its setting servo.pid_position.kp: update its firmware",)


def test_what_was_said_before_is_not_taken_for_an_answer(rig: MoteusRig) -> None:
    rig.fakes[1].output = b"99.0\r\n" * 30
    assert rig.inventory()[1].facts["configured_kp_nm_per_rad"] == pytest.approx(60.0014, abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_bus_delays_an_inventory_and_does_not_spoil_it(seed: int) -> None:
    rig = MoteusRig(TroubledBus(seed, drop=0.2, duplicate=0.1))
    assert [report.problems for report in rig.inventory()] == [(), ()]
    facts = [report.facts["configured_kp_nm_per_rad"] for report in rig.inventory()]
    assert facts == pytest.approx([60.0014] * 2, abs=1e-3)


def test_damaged_text_is_not_taken_for_a_gain() -> None:
    reports = [report for seed in range(30) for report in MoteusRig(TroubledBus(seed, corrupt=0.3)).inventory()]
    gains = [report.facts["configured_kp_nm_per_rad"] for report in reports if not report.problems]
    assert len(gains) > 30
    assert gains == pytest.approx([60.0014] * len(gains), abs=1e-3)
