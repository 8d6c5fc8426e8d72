"""Which makes there are: a row for each, with its table, its device, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from drivers.bus import SerialPort
from drivers.can import identifiers
from drivers.can.canopen import tables as canopen
from drivers.can.canopen.device import CanOpenMotors
from drivers.can.canopen.scan import SCAN as CANOPEN_SCAN
from drivers.can.cubemars import tables as cubemars
from drivers.can.cubemars.device import CubeMarsMotors
from drivers.can.cubemars.scan import SCAN as CUBEMARS_SCAN
from drivers.can.cybergear import tables as cybergear
from drivers.can.cybergear.device import CyberGearMotors
from drivers.can.damiao import tables as damiao
from drivers.can.damiao.device import DamiaoMotors
from drivers.can.damiao.scan import SCAN as DAMIAO_SCAN
from drivers.can.moteus import tables as moteus
from drivers.can.moteus.device import MoteusMotors
from drivers.can.moteus.scan import SCAN as MOTEUS_SCAN
from drivers.can.myactuator import tables as myactuator
from drivers.can.myactuator.device import MyActuatorMotors
from drivers.can.myactuator.scan import SCAN as MYACTUATOR_SCAN
from drivers.can.odrive import tables as odrive
from drivers.can.odrive.device import ODriveMotors
from drivers.can.odrive.scan import SCAN as ODRIVE_SCAN
from drivers.can.robstride import tables as robstride
from drivers.can.robstride.device import RobStrideMotors
from drivers.can.robstride.scan import SCAN as ROBSTRIDE_SCAN
from drivers.can.robstride_mit import tables as robstride_mit
from drivers.can.robstride_mit.device import RobStrideMitMotors
from drivers.can.robstride_mit.scan import SCAN as ROBSTRIDE_MIT_SCAN
from drivers.capabilities import (
    Capabilities,
    CycleCost,
)
from drivers.devices import Imu, MotorGroup, MotorModel, WiredMotor, wire_model
from drivers.imu.bno08x_rvc.device import Bno08xRvcImu
from drivers.imu.bno08x_rvc.tables import FRAME_BYTES as BNO08X_FRAME_BYTES
from drivers.imu.hipnuc.device import HipnucImu
from drivers.imu.hipnuc.tables import FRAME_BYTES as HIPNUC_FRAME_BYTES
from drivers.imu.vectornav_vn100.device import VectornavImu
from drivers.imu.vectornav_vn100.tables import FRAME_BYTES as VECTORNAV_FRAME_BYTES
from drivers.imu.witmotion.device import WitmotionImu
from drivers.imu.witmotion.tables import FRAME_BYTES as WITMOTION_FRAME_BYTES
from drivers.imu.xsens_xbus.device import XsensImu
from drivers.imu.xsens_xbus.tables import FRAME_BYTES as XSENS_FRAME_BYTES
from drivers.scanning import CanScan, SerialScan
from drivers.serial.dynamixel import tables as dynamixel
from drivers.serial.dynamixel.device import DynamixelMotors
from drivers.serial.dynamixel.scan import SCAN as DYNAMIXEL_SCAN
from drivers.serial.feetech import tables as feetech
from drivers.serial.feetech.device import FeetechServos
from drivers.serial.feetech.scan import SCAN as FEETECH_SCAN
from drivers.serial.lx16a import tables as lx16a
from drivers.serial.lx16a.device import Lx16aServos
from drivers.serial.lx16a.scan import SCAN as LX16A_SCAN
from drivers.serial.unitree import tables as unitree
from drivers.serial.unitree.device import UnitreeMotors
from drivers.serial.unitree.scan import SCAN as UNITREE_SCAN
from drivers.serial.unitree.zero import START_SPAN_MAX_RAD
from supervisor.core.robot import ImuConfig, MotorConfig


@dataclass(frozen=True, slots=True)
class MotorMake:
    """One make of motor.

    Attributes:
        models: Its table.
        make: Makes the device for all its motors of one robot, from the motors and the open buses of its kind.
        capabilities: What it can do.
        cost: What one of its motors puts on a bus in a control cycle.
        id_range: Smallest and largest identifier.
        feedback_id_range: The same of the identifier it answers with; None where `id_range` holds for it, too.
        position_margin_rad: How far joints must stay away from the end of the position range, where it wraps.
        start_span_max_rad: For makes that know their position only up to a part of a turn: within how wide a range they
            must be found, motor frame. 0 for the others.
        bus_kind: What it is wired to.
        needs_fd: Whether it speaks CAN FD.
        drive_keys: What the robot file must say of each drive, of the keys that may stay 0; None for makes whose motors
            are known, where `drive` says nothing.
        usual_model: Row for new robots, of makes that turn anybody's motor; "" for the others.
        scan: How ids are asked who they are, None where nothing can be asked without a command.
        usual_rates_bps: Rate of the bus and of an FD frame's data, for new robots and for the documentation.
        has_fixed_rate: Whether it can have no other.
        without_temperature: Models that do not say it, of a make whose others do.
        uses_identifiers: Which 11-bit identifiers one of its motors uses, on CAN.
    """

    models: Mapping[str, MotorModel]
    make: Callable[[Sequence[WiredMotor], Mapping[str, Any]], MotorGroup]
    capabilities: Capabilities
    cost: CycleCost
    id_range: tuple[int, int]
    feedback_id_range: tuple[int, int] | None = None
    position_margin_rad: float = 0.0
    bus_kind: Literal["can", "serial"] = "can"
    needs_fd: bool = False
    drive_keys: tuple[str, ...] | None = None
    usual_model: str = ""
    usual_rates_bps: tuple[int, int] = (1_000_000, 0)
    scan: CanScan | SerialScan | None = None
    start_span_max_rad: float = 0.0
    has_fixed_rate: bool = False
    without_temperature: tuple[str, ...] = ()
    uses_identifiers: Callable[[MotorConfig], Iterable[int]] = identifiers.none_of_11_bits

    def says_temperature(self, model: str) -> bool:
        """Whether a model of this make measures its temperature and reports it."""
        return self.capabilities.temperature != "none" and model not in self.without_temperature


@dataclass(frozen=True, slots=True)
class ImuMake:
    """One make of inertial unit.

    Attributes:
        frame_bytes: Bytes on the wire per sample, by packet name.
        make: Makes the device.
        has_angular_rate: Whether it measures angular rate, which the safety guards and every usual policy need.
    """

    frame_bytes: Mapping[str, int]
    make: Callable[[ImuConfig, SerialPort], Imu]
    has_angular_rate: bool = True


MOTOR_MAKES: Final[Mapping[str, MotorMake]] = {
    # 0x7FF is the id of polls and register requests.
    "damiao": MotorMake(
        damiao.MODELS,
        DamiaoMotors,
        damiao.CAPABILITIES,
        damiao.CYCLE_COST,
        (1, 0x7FE),
        scan=DAMIAO_SCAN,
        uses_identifiers=identifiers.damiao,
    ),
    # They answer to the host's id, which is always ours.
    "robstride": MotorMake(
        robstride.MODELS,
        RobStrideMotors,
        robstride.CAPABILITIES,
        robstride.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_SCAN,
    ),
    "robstride_mit": MotorMake(
        robstride_mit.MODELS,
        RobStrideMitMotors,
        robstride_mit.CAPABILITIES,
        robstride_mit.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_MIT_SCAN,
        uses_identifiers=identifiers.robstride_mit,
    ),
    "cybergear": MotorMake(
        cybergear.MODELS,
        CyberGearMotors,
        cybergear.CAPABILITIES,
        robstride.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_SCAN,
    ),
    # Their feedback id is their master's, which all may share.
    "cubemars": MotorMake(
        cubemars.MODELS,
        CubeMarsMotors,
        cubemars.CAPABILITIES,
        cubemars.CYCLE_COST,
        (1, cubemars.HIGHEST_MOTOR_ID),
        (0, 0x7FF),
        scan=CUBEMARS_SCAN,
        uses_identifiers=identifiers.cubemars,
    ),
    # They answer on identifiers of their own.
    "myactuator": MotorMake(
        myactuator.MODELS,
        MyActuatorMotors,
        myactuator.CAPABILITIES,
        myactuator.CYCLE_COST,
        myactuator.ID_RANGE,
        (0, 0),
        scan=MYACTUATOR_SCAN,
        uses_identifiers=identifiers.myactuator,
    ),
    # They answer the host, which is 0.
    "moteus": MotorMake(
        moteus.MODELS,
        MoteusMotors,
        moteus.CAPABILITIES,
        moteus.CYCLE_COST,
        moteus.DEVICE_ID_RANGE,
        (0, 0),
        needs_fd=True,
        # Commands are shares of its own gains.
        drive_keys=("kp_max_nm_per_rad", "kd_max_nm_s_per_rad"),
        usual_model="r4",
        usual_rates_bps=(moteus.BITRATE_BPS, moteus.DATA_BITRATE_BPS),
        scan=MOTEUS_SCAN,
    ),
    # Identifiers follow from the node id; one is ours.
    "canopen": MotorMake(
        canopen.MODELS,
        CanOpenMotors,
        canopen.CAPABILITIES,
        canopen.CYCLE_COST,
        canopen.DRIVE_ID_RANGE,
        (0, 0),
        drive_keys=("encoder_counts_per_turn", "rated_torque_nm"),
        usual_model="CiA402",
        without_temperature=canopen.WITHOUT_TEMPERATURE,
        scan=CANOPEN_SCAN,
        uses_identifiers=identifiers.canopen_node,
    ),
    # They report on identifiers that their id is a part of.
    "odrive": MotorMake(
        odrive.MODELS,
        ODriveMotors,
        odrive.CAPABILITIES,
        odrive.CYCLE_COST,
        odrive.MOTOR_ID_RANGE,
        (0, 0),
        drive_keys=(),
        usual_model="S1",
        scan=ODRIVE_SCAN,
        uses_identifiers=identifiers.odrive,
    ),
    "dynamixel": MotorMake(
        dynamixel.MODELS,
        DynamixelMotors,
        dynamixel.CAPABILITIES,
        dynamixel.CYCLE_COST,
        (0, dynamixel.MAXIMUM_ID),
        (0, 0),
        dynamixel.WRAP_MARGIN_RAD,
        bus_kind="serial",
        usual_rates_bps=(4_000_000, 0),
        scan=DYNAMIXEL_SCAN,
    ),
    "feetech": MotorMake(
        feetech.MODELS,
        FeetechServos,
        feetech.CAPABILITIES,
        feetech.CYCLE_COST,
        (0, feetech.MAXIMUM_ID),
        (0, 0),
        feetech.GOAL_MARGIN_RAD,
        bus_kind="serial",
        scan=FEETECH_SCAN,
    ),
    "lx16a": MotorMake(
        lx16a.MODELS,
        Lx16aServos,
        lx16a.CAPABILITIES,
        lx16a.CYCLE_COST,
        (0, lx16a.MAXIMUM_ID),
        (0, 0),
        lx16a.GOAL_MARGIN_RAD,
        bus_kind="serial",
        usual_rates_bps=(115_200, 0),
        has_fixed_rate=True,
        scan=LX16A_SCAN,
    ),
    # They answer with the id they listen to.
    "unitree": MotorMake(
        unitree.MODELS,
        UnitreeMotors,
        unitree.CAPABILITIES,
        unitree.CYCLE_COST,
        (0, unitree.MAXIMUM_ID),
        (0, 0),
        bus_kind="serial",
        usual_rates_bps=(unitree.BAUD, 0),
        scan=UNITREE_SCAN,
        start_span_max_rad=START_SPAN_MAX_RAD,
        has_fixed_rate=True,
    ),
}

IMU_MAKES: Final[Mapping[str, ImuMake]] = {
    "hipnuc": ImuMake(HIPNUC_FRAME_BYTES, HipnucImu),
    "bno08x_rvc": ImuMake(BNO08X_FRAME_BYTES, Bno08xRvcImu, has_angular_rate=False),
    "vectornav_vn100": ImuMake(VECTORNAV_FRAME_BYTES, VectornavImu),
    "witmotion": ImuMake(WITMOTION_FRAME_BYTES, WitmotionImu),
    "xsens_xbus": ImuMake(XSENS_FRAME_BYTES, XsensImu),
}


def motor_model(config: MotorConfig) -> MotorModel:
    """What one motor's messages carry.

    Raises:
        KeyError: No such make, or no such model.
    """
    return wire_model(MOTOR_MAKES[config.make].models, config)
