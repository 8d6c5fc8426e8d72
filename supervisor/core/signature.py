"""What a robot's signature is made of: the faults it tells apart, and the recording from which an answer is measured.

Shared by the simulation that predicts the answers and by the diagnosis that compares them with the robot's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from supervisor.core.joints import Vector

HypothesisKind = Literal["nominal", "swapped_ids", "sign_flip", "encoder_offset", "motor_weak", "imu_rotated"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that may be wrong with a robot; the kinds are those of the fault script.

    Attributes:
        kind: What is wrong.
        joints: Joints concerned: two for swapped ids, none for the IMU.
        parameter: Offset (rad), strength (0 to 1) or rotation angle (rad); 0 where the kind has none.
        axis: Axis of the IMU's rotation, "" otherwise.
    """

    kind: HypothesisKind
    joints: tuple[str, ...] = ()
    parameter: float = 0.0
    axis: str = ""

    def __str__(self) -> str:
        parts = [self.kind, *self.joints, self.axis, f"{self.parameter:+.3g}" if self.parameter else ""]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Trial:
    """One robot to simulate.

    Attributes:
        hypothesis: What is wrong with it.
        variation_seed: Chooses how its masses and frictions differ from the model's; None for not at all.
    """

    hypothesis: Hypothesis
    variation_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """A labelled recording at the mission's rate.

    Attributes:
        time_s: (m,) monotonic.
        position_rad: (m, n) joint positions as reported.
        torque_nm: (m, n) joint torques as reported.
        gravity_in_base: (m, 3) unit gravity as the IMU has it.
        angular_velocity_base_in_base_rad_per_s: (m, 3) as the IMU has it.
        label_index: (m,) index into `labels`.
        labels: What was going on (`MovePlan.baseline_label`, `Move.label`, or free text).
    """

    time_s: Vector
    position_rad: Vector
    torque_nm: Vector
    gravity_in_base: Vector
    angular_velocity_base_in_base_rad_per_s: Vector
    label_index: NDArray[np.int32]
    labels: tuple[str, ...]
