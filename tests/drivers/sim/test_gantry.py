from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.sim.gantry import NO_WRENCH, Gantry
from supervisor.core.levels import Support
from supervisor.core.robot import GantryConfig

STEP_S = 0.002
MASS_KG = 10.0
WEIGHT_N = MASS_KG * 9.81
LEVEL = (1.0, 0.0, 0.0, 0.0)


class Block:
    """A block that only heaves, with a floor at `floor_m`."""

    def __init__(self, floor_m: float = 0.25) -> None:
        config = GantryConfig(0.6, 0.4, 25.0, 4.0)
        self.gantry = Gantry(config, MASS_KG, 9.81, 0.1, (0.0, 0.0, 0.0))
        self.floor_m, self.z, self.vz = floor_m, 0.6, 0.0
        self.lifts: list[float] = []
        self.speeds: list[float] = []

    def run(self, duration_s: float) -> None:
        for _ in range(round(duration_s / STEP_S)):
            wrench = self.gantry.wrench(STEP_S, (0.0, 0.0, self.z, *LEVEL), (0.0, 0.0, self.vz, 0.0, 0.0, 0.0))
            depth = self.floor_m - self.z
            floor_n = max(0.0, 2e4 * depth - 300.0 * self.vz) if depth > 0.0 else 0.0
            self.vz += (wrench[2] + floor_n - WEIGHT_N) / MASS_KG * STEP_S
            self.z += self.vz * STEP_S
            self.lifts.append(wrench[2])
            self.speeds.append(self.vz)

    def until_reached(self, limit_s: float = 10.0) -> float:
        for count in range(round(limit_s / STEP_S)):
            if self.gantry.is_reached:
                return count * STEP_S
            self.run(STEP_S)
        raise AssertionError(f"not reached in {limit_s} s, z {self.z:.3f}")


def test_it_hangs_still_at_its_height_and_carries_everything() -> None:
    block = Block()
    block.run(3.0)
    assert block.gantry.is_reached
    assert block.z == pytest.approx(0.6, abs=1e-3)
    assert block.lifts[-1] == pytest.approx(WEIGHT_N, rel=1e-3)


def test_lowering_takes_about_two_seconds_and_leaves_the_configured_share() -> None:
    block = Block()
    block.gantry.set_support(Support.LOWERED)
    assert not block.gantry.is_reached
    assert 1.5 < block.until_reached() < 4.0
    block.run(1.0)
    assert block.lifts[-1] == pytest.approx(0.4 * WEIGHT_N, rel=0.01)
    assert block.z == pytest.approx(0.25, abs=0.01)
    assert max(map(abs, block.speeds)) < 0.3


def test_every_change_of_support_changes_the_force_smoothly() -> None:
    block = Block()
    for support in (Support.LOWERED, Support.GROUND, Support.LOWERED, Support.GANTRY, Support.GROUND, Support.GANTRY):
        block.gantry.set_support(support)
        block.until_reached()
    block.run(0.5)
    assert block.z == pytest.approx(0.6, abs=0.05)
    # 2 ms at the moment the block meets its hard floor change the force by a few per cent; a step would be 40 %.
    assert np.abs(np.diff(block.lifts)).max() < 0.05 * WEIGHT_N


def test_on_the_ground_it_is_gone() -> None:
    block = Block()
    block.gantry.set_support(Support.GROUND)
    block.until_reached()
    pose = (0.3, 0.2, 0.25, *LEVEL)
    assert block.gantry.wrench(STEP_S, pose, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)) == NO_WRENCH
    assert block.gantry.lift_n == 0.0


def test_a_change_of_mind_on_the_way_down_goes_up_again() -> None:
    block = Block()
    block.gantry.set_support(Support.LOWERED)
    block.run(1.0)
    block.gantry.set_support(Support.GANTRY)
    block.until_reached()
    block.run(2.0)
    assert block.z == pytest.approx(0.6, abs=2e-3)


@pytest.mark.parametrize(("axis", "sign"), [(3, 1.0), (3, -1.0), (4, 1.0), (4, -1.0), (5, 1.0), (5, -1.0)])
def test_a_tilt_is_turned_back(axis: int, sign: float) -> None:
    gantry = Block().gantry
    half = 0.05 * sign
    quaternion = [math.cos(half), 0.0, 0.0, 0.0]
    quaternion[axis - 2] = math.sin(half)
    torque = gantry.wrench(STEP_S, (0.0, 0.0, 0.6, *quaternion), (0.0,) * 6)
    stiffness = 25.0 * (1.0 if axis < 5 else 0.32)
    assert torque[axis] == pytest.approx(-stiffness * math.sin(0.1 * sign), rel=0.01)
    assert [torque[other] for other in {3, 4, 5} - {axis}] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_turning_and_sliding_are_damped() -> None:
    gantry = Block().gantry
    wrench = gantry.wrench(STEP_S, (0.0, 0.0, 0.6, *LEVEL), (0.1, -0.1, 0.0, 0.2, -0.2, 0.3))
    assert (wrench[0] < 0, wrench[1] > 0, wrench[3] < 0, wrench[4] > 0, wrench[5] < 0) == (True,) * 5


def test_lowered_it_follows_a_walking_robot() -> None:
    block = Block()
    block.gantry.set_support(Support.LOWERED)
    block.until_reached()
    for step in range(3000):
        wrench = block.gantry.wrench(STEP_S, (0.4 * STEP_S * step, 0.0, 0.25, *LEVEL), (0.4, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert -0.15 * WEIGHT_N < wrench[0] < 0.0
