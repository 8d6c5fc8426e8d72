"""The policy contract: everything the runtime must know about a trained policy, as frozen values.

```yaml
schema: 1
name: pup_walk
model: {file: policy.onnx, sha256: c3fc…}
input: obs
output: actions
states: []                      # recurrent: {input: h_in, output: h_out, shape: [1, 1, 64]}
policy_hz: 50.0
joints:                         # in the order of the action
  fl_hip: {default_rad: 0.06, scale_rad: 0.4, kp_nm_per_rad: 35.0, kd_nm_s_per_rad: 0.8}
action: {kind: position_offset, clip: [-1.0, 1.0], clip_order: before_scale, last_action: raw}
observation:
  layout: term_major
  terms:                        # in the order of the network's input
  - {name: gyro, source: base_angular_velocity, dim: 3, unit: rad/s, frame: base, minimum: [-3, -3, -1], maximum: …}
command:
  vx_m_per_s: {trained: [-0.4, 0.8], recommended: [-0.3, 0.6]}
clock: {frequency_hz: 2.5, outputs: [sin, cos], moving_threshold: 0.1, standing_value: [0, 0], …}
golden: {tolerance: 1.0e-4, pairs: [{observation: […], action: […]}]}
trained_on: {floor: flat, friction: [0.3, 1.6]}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from supervisor.core.loading import Document, read_document, validate_document
from supervisor.policy.sources import Frame, Source

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}

Order = Literal["before_scale", "after_scale"]
LastAction = Literal["raw", "clipped", "scaled", "gained"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The ONNX file.

    Attributes:
        file: Path relative to the contract.
        sha256: Of the file's bytes, lower-case hexadecimal.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RecurrentState:
    """A state that the network hands back to itself; zeros after a reset.

    Attributes:
        input, output: Names in the network.
        shape: Of both.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    input: str
    output: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PolicyJoint:
    """One joint the policy drives. Exactly one of the two scales is given; it says what the action means.

    Attributes:
        default_rad: Position of which the observation is the difference, and the target of action 0.
        kp_nm_per_rad, kd_nm_s_per_rad: Gains the policy was trained with, at the joint.
        scale_rad: Position target = offset + gain * scale * action.
        scale_rad_per_s: Velocity target = gain * scale * action (wheels).
        offset_rad: What the scaled action is added to, `default_rad` where absent.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    default_rad: float
    kp_nm_per_rad: float
    kd_nm_s_per_rad: float
    scale_rad: float | None = None
    scale_rad_per_s: float | None = None
    offset_rad: float | None = None

    @property
    def scale(self) -> float:
        """The scale that is given."""
        return next((s for s in (self.scale_rad, self.scale_rad_per_s) if s is not None), 0.0)

    @property
    def target_offset_rad(self) -> float:
        """What the scaled action is added to."""
        return self.default_rad if self.offset_rad is None else self.offset_rad


@dataclass(frozen=True, slots=True)
class ActionConfig:
    """What the network's output means.

    Attributes:
        kind: `position_offset`: see `PolicyJoint`.
        last_action: What the observation sees of the previous step: the network's `raw` output, the `clipped` one,
            the clipped one times the joint's scale (`scaled`), or the clipped one times the action gain (`gained`).
        clip: Lowest and highest action, None without a bound.
        clip_order: Whether the clip bounds the action (`before_scale`) or scale * action (`after_scale`).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["position_offset"]
    last_action: LastAction
    clip: tuple[float, float] | None = None
    clip_order: Order = "before_scale"


@dataclass(frozen=True, slots=True)
class History:
    """How many past values of a term the network sees.

    Attributes:
        length: Including the newest.
        order: How they are laid out.
        fill: What stands in the place of values from before the reset: zeros or the first value.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    length: int
    order: Literal["oldest_first", "newest_first"]
    fill: Literal["zero", "first"]


@dataclass(frozen=True, slots=True)
class Term:
    """One group of observation values.

    Attributes:
        name: As it was trained.
        source: Where the values come from.
        dim: How many, of one time step.
        unit, frame: Of the values before scaling; must be those of the source.
        scale: One factor, or one per value.
        clip: Lowest and highest value.
        clip_order: Whether `clip` bounds the value before or after it is scaled.
        history: None for the newest value only.
        joints: Which joints and in which order, for joint sources; empty for those of the contract.
        zeroed: Joints whose value the policy always sees as 0.
        value: The values of a `constant`.
        minimum, maximum: (dim,) seen in training, before scaling; empty where unknown.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    name: str
    source: Source
    dim: int
    unit: str
    frame: Frame
    scale: float | tuple[float, ...] = 1.0
    clip: tuple[float, float] | None = None
    clip_order: Order | None = None
    history: History | None = None
    joints: tuple[str, ...] = ()
    zeroed: tuple[str, ...] = ()
    value: tuple[float, ...] = ()
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """How many time steps of it the network sees."""
        return 1 if self.history is None else self.history.length


