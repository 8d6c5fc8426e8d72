from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers.bus import Frame
from drivers.can.damiao.codec import STORE, WRITE
from drivers.can.damiao.tables import BROADCAST_ID
from drivers.sim.wire import SimulatedCan
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.robot_file import Robot
from supervisor.runtime.workbench.bench import Workbench
from supervisor.runtime.workbench.configure import Outcome, configure, find
from tests.drivers.sim.fitted import fitted
from tests.drivers.sim.simulated import pup
from tests.runtime.workbench.benches import bench_of


class Person:
    """Answers as told, and remembers what was shown and asked."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.shown = ""
        self.asked: list[str] = []

    def __call__(self, text: str) -> bool:
        self.asked.append(text)
        return self.answers.pop(0)

    def show(self, text: str) -> None:
        self.shown += text


def outcome_of(bench: Workbench, person: Person, *devices: str) -> Outcome:
    return configure(bench, devices, person.show, person)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every register request that goes to the simulated motors."""
    heard: list[bytes] = []
    send = SimulatedCan.send

    def listen(self: SimulatedCan, frames: Sequence[Frame]) -> int:
        heard.extend(frame.data for frame in frames if frame.arbitration_id == BROADCAST_ID)
        return send(self, frames)

    monkeypatch.setattr(SimulatedCan, "send", listen)
    return heard


def test_what_differs_is_shown_asked_for_written_and_read_back(requests: list[bytes]) -> None:
    person = Person(True)
    with bench_of() as bench:
        outcome = outcome_of(bench, person)
        assert find(bench).settings == ()
    assert outcome.is_right
    assert [one.device for one in outcome.written] == list(pup().config.joints)
    assert person.asked == ["Write all of this, to be kept without power?"]
    assert "fl_thigh  TIMEOUT  0      1600" in person.shown
    assert "Written and read back: 12." in person.shown
    assert sum(data[2] == STORE for data in requests) == 12


def test_nothing_is_written_when_the_person_declines(requests: list[bytes]) -> None:
    person = Person(False)
    with bench_of() as bench:
        outcome = outcome_of(bench, person)
        assert len(find(bench).settings) == 12
    assert not outcome.is_right
    assert outcome.written == ()
    assert person.shown.endswith("Nothing was written.\n")
    assert requests
    assert not {data[2] for data in requests} & {WRITE, STORE}


def test_only_the_named_devices_are_looked_at() -> None:
    with bench_of() as bench:
        outcome = outcome_of(bench, Person(True), "rr_calf", "imu")
        assert [one.device for one in outcome.written] == ["rr_calf"]
        assert len(find(bench).settings) == 11


def test_where_nothing_differs_nobody_is_asked() -> None:
    person = Person()
    with bench_of() as bench:
        outcome = outcome_of(bench, person, "imu")
    assert outcome.is_right
    assert "Nothing differs" in person.shown


def test_a_device_that_is_not_there_is_refused() -> None:
    with bench_of() as bench, pytest.raises(DeviceError, match=r"no device knee; the robot has fl_hip, .*, imu"):
        find(bench, ["knee", "imu"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "motor_silent", "joints": ["fl_thigh"]}, "does not say whether it is off"),
        ({"kind": "motor_fault", "joints": ["fl_thigh"], "code": "OVER_CURRENT"}, "reports OVER_CURRENT"),
    ],
)
def test_one_motor_that_is_refused_keeps_all_from_being_written(
    fault: dict[str, object], expected: str, requests: list[bytes]
) -> None:
    person = Person()
    with bench_of(fault) as bench:
        outcome = outcome_of(bench, person)
    assert not outcome.is_right
    assert len(outcome.found.settings) == 11
    assert expected in person.shown
    assert "name the devices to configure" in person.shown
    assert not {data[2] for data in requests} & {WRITE, STORE}


def test_a_motor_that_is_on_is_refused() -> None:
    with bench_of() as bench:
        bench.step()
        bench.robot.write(replace(bench._poll, drive=Drive.ENABLE), bench.now_s)
        found = find(bench, ["fl_hip"])
    (reason,) = found.refused
    assert "reports ENABLED: settings may only be changed while it is off and healthy" in reason
    assert found.settings == ()


def test_who_does_not_take_a_setting_fails_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    send = SimulatedCan.send

    def lose(self: SimulatedCan, frames: Sequence[Frame]) -> int:
        return send(self, [f for f in frames if not (f.data[:1] == b"\x02" and f.data[2] == STORE)])

    monkeypatch.setattr(SimulatedCan, "send", lose)
    robot = pup()
    deaf = [name for name, joint in robot.config.joints.items() if joint.motor.id == 2]
    person = Person(True)
    with bench_of() as bench:
        outcome = outcome_of(bench, person, *deaf, "fl_hip")
    assert [one.device for one in outcome.written] == ["fl_hip"]
    assert len(outcome.failed) == len(deaf)
    assert "failed: motor of" in person.shown
    assert not outcome.is_right


@pytest.mark.parametrize(
    ("robot", "expected"),
    [
        (fitted("robstride"), "canTimeout"),
        (fitted("cubemars"), "cubemars keeps nothing that could be compared over its bus"),
    ],
)
def test_every_make_is_told_of(robot: Robot, expected: str) -> None:
    person = Person(False)
    with bench_of(robot=robot) as bench:
        outcome_of(bench, person)
    assert expected in person.shown


def test_a_device_to_be_power_cycled_is_named() -> None:
    robot = fitted("robstride")
    person = Person(True)
    with bench_of(robot=robot) as bench:
        world = bench._buses
        (group,) = world._groups
        group.motors._parameters[0][0x7029] = bytes(4)
        outcome_of(bench, person, "fl_hip", "fr_hip")
    assert "Power-cycle fl_hip: zero_sta acts from the next power-up." in person.shown
