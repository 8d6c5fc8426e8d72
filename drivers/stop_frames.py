"""Makes the bytes that stop a robot's motors, for a guardian that knows no motor.

The devices of the robot themselves are driven over buses that only write down what is sent: what the guardian sends is
what the control loop would have sent, encoded by the same code. Nobody answers there, so what a make sends only to
motors that it has heard is not among it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from drivers.bus import BusCounters, Frame
from drivers.can.frame_bytes import pack
from drivers.can.slcan.codec import encode_frame
from drivers.can.slcan.tables import LINE_END
from drivers.capabilities import CAN_29_BIT_FRAME_BITS, SERIAL_BITS_PER_BYTE, ControlLoop
from drivers.registry import MOTOR_MAKES
from drivers.robot_io import RobotIO
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import CanBusConfig, RobotConfig, SerialBusConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.stop_frames import BusStop, StopFrames, Turn

SPACING_S: Final = 0.005
"""A lost frame is repeated after this long; a twentieth of the usual timeout of a motor."""

TURNS: Final = 24
"""Motors that take turns, and questions that go round, have come round by then."""

BUSY_FACTOR: Final = 2.0
"""Motors answer, so a turn takes the bus twice as long as its own bytes."""

_FD_STUFFING: Final = 1.25

WITHOUT_DAMP: Final = {
    "moteus": "its damping is a share of a gain that only the inventory reads",
    "odrive": "its gains are messages of their own, and a position sent before them would move the motor",
    "unitree": "where its output stands is known only once it has answered",
}
"""Makes that close the loop in the motor, and whose damping cannot be prepared without having heard the motor."""

_NO_HANDLE: Final = "{} adapters are open for one program only"
_SOCKETS: Final = {"socketcan": "socketcan", "handrail_datagram": "datagram"}


class _Record:
    """A bus that writes down what is sent."""

    def __init__(self) -> None:
        self.counters = BusCounters()
        self.frames: list[Frame] = []
        self.data = b""

    def send(self, frames: Sequence[Frame]) -> int:
        self.frames += frames
        return len(frames)

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def receive(self, now_s: float) -> list[Frame]:  # noqa: ARG002 (the signature of a bus)
        return []

    def read(self, now_s: float) -> bytes:  # noqa: ARG002 (the signature of a port)
        return b""

    def close(self) -> None:
        """Nothing to close."""

    def take(self) -> tuple[list[Frame], bytes]:
        taken = self.frames, self.data
        self.frames, self.data = [], b""
        return taken


class _Records:
    """Opens them. A `BusFactory`."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Record] = {}

    def open_can(self, name: str, config: CanBusConfig) -> _Record:  # noqa: ARG002 (the signature of a factory)
        return self.by_name.setdefault(name, _Record())

    def open_serial(self, name: str, config: SerialBusConfig) -> _Record:  # noqa: ARG002 (as above)
        return self.by_name.setdefault(name, _Record())


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one bus is reached by a second process.

    Attributes:
        kind, where: As in `BusStop`.
        encode: Makes the bytes of a turn from what a device sent.
        seconds: How long a turn takes on it.
    """

    kind: str
    where: str
    encode: Callable[[list[Frame], bytes], Turn]
    seconds: Callable[[list[Frame], bytes], float]


def stop_frames(robot: RobotConfig, safety: SafetyConfig) -> StopFrames:
    """Prepare the stop of a robot.

    Args:
        robot: The robot, with the interfaces of the buses that are used.
        safety: Its safety file: the damping of its DAMP.

    Raises:
        RefusedError: The wiring cannot work.
        EncodeError: A frame that no bus could carry.
    """
    with_motors = dict.fromkeys(joint.motor.bus for joint in robot.joints.values())
    wires = {name: _wire(robot.buses[name]) for name in with_motors}
    cuts: dict[str, list[tuple[Turn, ...]]] = {name: [] for name in wires}
    damps: dict[str, list[tuple[Turn, ...]]] = {name: [] for name in wires}
    spacing_s = dict.fromkeys(wires, SPACING_S)
    damped: set[str] = set()
    makes = dict.fromkeys(joint.motor.make for joint in robot.joints.values())
    for make in makes:
        own = replace(robot, joints={n: j for n, j in robot.joints.items() if j.motor.make == make})
        can_damp = MOTOR_MAKES[make].capabilities.control is ControlLoop.MOTOR and make not in WITHOUT_DAMP
        for name in dict.fromkeys(joint.motor.bus for joint in own.joints.values()):
            wire = wires[name]
            if isinstance(wire, str):
                continue
            cut, cut_s = _turns(own, safety, Drive.DISABLE, name, wire)
            damp, damp_s = _turns(own, safety, Drive.COMMAND, name, wire) if can_damp else (cut, cut_s)
            cuts[name].append(cut)
            damps[name].append(damp)
            spacing_s[name] = max(spacing_s[name], BUSY_FACTOR * max(cut_s, damp_s))
            if can_damp:
                damped.add(name)
    buses = [
        BusStop(
            name,
            wire.kind,  # type: ignore[arg-type]
            wire.where,
            getattr(robot.buses[name], "fd", False),
            spacing_s[name],
            _together(cuts[name]),
            _together(damps[name]) if name in damped else (),
        )
        for name, wire in wires.items()
        if not isinstance(wire, str)
    ]
    unguarded = {name: wire for name, wire in wires.items() if isinstance(wire, str)}
    return StopFrames(tuple(buses), unguarded, {make: reason for make in makes if (reason := _undamped(make))})


def _undamped(make: str) -> str:
    """Why a make's motors are switched off where others damp; "" for those that damp."""
    if MOTOR_MAKES[make].capabilities.control is not ControlLoop.MOTOR:
        return "its damping is computed here, from feedback, by the program that is no longer there"
    return WITHOUT_DAMP.get(make, "")


