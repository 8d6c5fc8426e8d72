"""What every make of motor and inertial unit offers to `RobotIO`, and the row every motor table is made of."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Frame
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import MotorConfig
from supervisor.core.state import ImuReading

Block = NDArray[np.float64]
"""A float64 array of shape (rows, n), one column per motor."""

Codes = NDArray[np.int64]
"""An int64 array of shape (rows, n), one column per motor."""

POSITION, VELOCITY, TORQUE, TEMPERATURE, STAMP = range(5)
"""Rows of a feedback block: rad, rad/s, N·m, degC, monotonic s; motor frame."""

STATUS, FAULT = range(2)
"""Rows of a code block: `MotorStatus`, and the make's fault code."""

COMMAND_ROWS = 5
"""Rows of a command block: position, velocity, kp, kd, torque; motor frame."""

NO_TIMEOUT_PROBLEM = (
    "has no command timeout that can be set and read back, so it would not stop by itself: "
    "refused to arm unless the robot file names an `independent_cut_off`"
)
"""What `check`, or the inventory, reports of each motor without a command timeout."""

Probe = Generator[None, float, tuple[DeviceReport, ...]]
"""One device's inventory, resumed once a cycle with `send(now_s)`."""


@dataclass(frozen=True, slots=True)
class MotorModel:
    """One row of a make's table: the largest values that this model's messages can carry, at the output shaft.

    Attributes:
        name: As the robot file writes it.
        position_max_rad, velocity_max_rad_per_s, torque_max_nm: The wire spans minus to plus this.
        kp_max_nm_per_rad, kd_max_nm_s_per_rad: The wire spans 0 to this.
        source: Where the numbers come from.
    """

    name: str
    position_max_rad: float
    velocity_max_rad_per_s: float
    torque_max_nm: float
    kp_max_nm_per_rad: float
    kd_max_nm_s_per_rad: float
    source: str


@dataclass(frozen=True, slots=True)
class WiredMotor:
    """One motor of one robot.

    Attributes:
        joint: Name of the joint it drives.
        config: How it is wired.
        model: Row of its make's table.
        starts_within_rad: Where it may be found, lowest and highest, motor frame; None where nobody says.
    """

    joint: str
    config: MotorConfig
    model: MotorModel
    starts_within_rad: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that a device keeps without power, and that is not as the robot file needs it.

    Attributes:
        device: Name of the joint, or "imu".
        name: As its make calls it.
        found: What it is, in the make's own unit.
        wanted: What it must be.
        where: In which memory it is kept.
        note: What a person should know before it is changed, "" for nothing.
        needs_power_cycle: Whether it acts only after the power was cut.
    """

    device: str
    name: str
    found: float | str
    wanted: float | str
    where: str
    note: str = ""
    needs_power_cycle: bool = False


Settings = tuple[Setting, ...]

Finding = Generator[None, float, Settings]
"""A look at, or a change of, one device's settings, resumed once a cycle with `send(now_s)`."""

Found = Generator[None, float, tuple[float, Settings]]
"""The same within a make; returns the time at its end as well."""

Changing = Generator[None, float, float]
"""Writing settings; returns the time at its end."""


def refuse_unset(device: str, written: Sequence[Setting], found: Sequence[Setting]) -> None:
    """Refuse what does not read back after it was written.

    Raises:
        DeviceError: Something does not, naming both values.
    """
    names = {setting.name for setting in written}
    left = [f"{s.name} reads back {s.found} after setting {s.wanted}" for s in found if s.name in names]
    if left:
        raise DeviceError(f"{device}: {'; '.join(left)}")


QUESTIONS = 5
"""How often an inventory asks before it counts the answers: two motors with one id both answer."""

SECOND_ANSWER_S = 0.006
"""How long it waits each time; both motors of one id begin at once, and an adapter hands over within milliseconds."""


