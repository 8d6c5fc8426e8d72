"""The one place where joint values become motor values and back.

joint = direction * motor / gear - offset, as `JointConfig` states it. Speed follows position; torque is scaled the
other way round, so that power is the same on both sides; stiffness and damping are torque per angle and per speed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivers.devices import COMMAND_ROWS, POSITION, STAMP, TORQUE, VELOCITY, Block
from supervisor.core.command import JointCommand
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

_INWARDS = 1.0 - 1e-15
"""A gain or torque at the very limit of its motor must not come out above it by a rounding: it would not be sent."""


class MotorMap:
    """Conversion between joints and their motors, for all joints at once.

    Args:
        joints: The joints, in the order of every array passed in.
    """

    __slots__ = ("_command", "_command_scale", "_offset_rad", "_state_scale", "_state_shift")

    def __init__(self, joints: Sequence[JointConfig]) -> None:
        direction = np.array([joint.direction for joint in joints], dtype=np.float64)
        gear = np.array([joint.gear for joint in joints], dtype=np.float64)
        self._offset_rad: Vector = np.array([joint.offset_rad for joint in joints], dtype=np.float64)
        self._state_scale: Block = np.ones((STAMP + 1, len(joints)))
        self._state_scale[POSITION] = self._state_scale[VELOCITY] = direction / gear
        self._state_scale[TORQUE] = direction * gear
        self._state_shift: Block = np.zeros((STAMP + 1, len(joints)))
        self._state_shift[POSITION] = self._offset_rad
        turn = direction * gear
        gain = np.where(gear == 1.0, 1.0, _INWARDS / gear**2)
        torque = np.where(gear == 1.0, direction, direction * _INWARDS / gear)
        self._command_scale: Block = np.array([turn, turn, gain, gain, torque])
        self._command: Block = np.zeros((COMMAND_ROWS, len(joints)))

    def to_joint(self, motor: Block) -> Block:
        """Feedback of the motors as feedback of the joints.

        Args:
            motor: (5, n) feedback block, motor frame.

        Returns:
            A new (5, n) feedback block, joint frame; temperature and stamp are unchanged.
        """
        joint: Block = motor * self._state_scale
        joint -= self._state_shift
        return joint

    def to_motor(self, command: JointCommand) -> Block:
        """A joint command as a command of the motors.

        Returns:
            (5, n) command block, motor frame. The same array every time: valid until the next call.
        """
        block = self._command
        np.add(command.position_rad, self._offset_rad, out=block[0])
        block[1] = command.velocity_rad_per_s
        block[2] = command.kp_nm_per_rad
        block[3] = command.kd_nm_s_per_rad
        block[4] = command.torque_nm
        block *= self._command_scale
        return block
