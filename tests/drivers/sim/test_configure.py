"""What devices keep without power: compared, written, read back, and kept, by every make that can."""

from __future__ import annotations

from collections.abc import Callable, Generator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from drivers.can.damiao.tables import REGISTER_CONTROL_MODE, REGISTER_TIMEOUT, TIMEOUT_COUNT_S
from drivers.can.robstride.tables import CAN_TIMEOUT, ZERO_STATE
from drivers.devices import NO_TIMEOUT_PROBLEM, Setting
from drivers.registry import MOTOR_MAKES
from drivers.serial.dynamixel import tables as dynamixel
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.robot import ImuConfig
from tests.drivers.sim.fitted import FITTINGS, Rig, fitted
from tests.drivers.sim.simulated import pup

JOINT, MOTOR = "fl_thigh", 1
T = TypeVar("T")


def carry_out(rig: Rig, work: Generator[None, float, T]) -> T:
    """Let a generator have its cycles, polled like on the workbench."""
    for _ in range(10):
        rig.step(Drive.POLL)
    next(work)
    for _ in range(20_000):
        rig.step(Drive.POLL)
        try:
            work.send(rig.now_s)
        except StopIteration as end:
            return end.value
    raise AssertionError("it does not end")


def settings(rig: Rig, device: str = JOINT) -> tuple[Setting, ...]:
    return carry_out(rig, rig.robot.settings(device, rig.now_s))


def configure(rig: Rig, found: tuple[Setting, ...], device: str = JOINT) -> tuple[Setting, ...]:
    return carry_out(rig, rig.robot.configure(device, found, rig.now_s))


def twin_of(rig: Rig) -> Any:
    (group,) = rig.world._groups
    return group.motors


TIMEOUT_COUNTS = round(pup().config.motor_timeout_s / TIMEOUT_COUNT_S)
"""What the robot file asks for; the same unit in both makes."""

# Each leaves a motor with one setting that is wrong, and all others right.


def spoil_damiao(twin: Any, motor: int) -> None:
    twin._flash[motor] |= {REGISTER_TIMEOUT: TIMEOUT_COUNTS, REGISTER_CONTROL_MODE: 2}


def spoil_robstride(twin: Any, motor: int) -> None:
    twin._flash[motor] |= {CAN_TIMEOUT.index: TIMEOUT_COUNTS.to_bytes(4, "little"), ZERO_STATE.index: bytes(4)}


def spoil_moteus(twin: Any, motor: int) -> None:
    twin.consoles[motor].type(b"conf set servo.max_velocity 1\nconf write\n")
    twin.consoles[motor].listen(1, 48)


def spoil_dynamixel(twin: Any, motor: int) -> None:
    twin.servos[motor].table[dynamixel.RETURN_DELAY] = 250


def spoil_feetech(twin: Any, motor: int) -> None:
    twin.set(motor, "return_delay", 250)
    twin._stored[motor] = bytes(twin.tables[motor][:40])


def spoil_lx16a(twin: Any, motor: int) -> None:
    twin.settings[motor][21] = (100).to_bytes(2, "little") + (900).to_bytes(2, "little")


@dataclass(frozen=True)
class Case:
    """How one make is spoilt, what is found, and where its twin keeps it."""

    spoil: Callable[[Any, int], None]
    name: str
    found: float | str
    wanted: float | str
    kept: Callable[[Any], Any]


CASES = {
    "damiao": Case(spoil_damiao, "CTRL_MODE", 2, 1, lambda twin: twin._flash),
    "robstride": Case(spoil_robstride, "zero_sta", 0, 1, lambda twin: twin._flash),
    "moteus": Case(
        spoil_moteus, "servo.max_velocity", 1.0, 3.50141, lambda twin: [console._flash for console in twin.consoles]
    ),
    "dynamixel": Case(
        spoil_dynamixel,
        "RETURN_DELAY",
        250,
        0,
        lambda twin: [bytes(servo.table._bytes[:64]) for servo in twin.servos],
    ),
    "feetech": Case(spoil_feetech, "return_delay", 250, 0, lambda twin: twin._stored),
    "lx16a": Case(spoil_lx16a, "angle limits", "100 to 900", "0 to 1000", lambda twin: twin.settings),
}


def spoilt(make: str) -> Rig:
    rig = Rig(fitted(make))
    CASES[make].spoil(twin_of(rig), MOTOR)
    twin_of(rig).restart(MOTOR)
    return rig


