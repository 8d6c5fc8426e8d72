"""How much simulated robots of one kind differ from each other: what campaigns draw from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Variation:
    """Spread of the plant around its model; every value is drawn evenly within plus or minus the number.

    Attributes:
        mass_fraction: Of each body's mass and inertia.
        friction_fraction: Of each joint's friction and damping.
        com_m: Offset of the trunk's centre of mass, per axis.
        noise_scale: Multiplies the sensors' noise; 1 is a usual sensor.
    """

    mass_fraction: float = 0.0
    friction_fraction: float = 0.0
    com_m: float = 0.0
    noise_scale: float = 1.0


CAMPAIGN = Variation(mass_fraction=0.05, friction_fraction=0.3, com_m=0.005)
"""Two robots of one series: castings within 5 %, gear friction within 30 %, a battery pushed in by 5 mm."""


def apply_variation(model: Any, variation: Variation, seed: int, base_body: int) -> None:
    """Change a compiled MuJoCo model in place.

    Args:
        model: The `mujoco.MjModel`; its derived constants must be computed again afterwards.
        variation: The spread.
        seed: Chooses the robot; the same seed gives the same one.
        base_body: Index of the trunk.
    """
    rng = np.random.default_rng([seed, 0x0B07])

    def draw(fraction: float, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return 1.0 + fraction * rng.uniform(-1.0, 1.0, count)

    masses = draw(variation.mass_fraction, model.nbody)
    model.body_mass[:] *= masses
    model.body_inertia[:] *= masses[:, None]
    model.dof_frictionloss[:] *= draw(variation.friction_fraction, model.nv)
    model.dof_damping[:] *= draw(variation.friction_fraction, model.nv)
    model.body_ipos[base_body] += variation.com_m * rng.uniform(-1.0, 1.0, 3)
