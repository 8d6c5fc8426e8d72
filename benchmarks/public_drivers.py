"""Public Python drivers and ours, side by side at the same work: twelve motors, commands out and replies in.

Everything is in memory: a library hands its packets to a bus that drops them, and takes replies that our simulated
motors made. Each pair is timed in turns in one run, back to back ("hot") and once every 2 ms, as in a control loop.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib import import_module, metadata, util

import can
import numpy as np

from benchmarks import servo_drivers
from benchmarks.harness import Pair, Row, Side, paired, table, us
from benchmarks.motor_rig import COUNT, PERIOD_S, VARIETY, MotorRig
from drivers.bus import Frame

LEAST_RATIO = 3.0
HOT_CALLS = 600
PACED_CALLS = 250
PACED = "— once every 2 ms"
OWN_MAKES = {
    "dynamixel": "12 Dynamixel servos, the whole device",
    "feetech": "12 Feetech servos, the whole device",
    "unitree": "12 Unitree motors, of which one is asked in each cycle",
    "odrive": "12 ODrive axes, two reports each",
    "canopen": "12 CANopen drives, two objects each",
}
"""Makes without a library to compare with; and servos with the loop that we close, and no library does."""


class MemoryCan:
    """A python-can bus in memory: keeps what is sent, and brings what it is given."""

    def __init__(self) -> None:
        self.sent: list[can.Message] = []
        self.pending: Iterator[can.Message] = iter(())

    def send(self, message: can.Message, timeout: float | None = None) -> None:  # noqa: ARG002 (python-can's signature)
        self.sent.append(message)

    def recv(self, timeout: float | None = None) -> can.Message | None:  # noqa: ARG002 (as above)
        return next(self.pending, None)

    def bring(self, messages: list[can.Message]) -> None:
        """Forget what was sent; these come next."""
        self.sent, self.pending = [], iter(messages)


def _messages(rig: MotorRig) -> list[list[can.Message]]:
    """What the motors said, as python-can hands it over."""
    return [[_message(frame) for frame in frames] for frames in rig.answers]


def _message(frame: Frame) -> can.Message:
    return can.Message(
        arbitration_id=frame.arbitration_id, data=frame.data, is_extended_id=frame.is_extended, is_fd=frame.is_fd
    )


def _commands(rig: MotorRig) -> list[list[list[float]]]:
    """Position, velocity, kp, kd and torque of each motor, cycle by cycle, as plain numbers."""
    return [command.T.tolist() for command in rig.commands]


class Reading:
    """What a library has read last: it must have read the same replies to the same end as we did."""

    def __init__(self, rig: MotorRig) -> None:
        self._rig = rig
        self._number = -1
        self._position_rad: list[float] = []

    def take(self, number: int, position_rad: list[float]) -> None:
        """Keep the positions of all motors."""
        self._number, self._position_rad = number % VARIETY, position_rad

    def check(self) -> None:
        """Raises where ours differ, or ours did not follow."""
        self._rig.check()
        ours = self._rig.position_rad[self._number]
        if self._number >= 0 and not np.allclose(self._position_rad, ours, atol=1e-3):
            make = self._rig.motors[0].config.make
            raise RuntimeError(f"{make}: the library reads {self._position_rad}, we {ours.tolist()}")


def _damiao() -> Pair:
    """The library's controller, without its thread: it reads when it is told to."""
    rig = MotorRig("damiao", "DM4310")
    read = Reading(rig)

    def theirs() -> Side:
        library = import_module("damiao_motor")
        bus, commands, messages = MemoryCan(), _commands(rig), _messages(rig)
        controller = library.DaMiaoController.__new__(library.DaMiaoController)
        controller.bus, controller.motors = bus, {}
        motors = [library.DaMiaoMotor(m.config.id, m.config.feedback_id, bus, motor_type="4310") for m in rig.motors]
        controller._motors_by_feedback = {motor.motor_id: motor for motor in motors}

        def call(number: int) -> None:
            controller.poll_feedback()
            for motor, command in zip(motors, commands[number % VARIETY], strict=True):
                motor.send_cmd_mit(*command)
            read.take(number, [motor.state["pos"] for motor in motors])

        return Side(call, lambda number: bus.bring(messages[number % VARIETY]))

    name = f"{COUNT} Damiao motors: commands out, replies in"
    return Pair(name, rig.side(), theirs, "damiao-motor", "damiao_motor", 25.0, read.check)