def test_every_make_that_says_it_can_be_configured_has_a_case() -> None:
    makes = {make for make in FITTINGS if Rig(fitted(make)).robot.has_settings(JOINT)}
    assert makes == CASES.keys()


@pytest.mark.parametrize("make", CASES)
def test_one_wrong_setting_is_found_written_and_kept(make: str) -> None:
    rig, case = spoilt(make), CASES[make]
    (found,) = settings(rig)
    assert (found.device, found.name, found.found, found.wanted) == (JOINT, case.name, case.found, case.wanted)
    assert configure(rig, (found,)) == ()
    twin_of(rig).restart(MOTOR)
    assert settings(rig) == ()
    (report,) = (report for report in rig.inventory() if report.name == JOINT)
    assert set(report.problems) <= {NO_TIMEOUT_PROBLEM}


@pytest.mark.parametrize("make", CASES)
def test_a_look_writes_nothing_that_is_kept(make: str) -> None:
    rig, case = spoilt(make), CASES[make]
    before = deepcopy(case.kept(twin_of(rig)))
    assert settings(rig) == settings(rig) != ()
    assert case.kept(twin_of(rig)) == before


@pytest.mark.parametrize("make", CASES)
def test_a_motor_that_is_silent_is_refused(make: str) -> None:
    rig = spoilt(make)
    twin = twin_of(rig)
    twin.set_conditions([replace(c, is_silent=motor == MOTOR) for motor, c in enumerate(twin._conditions)])
    with pytest.raises(DeviceError, match="does not say whether it is off"):
        settings(rig)


@pytest.mark.parametrize("make", [make for make in CASES if make != "robstride"])
def test_a_motor_that_is_on_is_refused(make: str) -> None:
    rig = Rig(fitted(make))
    rig.inventory()
    rig.settle(Drive.ENABLE)
    rig.step(Drive.COMMAND)
    before = deepcopy(CASES[make].kept(twin_of(rig)))
    wrong = Setting(JOINT, CASES[make].name, 0, CASES[make].wanted, "flash")
    for work in (rig.robot.settings(JOINT, rig.now_s), rig.robot.configure(JOINT, (wrong,), rig.now_s)):
        next(work)
        with pytest.raises(DeviceError, match="may only be changed while it is off"):
            drain(rig, work)
    assert CASES[make].kept(twin_of(rig)) == before


def drain(rig: Rig, work: Generator[None, float, object]) -> None:
    for _ in range(2000):
        rig.step(Drive.POLL)
        work.send(rig.now_s)


def test_asking_a_robstride_motor_switches_it_off() -> None:
    rig = Rig(fitted("robstride"))
    rig.inventory()
    rig.settle(Drive.ENABLE)
    settings(rig)
    assert not twin_of(rig).is_on.any()


def test_a_power_cycle_is_asked_for_where_a_setting_acts_only_then() -> None:
    assert [found.needs_power_cycle for found in settings(spoilt("robstride"))] == [True]


def test_a_damiao_motor_that_does_not_store_is_not_believed() -> None:
    rig = spoilt("damiao")
    found = settings(rig)
    twin = twin_of(rig)
    answer = twin._answer_request
    twin._answer_request = lambda motor, data, said: None if data[2] == 0xAA else answer(motor, data, said)
    with pytest.raises(DeviceError, match="does not say that it has stored"):
        configure(rig, found)


def test_a_setting_that_does_not_read_back_is_refused_before_it_is_stored() -> None:
    rig = spoilt("damiao")
    found = settings(rig)
    twin = twin_of(rig)
    answer = twin._answer_request
    twin._answer_request = lambda motor, data, said: None if data[2] == 0x55 else answer(motor, data, said)
    before = deepcopy(twin._flash)
    with pytest.raises(DeviceError, match="CTRL_MODE reads back 2 after setting 1"):
        configure(rig, found)
    assert twin._flash == before


def test_a_feetech_servo_is_locked_again_whatever_happens() -> None:
    rig = spoilt("feetech")
    found = settings(rig)
    twin = twin_of(rig)
    write = twin._write
    twin._write = lambda motor, address, data: None if address < 40 else write(motor, address, data)
    with pytest.raises(DeviceError, match="return_delay reads back 250 after setting 0"):
        configure(rig, found)
    rig.settle(Drive.POLL)
    assert twin.get(MOTOR, "lock") == 1


