"""The vendor's own RobStride library talks to the simulated motors, on a bus in memory: it waits for every answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import can
import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.robstride.tables import MODELS
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.robstride import RobStrideMotors
from supervisor.core.robot import JointConfig, MotorConfig

client = pytest.importorskip(
    "robstride_dynamics",
    reason="the vendor's library is not installed: pip install robstride-dynamics, or handrail[test]",
)

MODEL = MODELS["RS02"]
IDS = (1, 2, 3)
STEP_S = 0.001
INERTIA_KG_M2 = 0.05
PARAMETER = client.ParameterType


class Bench:
    """Motors with a flywheel each, and the end of python-can's bus that the library holds; each frame takes a step."""

    def __init__(self) -> None:
        joints = [
            JointConfig(MotorConfig("robstride", MODEL.name, "can0", number), 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0,
                        20.0, 1.0, 0.0, 0.0)
            for number in IDS
        ]  # fmt: skip
        self.motors = RobStrideMotors(joints, ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.array([0.2, -0.3, 0.4]), np.zeros(len(IDS))
        self.now_s = 0.0
        self.answers: deque[can.Message] = deque()

    def send(self, message: can.Message) -> None:
        frame = Frame(message.arbitration_id, bytes(message.data), message.is_extended_id)
        (replies,) = self.motors.exchange([[frame]], self.position, self.velocity, self.now_s)
        self.answers += (can.Message(arbitration_id=reply.arbitration_id, data=reply.data) for reply in replies)
        torque = self.motors.torque(self.position, self.velocity, self.now_s)
        self.velocity += STEP_S * torque / INERTIA_KG_M2
        self.position += STEP_S * self.velocity
        self.now_s += STEP_S

    def recv(self, timeout: float | None = None) -> can.Message | None:
        return self.answers.popleft() if self.answers else None

    def shutdown(self) -> None: ...


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def motors(bench: Bench) -> Iterator[object]:
    motors = client.RobstrideBus("memory", {f"m{number}": client.Motor(number, "rs-02") for number in IDS})
    motors.channel_handler = bench
    yield motors
    motors.disconnect()


def test_motors_say_who_they_are(motors: object) -> None:
    answers = [motors.read_id(f"m{number}", timeout=0.1) for number in IDS]
    assert [number for number, _ in answers] == list(IDS)
    assert len({bytes(unique_id) for _, unique_id in answers}) == len(IDS)
    assert motors.ping_by_id(9, timeout=0.1) is None


def test_parameters_are_read_and_written(motors: object) -> None:
    assert motors.read("m2", PARAMETER.MODE) == 0
    assert motors.read("m2", PARAMETER.MECHANICAL_POSITION) == pytest.approx(-0.3, abs=1e-3)
    motors.write("m2", PARAMETER.CAN_TIMEOUT, 4000)
    assert [motors.read(name, PARAMETER.CAN_TIMEOUT) for name in ("m1", "m2")] == [0, 4000]


def test_an_enabled_motor_goes_where_it_is_told_and_the_others_stay(motors: object, bench: Bench) -> None:
    motors.enable("m2")
    for _ in range(1500):
        motors.write_operation_frame("m2", 0.5, 50.0, 3.0)
        position, velocity, torque, temperature = motors.read_operation_frame("m2")
    assert (position, velocity) == pytest.approx((0.5, 0.0), abs=2e-2)
    assert torque == pytest.approx(0.0, abs=0.1)
    assert temperature == 25.0
    assert bench.position[[0, 2]] == pytest.approx([0.2, 0.4], abs=1e-9)
    motors.disable("m2")
    assert not bench.motors.torque(bench.position + 1.0, bench.velocity, bench.now_s).any()


def test_torque_has_the_commands_sign_and_size(motors: object) -> None:
    motors.enable("m1")
    for _ in range(3):
        motors.write_operation_frame("m1", 0.0, 0.0, 0.0, torque=-1.5)
        _, velocity, torque, _ = motors.read_operation_frame("m1")
    assert torque == pytest.approx(-1.5, abs=0.05)
    assert velocity < 0.0


def test_a_fault_has_the_name_that_the_library_knows(
    motors: object, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = [MotorCondition(place) for place in range(len(IDS))]
    conditions[0].fault = "OVERTEMPERATURE"
    bench.motors.set_conditions(conditions)
    motors.write_operation_frame("m1", 0.0, 0.0, 0.0)
    motors.read_operation_frame("m1")
    assert "WARNING: m1 is overtemperature" in capsys.readouterr().out
