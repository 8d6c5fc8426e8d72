"""The vendor's own library talks to the simulated servos over a pseudo-terminal."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.serial.dynamixel import tables
from drivers.sim.motors.dynamixel import DynamixelMotors
from drivers.sim.servos.dynamixel import DynamixelBus
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from tests.drivers.sim.fitted import fitted

sdk = pytest.importorskip("dynamixel_sdk", reason="the vendor's library is not installed: pip install handrail[test]")

BAUD = 1_000_000
IDS = (1, 2, 5)


class Line:
    """Servos behind a pseudo-terminal, served by a thread until it is closed."""

    def __init__(self, hear: Callable[[bytes, float], bytes] | None = None) -> None:
        self.bus = DynamixelBus([DynamixelServo(servo_id, baud=BAUD) for servo_id in IDS], BAUD)
        self._hear = hear or self.bus.hear
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return os.ttyname(self._slave)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._wake], [], [])
            if self._wake in ready:
                return
            answer = self._hear(os.read(self._master, 4096), time.monotonic())
            os.write(self._master, answer)

    def close(self) -> None:
        os.write(self._stop, b"x")
        self._thread.join()
        for handle in (self._master, self._slave, self._wake, self._stop):
            os.close(handle)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


@pytest.fixture
def port(line: Line) -> Iterator[object]:
    port = sdk.PortHandler(line.name)
    assert port.openPort()
    assert port.setBaudRate(BAUD)
    yield port
    port.closePort()


@pytest.fixture
def handler() -> object:
    return sdk.PacketHandler(2.0)


def test_ping_finds_the_servos_that_are_there(port: object, handler: object) -> None:
    number = tables.SERVOS["XM430-W350"].number
    assert handler.ping(port, 5) == (number, sdk.COMM_SUCCESS, 0)
    _, result, _ = handler.ping(port, 6)
    assert result == sdk.COMM_RX_TIMEOUT
    found, result = handler.broadcastPing(port)
    assert result == sdk.COMM_SUCCESS
    assert found == {servo_id: [number, 52] for servo_id in IDS}


def test_registers_are_read_and_written(line: Line, port: object, handler: object) -> None:
    assert handler.read4ByteTxRx(port, 1, 132) == (2048, sdk.COMM_SUCCESS, 0)
    assert handler.write4ByteTxRx(port, 1, 116, 1234) == (sdk.COMM_SUCCESS, 0)
    assert handler.read4ByteTxRx(port, 1, 116) == (1234, sdk.COMM_SUCCESS, 0)
    assert handler.write4ByteTxRx(port, 1, 116, 5000) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_LIMIT)
    assert handler.write1ByteTxRx(port, 1, 64, 1) == (sdk.COMM_SUCCESS, 0)
    assert handler.write1ByteTxRx(port, 1, 11, 1) == (sdk.COMM_SUCCESS, sdk.ERRNUM_ACCESS)
    assert line.bus.servos[0].has_torque


def test_data_that_look_like_a_header_come_back_stuffed_and_are_understood(
    line: Line, port: object, handler: object
) -> None:
    line.bus.servos[0].table[tables.GOAL_POSITION] = 0x00FDFFFF
    assert handler.read4ByteTxRx(port, 1, 116) == (0x00FDFFFF, sdk.COMM_SUCCESS, 0)


def test_a_write_left_for_later_and_a_reboot(line: Line, port: object, handler: object) -> None:
    assert handler.regWriteTxRx(port, 2, 116, 4, [0, 4, 0, 0]) == (sdk.COMM_SUCCESS, 0)
    assert handler.read4ByteTxRx(port, 2, 116)[0] == 2048
    assert handler.action(port, sdk.BROADCAST_ID) == sdk.COMM_SUCCESS
    assert handler.read4ByteTxRx(port, 2, 116)[0] == 1024
    line.bus.servos[1].fail(5)
    _, _, error = handler.read1ByteTxRx(port, 2, 70)
    assert error == sdk.ERRBIT_ALERT
    assert handler.reboot(port, 2) == (sdk.COMM_SUCCESS, 0)
    assert handler.read1ByteTxRx(port, 2, 70) == (0, sdk.COMM_SUCCESS, 0)


def test_many_servos_are_written_and_read_at_once(port: object, handler: object) -> None:
    writer = sdk.GroupSyncWrite(port, handler, 116, 4)
    for servo_id in IDS:
        assert writer.addParam(servo_id, [servo_id, 4, 0, 0])
    assert writer.txPacket() == sdk.COMM_SUCCESS
    reader = sdk.GroupSyncRead(port, handler, 116, 4)
    for servo_id in IDS:
        assert reader.addParam(servo_id)
    for read in (reader.txRxPacket, reader.fastSyncRead):
        assert read() == sdk.COMM_SUCCESS
        assert [reader.getData(servo_id, 116, 4) for servo_id in IDS] == [1024 + servo_id for servo_id in IDS]


def test_different_registers_are_read_at_once(port: object, handler: object) -> None:
    reader = sdk.GroupBulkRead(port, handler)
    assert reader.addParam(1, 144, 2)
    assert reader.addParam(5, 146, 1)
    for read in (reader.txRxPacket, reader.fastBulkRead):
        assert read() == sdk.COMM_SUCCESS
        assert (reader.getData(1, 144, 2), reader.getData(5, 146, 1)) == (120, 30)


def test_the_watchdog_expires_under_the_eyes_of_the_library(line: Line, port: object, handler: object) -> None:
    assert handler.write1ByteTxRx(port, 1, 64, 1) == (sdk.COMM_SUCCESS, 0)
    assert handler.write1ByteTxRx(port, 1, 98, 1) == (sdk.COMM_SUCCESS, 0)
    line.bus.servos[0].advance_to(time.monotonic() + 1.0)
    assert handler.read1ByteTxRx(port, 1, 98) == (tables.WATCHDOG_EXPIRED, sdk.COMM_SUCCESS, 0)
    assert handler.write4ByteTxRx(port, 1, 116, 2000) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_RANGE)


@pytest.fixture
def joints() -> Iterator[tuple[Line, DynamixelMotors]]:
    """The servos of one leg of the demo robot, as its simulated world has them, behind the pseudo-terminal."""
    robot = fitted("dynamixel").config
    own = [joint for joint in robot.joints.values() if joint.motor.bus == "dynamixel_can0"]
    motors = DynamixelMotors(own, ["dynamixel_can0"], seed=[1], noise_scale=0.0)
    position = np.array([0.0, 0.5, -1.0])

    def hear(data: bytes, now_s: float) -> bytes:
        (frames,) = motors.exchange([[Frame(0, data)]], position, np.zeros(3), now_s)
        return b"".join(frame.data for frame in frames)

    line = Line(hear)
    yield line, motors
    line.close()


def test_the_library_pushes_a_joint_of_a_robot(joints: tuple[Line, DynamixelMotors], handler: object) -> None:
    line, motors = joints
    port = sdk.PortHandler(line.name)
    assert port.openPort()
    try:
        assert handler.read4ByteTxRx(port, 2, 132) == (2048 + round(0.5 / tables.POSITION_COUNT_RAD), 0, 0)
        listed = [*b"\x46\0\x92\0"]
        assert handler.writeTxRx(port, 2, 168, len(listed), listed) == (sdk.COMM_SUCCESS, 0)
        assert handler.readTxRx(port, 2, 224, 2) == ([0, 25], sdk.COMM_SUCCESS, 0)
        assert handler.write1ByteTxRx(port, 2, 64, 1) == (sdk.COMM_SUCCESS, 0)
        assert handler.write2ByteTxRx(port, 2, 102, 500) == (sdk.COMM_SUCCESS, 0)
        pushed_nm = 500 * tables.SERVOS["XH540-W150"].torque_count_nm
        assert motors.target[4].tolist() == pytest.approx([0.0, pushed_nm, 0.0])
        assert handler.write2ByteTxRx(port, 2, 102, 3000) == (sdk.COMM_SUCCESS, sdk.ERRNUM_DATA_LIMIT)
    finally:
        port.closePort()
