"""Fault scripts: what goes wrong in a simulated run, where and when, as YAML.

```yaml
schema: 1
faults:
  - {kind: swapped_ids, joints: [fl_hip, fr_hip], at: {stage: start}}
  - {kind: frames_dropped, bus: can0, rate: 0.3, at: {stage: ramp_50, after_s: 1.0}, for_s: 2.0}
```
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drivers.sim.motors.makes import FAULT_NAMES
from supervisor.core.errors import ConfigError, Problem
from supervisor.core.loading import Document, KeyPath, read_document, validate_document
from supervisor.core.robot import CanBusConfig, RobotConfig

START = "start"
"""Stands for the beginning of the run where a fault names a stage."""

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Joints = Annotated[tuple[str, ...], Field(min_length=1)]
Pair = Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class When:
    """When a fault begins: `after_s` after the first entry into a stage."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    stage: str
    after_s: NotNegative = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """What every fault has: its beginning, and its duration (None: to the end of the run)."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    at: When
    for_s: Annotated[float, Field(gt=0.0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFault(_Timed):
    """A share of a bus's frames (packets, on a serial bus) is lost, spoilt, doubled or late; in both directions."""

    kind: Literal["frames_dropped", "frames_corrupted", "frames_duplicated", "frames_reordered"]
    bus: str
    rate: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesDelayed(_Timed):
    """Every frame of a bus takes longer, in both directions."""

    kind: Literal["frames_delayed"]
    bus: str
    delay_s: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFault(_Timed):
    """A bus takes no frames any more, or the supply of its motors breaks down."""

    kind: Literal["bus_off", "brown_out"]
    bus: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFault(_Timed):
    """Motors without power, encoders that stay where they are, motors mounted the other way round."""

    kind: Literal["motor_silent", "encoder_stuck", "sign_flip"]
    joints: Joints