@dataclass(frozen=True, slots=True)
class Observation:
    """The network's input.

    Attributes:
        layout: `term_major`: each term's history stands together. `frame_major`: all terms with a history stand
            together per time step; terms without one stand before or after that block, as listed.
        terms: In order.
        clip: Bounds every value after scaling.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    layout: Literal["term_major", "frame_major"]
    terms: tuple[Term, ...]
    clip: tuple[float, float] | None = None

    @property
    def frame_width(self) -> int:
        """Values of one time step."""
        return sum(term.dim for term in self.terms)

    @property
    def width(self) -> int:
        """Values the network takes."""
        return sum(term.dim * term.length for term in self.terms)

    def value_name(self, index: int) -> str:
        """What value `index` of one time step is, e.g. `joint_velocity[3]`.

        Raises:
            IndexError: There is no such value.
        """
        first = 0
        for term in self.terms:
            if first <= index < first + term.dim:
                return f"{term.name}[{index - first}]"
            first += term.dim
        raise IndexError(f"observation value {index}; allowed: 0 to {first - 1}")


@dataclass(frozen=True, slots=True)
class GaitClock:
    """A phase that the policy steps to.

    The observation is, for each of `outputs`, that function of 2 pi (phase + offset) for each offset.

    Attributes:
        frequency_hz: Strides per second.
        outputs: Functions, in order.
        advance: Whether the phase of the first step is 0 (`after` each step) or one step on (`before`).
        offsets: In strides; one per leg or pair of legs.
        moving_threshold: The robot is told to stand while the Euclidean norm of the command is below it.
        standing_value: What is observed meanwhile.
        standing_phase: Whether the phase is 0 meanwhile (`restart`) or goes on (`run`).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    frequency_hz: float
    outputs: tuple[Literal["sin", "cos"], ...]
    advance: Literal["before", "after"]
    offsets: tuple[float, ...] = (0.0,)
    moving_threshold: float | None = None
    standing_value: tuple[float, ...] = ()
    standing_phase: Literal["restart", "run"] = "run"

    @property
    def width(self) -> int:
        """How many values it observes as."""
        return len(self.outputs) * len(self.offsets)


@dataclass(frozen=True, slots=True)
class CommandAxis:
    """One component of the command.

    Attributes:
        trained: Lowest and highest in training.
        recommended: Lowest and highest that work well; commands are kept inside.
        slew_per_s: The policy sees the command change at most this fast, from 0; None for at once.
        tracked_ratio: Measured over commanded, as the policy did in simulation when it was evaluated: what a robot
            is expected to do. 1 where that is not known.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    trained: tuple[float, float]
    recommended: tuple[float, float]
    slew_per_s: float | None = None
    tracked_ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class GoldenPair:
    """A recorded network input and output, from zero recurrent state."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    observation: tuple[float, ...]
    action: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """Recorded pairs and how closely they are to be met."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    tolerance: float
    pairs: tuple[GoldenPair, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """One policy contract. See the module for an example."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    schema: Literal[1]
    name: str
    model: ModelFile
    input: str
    output: str
    policy_hz: float
    joints: Mapping[str, PolicyJoint]
    action: ActionConfig
    observation: Observation
    command: Mapping[str, CommandAxis]
    states: tuple[RecurrentState, ...] = ()
    clock: GaitClock | None = None
    golden: Golden | None = None
    description: str = ""
    trained_on: Mapping[str, str | float | tuple[float, ...]] = field(
        default_factory=dict[str, str | float | tuple[float, ...]]
    )

    @property
    def period_s(self) -> float:
        """Duration of one policy step."""
        return 1.0 / self.policy_hz


def contract_path(path: Path) -> Path:
    """The contract file of a policy given as that file or as its folder."""
    return path / "contract.yaml" if path.is_dir() else path


def read_contract(path: Path) -> tuple[Contract, Document]:
    """Read a contract, keys and types checked, with the lines its keys stand in.

    Raises:
        ConfigError: All problems of the file at once.
    """
    document = read_document(contract_path(path))
    return validate_document(document, Contract), document
