"""What can go wrong, as one tree.

HandrailError
├── ConfigError        robot.yaml line 12: joints.fl_hip.gear is 0, allowed: a number above 0
├── RefusedError       preflight refused: motor fr_calf on can1 does not answer
├── BusError           can0 is bus-off
│   └── BusTimeout     no reply from motor 3 on can0 within 20 ms
├── FrameError         7 data bytes where a feedback frame has 8
├── EncodeError        position 13.1 rad outside the motor's range of ±12.5 rad
├── DeviceError        motor 3 reports TMAX 10 N·m, the robot file expects 28 N·m
├── PolicyError        the ONNX input is 45 wide, the contract lists 47 values
├── RecordError        cycles.bin ends inside its header
├── LinkError          shared memory of another version, or not ours alone
└── SimulationError    the model has no free joint

Exceptions are for programs and start-up. Inside the control loop a fault is a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class HandrailError(Exception):
    """Root of everything Handrail raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one file.

    Attributes:
        file: Path as the user gave it.
        line: 1-based line, or None where the file has no lines (missing, binary).
        key: Dotted key path, "" for the whole file.
        found: What stands there.
        allowed: What may stand there, or what to do.
    """

    file: str
    line: int | None
    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f" {self.key}:" if self.key else ""
        return f"{place}:{key} found {self.found}; allowed: {self.allowed}"


class ConfigError(HandrailError, ValueError):
    """One or more problems in configuration, all of them at once.

    Attributes:
        problems: Every problem found, in the order of the files and lines.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        count = len(self.problems)
        head = f"{count} problem{'s' if count != 1 else ''} in the configuration"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


class RefusedError(HandrailError):
    """A check before motion failed; nothing was energised.

    Attributes:
        reasons: Every reason, not only the first.
    """

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons: tuple[str, ...] = tuple(reasons)
        super().__init__("refused before motion:\n" + "\n".join(f"  {r}" for r in self.reasons))


class BusError(HandrailError, OSError):
    """A bus could not be opened, read or written."""


class BusTimeout(BusError, TimeoutError):
    """A device did not answer in time."""


class FrameError(HandrailError, ValueError):
    """Bytes that are not the message they should be."""


class EncodeError(HandrailError, ValueError):
    """A value that the wire cannot carry: not finite, or outside the device's range."""


class DeviceError(HandrailError):
    """A device answered, but not as the robot file says."""


class PolicyError(HandrailError):
    """A policy file or its contract cannot be used."""


class RecordError(HandrailError, ValueError):
    """A run's folder is missing, damaged or of another version."""


class LinkError(HandrailError):
    """What joins the processes of a run cannot be used."""


class SimulationError(HandrailError):
    """A model or a fault script cannot be simulated."""
