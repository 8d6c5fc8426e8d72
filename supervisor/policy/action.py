"""The action: from the network's output to joint targets in the robot's order."""

from __future__ import annotations

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.joints import Vector, frozen_vector
from supervisor.core.robot import RobotConfig
from supervisor.core.state import RobotState
from supervisor.policy.contract import Contract


class ActionDecoder:
    """Decodes one policy's actions. Joints that the policy does not drive hold their default pose.

    Args:
        contract: A contract that has passed its checks against this robot.
        robot: The robot; its gains and default pose are used where the policy has none.

    Attributes:
        last: (n,) what the contract calls the last action, of the action decoded last. Valid until the next one.
    """

    def __init__(self, contract: Contract, robot: RobotConfig) -> None:
        joints = contract.joints
        order = robot.order
        self._scale = frozen_vector(joint.scale for joint in joints.values())
        self._offset = frozen_vector(joint.target_offset_rad for joint in joints.values())
        self._clip = contract.action.clip
        self._clips_before = contract.action.clip_order == "before_scale"
        self._last_action = contract.action.last_action
        wheels = [name for name, joint in joints.items() if joint.scale_rad_per_s is not None]
        names = [name for name in joints if name not in wheels]
        self._is_direct = tuple(joints) == order.names and not wheels
        self._wheels, self._positions = order.indices_of(wheels), order.indices_of(names)
        own = list(joints)
        self._wheel_actions = np.array([own.index(name) for name in wheels], np.intp)
        self._position_actions = np.array([own.index(name) for name in names], np.intp)
        default = robot.vector("default_rad").copy()
        kp, kd = robot.vector("kp_nm_per_rad").copy(), robot.vector("kd_nm_s_per_rad").copy()
        for name, joint in joints.items():
            i = order.index(name)
            default[i], kp[i], kd[i] = joint.target_offset_rad, joint.kp_nm_per_rad, joint.kd_nm_s_per_rad
        self._default, self._kp, self._kd = frozen_vector(default), frozen_vector(kp), frozen_vector(kd)
        self._zero = frozen_vector([0.0] * len(order))
        self._gain = 1.0
        self._factor = self._scale
        self.last: Vector = np.zeros(len(joints))

    def decode(self, action: Vector, gain: float, *, within_bounds: bool = False) -> JointCommand:
        """Turn one action into joint targets, and set `last`.

        Args:
            action: (n,) finite, in the contract's joint order.
            gain: 0 to 1, multiplies the clipped and scaled action.
            within_bounds: True when the action is known to be inside a clip that comes before the scale.

        Returns:
            target = offset + gain * scale * clip(action), in the robot's order.
        """
        if gain != self._gain:
            self._gain, self._factor = gain, self._scale * gain
        clipped = action
        if self._clip is not None and not (within_bounds and self._clips_before):
            low, high = self._clip
            if self._clips_before:
                clipped = np.minimum(np.maximum(action, low), high)
            else:
                clipped = np.minimum(np.maximum(action * self._scale, low), high) / self._scale
        if self._last_action == "raw":
            self.last = action
        elif self._last_action == "clipped":
            self.last = clipped
        else:
            self.last = clipped * (self._scale if self._last_action == "scaled" else gain)
        moved = clipped * self._factor
        velocity = self._zero
        if self._is_direct:
            position = moved
            position += self._offset
        else:
            position = self._default.copy()
            position[self._positions] += moved[self._position_actions]
            if len(self._wheels):
                velocity = self._zero.copy()
                velocity[self._wheels] = moved[self._wheel_actions]
                velocity.setflags(write=False)
        position.setflags(write=False)
        return JointCommand(position, velocity, self._kp, self._kd, self._zero)


def predicted_torque(command: JointCommand, state: RobotState) -> Vector:
    """(n,) torque in N·m that a command would ask of each joint in this state, before any limit."""
    return (
        command.kp_nm_per_rad * (command.position_rad - state.position_rad)
        + command.kd_nm_s_per_rad * (command.velocity_rad_per_s - state.velocity_rad_per_s)
        + command.torque_nm
    )
