"""The kinds of faults that a fault script knows, with their parameters. One class per set of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

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
