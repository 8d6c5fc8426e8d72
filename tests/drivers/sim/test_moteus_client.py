"""The vendor's moteus library talks to the simulated controllers over the datagram bus, in real time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import can
import pytest

from drivers.bus import CanBus
from drivers.can.moteus import codec
from drivers.can.moteus.tables import Register
from drivers.hardware import HardwareBuses
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.moteus import MoteusMotors
from supervisor.core.robot import CanBusConfig, DriveConfig, JointConfig, MotorConfig
from tests.drivers.sim.served_motors import PATIENCE_S, ServedMotors

moteus = pytest.importorskip(
    "moteus", reason="the vendor's library is not installed: pip install moteus, or handrail[test]"
)

IDS = (1, 2, 12)
DRIVE = DriveConfig(20.0, 20.0, kp_max_nm_per_rad=50.0, kd_max_nm_s_per_rad=2.0)
TURN = 2.0 * math.pi
KP_NM_PER_REV, KD_NM_S_PER_REV = 1.2 * 50.0 * TURN, 1.2 * 2.0 * TURN
MODE, FAULT, TIMEOUT = 0x000, 0x00F, 11


Bench = ServedMotors[MoteusMotors]


def _joint(number: int) -> JointConfig:
    motor = MotorConfig("moteus", "r4", "can0", number, 0, DRIVE)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 20.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = ServedMotors(
        MoteusMotors([_joint(number) for number in IDS], ["can0"], seed=[7]),
        tmp_path / "can0",
        [0.2, -0.3, 0.4],
        fd=True,
    )
    yield bench
    bench.stop()


@pytest.fixture
def talk(
    bench: Bench, tmp_path: Path, datagram_interface: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[dict], Awaitable]], object]:
    """Runs a conversation with all controllers, given as a coroutine function that takes them by id."""
    # The library makes FD the default of every bus that this process opens.
    monkeypatch.setattr(can, "rc", dict(can.rc))

    async def converse(conversation: Callable[[dict], Awaitable]) -> object:
        transport = moteus.PythonCan(interface=datagram_interface, channel=str(tmp_path / "can0"), fd=True)
        try:
            controllers = {number: moteus.Controller(id=number, transport=transport) for number in IDS}
            return await asyncio.wait_for(conversation(controllers), PATIENCE_S)
        finally:
            transport.close()

    return lambda conversation: asyncio.run(converse(conversation))


async def until(controller: object, is_done: Callable[[dict], bool], **command: float) -> dict:
    """Command a position again and again until it is done; the newest answer."""
    for _ in range(2000):
        values = (await controller.set_position(query=True, watchdog_timeout=1.0, **command)).values
        if is_done(values):
            return values
    raise AssertionError(f"nothing came of it; last answer {values}")


def test_every_controller_answers_under_its_own_id(talk) -> None:
    async def ask(controllers: dict) -> list:
        return [await controllers[number].query() for number in IDS]

    answers = talk(ask)
    assert [answer.id for answer in answers] == list(IDS)
    assert [answer.values[Register.POSITION] for answer in answers] == pytest.approx(
        [0.2 / TURN, -0.3 / TURN, 0.4 / TURN], abs=1e-4
    )
    assert [answer.values[MODE] for answer in answers] == [0, 0, 0]
    assert answers[0].values[Register.VOLTAGE] == 48.0
    assert answers[0].values[Register.TEMPERATURE] == 25.0


def test_a_position_is_taken_and_held_and_the_others_stay(talk, bench: Bench) -> None:
    async def go(controllers: dict) -> dict:
        motor = controllers[2]
        await motor.set_stop()
        return await until(
            motor,
            lambda v: abs(v[Register.POSITION] - 0.08) < 0.003 and abs(v[Register.VELOCITY]) < 0.03,
            position=0.08,
            kp_scale=50.0 * TURN / KP_NM_PER_REV,
            kd_scale=0.9,
            maximum_torque=10.0,
        )

    assert talk(go)[MODE] == 10
    assert bench.position[[0, 2]] == pytest.approx([0.2, 0.4], abs=1e-9)


def test_a_command_without_gains_and_with_torque_turns_it_that_way(talk, bench: Bench) -> None:
    async def push(controllers: dict) -> dict:
        return await until(
            controllers[1],
            lambda v: v[Register.VELOCITY] < -0.5,
            position=math.nan,
            kp_scale=0.0,
            kd_scale=0.0,
            feedforward_torque=-1.5,
        )

    values = talk(push)
    assert values[Register.TORQUE] == pytest.approx(-1.5, abs=0.1)
    assert bench.position[1:] == pytest.approx([-0.3, 0.4], abs=1e-9)


def test_without_commands_it_latches_its_timeout_and_only_a_stop_ends_that(talk) -> None:
    async def wait(controllers: dict) -> list[int]:
        motor = controllers[12]
        modes = [(await motor.set_position(position=math.nan, watchdog_timeout=0.05, query=True)).values[MODE]]
        for _ in range(200):
            modes.append((await motor.query()).values[MODE])
            if modes[-1] == TIMEOUT:
                break
            await asyncio.sleep(0.005)
        modes.append((await motor.set_position(position=math.nan, query=True)).values[MODE])
        await motor.set_stop()
        return [*dict.fromkeys(modes), (await motor.query()).values[MODE]]

    assert talk(wait) == [10, TIMEOUT, 0]


def test_a_fault_has_its_number_until_its_cause_is_gone(talk, bench: Bench) -> None:
    conditions = [MotorCondition(place) for place in range(len(IDS))]
    conditions[0].fault = "OVER_VOLTAGE"
    bench.set_conditions(conditions)

    async def ask(controllers: dict) -> dict:
        await controllers[1].set_stop()
        return (await controllers[1].query()).values

    values = talk(ask)
    assert (values[MODE], values[FAULT]) == (1, 34)
    bench.set_conditions([MotorCondition(place) for place in range(len(IDS))])
    assert talk(ask)[MODE] == 0


def test_settings_are_read_and_written_on_the_console(talk) -> None:
    async def read(controllers: dict) -> tuple:
        stream = moteus.Stream(controllers[2], use_flow_control=False)
        await stream.flush_read(timeout=0.05)
        before = await stream.command(b"conf get servo.pid_position.kp", allow_any_response=True)
        await stream.command(b"conf set servo.pid_position.kp 17.5")
        after = await stream.command(b"conf get servo.pid_position.kp", allow_any_response=True)
        other = await stream.command(b"conf get servopos.position_min", allow_any_response=True)
        return float(before), float(after), other

    assert talk(read) == (pytest.approx(KP_NM_PER_REV, abs=1e-5), 17.5, b"nan")


def test_the_output_is_set_nearest_and_exact(talk) -> None:
    async def set_output(controllers: dict) -> list[float]:
        motor = controllers[1]
        before = (await motor.query()).values[Register.POSITION]
        await motor.set_output_nearest(position=3.1)
        nearest = (await motor.query()).values[Register.POSITION]
        await motor.set_output_exact(position=0.25)
        return [before, nearest, (await motor.query()).values[Register.POSITION]]

    before, nearest, exact = talk(set_output)
    assert nearest == pytest.approx(before + 3.0, abs=1e-4)
    assert exact == pytest.approx(0.25, abs=1e-4)


@pytest.fixture
def ours(bench: Bench, tmp_path: Path, datagram_interface: str) -> Iterator[CanBus]:
    config = CanBusConfig("can", datagram_interface, str(tmp_path / "can0"), 1_000_000, True, 5_000_000)
    bus = HardwareBuses().open_can("can0", config)
    yield bus
    bus.close()


def test_our_codec_and_the_library_read_the_same_answer(ours: CanBus, talk) -> None:
    async def ask(controllers: dict) -> dict:
        return (await controllers[12].query()).values

    theirs = talk(ask)
    (answer,) = [frame for frame in ours.receive(0.0) if codec.sender(frame) == 12]
    assert codec.decode_reply(answer.data).values == {int(key): value for key, value in theirs.items()}
