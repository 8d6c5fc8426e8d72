"""All CyberGear motors of one robot: RobStride's messages, other fault names, and no command timeout to rely on.

What RobStride calls "save" changes the bit rate here, and is never sent.
"""

from __future__ import annotations

from typing import ClassVar

from drivers.can.cybergear.tables import DIALECT
from drivers.can.robstride.device import RobStrideMotors
from drivers.can.robstride.tables import Dialect


class CyberGearMotors(RobStrideMotors):
    """All CyberGear motors of one robot, on all its buses. Implements `MotorGroup`."""

    dialect: ClassVar[Dialect] = DIALECT
    has_settings: ClassVar[bool] = False