def id_problems(identifier: int, asked: int, answers: int) -> list[str]:
    """What an inventory reports of an id under which more came back than was asked for.

    A bus that doubles a third of its frames is not mistaken for a second motor.

    Args:
        identifier: The motor's.
        asked: How many questions.
        answers: How many answers.
    """
    if answers <= 1.5 * asked:
        return []
    counted = f"{answers} answers to {asked} questions"
    return [f"more than one motor answers under id {identifier} ({counted}): give each an id of its own"]


def wire_model(models: Mapping[str, MotorModel], config: MotorConfig) -> MotorModel:
    """What one motor's messages carry: its make's row, within what the robot file says of its drive.

    Raises:
        KeyError: The make has no such model.
    """
    row, drive = models[config.model], config.drive
    if drive is None:
        return row
    return replace(
        row,
        torque_max_nm=min(drive.torque_max_nm, row.torque_max_nm),
        velocity_max_rad_per_s=min(drive.velocity_max_rad_per_s, row.velocity_max_rad_per_s),
        kp_max_nm_per_rad=min(drive.kp_max_nm_per_rad or row.kp_max_nm_per_rad, row.kp_max_nm_per_rad),
        kd_max_nm_s_per_rad=min(drive.kd_max_nm_s_per_rad or row.kd_max_nm_s_per_rad, row.kd_max_nm_s_per_rad),
    )


class MotorGroup(Protocol):
    """All motors of one make in one robot, on all its buses. Nothing here blocks or raises on bytes."""

    has_settings: ClassVar[bool]
    """Whether this make's stored settings can be compared over its bus."""

    def decode(self, values: Block, codes: Codes) -> None:
        """Decode what `take` remembered.

        Args:
            values: (5, n), written in place; rows as named in this module.
            codes: (2, n), written in place.
        """
        ...

    def write(self, drive: Drive, command: Block) -> None:
        """Send one cycle's frames.

        Args:
            drive: What to send.
            command: (5, n), used with `Drive.COMMAND` only.
        """
        ...

    def probes(self, timeout_s: float) -> list[Probe]:
        """The inventory, in parts that may run side by side (one per bus).

        Args:
            timeout_s: Command timeout to set in every motor.
        """
        ...

    def fault_name(self, code: int) -> str:
        """The make's name of a fault code."""
        ...

    def set_zero(self, joint: str, now_s: float) -> Generator[None, float, float]:
        """Make the present position of a motor its zero; see `MotorsOnBuses.set_zero`."""
        ...

    def settings(self, joint: str, timeout_s: float, now_s: float) -> Finding:
        """What a motor keeps otherwise than the robot file needs it; see `MotorsOnBuses.settings`."""
        ...

    def configure(self, joint: str, settings: Settings, timeout_s: float, now_s: float) -> Finding:
        """Write settings, have them kept, and read them back; see `MotorsOnBuses.configure`."""
        ...


class CanMotorGroup(MotorGroup, Protocol):
    """Motors on CAN, where several makes may share a bus."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take the frames that this group's motors sent on a bus, and remember them undecoded.

        Returns:
            The frames that are not from this group's motors.
        """
        ...


class SerialMotorGroup(MotorGroup, Protocol):
    """Motors on serial lines, each of which carries one make and nothing else."""

    def receive(self, now_s: float) -> None:
        """Read every line once, and remember what its motors said."""
        ...


class Imu(Protocol):
    """One inertial unit. Nothing here blocks or raises on bytes."""

    def read(self, now_s: float) -> ImuReading:
        """Take everything that has arrived and return the newest sample."""
        ...

    def probe(self) -> Probe:
        """The inventory of this unit. `read` must be called in between, as the control loop does."""
        ...

    @property
    def has_settings(self) -> bool:
        """Whether this make's stored settings can be compared over its line."""
        ...

    def settings(self, now_s: float) -> Finding:
        """What the unit keeps otherwise than the robot file needs it. Writes nothing; `read` is called in between."""
        ...

    def configure(self, settings: Settings, now_s: float) -> Finding:
        """Write settings, have them kept, and read them back.

        Returns:
            What else is still otherwise.

        Raises:
            DeviceError: The unit does not answer, or does not take one of them.
        """
        ...
