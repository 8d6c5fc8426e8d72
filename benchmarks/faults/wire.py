"""A simulated robot whose buses are listened to: what was sent to each motor in each cycle, and whether it was on.

Bytes are judged by the motors' protocol, and not by the codec that made them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.bus import BusCounters, CanBus, Frame
from drivers.sim.world import SimulatedWorld
from supervisor.core.robot import CanBusConfig
from supervisor.runtime import lockstep_run

SPECIAL = b"\xff" * 7
DISABLE = SPECIAL + b"\xfd"
REGISTERS = 0x7FF
STATUS_ENABLED = 1


class Said(IntEnum):
    """What the host told a motor in a cycle, the last word of it."""

    NOTHING = 0
    POLL = 1
    """Asked for feedback, or for a register."""
    CUT = 2
    """Off."""
    DAMP = 3
    """No stiffness, no torque, some damping."""
    DRIVE = 4
    """With stiffness or torque."""
    ENABLE = 5
    """On, or another special command."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard on the buses.

    Attributes:
        said: (cycles, n) `Said`.
        position: (cycles, n) commanded positions as counts of 16 bits, -1 where there was none.
        energised: (cycles, n) whether the motor was on at the end of the cycle.
    """

    said: NDArray[np.int8]
    position: NDArray[np.int32]
    energised: NDArray[np.bool_]


def meaning(data: bytes) -> tuple[Said, int]:
    """What a frame to a motor says, and the position in it. Source: protocols/damiao.md."""
    if data == DISABLE:
        return Said.CUT, -1
    if data.startswith(SPECIAL):
        return Said.ENABLE, -1
    stiffness = (data[3] & 0xF) << 8 | data[4]
    damping = data[5] << 4 | data[6] >> 4
    torque = (data[6] & 0xF) << 8 | data[7]
    position = data[0] << 8 | data[1]
    # Zero torque lies between two counts.
    is_damping = stiffness == 0 and damping > 0 and torque in (0x7FF, 0x800)
    return (Said.DAMP if is_damping else Said.DRIVE), position


class _Bus:
    """The host's end of a bus, listened to."""

    def __init__(self, bus: CanBus, said: dict[int, tuple[Said, int]]) -> None:
        self._bus = bus
        self._said = said

    @property
    def counters(self) -> BusCounters:
        return self._bus.counters

    def send(self, frames: Sequence[Frame]) -> int:
        for frame in frames:
            if frame[0] == REGISTERS:
                self._said.setdefault(frame[1][0], (Said.POLL, -1))
            else:
                self._said[frame[0]] = meaning(bytes(frame[1]))
        return self._bus.send(frames)

    def receive(self, now_s: float) -> list[Frame]:
        return self._bus.receive(now_s)

    def close(self) -> None:
        self._bus.close()


class WatchedWorld(SimulatedWorld):
    """A simulated robot that keeps what it was told, and how its motors were."""

    def __init__(self, *arguments: Any, **keys: Any) -> None:
        super().__init__(*arguments, **keys)
        self._said: dict[str, dict[int, tuple[Said, int]]] = {name: {} for name in self._robot.buses}
        self._where = [(joint.motor.bus, joint.motor.id) for joint in self._robot.joints.values()]
        self._rows: list[NDArray[np.int32]] = []
        self._on: list[NDArray[np.bool_]] = []

    def open_can(self, name: str, config: CanBusConfig) -> CanBus:
        return _Bus(super().open_can(name, config), self._said[name])

    def advance_to(self, now_s: float) -> None:
        self._keep()
        super().advance_to(now_s)
        self._on.append(self.energised)

    def leave_alone(self, for_s: float) -> None:
        """Let time pass in which nobody says anything; not kept."""
        super().advance_to(self._now_s + for_s)

    def _keep(self) -> None:
        row = [self._said[bus].get(number, (Said.NOTHING, -1)) for bus, number in self._where]
        self._rows.append(np.array(row, dtype=np.int32))
        for said in self._said.values():
            said.clear()

    @property
    def energised(self) -> NDArray[np.bool_]:
        """(n,) Which motors are on now, by their own knowledge."""
        return np.concatenate([group.motors._status == STATUS_ENABLED for group in self._groups])  # type: ignore[attr-defined]

    def heard(self) -> Heard:
        """Everything so far, the cycle under way included."""
        if len(self._on) == len(self._rows):
            self._keep()
            self._on.append(self.energised)
        rows = np.array(self._rows)
        return Heard(rows[:, :, 0].astype(np.int8), rows[:, :, 1], np.array(self._on))


@contextmanager
def watched() -> Generator[list[WatchedWorld]]:
    """Inside, every simulated robot of a run in lockstep is listened to; they gather in the list."""
    worlds: list[WatchedWorld] = []

    def make(*arguments: Any, **keys: Any) -> WatchedWorld:
        worlds.append(WatchedWorld(*arguments, **keys))
        return worlds[-1]

    original = lockstep_run.SimulatedWorld
    lockstep_run.SimulatedWorld = make  # type: ignore[misc,assignment]
    try:
        yield worlds
    finally:
        lockstep_run.SimulatedWorld = original  # type: ignore[misc]
