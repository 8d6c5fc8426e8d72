"""A public ODrive driver talks to the simulated boards over the datagram bus, in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import can
import numpy as np
import pytest

from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.odrive import ODriveMotors
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from tests.drivers.sim.served_motors import PATIENCE_S, ServedMotors

client = pytest.importorskip(
    "odrive_can", reason="the public driver is not installed: pip install odrive-can, or handrail[test]"
)

NODES = (1, 2)
INERTIA_KG_M2 = 0.002
FRICTION_NM_S_PER_RAD = 0.002
TWO_PI = 2.0 * np.pi


Bench = ServedMotors[ODriveMotors]


def _joint(node: int) -> JointConfig:
    motor = MotorConfig("odrive", "S1", "can0", node, 0, DriveConfig(20.0, 20.0))
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    motors = ODriveMotors([_joint(node) for node in NODES], ["can0"], seed=[7])
    motors.periods_s[:] = np.array([[0.05], [0.02], [0.1], [0.1], [0.1]])
    bench = ServedMotors(
        motors, tmp_path / "can0", [0.3, -0.6], inertia_kg_m2=INERTIA_KG_M2, friction_nm_s_per_rad=FRICTION_NM_S_PER_RAD
    )
    yield bench
    bench.stop()


@pytest.fixture
def talk(bench: Bench, tmp_path: Path, datagram_interface: str) -> Callable[[Callable[..., Awaitable[None]]], None]:
    """Run a conversation with the first board, in an event loop of its own."""

    def run(conversation: Callable[..., Awaitable[None]]) -> None:
        async def converse() -> None:
            bus = can.Bus(interface=datagram_interface, channel=str(tmp_path / "can0"))
            drive = client.ODriveCAN(axis_id=1, can_bus=bus)
            try:
                await drive.start()
                await conversation(drive)
            finally:
                drive.stop()
                bus.shutdown()

        asyncio.run(asyncio.wait_for(converse(), 2.0 * PATIENCE_S))

    return run


async def until(is_done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)


def test_heartbeats_and_requested_reports_are_understood(talk) -> None:
    async def conversation(drive) -> None:
        drive.check_alive()
        drive.check_errors()
        assert drive.axis_state == "IDLE"
        estimates = await drive.get_encoder_estimates()
        assert estimates["Pos_Estimate"] == pytest.approx(0.3 / TWO_PI, abs=1e-4)
        supply = await drive.get_bus_voltage_current()
        assert supply["Bus_Voltage"] == pytest.approx(48.0)

    talk(conversation)


def test_a_board_in_closed_loop_goes_where_it_is_told_and_the_other_stays(bench: Bench, talk) -> None:
    async def conversation(drive) -> None:
        drive.set_controller_mode("POSITION_CONTROL", "PASSTHROUGH")
        drive.set_pos_gain(20.0)
        drive.set_vel_gains(0.3, 0.0)
        drive.set_input_pos(0.3 / TWO_PI)
        await drive.set_axis_state("CLOSED_LOOP_CONTROL")
        drive.set_input_pos(0.25)
        await until(lambda: abs(bench.position[0] - 0.25 * TWO_PI) < 0.02 and abs(bench.velocity[0]) < 0.1)
        estimates = await drive.get_encoder_estimates()
        assert estimates["Pos_Estimate"] == pytest.approx(0.25, abs=0.01)
        await drive.set_axis_state("IDLE")

    talk(conversation)
    assert bench.position[1] == pytest.approx(-0.6)
    assert bench.motors.settings[0].integrator_gain == 0.0


def test_feed_forward_and_velocity_have_the_commands_sign_and_size(bench: Bench, talk) -> None:
    async def conversation(drive) -> None:
        drive.set_controller_mode("VELOCITY_CONTROL", "PASSTHROUGH")
        drive.set_vel_gains(0.3, 0.0)
        drive.set_input_vel(0.0)
        await drive.set_axis_state("CLOSED_LOOP_CONTROL")
        drive.set_input_vel(-0.5)
        await until(lambda: abs(bench.velocity[0] + 0.5 * TWO_PI) < 0.2)

    talk(conversation)


def test_an_error_has_the_name_that_the_client_knows_and_is_cleared(bench: Bench, talk) -> None:
    broken = [MotorCondition(0, fault="DC_BUS_OVER_VOLTAGE"), MotorCondition(1)]

    async def conversation(drive) -> None:
        bench.set_conditions(broken)
        await drive.wait_for_heartbeat()
        await drive.wait_for_heartbeat()
        with pytest.raises(client.odrive.DriveError, match="DC_BUS_OVER_VOLTAGE"):
            drive.check_errors()
        bench.set_conditions([MotorCondition(0), MotorCondition(1)])
        drive.clear_errors()
        await drive.wait_for_heartbeat()
        await drive.wait_for_heartbeat()
        drive.check_errors()

    talk(conversation)
