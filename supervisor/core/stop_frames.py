"""What stops a robot's motors, as bytes that are ready to be sent by somebody who knows nothing of motors.

Standard library only: the guardian, which sends them, loads nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Turn = tuple[bytes, ...]
"""What goes out at once. On CAN each is one frame as SocketCAN lays it out; a serial line has one, of whole packets."""


@dataclass(frozen=True, slots=True)
class BusStop:
    """The stop of all motors on one bus.

    Attributes:
        bus: Its name in the robot file.
        kind: What carries it: a socket of the kernel's CAN, a folder of datagram sockets, or an open line.
        where: Interface, folder or port.
        is_fd: Whether CAN FD frames are among them.
        spacing_s: How long to wait from one turn to the next: the bus must have carried the one before.
        cut: Turns that switch the motors off, to be sent in order, again and again.
        damp: Turns that let motors damp without stiffness, and switch off those that cannot do so by themselves; empty
            where none can.
    """

    bus: str
    kind: Literal["socketcan", "datagram", "line"]
    where: str
    is_fd: bool
    spacing_s: float
    cut: tuple[Turn, ...]
    damp: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class StopFrames:
    """The stop of a whole robot.

    Attributes:
        buses: By bus with motors on it.
        unguarded: Buses with motors that cannot be stopped by a second process, and why.
        undamped: Makes whose motors are switched off where others damp, and why.
    """

    buses: tuple[BusStop, ...]
    unguarded: Mapping[str, str] = field(default_factory=dict[str, str])
    undamped: Mapping[str, str] = field(default_factory=dict[str, str])
