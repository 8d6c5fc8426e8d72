"""A public Damiao driver talks to the simulated motors over the datagram bus, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.bus import CanBus
from drivers.can.damiao.codec import decode_feedback
from drivers.can.damiao.tables import MODELS
from drivers.hardware import HardwareBuses
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.damiao import DamiaoMotors
from supervisor.core.robot import CanBusConfig, JointConfig, MotorConfig
from tests.drivers.sim.served_motors import PATIENCE_S, ServedMotors

client = pytest.importorskip(
    "damiao_motor", reason="the public driver is not installed: pip install damiao-motor, or handrail[test]"
)

# It opens its bus by an argument that python-can has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:The 'bustype' argument is deprecated:DeprecationWarning")

MODEL = MODELS["DM8009"]
IDS = (1, 2, 3)
MASTER_OFFSET = 0x10

REGISTER_ID, REGISTER_TIMEOUT, REGISTER_MODE = 8, 9, 10


Bench = ServedMotors[DamiaoMotors]


def _joint(number: int) -> JointConfig:
    motor = MotorConfig("damiao", MODEL.name, "can0", number, number + MASTER_OFFSET)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 20.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = ServedMotors(
        DamiaoMotors([_joint(number) for number in IDS], ["can0"], seed=[7]), tmp_path / "can0", [0.2, -0.3, 0.4]
    )
    yield bench
    bench.stop()


@pytest.fixture
def controller(bench: Bench, tmp_path: Path, datagram_interface: str) -> Iterator[object]:
    controller = client.DaMiaoController(channel=str(tmp_path / "can0"), bustype=datagram_interface)
    for number in IDS:
        controller.add_motor(number, number + MASTER_OFFSET, "8009")
    yield controller
    controller.shutdown()


def read(motor: object, register: int) -> float | int:
    """A register from the motor, not from what the client remembers.

    Frames stay in order: once this is back, the answers to everything that was sent before have been taken too.
    """
    motor.registers.pop(register, None)
    return motor.get_register(register, timeout=PATIENCE_S)


def until(motor: object, act: Callable[[], None], is_done: Callable[[dict], bool]) -> dict:
    """Act and read feedback, again and again, for a bounded time."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        act()
        read(motor, REGISTER_ID)
        if is_done(motor.get_states()):
            return motor.get_states()
    pytest.fail(f"nothing came of it in {PATIENCE_S} s; last feedback {motor.get_states()}")


def test_registers_are_read(controller: object) -> None:
    for number in IDS:
        motor = controller.get_motor(number)
        assert read(motor, REGISTER_ID) == number
        assert read(motor, 7) == number + MASTER_OFFSET
        assert read(motor, REGISTER_MODE) == 1
        ranges = [read(motor, register) for register in (21, 22, 23)]
        assert ranges == [MODEL.position_max_rad, MODEL.velocity_max_rad_per_s, MODEL.torque_max_nm]


def test_a_register_is_written_and_reads_back(controller: object) -> None:
    motor = controller.get_motor(2)
    motor.set_can_timeout(150)
    assert read(motor, REGISTER_TIMEOUT) == 3000
    assert read(controller.get_motor(1), REGISTER_TIMEOUT) == 0


def test_feedback_is_what_the_motor_senses(controller: object) -> None:
    for number, position_rad in zip(IDS, (0.2, -0.3, 0.4), strict=True):
        motor = controller.get_motor(number)
        motor.request_motor_feedback()
        read(motor, REGISTER_ID)
        state = motor.get_states()
        assert (state["status"], state["can_id"]) == ("DISABLED", number)
        assert state["arbitration_id"] == number + MASTER_OFFSET
        assert state["pos"] == pytest.approx(position_rad, abs=1e-3)
        assert state["t_mos"] == 25.0


def test_an_enabled_motor_goes_where_it_is_told_and_the_others_stay(controller: object, bench: Bench) -> None:
    motor = controller.get_motor(2)
    motor.enable()
    read(motor, REGISTER_ID)
    assert motor.get_states()["status"] == "ENABLED"
    until(
        motor,
        lambda: motor.send_cmd_mit(target_position=0.5, stiffness=50.0, damping=3.0),
        lambda state: abs(state["pos"] - 0.5) < 0.02 and abs(state["vel"]) < 0.2,
    )
    assert bench.position[[0, 2]] == pytest.approx([0.2, 0.4], abs=1e-9)
    motor.disable()
    read(motor, REGISTER_ID)
    assert motor.get_states()["status"] == "DISABLED"


def test_torque_feedback_has_the_commands_sign_and_size(controller: object) -> None:
    motor = controller.get_motor(1)
    motor.enable()
    state = until(
        motor, lambda: motor.send_cmd_mit(feedforward_torque=-1.5), lambda state: abs(state["torq"] + 1.5) < 0.2
    )
    assert state["vel"] <= 0.1


def test_a_motor_that_hears_nothing_goes_limp_and_says_why(controller: object) -> None:
    motor = controller.get_motor(3)
    motor.set_can_timeout(20)
    assert read(motor, REGISTER_TIMEOUT) == 400
    motor.enable()
    until(motor, motor.request_motor_feedback, lambda state: state["status"] == "LOST_COMM")
    motor.clear_error()
    until(motor, motor.request_motor_feedback, lambda state: state["status"] == "DISABLED")


def test_a_fault_has_the_name_that_the_client_knows(controller: object, bench: Bench) -> None:
    conditions = [MotorCondition(place) for place in range(len(IDS))]
    conditions[0].fault = "OVERLOAD"
    bench.set_conditions(conditions)
    motor = controller.get_motor(1)
    until(motor, motor.request_motor_feedback, lambda state: state["status"] == "OVERLOAD")


@pytest.fixture
def ours(bench: Bench, tmp_path: Path, datagram_interface: str) -> Iterator[CanBus]:
    bus = HardwareBuses().open_can("can0", CanBusConfig("can", datagram_interface, str(tmp_path / "can0"), 1_000_000))
    yield bus
    bus.close()


def test_our_codec_and_the_client_read_the_same_feedback(ours: CanBus, controller: object) -> None:
    motor = controller.get_motor(2)
    motor.request_motor_feedback()
    read(motor, REGISTER_ID)
    answer, _ = [frame for frame in ours.receive(0.0) if frame.arbitration_id == 2 + MASTER_OFFSET]
    feedback, state = decode_feedback(answer.data, MODEL), motor.get_states()
    assert feedback.position_rad == pytest.approx(state["pos"], abs=1e-9)
    assert feedback.velocity_rad_per_s == pytest.approx(state["vel"], abs=1e-9)
    assert feedback.torque_nm == pytest.approx(state["torq"], abs=1e-9)
