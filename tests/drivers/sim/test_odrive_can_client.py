"""A public ODrive driver talks to the simulated boards over the datagram bus, in real time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import can
import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.datagram import DatagramBus
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.odrive import ODriveMotors
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig

client = pytest.importorskip(
    "odrive_can", reason="the public driver is not installed: pip install odrive-can, or handrail[test]"
)

NODES = (1, 2)
STEP_S = 0.001
INERTIA_KG_M2 = 0.002
FRICTION_NM_S_PER_RAD = 0.002
PATIENCE_S = 10.0
TWO_PI = 2.0 * np.pi


class Bench:
    """Boards with a flywheel each, served over a bus until they are stopped, for a minute at most."""

    def __init__(self, folder: Path) -> None:
        self.motors = ODriveMotors([_joint(node) for node in NODES], ["can0"], seed=[7])
        self.motors.periods_s[:] = np.array([[0.05], [0.02], [0.1], [0.1], [0.1]])
        self.position, self.velocity = np.array([0.3, -0.6]), np.zeros(len(NODES))
        self.failure: BaseException | None = None
        self._bus = DatagramBus(folder)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._now_s = 0.0
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while not self._stop.is_set() and self._now_s < 60.0:
                self._turn()
        except BaseException as failure:  # noqa: BLE001 (shown by the test that stops the bench)
            self.failure = failure

    def _turn(self) -> None:
        message = self._bus.recv(timeout=STEP_S)
        inbox: list[Frame] = []
        while message is not None:
            # A remote frame asks like an empty one.
            inbox.append(Frame(message.arbitration_id, bytes(message.data), message.is_extended_id, message.is_fd))
            message = self._bus.recv(timeout=0)
        with self._lock:
            replies = self._advance(inbox)
        for reply in replies:
            self._bus.send(can.Message(arbitration_id=reply.arbitration_id, data=reply.data, is_extended_id=False))

    def _advance(self, inbox: list[Frame]) -> list[Frame]:
        until_s = time.monotonic() - self._began_s
        while self._now_s + STEP_S <= until_s:
            self._now_s += STEP_S
            torque = self.motors.torque(self.position, self.velocity, self._now_s)
            self.velocity += STEP_S * (torque - FRICTION_NM_S_PER_RAD * self.velocity) / INERTIA_KG_M2
            self.position += STEP_S * self.velocity
        (replies,) = self.motors.exchange([inbox], self.position, self.velocity, self._now_s)
        return replies

    def set_conditions(self, conditions: list[MotorCondition]) -> None:
        with self._lock:
            self.motors.set_conditions(conditions)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self._bus.shutdown()
        if self.failure is not None:
            raise self.failure


def _joint(node: int) -> JointConfig:
    motor = MotorConfig("odrive", "S1", "can0", node, 0, DriveConfig(20.0, 20.0))
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "can0")
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
