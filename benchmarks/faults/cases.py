"""Which faults are tried in lockstep, in which stages, and when in a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from supervisor.runtime.locate import find_mission

KINDS: Final[dict[str, dict[str, Any]]] = {
    "frames_dropped": {"bus": "can2", "rate": 1.0},
    "frames_corrupted": {"bus": "can2", "rate": 0.5},
    "frames_duplicated": {"bus": "can2", "rate": 1.0},
    "frames_reordered": {"bus": "can2", "rate": 0.5},
    "frames_delayed": {"bus": "can2", "delay_s": 0.03},
    "bus_off": {"bus": "can2"},
    "brown_out": {"bus": "can2"},
    "motor_silent": {"joints": ["fl_calf"]},
    "encoder_stuck": {"joints": ["fl_calf"]},
    "sign_flip": {"joints": ["fl_calf"]},
    "swapped_ids": {"joints": ["fl_hip", "fr_hip"]},
    "encoder_offset": {"joints": ["fl_thigh"], "offset_rad": 0.3},
    "encoder_jump": {"joints": ["fl_thigh"], "offset_rad": 0.5},
    "motor_weak": {"joints": ["fl_calf"], "strength": 0.3},
    "motor_hot": {"joints": ["rr_calf"], "temperature_degc": 110.0},
    "motor_fault": {"joints": ["fr_hip"], "code": "OVER_CURRENT"},
    "imu_frozen": {},
    "imu_nan": {},
    "imu_lost": {},
    "imu_bias": {"gyro_rad_per_s": [1.0, 0.0, 0.0]},
    "imu_rotated": {"axis": "x", "angle_rad": 1.5708},
    "policy_nan": {},
    "policy_saturated": {},
    "policy_slow": {"delay_s": 0.06},
    "push": {"force_n": [0.0, 250.0, 0.0], "for_s": 0.3},
    "payload": {"mass_kg": 5.0},
    "friction": {"coefficient": 0.1},
    "mission_stalled": {},
    "mission_killed": {},
    "recorder_blocked": {},
    "disk_full": {},
    "clock_step": {"step_s": 3600.0},
    "clock_step_back": {"kind": "clock_step", "step_s": -3600.0},
}
"""What is tried, by its name in the table: a fault of the script, without its time. One of a kind, and a hard one."""

MISSION: Final = "deployment"

TIMEOUT_S: Final = 200.0
"""Of a shortened mission: a mission that stands still while nothing is energised is waited for."""

_ALWAYS: Final = ("preflight", "stand")
"""In every shortened mission: the robot is checked, and stands. After the first two stages too: what goes wrong while
nothing is energised must keep it from being energised."""

_LONG: Final = ("single_joint",)
"""Not climbed on the way to another stage: it takes a minute."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the matrix.

    Attributes:
        name: Of the fault, in `KINDS`.
        stage: In which it begins.
        after_s: So long after the stage began.
    """

    name: str
    stage: str
    after_s: float

    @property
    def fault(self) -> dict[str, Any]:
        """The entry of the fault script."""
        return {"kind": self.name, **KINDS[self.name], "at": {"stage": self.stage, "after_s": self.after_s}}


SAMPLE: Final = (
    Cell("bus_off", "preflight", 0.6),
    Cell("imu_lost", "observe", 1.0),
    Cell("clock_step", "observe", 1.0),
    Cell("motor_silent", "stand", 2.0),
    Cell("motor_hot", "stand", 2.0),
    Cell("mission_stalled", "stand", 2.0),
    Cell("disk_full", "stand", 2.0),
    Cell("encoder_jump", "stand", 2.0),
    Cell("frames_dropped", "zero_action", 1.0),
    Cell("motor_fault", "zero_action", 1.0),
    Cell("policy_nan", "ramp_100", 2.0),
    Cell("push", "ramp_100", 2.0),
)
"""A dozen, for every change of the code."""


def mission_stages() -> dict[str, dict[str, Any]]:
    """The stages of the default mission, by name, in order."""
    content = yaml.safe_load(find_mission(MISSION).read_text(encoding="utf-8"))
    return {stage["name"]: stage for stage in content["stages"]}


def shortened(folder: Path, stage: str) -> Path:
    """The default mission, to a stage and at least to standing, over as few others as lead there.

    Args:
        folder: Where to write it.
        stage: The last.
    """
    content = yaml.safe_load(find_mission(MISSION).read_text(encoding="utf-8"))
    names = [row["name"] for row in content["stages"]]
    kept = leading_to(names, stage)
    content["stages"] = [row for row in content["stages"] if row["name"] in kept]
    content["timeout_s"] = TIMEOUT_S
    path = folder / f"until_{stage}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def leading_to(names: Sequence[str], stage: str) -> tuple[str, ...]:
    """The stages of the shortened mission: the first checks, the stage before, and the stage itself."""
    place = names.index(stage)
    before = [name for name in names[:place] if name not in _LONG][-1:]
    kept = {*before, *_ALWAYS, stage}
    return tuple(name for name in names if name in kept)
