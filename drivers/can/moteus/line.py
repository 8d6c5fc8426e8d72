"""One controller as its inventory reaches it, and what it has said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from drivers.bus import Frame
from drivers.can.moteus.tables import SERIAL_NUMBER, Mode
from drivers.devices import WiredMotor


class Feedback(NamedTuple):
    """A controller's newest feedback, as far as its inventory needs it.

    Attributes:
        mode: What it is doing.
        fault: Register FAULT.
        position_rad: Motor frame.
        temperature_degc: The higher of winding and board.
        voltage_v: Of its supply.
        home_state: See `HOME_STATES`.
    """

    mode: Mode
    fault: int
    position_rad: float
    temperature_degc: float
    voltage_v: float
    home_state: int


class Settings(NamedTuple):
    """What the control loop needs to know of one controller.

    Attributes:
        kp_nm_per_rad, kd_nm_s_per_rad: Its configured gains.
        timeout_counts: Command timeout, ms.
    """

    kp_nm_per_rad: float
    kd_nm_s_per_rad: float
    timeout_counts: int


@dataclass(slots=True)
class Answers:
    """What one controller has said besides feedback.

    Attributes:
        values: Registers, by number.
        serials: Every serial number that answered under this controller's id.
        text: What it has said on its console.
        texts: How many frames that took, those without text among them.
    """

    values: dict[int, float] = field(default_factory=dict[int, float])
    serials: set[str] = field(default_factory=set[str])
    text: bytes = b""
    texts: int = 0

    def take(self, values: Mapping[int, float]) -> None:
        """Remember the registers of one answer."""
        self.values.update(values)
        if all(register in values for register in SERIAL_NUMBER):
            self.serials.add("".join(f"{int(values[register]) & 0xFFFFFFFF:08x}" for register in SERIAL_NUMBER))


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def answers(self) -> Answers:
        """What it has said besides feedback."""
        ...

    @property
    def stamp_s(self) -> float:
        """Arrival of its newest feedback."""
        ...

    @property
    def feedback(self) -> Feedback:
        """Its newest feedback; meaningless before the first."""
        ...

    def send(self, frame: Frame) -> None:
        """Send one frame that the motor answers."""
        ...

    def tell(self, frame: Frame) -> None:
        """Send one frame that the motor does not answer."""
        ...

    def fault_name(self, code: int) -> str:
        """Name of a fault."""
        ...
