"""The robot file, as frozen values. Limits have no defaults.

```yaml
schema: 1
name: pup
model: pup.xml                  # MuJoCo model, used by simulation and signature only
safety: ../../safety/pup.yaml
control_hz: 500
motor_timeout_s: 0.1            # the motors stop by themselves this long after the last command
buses:
  can0: {kind: can, interface: socketcan, channel: can0, bitrate_bps: 1000000}
  imu0: {kind: serial, port: /dev/ttyUSB0, baud_bps: 921600}
joints:
  fl_hip:
    motor: {make: damiao, model: DM8009, bus: can0, id: 1, feedback_id: 17}
    direction: 1                # joint = direction * (motor / gear) - offset
    offset_rad: 0.0
    gear: 1.0
    position_rad: [-0.75, 0.75]
    velocity_rad_per_s: 18.0
    torque_nm: 20.0
    kp_nm_per_rad: 35.0         # for poses; a policy brings its own
    kd_nm_s_per_rad: 0.8
    default_rad: 0.06
    rest_rad: 0.443
imu: {make: hipnuc, bus: imu0, packet: hi91, rate_hz: 250, orientation_imu_in_base_wxyz: [1, 0, 0, 0]}
estimator: simulation           # or none
rest_support: ground            # gantry for a robot that cannot lie down by itself
simulation: {base_body: trunk, imu_site: imu, …}
realtime: {fifo_priority: 60, lock_memory: true, guardian_window_s: 0.02, keep_awake: true}   # the defaults
operator: {deadman: none}       # and emergency_stop: how people reach it; see robot_inputs
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from supervisor.core.joints import JointOrder, Vector, frozen_vector
from supervisor.core.robot_inputs import EmergencyStopConfig, OperatorConfig

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class CanBusConfig:
    """One CAN bus, as python-can opens it.

    Attributes:
        kind: What kind of bus this is.
        interface: python-can's name of the adapter's kind.
        channel: python-can's name of the adapter.
        bitrate_bps: Bit rate; with `fd`, that of arbitration.
        fd: Whether the bus carries CAN FD frames.
        data_bitrate_bps: Rate of an FD frame's data, 0 where they are not faster than the rest.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["can"]
    interface: str
    channel: str
    bitrate_bps: int
    fd: bool = False
    data_bitrate_bps: int = 0


@dataclass(frozen=True, slots=True)
class SerialBusConfig:
    """One serial port, as pyserial opens it."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["serial"]
    port: str
    baud_bps: int


BusConfig = CanBusConfig | SerialBusConfig


@dataclass(frozen=True, slots=True)
class DriveConfig:
    """What only the owner of a robot knows of a drive that turns anybody's motor (ODrive, moteus, CANopen).

    Everything at the output shaft of the motor, its own gearbox included, as the drive is set up.

    Attributes:
        torque_max_nm: Largest torque the drive is set to give.
        velocity_max_rad_per_s: Largest speed the drive is set to allow.
        motor_turns_per_output_turn: Gearbox between the drive's encoder and the output shaft, where the drive itself
            counts turns of the motor.
        encoder_counts_per_turn: Position counts of one turn of the motor, for drives that count; 0 for the others.
        torque_constant_nm_per_a: Of the motor, for drives that are commanded in amperes; 0 for the others.
        rated_torque_nm: What the drive's thousandths refer to, at the motor; 0 for drives without them.
        kp_max_nm_per_rad, kd_max_nm_s_per_rad: Largest stiffness and damping that the drive is set to give, for drives
            that are commanded shares of their own gains; 0 for the others.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    torque_max_nm: float
    velocity_max_rad_per_s: float
    motor_turns_per_output_turn: float = 1.0
    encoder_counts_per_turn: int = 0
    torque_constant_nm_per_a: float = 0.0
    rated_torque_nm: float = 0.0
    kp_max_nm_per_rad: float = 0.0
    kd_max_nm_s_per_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class MotorConfig:
    """Which motor drives a joint: make and model pick the row of that make's table.

    Attributes:
        make: Folder under `drivers/can` or `drivers/serial`.
        model: Row of the make's table.
        bus: Name of a bus of this robot, of the kind that the make needs.
        id: Identifier the motor listens to.
        feedback_id: Identifier it answers with, for makes where that can be set; 0 for the others.
        drive: How the drive is set up, for makes that turn anybody's motor; None for the others.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    make: str
    model: str
    bus: str
    id: int
    feedback_id: int = 0
    drive: DriveConfig | None = None


@dataclass(frozen=True, slots=True)
class JointConfig:
    """One joint: its motor, how the two are related, and its limits.

    The one conversion, used both ways: joint = direction * motor / gear - offset, with `offset_rad` in the joint
    frame: the reading of a perfectly zeroed motor at the joint's zero. Torque scales with gear, stiffness and
    damping with gear squared.

    Attributes:
        motor: The motor.
        direction: +1 or -1.
        offset_rad: Subtracted from the reading, joint frame.
        gear: Motor turns per joint turn outside the motor's own gearbox; above 0.
        position_rad: Lowest and highest joint position.
        velocity_rad_per_s: Largest joint speed.
        torque_nm: Largest joint torque.
        kp_nm_per_rad, kd_nm_s_per_rad: Gains for holding and moving between poses.
        default_rad: Pose in which the robot stands; what a policy's action is added to.
        rest_rad: Pose in which the robot may be switched off.
        starts_within_rad: Lowest and highest position at which a program that drives the robot may find the joint, for
            makes that know theirs only up to a part of a turn; None for the whole of `position_rad`.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    motor: MotorConfig
    direction: Literal[1, -1]
    offset_rad: float
    gear: float
    position_rad: tuple[float, float]
    velocity_rad_per_s: float
    torque_nm: float
    kp_nm_per_rad: float
    kd_nm_s_per_rad: float
    default_rad: float
    rest_rad: float
    starts_within_rad: tuple[float, float] | None = None

    @property
    def motor_starts_within_rad(self) -> tuple[float, float]:
        """Lowest and highest position at which the motor may be found, motor frame."""
        ends = self.starts_within_rad or self.position_rad
        low, high = sorted((end + self.offset_rad) * self.direction * self.gear for end in ends)
        return low, high