@pytest.mark.parametrize(
    ("name", "found", "wanted"),
    [("min_angle", 100, 0), ("max_angle", 0, 4095), ("mode", 1, 0), ("p_gain", 16, 32), ("d_gain", 0, 32)],
)
def test_every_register_of_a_feetech_servo_that_matters_is_set(name: str, found: int, wanted: int) -> None:
    rig = Rig(fitted("feetech"))
    twin = twin_of(rig)
    twin.set(MOTOR, name, found)
    twin._stored[MOTOR] = bytes(twin.tables[MOTOR][:40])
    seen = settings(rig)
    assert [(one.name, one.found, one.wanted) for one in seen] == [(name, found, wanted)]
    assert configure(rig, seen) == ()


def test_a_stiffer_feetech_servo_with_a_short_delay_is_left_as_it_is() -> None:
    rig = Rig(fitted("feetech"))
    twin_of(rig).set(MOTOR, "p_gain", 40)
    twin_of(rig).set(MOTOR, "return_delay", 10)
    assert settings(rig) == ()


def test_an_lx16a_that_turns_for_ever_becomes_a_servo_again() -> None:
    rig = Rig(fitted("lx16a"))
    twin_of(rig).settings[MOTOR][30] = b"\x01\x00\x00\x00"
    (found,) = settings(rig)
    assert (found.name, found.found, found.wanted) == ("mode", 1, 0)
    assert "look again after a power cycle" in found.note
    assert configure(rig, (found,)) == ()


@pytest.mark.parametrize("make", ["dynamixel", "feetech"])
def test_a_servo_of_another_model_is_left_alone(make: str) -> None:
    rig = spoilt(make)
    twin = twin_of(rig)
    if make == "dynamixel":
        twin.servos[MOTOR].table[dynamixel.MODEL_NUMBER] = 1020
    else:
        twin.set(MOTOR, "model", 1234)
    with pytest.raises(DeviceError, match="is model 1"):
        settings(rig)


def test_makes_that_keep_nothing_comparable_find_nothing() -> None:
    for make in ("cybergear", "cubemars", "odrive"):
        assert MOTOR_MAKES[make]
        rig = Rig(fitted(make))
        assert not rig.robot.has_settings(JOINT)
        assert settings(rig) == configure(rig, ()) == ()


# Inertial units


IMUS: dict[str, tuple[ImuConfig, bytes, str, float | str, float | str]] = {
    "hipnuc": (
        ImuConfig("hipnuc", "imu0", "hi91", 250.0, (1.0, 0.0, 0.0, 0.0)),
        b"LOG HI83 ONTIME 0.01\r\nSAVECONFIG\r\n",
        "output",
        "hi83 at about 100 Hz",
        "hi91 at 250 Hz",
    ),
    "witmotion": (
        ImuConfig("witmotion", "imu0", "acc_gyro_quaternion", 200.0, (1.0, 0.0, 0.0, 0.0)),
        bytes.fromhex("ffaa6988b5 ffaa021e00 ffaa000000"),
        "content",
        0x1E,
        0x206,
    ),
    "vectornav_vn100": (
        ImuConfig("vectornav_vn100", "imu0", "binary", 200.0, (0.0, 1.0, 0.0, 0.0)),
        b"$VNWRG,06,14*XX\r\n$VNWNV*XX\r\n",
        "async type",
        "14",
        "0",
    ),
    "xsens_xbus": (
        ImuConfig("xsens_xbus", "imu0", "mtdata2", 200.0, (1.0, 0.0, 0.0, 0.0)),
        bytes.fromhex("faff3000d1 faffc00c201000644020006480200064"),
        "output configuration",
        "2010 100 Hz, 4020 100 Hz, 8020 100 Hz",
        "1020, 1060, 2010 200 Hz, 4020 200 Hz, 8020 200 Hz, E020",
    ),
}


def imu_rig(make: str) -> Rig:
    """The demo robot with another inertial unit, spoilt in its own words, and freshly powered up."""
    robot = pup()
    config, words, *_ = IMUS[make]
    own = replace(config, bus=robot.config.imu.bus)
    rig = Rig(replace(robot, config=replace(robot.config, imu=own)))
    if make == "xsens_xbus":
        words += bytes((-sum(words[6:]) & 0xFF,))
    rig.world._imu.hear(words)
    rig.world._imu.restart()
    return rig


@pytest.mark.parametrize("make", IMUS)
def test_one_wrong_setting_of_an_inertial_unit_is_found_written_and_kept(make: str) -> None:
    rig = imu_rig(make)
    _, _, name, wrong, wanted = IMUS[make]
    (found,) = settings(rig, "imu")
    assert (found.device, found.name, found.found, found.wanted) == ("imu", name, wrong, wanted)
    assert configure(rig, (found,), "imu") == ()
    rig.world._imu.restart()
    assert settings(rig, "imu") == ()
    assert rig.inventory()[-1].problems == ()


