"""Which 11-bit identifiers a motor of each make listens to or speaks with, so that makes can share a bus.

Makes with 29-bit identifiers of their own (RobStride's private protocol) use none of these.
"""

from __future__ import annotations

from collections.abc import Iterable

from drivers.can.canopen import tables as canopen
from drivers.can.damiao import tables as damiao_tables
from drivers.can.myactuator import tables as myactuator_tables
from drivers.can.robstride.tables import HOST_ID as ROBSTRIDE_HOST_ID
from supervisor.core.robot import MotorConfig

_NMT, _SYNC, _TIME = 0x000, 0x080, 0x100
"""CANopen's messages to all nodes."""

_MODE_STEP = 0x100
"""RobStride's MIT variant hears commands of its other modes one and two of these above its id."""

_ODRIVE_IDS = 32
"""An ODrive's id is the upper six bits; the lower five say what it is about."""


def damiao(motor: MotorConfig) -> Iterable[int]:
    """Its own, that of its answers, and the one for registers."""
    return motor.id, motor.feedback_id, damiao_tables.BROADCAST_ID


def robstride_mit(motor: MotorConfig) -> Iterable[int]:
    """Its own in each mode, and the host's, which it answers to."""
    return motor.id, motor.id + _MODE_STEP, motor.id + 2 * _MODE_STEP, ROBSTRIDE_HOST_ID


def cubemars(motor: MotorConfig) -> Iterable[int]:
    """Its own, and its master's."""
    return motor.id, motor.feedback_id


def myactuator(motor: MotorConfig) -> Iterable[int]:
    """Commands, motion and the answers to both; and what all motors hear."""
    table = myactuator_tables
    bases = (table.REQUEST_BASE, table.REPLY_BASE, table.MOTION_BASE, table.MOTION_REPLY_BASE)
    return *(base + motor.id for base in bases), table.SETTINGS_ID, table.BROADCAST_ID


def canopen_node(motor: MotorConfig) -> Iterable[int]:
    """All that the standard gives a node, what all nodes hear, and the host's heartbeat."""
    bases = (*(service.value for service in canopen.Service), *canopen.RPDO_BASES, canopen.SDO_REQUEST_BASE)
    return *(base + motor.id for base in bases), _NMT, _SYNC, _TIME, canopen.HEARTBEAT_BASE + canopen.HOST_ID


def odrive(motor: MotorConfig) -> Iterable[int]:
    """A block of 32."""
    return range(motor.id * _ODRIVE_IDS, (motor.id + 1) * _ODRIVE_IDS)


def none_of_11_bits(motor: MotorConfig) -> Iterable[int]:  # noqa: ARG001 (one signature for all)
    """It has identifiers of 29 bits, in which its id is a part."""
    return ()
