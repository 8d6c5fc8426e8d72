"""The host falls silent while it commands: what the motors of every make then do, as their sheets say."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
import pytest

from drivers.capabilities import Timeout
from drivers.registry import MOTOR_MAKES
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

SILENT_S = 3.0
HICCUP_S = 0.04
"""Of the timeout of 0.1 s that is set in every motor that has one."""


class End(Enum):
    """What becomes of the limbs: words of `Capabilities.when_host_dies`."""

    LIMP = ("goes limp", "output off")
    DAMPED = ("is damped",)
    HOLDS = ("goes on with its last command", "may go on with its last command", "holds its last")


class Sheet(NamedTuple):
    """What a make's sheet says, and what a host that comes back and asks is told."""

    end: End
    status: MotorStatus
    fault: str = ""


# Dynamixel servos hold where they are in position modes; here they are given currents, and theirs becomes none.
# Where a motor goes on, a question ends it: asking switches some of them off, which is why they then say so.
SHEETS = {
    "damiao": Sheet(End.LIMP, MotorStatus.FAULT, "LOST_COMM"),
    "robstride": Sheet(End.LIMP, MotorStatus.DISABLED),
    "robstride_mit": Sheet(End.HOLDS, MotorStatus.DISABLED),
    "cybergear": Sheet(End.HOLDS, MotorStatus.DISABLED),
    "cubemars": Sheet(End.HOLDS, MotorStatus.DISABLED),
    "myactuator": Sheet(End.LIMP, MotorStatus.FAULT, "TIMED_OUT"),
    "moteus": Sheet(End.DAMPED, MotorStatus.FAULT, "TIMED_OUT"),
    "canopen": Sheet(End.LIMP, MotorStatus.DISABLED),
    "odrive": Sheet(End.HOLDS, MotorStatus.ENABLED),
    "dynamixel": Sheet(End.LIMP, MotorStatus.FAULT, "BUS_WATCHDOG"),
    "feetech": Sheet(End.HOLDS, MotorStatus.ENABLED),
    "lx16a": Sheet(End.HOLDS, MotorStatus.ENABLED),
    "unitree": Sheet(End.HOLDS, MotorStatus.DISABLED),
}


class Watched(Rig):
    """A robot that holds its default pose on the gantry, and then hears nothing more."""

    def __init__(self, make: str) -> None:
        super().__init__(fitted(make, independent_cut_off="contactor K1"))
        self.inventory()
        self.settle(Drive.POLL)
        self.settle(Drive.ENABLE)
        for _ in range(int(self.config.control_hz)):
            self.step(Drive.COMMAND)
        self.held_rad = self.plant.position_rad.copy()
        self.fastest_rad_per_s = 0.0

    @property
    def plant(self):
        return self.world.plant

    @property
    def torque_nm(self) -> np.ndarray:
        """What the motors really do."""
        return self.plant._applied[self.plant._drive_at]

    @property
    def moved_rad(self) -> float:
        return float(np.abs(self.plant.position_rad - self.held_rad).max())

    def fall_silent(self, duration_s: float):
        for _ in range(round(duration_s * self.config.control_hz)):
            state = self.step(None)
            self.fastest_rad_per_s = max(self.fastest_rad_per_s, float(np.abs(self.plant.velocity_rad_per_s).max()))
        return state


@pytest.fixture(scope="module", params=SHEETS)
def dead(request: pytest.FixtureRequest) -> tuple[str, Watched]:
    """A make, and its robot long after its host has died."""
    rig = Watched(request.param)
    rig.fall_silent(HICCUP_S)
    assert np.abs(rig.torque_nm).max() > 0.3
    rig.fall_silent(SILENT_S)
    return request.param, rig


def limp(rig: Watched) -> bool:
    return not rig.torque_nm.any() and rig.moved_rad > 0.5 and rig.fastest_rad_per_s > 2.0


def damped(rig: Watched) -> bool:
    return bool(rig.torque_nm.any()) and rig.moved_rad > 0.5 and rig.fastest_rad_per_s < 1.0


def holding(rig: Watched) -> bool:
    return float(np.abs(rig.torque_nm).max()) > 0.3 and rig.moved_rad < 0.03 and rig.fastest_rad_per_s < 0.1


def test_the_limbs_end_as_the_sheet_says(dead: tuple[str, Watched]) -> None:
    make, rig = dead
    seen = {End.LIMP: limp(rig), End.DAMPED: damped(rig), End.HOLDS: holding(rig)}
    assert [end for end, is_seen in seen.items() if is_seen] == [SHEETS[make].end]


def test_whoever_comes_back_is_told(dead: tuple[str, Watched]) -> None:
    make, rig = dead
    state = rig.settle(Drive.POLL)
    assert (state.motor_status == SHEETS[make].status).all()
    names = [rig.robot.fault_name(joint, int(code)) for joint, code in enumerate(state.fault_code)]
    faults = {name for name, status in zip(names, state.motor_status, strict=True) if status == MotorStatus.FAULT}
    assert faults == {*filter(None, [SHEETS[make].fault])}


@pytest.mark.parametrize("make", SHEETS)
def test_the_table_of_capabilities_says_it_in_these_words(make: str) -> None:
    said = MOTOR_MAKES[make].capabilities
    assert any(words in said.when_host_dies for words in SHEETS[make].end.value)
    # A make that does not let go by itself is one without a timeout, which is refused without a cut-off of its own.
    assert (SHEETS[make].end is End.HOLDS) is (said.timeout is Timeout.NONE)


def test_every_make_is_in_the_table() -> None:
    assert SHEETS.keys() == MOTOR_MAKES.keys()
