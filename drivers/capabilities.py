"""What a make of motor can do, as data: the linter, the documentation and the drivers read the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

MAXIMUM_BUS_LOAD = 0.7
"""Of a bus: the rest is for retransmissions, polls and register requests."""


CAN_11_BIT_FRAME_BITS = 135
"""An 8-byte frame with an 11-bit identifier at worst-case stuffing, gap to the next frame included."""

CAN_29_BIT_FRAME_BITS = 160
"""The same with a 29-bit identifier."""

SERIAL_BITS_PER_BYTE = 10
"""8N1: a start and a stop bit around every byte."""

MAXIMUM_TURN_S = 0.006
"""How long a motor may wait for its turn: two answers in a row may then be lost within the 0.02 s after which the
shipped safety files count it as silent."""


class ControlLoop(Enum):
    """Where stiffness and damping become a torque."""

    MOTOR = "in the motor"
    """The motor takes position, velocity, stiffness, damping and torque."""
    HOST_TORQUE = "here, sent as a torque"
    """The motor takes a torque; it follows from the newest feedback, one cycle old."""
    HOST_POSITION = "here, sent as a position"
    """The motor takes a position only; it is asked for one that makes its own stiffness give the wanted torque."""


class Timeout(Enum):
    """Whether the motor stops by itself when it hears nothing, and where that is set."""

    MEMORY = "set in memory at every inventory, and read back"
    FLASH = "set in flash, only where it differs, and read back"
    ACKNOWLEDGED = "set in flash, and acknowledged; it cannot be read"
    COMMAND = "sent with every command"
    NONE = "none that can be set and read back"


class Zero(Enum):
    """What becomes of a zero that is set."""

    FLASH = "kept when its power is cut"
    MEMORY = "lost when its power is cut"
    NONE = "cannot be set over the bus"


Source = Literal["measured", "estimated", "none"]
"""Whether a quantity is measured by the motor, computed from what it measures, or unknown (NaN)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one make can do.

    Attributes:
        control: Where the control loop is closed.
        velocity, torque, temperature: Where each comes from; position is always measured.
        says_whether_on: Whether a motor reports its power stage; where not, it follows from what it acknowledged.
        reports_faults: Whether it names what is wrong with it.
        timeout: Whether and how it stops by itself.
        when_host_dies: What it does when it hears nothing any more, in words: "goes limp".
        zero: What becomes of a zero.
        reads_ranges: Whether what its messages span can be read from it, and is compared.
    """

    control: ControlLoop
    velocity: Source
    torque: Source
    temperature: Source
    says_whether_on: bool
    reports_faults: bool
    timeout: Timeout
    when_host_dies: str
    zero: Zero
    reads_ranges: bool


@dataclass(frozen=True, slots=True)
class CycleCost:
    """What one control cycle puts on a bus, command and reply, at worst.

    Attributes:
        motor_bits: Per motor, at the bus's bit rate; ten for each byte of a serial line.
        motor_data_bits: Per motor, at the rate of an FD frame's data.
        motor_s: Per motor, waiting for its answer to begin.
        bus_bits: Once per bus.
        takes_turns: Whether a cycle serves one motor of each bus only, because the next one may not be asked before
            this one has answered.
        asks_in_turn: Whether a cycle commands all motors of a bus and asks only one of them how it is.
    """

    motor_bits: int
    motor_data_bits: int = 0
    motor_s: float = 0.0
    bus_bits: int = 0
    takes_turns: bool = False
    asks_in_turn: bool = False

    def load(self, motors: int, control_hz: float, bitrate_bps: float, data_bitrate_bps: float = 0.0) -> float:
        """Share of a bus's time that so many motors take, 0 to 1 and beyond.

        Args:
            motors: How many, at least one.
            control_hz: Cycles per second.
            bitrate_bps: Of the bus, above 0.
            data_bitrate_bps: Of an FD frame's data; 0 where it is the bus's.
        """
        data_bps = data_bitrate_bps or bitrate_bps
        per_motor_s = self.motor_bits / bitrate_bps + self.motor_data_bits / data_bps + self.motor_s
        served = min(motors, 1) if self.takes_turns else motors
        return (self.bus_bits / bitrate_bps + served * per_motor_s) * control_hz

    def turn_s(self, motors: int, control_hz: float) -> float:
        """How long a motor waits from one command to the next, s."""
        return (motors if self.takes_turns else 1) / control_hz

    def feedback_age_s(self, motors: int, control_hz: float) -> float:
        """How old a motor's feedback becomes between two answers where none is lost, s."""
        # A cycle for each motor, one for a question about something else, and one until the answer is read.
        return (motors + 2 if self.takes_turns or self.asks_in_turn else 1) / control_hz

    def motors_within(
        self, control_hz: float, bitrate_bps: float, data_bitrate_bps: float = 0.0, share: float = MAXIMUM_BUS_LOAD
    ) -> int:
        """How many motors one bus carries within a share of its time, and within `MAXIMUM_TURN_S`."""
        one = self.load(1, control_hz, bitrate_bps, data_bitrate_bps)
        if self.takes_turns:
            return turns_within(control_hz) if one <= share else 0
        further = self.load(2, control_hz, bitrate_bps, data_bitrate_bps) - one
        # The sum is of rounded numbers: 0.7 of a bus must be 0.7 of it.
        return max(int((share - one) / further + 1.0 + 1e-9), 0)


def turns_within(control_hz: float) -> int:
    """How many motors may take turns, one in each cycle, and none waits longer than `MAXIMUM_TURN_S`; at least 1."""
    return max(int(MAXIMUM_TURN_S * control_hz + 1e-9), 1)


def shared_load(
    costs: Mapping[CycleCost, int], control_hz: float, bitrate_bps: float, data_bitrate_bps: float = 0.0
) -> float:
    """Load of a bus with motors of several makes.

    Args:
        costs: Motors by what one of them costs.
        control_hz: Cycles per second.
        bitrate_bps: Of the bus, above 0.
        data_bitrate_bps: Of an FD frame's data; 0 where it is the bus's.
    """
    return sum(cost.load(count, control_hz, bitrate_bps, data_bitrate_bps) for cost, count in costs.items())