@dataclass(frozen=True, slots=True)
class ImuConfig:
    """The inertial unit and how it is mounted.

    Attributes:
        make: Folder under `drivers/imu`.
        bus: Name of a serial bus of this robot.
        packet: Which message the unit streams; the makes say which they know.
        rate_hz: How often.
        orientation_imu_in_base_wxyz: (4,) unit quaternion: the unit's axes as seen from the base.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    make: str
    bus: str
    packet: str
    rate_hz: float
    orientation_imu_in_base_wxyz: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class GantryConfig:
    """How the simulated gantry holds the trunk.

    Attributes:
        hang_height_m: Height of the base when it hangs.
        lowered_weight_fraction: Share of the weight that it carries when lowered, 0 to 1.
        tilt_stiffness_nm_per_rad: How strongly it holds the trunk level while hanging.
        lowered_tilt_stiffness_nm_per_rad: The same, when lowered.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    hang_height_m: float
    lowered_weight_fraction: float
    tilt_stiffness_nm_per_rad: float
    lowered_tilt_stiffness_nm_per_rad: float


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """What only the simulation needs to know.

    Attributes:
        base_body: Body with the free joint.
        imu_site: Site of the inertial unit; its axes are the unit's when the mounting rotation is identity.
        gantry: The simulated gantry.
        keyframe: Keyframe with a sensible base height, "" for the model's initial pose.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    base_body: str
    imu_site: str
    gantry: GantryConfig
    keyframe: str = ""


@dataclass(frozen=True, slots=True)
class RealtimeConfig:
    """What the control process asks of the operating system, and how long the guardian waits for it.

    Attributes:
        fifo_priority: Priority under SCHED_FIFO, 1 to 98; 0 for the normal class.
        lock_memory: Whether to keep all its pages in memory.
        control_core: The one core it runs on, None for any.
        guardian_window_s: How long the guardian goes without a heartbeat before it stops the motors itself.
        keep_awake: Whether to keep idle processors from sleeping, which costs power and makes waking up quicker.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    fifo_priority: int = 60
    lock_memory: bool = True
    control_core: int | None = None
    guardian_window_s: float = 0.02
    keep_awake: bool = True


@dataclass(frozen=True, slots=True)
class RobotConfig:
    """One robot, as its file describes it. See the module for an example.

    `independent_cut_off` names what takes the power away when this computer dies (a contactor, an enable relay); a make
    of motor that cannot stop by itself refuses to arm without it.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    schema: Literal[1]
    name: str
    safety: str
    control_hz: float
    motor_timeout_s: float
    buses: Mapping[str, BusConfig]
    joints: Mapping[str, JointConfig]
    imu: ImuConfig
    estimator: Literal["none", "simulation"]
    rest_support: Literal["ground", "gantry"]
    model: str = ""
    description: str = ""
    independent_cut_off: str = ""
    simulation: SimulationConfig | None = None
    realtime: RealtimeConfig = field(default_factory=RealtimeConfig)
    operator: OperatorConfig = field(default_factory=OperatorConfig)
    emergency_stop: EmergencyStopConfig | None = None
    order: JointOrder = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", JointOrder(self.joints))

    @property
    def control_period_s(self) -> float:
        """Duration of one control cycle."""
        return 1.0 / self.control_hz

    def vector(self, attribute: str) -> Vector:
        """One number per joint, in order: `robot.vector("torque_nm")`."""
        return frozen_vector(float(getattr(joint, attribute)) for joint in self.joints.values())

    @property
    def position_minimum_rad(self) -> Vector:
        """(n,) lowest joint positions."""
        return frozen_vector(joint.position_rad[0] for joint in self.joints.values())

    @property
    def position_maximum_rad(self) -> Vector:
        """(n,) highest joint positions."""
        return frozen_vector(joint.position_rad[1] for joint in self.joints.values())
