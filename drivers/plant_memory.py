"""What a simulated plant in a process of its own shares with the others: how it moves, and what it is told.

On a robot there is no such thing. numpy and the vocabulary only: the control process opens it too.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Support
from supervisor.core.shared.segment import Segment
from supervisor.core.shared.slot import Slot
from supervisor.core.state import NEVER_S, BaseVelocity

_TRUTH: Final = struct.Struct("<9d?")
_STAMP: Final = struct.Struct("<d")
"""What the truth begins with; the velocity follows."""
_NO_VELOCITY: Final = BaseVelocity(frozen_vector((float("nan"),) * 3), NEVER_S)
_ORDER_BYTES: Final = 1024
FILE: Final = "plant"


class PlantTruth(NamedTuple):
    """How the simulated robot really is: for judging, and for the estimator that a robot would have.

    Attributes:
        stamp_s: When; monotonic clock.
        velocity_m_per_s: (3,) of the base, in the base's axes.
        height_m: Of the base above the floor.
        tilt_rad: Between the base's up axis and gravity.
        position_m: (2,) of the base on the floor.
        support_reached: Whether the last support asked for is reached.
    """

    stamp_s: float
    velocity_m_per_s: tuple[float, float, float]
    height_m: float
    tilt_rad: float
    position_m: tuple[float, float]
    support_reached: bool


class PlantMemory:
    """Shared by the plant and whoever asks it. An `Estimator`, and a hoist.

    Args:
        folder: Of the plant's memory.
        create: Whether to make it: the plant does.
        clock_s: Monotonic, the same for all processes.

    Raises:
        LinkError: It cannot be made or opened.
    """

    def __init__(self, folder: Path, *, create: bool, clock_s: Callable[[], float] = time.monotonic) -> None:
        sizes = (Slot.size(_TRUTH.size), Slot.size(_ORDER_BYTES))
        self._segment = Segment(folder / FILE, sum(sizes), create=create)
        memory = self._segment.memory
        self._truth = Slot(memory[: sizes[0]], _TRUTH.size)
        self._orders = Slot(memory[sizes[0] :], _ORDER_BYTES)
        self._clock_s = clock_s
        self._support: Support | None = None
        self._stage = ""
        self._number = 0
        self._seen = 0

    # The plant's side

    def tell(self, truth: PlantTruth) -> None:
        """Publish how the robot is. The plant only."""
        x_m, y_m = truth.position_m
        self._truth.write(
            _TRUTH.pack(
                truth.stamp_s,
                *truth.velocity_m_per_s,
                truth.height_m,
                truth.tilt_rad,
                x_m,
                y_m,
                float(self._seen),
                truth.support_reached,
            )
        )

    def orders(self) -> tuple[Support | None, str] | None:
        """A support and a stage that were asked for since the last call, None where nothing was. The plant only."""
        if self._orders.number == self._seen:
            return None
        found = self._orders.read()
        if found is None:
            return None
        self._seen = found[0]
        content = json.loads(found[1])
        return None if content["support"] is None else Support(content["support"]), content["stage"]

    # The others' side

    def truth(self) -> PlantTruth | None:
        """The newest, None before the first."""
        found = self._truth.read()
        if found is None:
            return None
        stamp_s, vx, vy, vz, height_m, tilt_rad, x_m, y_m, _, reached = _TRUTH.unpack(found[1])
        return PlantTruth(stamp_s, (vx, vy, vz), height_m, tilt_rad, (x_m, y_m), reached)

    def base_velocity(self, now_s: float) -> BaseVelocity:
        """The newest velocity of the base known at `now_s`."""
        found = self._truth.read()
        if found is None:
            return _NO_VELOCITY
        # Bytes do not change, so the array that looks at them is read-only as it is: a third of the time.
        velocity = np.frombuffer(found[1], np.float64, 3, _STAMP.size)
        return BaseVelocity(velocity, min(_STAMP.unpack_from(found[1])[0], now_s))

    def set_support(self, support: Support) -> None:
        """Ask for a support. One process only."""
        self._support = support
        self._order()

    def enter_stage(self, stage: str) -> None:
        """Tell the plant which stage runs, for the faults of that stage. The same process as `set_support`."""
        self._stage = stage
        self._order()

    def _order(self) -> None:
        support = None if self._support is None else self._support.value
        self._orders.write(json.dumps({"support": support, "stage": self._stage}).encode())
        self._number = self._orders.number

    @property
    def support_reached(self) -> bool:
        """Whether the last support asked for is reached: by what the plant said after it had heard of it."""
        found = self._truth.read()
        if found is None:
            return False
        *_, seen, reached = _TRUTH.unpack(found[1])
        return bool(reached) and seen >= self._number

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._segment.close()
