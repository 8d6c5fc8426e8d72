"""Process data of many drives at once, in arrays made once: what the control loop uses.

Bit for bit what `pdo` makes of each drive alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.can.canopen.pdo import PdoLayout
from drivers.can.canopen.scaling import Scaling
from drivers.can.canopen.tables import (
    CONTROLWORD,
    POSITION_ACTUAL,
    STATUSWORD,
    TARGET_TORQUE,
    TORQUE_ACTUAL,
    VELOCITY_ACTUAL,
    DriveFacts,
)
from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Block
from supervisor.core.joints import Vector

COMMAND: Final = PdoLayout((CONTROLWORD, TARGET_TORQUE))
MOTION: Final = PdoLayout((STATUSWORD, POSITION_ACTUAL, TORQUE_ACTUAL))
"""Everything that must belong together travels in one frame."""

COMMAND_BYTES: Final = COMMAND.size

HIGHEST_TORQUE_COUNT: Final = TARGET_TORQUE.type.range[1]

Words = NDArray[np.int64]
"""(n,) data bytes of one frame per drive as one little-endian number."""


def speed_layout(facts: DriveFacts) -> PdoLayout:
    """The second frame of a drive: velocity, and its temperature where there is one."""
    extra = () if facts.temperature is None else (facts.temperature.entry,)
    return PdoLayout((VELOCITY_ACTUAL, *extra))


class CommandBatch:
    """Encodes a controlword and a torque per drive in one go.

    Args:
        scalings: One per drive.

    Attributes:
        valid: After `encode`: (n,) whose torque could be encoded; the others were given none.
        all_valid: Whether all could.
    """

    __slots__ = ("_counts", "_out", "_scale", "all_valid", "valid")

    def __init__(self, scalings: Sequence[Scaling]) -> None:
        count = len(scalings)
        # A drive without a rated torque has no counts; 0 * inf is NaN, which is not valid.
        self._scale: Vector = np.array([1.0 / s.torque_nm if s.torque_nm > 0.0 else np.inf for s in scalings])
        self._counts: Vector = np.zeros(count)
        self._out: NDArray[np.int16] = np.zeros((count, 2), dtype="<i2")
        self.valid: NDArray[np.bool_] = np.ones(count, dtype=np.bool_)
        self.all_valid = True

    def encode(self, controlwords: NDArray[np.int64], torque_nm: Vector) -> bytes:
        """Encode one command per drive.

        Args:
            controlwords: (n,) 0 to 0x7FFF.
            torque_nm: (n,) at the output shaft.

        Returns:
            4 bytes per drive, in order.
        """
        counts, valid = self._counts, self.valid
        with np.errstate(invalid="ignore"):
            np.multiply(torque_nm, self._scale, out=counts)
        np.rint(counts, out=counts)
        # NaN is within no limits.
        np.less_equal(np.abs(counts), HIGHEST_TORQUE_COUNT, out=valid)
        self.all_valid = bool(valid.all())
        if not self.all_valid:
            counts[~valid] = 0.0
        self._out[:, 0] = controlwords
        self._out[:, 1] = counts
        return self._out.tobytes()


class FeedbackBatch:
    """Decodes the newest process data of every drive in one go.

    Args:
        scalings: One per drive.
        facts: One per drive.
    """

    __slots__ = ("_position", "_steps", "_temperature_shift", "_torque", "_velocity")

    def __init__(self, scalings: Sequence[Scaling], facts: Sequence[DriveFacts]) -> None:
        self._position: Vector = np.array([scaling.position_rad for scaling in scalings])
        self._velocity: Vector = np.array([scaling.velocity_rad_per_s for scaling in scalings])
        self._torque: Vector = np.array([scaling.torque_nm for scaling in scalings])
        objects = [fact.temperature for fact in facts]
        # No object, no temperature: NaN, which no guard takes for a healthy one.
        self._steps: Vector = np.array([np.nan if found is None else found.step_degc for found in objects])
        self._temperature_shift: Words = np.array(
            [0 if found is None else 32 - 8 * found.entry.type.size for found in objects], dtype=np.int64
        )

    def rescale(self, slot: int, scaling: Scaling) -> None:
        """Take another scaling for one drive: its velocity unit is only known once it was asked."""
        self._position[slot], self._torque[slot] = scaling.position_rad, scaling.torque_nm
        self._velocity[slot] = scaling.velocity_rad_per_s

    def decode(self, motion: Words, speed: Words, values: Block) -> None:
        """Decode two frames per drive.

        Args:
            motion: (n,) statusword, position, torque.
            speed: (n,) velocity, temperature.
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        # To the top and back down, which brings the sign along.
        np.multiply(motion << 16 >> 32, self._position, out=values[POSITION])
        np.multiply(motion >> 48, self._torque, out=values[TORQUE])
        np.multiply(speed << 32 >> 32, self._velocity, out=values[VELOCITY])
        np.multiply(
            speed << self._temperature_shift >> self._temperature_shift >> 32, self._steps, out=values[TEMPERATURE]
        )