def _robstride() -> Pair:
    """The vendor's library."""
    rig = MotorRig("robstride", "RS02")
    read = Reading(rig)

    def theirs() -> Side:
        library = import_module("robstride_dynamics")
        bus, commands, messages = MemoryCan(), _commands(rig), _messages(rig)
        with contextlib.redirect_stdout(io.StringIO()):
            motors = library.RobstrideBus("memory", {m.joint: library.Motor(m.config.id, "rs-02") for m in rig.motors})
        motors.channel_handler = bus
        # When it is thrown away it switches its motors off, and waits for answers.
        motors.disconnect = lambda: None
        names = list(motors.motors)

        def call(number: int) -> None:
            read.take(number, [motors.read_operation_frame(name)[0] for name in names])
            for name, command in zip(names, commands[number % VARIETY], strict=True):
                position, velocity, kp, kd, torque = command
                motors.write_operation_frame(name, position, kp, kd, velocity, torque)

        return Side(call, lambda number: bus.bring(messages[number % VARIETY]))

    name = f"{COUNT} RobStride motors: commands out, replies in"
    return Pair(name, rig.side(), theirs, "robstride-dynamics", "robstride_dynamics", 30.0, read.check)


_MOTEUS_FIELDS = {
    0x20: "position",
    0x21: "velocity",
    0x22: "feedforward_torque",
    0x23: "kp_scale",
    0x24: "kd_scale",
    0x25: "maximum_torque",
    0x27: "watchdog_timeout",
    0x28: "velocity_limit",
    0x29: "accel_limit",
}
"""What a command states, by register, as the library calls it."""


def _moteus() -> Pair:
    """The vendor's library, told to state and to ask the same in the same sizes: its frames are ours."""
    rig = MotorRig("moteus")
    read = Reading(rig)

    def theirs() -> Side:
        library = import_module("moteus")
        asked, told = library.QueryResolution(), library.PositionResolution()
        asked.mode = library.F32
        asked.motor_temperature = asked.trajectory_complete = asked.home_state = library.INT8
        for field in _MOTEUS_FIELDS.values():
            setattr(told, field, library.INT16)
        motors = [library.Controller(m.config.id, query_resolution=asked, position_resolution=told) for m in rig.motors]
        messages, position = _messages(rig), library.Register.POSITION
        parse = library.protocol.parse_registers
        commands = [
            [
                {_MOTEUS_FIELDS[r]: v for r, v in parse(frame.data).command.items() if r in _MOTEUS_FIELDS}
                for frame in sent
            ]
            for sent in rig.sent
        ]
        for motor, command, frame in zip(motors, commands[0], rig.sent[0], strict=True):
            made = motor.make_position(**command, query=True).data
            if made != frame.data[: len(made)]:
                raise RuntimeError(f"moteus: the library makes {made.hex()} of {command}, we {frame.data.hex()}")

        def call(number: int) -> None:
            replies = [library.protocol.parse_message(message).values for message in messages[number % VARIETY]]
            read.take(number, [reply[position] * 2.0 * np.pi for reply in replies])
            for motor, command in zip(motors, commands[number % VARIETY], strict=True):
                motor.make_position(**command, query=True)

        return Side(call)

    name = f"{COUNT} moteus controllers: commands out, replies in"
    return Pair(name, rig.side(), theirs, "moteus", "moteus", 0.0, read.check)


def _beside(pair: Pair) -> Iterator[Row]:
    """Ours and theirs in one run; ours alone, and why, where the library is not installed."""
    is_installed = util.find_spec(pair.module) is not None
    sides = [pair.ours, pair.theirs()] if is_installed else [pair.ours]
    hot = paired(sides, HOT_CALLS)
    paced = paired(sides, PACED_CALLS, period_s=PERIOD_S)
    pair.check()
    goal = f"≤ {pair.goal_us:.0f} µs" if pair.goal_us else ""
    yield Row(pair.name, us(hot[0]), goal, not goal or hot[0].median_us <= pair.goal_us)
    if not is_installed:
        yield Row(PACED, us(paced[0]))
        yield Row(f"— by {pair.package}", f"not measured: {pair.package} is not installed")
        return
    times = [other.median_us / own.median_us for own, other in (hot, paced)]
    values = [
        f"{us(theirs)}: {ratio:.1f} times as long" for theirs, ratio in zip((hot[1], paced[1]), times, strict=True)
    ]
    goal = f"≥ {LEAST_RATIO:.0f} times"
    yield Row(f"— by {pair.package} {metadata.version(pair.package)}", values[0], goal, times[0] >= LEAST_RATIO)
    yield Row(PACED, f"{us(paced[0])}; by {pair.package} {values[1]}", goal, times[1] >= LEAST_RATIO)


def _alone(make: str, name: str) -> Row:
    """Ours, where nobody does the same."""
    rig = MotorRig(make)
    (hot,), (paced,) = paired([rig.side()], HOT_CALLS), paired([rig.side()], PACED_CALLS, period_s=PERIOD_S)
    rig.check()
    return Row(name, f"{us(hot)}; {PACED.removeprefix('— ')} {us(paced)}")


def rows() -> Iterator[Row]:
    """Every library that can be compared, then what is ours alone."""
    for pair in (_damiao, _robstride, _moteus, servo_drivers.dynamixel, servo_drivers.feetech):
        yield from _beside(pair())
    for make, name in OWN_MAKES.items():
        yield _alone(make, name)


if __name__ == "__main__":
    print(table(rows()))