def _turns(
    robot: RobotConfig, safety: SafetyConfig, drive: Drive, bus: str, wire: _Wire
) -> tuple[tuple[Turn, ...], float]:
    """What the devices of one make send on one bus, turn by turn until it repeats, and how long a turn takes."""
    records = _Records()
    port = RobotIO(robot, records)
    count = len(robot.joints)
    zeros = frozen_vector(np.zeros(count))
    # As the gate has it: more than a motor can be told would not be sent at all.
    damping = frozen_vector(np.minimum(safety.profile.damp_kd_nm_s_per_rad, port.damping_maximum_nm_s_per_rad))
    level = Level.DAMP if drive is Drive.COMMAND else Level.CUT
    actuation = Actuation(drive, JointCommand(zeros, zeros, zeros, damping, zeros), level)
    turns: list[Turn] = []
    longest_s = 0.0
    for number in range(TURNS):
        now_s = number * SPACING_S
        port.read(now_s)
        for record in records.by_name.values():
            record.take()
        port.write(actuation, now_s)
        sent = records.by_name[bus].take()
        turns.append(wire.encode(*sent))
        longest_s = max(longest_s, wire.seconds(*sent))
    port.close()
    period = next((n for n in range(1, TURNS // 2 + 1) if _repeats(turns, n)), TURNS)
    return tuple(turns[:period]), longest_s


def _repeats(turns: Sequence[Turn], period: int) -> bool:
    return all(turn == turns[number % period] for number, turn in enumerate(turns))


def _together(makes: Sequence[tuple[Turn, ...]]) -> tuple[Turn, ...]:
    """The turns of several makes on one bus, side by side."""
    longest = max(map(len, makes))
    return tuple(tuple(item for turns in makes for item in turns[n % len(turns)]) for n in range(longest))


def _wire(config: CanBusConfig | SerialBusConfig) -> _Wire | str:
    """How a second process reaches a bus; why it cannot, where it cannot."""
    if isinstance(config, SerialBusConfig):
        byte_s = SERIAL_BITS_PER_BYTE / config.baud_bps
        return _Wire("line", config.port, lambda _, data: (data,), lambda _, data: len(data) * byte_s)
    switch = config.data_bitrate_bps > 0

    def seconds(frames: list[Frame], data: bytes) -> float:  # noqa: ARG001 (a line's)
        data_bps = config.data_bitrate_bps or config.bitrate_bps
        return sum(
            CAN_29_BIT_FRAME_BITS / config.bitrate_bps + 8 * len(frame.data) * _FD_STUFFING / data_bps
            if frame.is_fd
            else CAN_29_BIT_FRAME_BITS / config.bitrate_bps
            for frame in frames
        )

    if config.interface == "slcan":

        def line(frames: list[Frame], data: bytes) -> Turn:  # noqa: ARG001 (a line's)
            # The end of a line that was cut off makes the adapter refuse it, and listen again.
            lines = [encode_frame(frame, bitrate_switch=frame.is_fd and switch) for frame in frames]
            return (LINE_END + b"".join(lines),)

        return _Wire("line", config.channel, line, seconds)
    if config.interface not in _SOCKETS:
        return _NO_HANDLE.format(config.interface)
    return _Wire(
        _SOCKETS[config.interface],
        config.channel,
        lambda frames, _: tuple(pack(frame, bit_rate_switch=frame.is_fd and switch) for frame in frames),
        seconds,
    )