@pytest.mark.parametrize("make", IMUS)
def test_a_look_leaves_an_inertial_unit_streaming_as_it_did(make: str) -> None:
    rig = imu_rig(make)
    twin: Any = rig.world._imu
    before = twin._settings()
    assert [one.name for one in (*settings(rig, "imu"), *settings(rig, "imu"))] == [IMUS[make][2]] * 2
    assert twin._settings() == before
    assert twin._saved == before
    assert twin._is_streaming


@pytest.mark.parametrize("make", IMUS)
def test_an_inertial_unit_that_does_not_answer_is_refused(make: str) -> None:
    rig = imu_rig(make)
    rig.world._imu.hear = lambda data: b""
    with pytest.raises(DeviceError, match=r"imu (does not answer|says nothing)"):
        settings(rig, "imu")


@pytest.mark.parametrize("make", IMUS)
def test_an_inertial_unit_that_does_not_take_a_setting_is_refused(make: str) -> None:
    rig = imu_rig(make)
    found = settings(rig, "imu")
    twin: Any = rig.world._imu
    hear = twin.hear

    def answer_and_forget(data: bytes) -> bytes:
        before = twin._settings()
        answers = hear(data)
        twin._set(before)
        return answers

    twin.hear = answer_and_forget
    with pytest.raises(DeviceError, match=r"after setting|message 0x"):
        configure(rig, found, "imu")


def test_a_rate_that_a_witmotion_unit_cannot_stream_is_refused() -> None:
    rig = Rig(replace(pup(), config=replace(pup().config, imu=replace(IMUS["witmotion"][0], rate_hz=250.0))))
    with pytest.raises(DeviceError, match="cannot stream at rate_hz 250; allowed: "):
        settings(rig, "imu")


def test_a_vectornav_unit_that_streams_binary_is_turned_to_text() -> None:
    config = replace(IMUS["vectornav_vn100"][0], packet="vnymr")
    rig = Rig(replace(pup(), config=replace(pup().config, imu=config)))
    rig.world._imu.hear(b"$VNWRG,75,1,4,11,131,1*XX\r\n$VNWRG,06,0*XX\r\n$VNWRG,07,100*XX\r\n$VNWNV*XX\r\n")
    found = settings(rig, "imu")
    assert {one.name: (one.found, one.wanted) for one in found} == {
        "async type": ("0", "14"),
        "async rate": ("100", "200"),
        "binary output 1": ("1,8,11,131,1", "0,8,11,131,1"),
    }
    assert configure(rig, found, "imu") == ()
    rig.world._imu.restart()
    assert settings(rig, "imu") == ()
    assert rig.inventory()[-1].problems == ()


def test_what_a_vectornav_unit_refuses_is_told_in_its_words() -> None:
    rig = imu_rig("vectornav_vn100")
    found = settings(rig, "imu")
    rig.world._imu.hear = lambda data: b"$VNERR,0C*XX\r\n"
    with pytest.raises(DeviceError, match=r"imu refuses \(insufficient baud rate\) VNWRG,06,0"):
        configure(rig, found, "imu")


def test_an_xsens_unit_measures_again_after_it_refused() -> None:
    rig = Rig(replace(pup(), config=replace(pup().config, imu=replace(IMUS["xsens_xbus"][0], rate_hz=300.0))))
    twin: Any = rig.world._imu
    twin.hear(bytes.fromhex("faff3000d1"))
    twin._configure(bytes.fromhex("102000642010006440200064 80200064"))
    twin._is_streaming = True
    found = settings(rig, "imu")
    with pytest.raises(DeviceError, match="imu says invalid period to message 0xC0"):
        configure(rig, found, "imu")
    rig.settle(Drive.POLL)
    assert twin._is_streaming


def test_nothing_more_is_written_to_a_dynamixel_servo_that_refused_something() -> None:
    rig = spoilt("dynamixel")
    servo = twin_of(rig).servos[MOTOR]
    servo.table[dynamixel.SHUTDOWN] = 0
    found = settings(rig)
    assert [one.name for one in found] == ["RETURN_DELAY", "SHUTDOWN"]
    write = servo.write
    servo.write = lambda address, data: 7 if address == dynamixel.RETURN_DELAY.address else write(address, data)
    with pytest.raises(DeviceError, match="RETURN_DELAY reads back 250 after setting 0"):
        configure(rig, found)
    assert servo.table[dynamixel.SHUTDOWN] == 0