@dataclass(frozen=True, slots=True, kw_only=True)
class SwappedIds(_Timed):
    """Each of two motors answers to the other's id, on the other's bus."""

    kind: Literal["swapped_ids"]
    joints: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOffset(_Timed):
    """The reading is shifted: reported = true + offset. As wrong zero from the start, or as a jump."""

    kind: Literal["encoder_offset", "encoder_jump"]
    joints: Joints
    offset_rad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorWeak(_Timed):
    """A share of the torque arrives; the motor reports all of it."""

    kind: Literal["motor_weak"]
    joints: Joints
    strength: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorHot(_Timed):
    """The temperature sensors read this."""

    kind: Literal["motor_hot"]
    joints: Joints
    temperature_degc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorFault(_Timed):
    """The motor switches itself off and reports a fault of its make."""

    kind: Literal["motor_fault"]
    joints: Joints
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuFault(_Timed):
    """The inertial unit repeats itself, sends NaN, or sends nothing."""

    kind: Literal["imu_frozen", "imu_nan", "imu_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuBias(_Timed):
    """An angular rate that is not there, in the unit's axes."""

    kind: Literal["imu_bias"]
    gyro_rad_per_s: Triple


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuRotated(_Timed):
    """The unit is mounted turned about an axis of the base."""

    kind: Literal["imu_rotated"]
    axis: Literal["x", "y", "z"]
    angle_rad: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFault(_Timed):
    """The policy gives NaN, or every action at its bound."""

    kind: Literal["policy_nan", "policy_saturated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySlow(_Timed):
    """Every policy step takes longer."""

    kind: Literal["policy_slow"]
    delay_s: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(_Timed):
    """A force on the trunk, world frame."""

    kind: Literal["push"]
    force_n: Triple


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload(_Timed):
    """Extra mass in the trunk."""

    kind: Literal["payload"]
    mass_kg: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Friction(_Timed):
    """Sliding friction of every surface."""

    kind: Literal["friction"]
    coefficient: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFault(_Timed):
    """Something happens to the supervisor itself, or to its disk."""

    kind: Literal[
        "mission_stalled",
        "control_stalled",
        "recorder_blocked",
        "mission_killed",
        "control_killed",
        "guardian_killed",
        "disk_full",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep(_Timed):
    """The wall clock jumps."""

    kind: Literal["clock_step"]
    step_s: float


PLANT_FAULTS = (Push, Payload, Friction)
IMU_FAULTS = (ImuFault, ImuBias, ImuRotated)
BUS_FAULTS = (FrameFault, FramesDelayed, BusFault)
MOTOR_FAULTS = (JointFault, SwappedIds, EncoderOffset, MotorWeak, MotorHot, MotorFault)
POLICY_FAULTS = (PolicyFault, PolicySlow)
PROCESS_FAULTS = (ProcessFault, ClockStep)

Fault = (
    FrameFault | FramesDelayed | BusFault | JointFault | SwappedIds | EncoderOffset | MotorWeak | MotorHot | MotorFault
    | ImuFault | ImuBias | ImuRotated | PolicyFault | PolicySlow | Push | Payload | Friction | ProcessFault | ClockStep
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaultScript:
    """The faults of one run."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    schema: Literal[1]
    faults: tuple[Annotated[Fault, Field(discriminator="kind")], ...] = ()


NO_FAULTS = FaultScript(1)
"""Nothing goes wrong."""


def load_faults(path: Path, robot: RobotConfig, stages: Sequence[str]) -> FaultScript:
    """Read a fault script and check its names.

    Args:
        path: The file.
        robot: Whose joints and buses it may name.
        stages: Names of the mission's stages.

    Raises:
        ConfigError: Every problem of the file.
    """
    document = read_document(path)
    script = validate_document(document, FaultScript)
    check_faults(script, robot, stages, document)
    return script


def check_faults(
    script: FaultScript, robot: RobotConfig, stages: Sequence[str], document: Document | None = None
) -> None:
    """Check the names in a fault script.

    Args:
        script: The script.
        robot: Whose joints and buses it may name.
        stages: Names of the mission's stages.
        document: The file it came from, for line numbers.

    Raises:
        ConfigError: Every unknown name.
    """
    source = Document("fault script", None) if document is None else document
    problems = [
        problem
        for index, fault in enumerate(script.faults)
        for problem in _problems_of(fault, ("faults", index), robot, stages, source)
    ]
    if problems:
        raise ConfigError(problems)


def _problems_of(
    fault: Fault, here: KeyPath, robot: RobotConfig, stages: Sequence[str], document: Document
) -> Iterator[Problem]:
    if fault.at.stage != START and fault.at.stage not in stages:
        allowed = f"one of {', '.join((START, *stages))}"
        yield document.problem((*here, "at", "stage"), repr(fault.at.stage), allowed)
    if isinstance(fault, BUS_FAULTS):
        is_can = isinstance(robot.buses.get(fault.bus), CanBusConfig)
        if fault.bus not in robot.buses or (fault.kind == "brown_out" and not is_can):
            allowed = ", ".join(n for n, b in robot.buses.items() if fault.kind != "brown_out" or b.kind == "can")
            yield document.problem((*here, "bus"), repr(fault.bus), f"one of {allowed}")
    if isinstance(fault, MOTOR_FAULTS):
        for index, joint in enumerate(fault.joints):
            path = (*here, "joints", index)
            if joint not in robot.joints:
                yield document.problem(path, repr(joint), f"one of {', '.join(robot.joints)}")
            elif joint in fault.joints[:index]:
                yield document.problem(path, f"{joint!r} twice", "each joint once")
    if isinstance(fault, MotorFault):
        for make in sorted({robot.joints[joint].motor.make for joint in fault.joints if joint in robot.joints}):
            names = FAULT_NAMES.get(make, ())
            if fault.code not in names:
                yield document.problem((*here, "code"), repr(fault.code), f"for {make}: {', '.join(names) or 'none'}")
    if isinstance(fault, SwappedIds) and all(joint in robot.joints for joint in fault.joints):
        makes = {robot.joints[joint].motor.make for joint in fault.joints}
        if len(makes) > 1:
            yield document.problem((*here, "joints"), f"motors of {' and '.join(sorted(makes))}", "two of one make")


@dataclass(slots=True)
class _Entry:
    fault: Fault
    starts_s: float = math.inf
    ends_s: float = math.inf


@dataclass(slots=True)
class FaultInjector:
    """Knows which faults of a script are in force.

    Attributes:
        script: The script.
        active: Faults in force since the last `update`, in the order of the script.
    """

    script: FaultScript
    active: tuple[Fault, ...] = ()
    _entries: list[_Entry] = field(default_factory=list[_Entry])
    _seen: set[str] = field(default_factory=set[str])
    _next_s: float = math.inf

    def __post_init__(self) -> None:
        self._entries = [_Entry(fault) for fault in self.script.faults]

    def enter_stage(self, stage: str, now_s: float) -> None:
        """Start the clock of a stage's faults; only the first entry counts."""
        if stage in self._seen:
            return
        self._seen.add(stage)
        for entry in self._entries:
            if entry.fault.at.stage == stage:
                entry.starts_s = now_s + entry.fault.at.after_s
                entry.ends_s = entry.starts_s + (math.inf if entry.fault.for_s is None else entry.fault.for_s)
                self._next_s = min(self._next_s, entry.starts_s)

    def update(self, now_s: float) -> bool:
        """Bring `active` up to date; True when it changed."""
        if now_s < self._next_s:
            return False
        edges = [time_s for entry in self._entries for time_s in (entry.starts_s, entry.ends_s) if time_s > now_s]
        self._next_s = min(edges, default=math.inf)
        active = tuple(entry.fault for entry in self._entries if entry.starts_s <= now_s < entry.ends_s)
        changed, self.active = active != self.active, active
        return changed


def kinds_of(faults: Iterable[Fault], group: tuple[type, ...]) -> tuple[str, ...]:
    """The kinds among some faults that belong to a group, each once, sorted."""
    return tuple(sorted({fault.kind for fault in faults if isinstance(fault, group)}))
