"""Who keeps the robot standing: the last pose, or the policy. Shared by all leaves of a mission that move it."""

from __future__ import annotations

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.moves import minimum_jerk
from trees.context import MissionContext

GAIN_RAMP_S = 1.0
"""A change of the action gain takes this long: long against a step of the policy, short against a stage."""

HANDOVER_S = 1.0
"""The policy takes over from a held pose within this time: its gains and targets may differ from the pose's."""

_EPSILON_S = 1e-6
"""Ticks are multiples of the control period up to rounding."""


def blend(before: JointCommand, after: JointCommand, share: float) -> JointCommand:
    """A command between two others; `share` 0 is the first, 1 the second."""
    keep = 1.0 - share
    return JointCommand(
        keep * before.position_rad + share * after.position_rad,
        keep * before.velocity_rad_per_s + share * after.velocity_rad_per_s,
        keep * before.kp_nm_per_rad + share * after.kp_nm_per_rad,
        keep * before.kd_nm_s_per_rad + share * after.kd_nm_s_per_rad,
        keep * before.torque_nm + share * after.torque_nm,
    )


class Motion:
    """What moves the robot in a tick: a pose or the policy. One per mission; at most one leaf uses it in a tick.

    Leaves that wait for a person call `keep`, so that whatever carried the robot before goes on carrying it: a robot
    that stands by its policy would fall if waiting meant holding a pose.

    Args:
        context: The mission's context.
    """

    def __init__(self, context: MissionContext) -> None:
        self._context = context
        self._gains: tuple[Vector, Vector, Vector] | None = None
        self._last: JointCommand | None = None
        self._last_origin = ""
        self._last_stamp_s = float("-inf")
        self._last_tick = -2
        self._uses_policy = False
        self._command: Vector | None = None
        self._next_step_s = 0.0
        self._gain = 0.0
        self._gain_from = 0.0
        self._gain_to = 0.0
        self._gain_since_s = 0.0
        self._before_policy: JointCommand | None = None
        self._policy_since_s = 0.0

    @property
    def is_steady(self) -> bool:
        """True when the policy has taken over and its gain has arrived."""
        now_s = self._context.now_s
        return (
            self._uses_policy
            and now_s - self._policy_since_s >= HANDOVER_S
            and now_s - self._gain_since_s >= GAIN_RAMP_S
        )

    @property
    def gain(self) -> float:
        """The action gain in force."""
        return self._gain

    @property
    def carries(self) -> bool:
        """True when a proposal of the last tick carries the robot."""
        return self._last is not None and self._context.tick - self._last_tick <= 1

    def last_command(self) -> JointCommand:
        """The command in force: what was proposed last, or what the gate applies where that was interrupted."""
        return self._last if self._last is not None and self.carries else self._context.snapshot.applied

    def pose(self, position_rad: Vector, origin: str) -> None:
        """Propose a pose, held with the robot file's gains; a policy that was running is put down.

        Args:
            position_rad: (n,) joint positions.
            origin: The leaf's name.
        """
        if self._gains is None:
            robot = self._context.robot
            zero = np.zeros(len(robot.order))
            self._gains = robot.vector("kp_nm_per_rad"), robot.vector("kd_nm_s_per_rad"), zero
        stiffness, damping, zero = self._gains
        self._uses_policy = False
        self._gain = self._gain_from = self._gain_to = 0.0
        self._propose(JointCommand(position_rad, zero, stiffness, damping, zero), origin, self._context.now_s)

    def policy(self, command: Vector, gain: float, origin: str) -> bool:
        """Run the policy at its own rate and propose its targets.

        Args:
            command: (len(command_names),) velocity command.
            gain: Action gain to reach within `GAIN_RAMP_S`.
            origin: The leaf's name.

        Returns:
            False when the policy's newest output was not usable; then its last targets are proposed again, ageing.
        """
        context = self._context
        now_s = context.now_s
        if not self._uses_policy or context.tick - self._last_tick > 1:
            self._take_over(now_s)
        if gain != self._gain_to:
            self._gain_from, self._gain_to, self._gain_since_s = self._gain, gain, now_s
        share = minimum_jerk((now_s - self._gain_since_s) / GAIN_RAMP_S)
        self._gain = self._gain_from + share * (self._gain_to - self._gain_from)
        self._command = command
        self._last_tick = context.tick
        if now_s + _EPSILON_S >= self._next_step_s:
            period_s = context.policy.period_s
            # A late step does not make the following ones hurry: the policy was trained at one rate.
            self._next_step_s = max(self._next_step_s + period_s, now_s + 0.5 * period_s)
            step = context.policy.step(context.snapshot.state, command, self._gain, now_s)
            context.drive_with_policy()
            if step is None:
                self._repeat()
                return False
            share = minimum_jerk((now_s - self._policy_since_s) / HANDOVER_S)
            before = self._before_policy
            if before is not None and share < 1.0:
                step = blend(before, step, share)
            self._propose(step, origin, now_s)
            return True
        context.drive_with_policy()
        self._repeat()
        return True

    def keep(self, origin: str) -> None:
        """Go on as before while somebody waits: the policy at its gain and at zero command, or the last pose."""
        context = self._context
        if context.snapshot.arming is not ArmingState.RUNNING:
            return
        if self._uses_policy and self._command is not None:
            self.policy(np.zeros_like(self._command), self._gain_to, origin)
        else:
            self.pose(self.last_command().position_rad, origin)

    def _take_over(self, now_s: float) -> None:
        """Start the policy from the command in force."""
        self._before_policy = self.last_command()
        self._context.policy.reset()
        self._uses_policy = True
        self._policy_since_s = now_s
        self._next_step_s = now_s
        self._gain = self._gain_from = self._gain_to = 0.0
        self._gain_since_s = now_s - GAIN_RAMP_S

    def _repeat(self) -> None:
        """Go on wishing for the last targets, with the age they have: the guards judge it."""
        if self._last is not None:
            self._context.propose(self._last, self._last_origin, self._last_stamp_s)

    def _propose(self, command: JointCommand, origin: str, stamp_s: float) -> None:
        self._last = command
        self._last_origin = origin
        self._last_stamp_s = stamp_s
        self._last_tick = self._context.tick
        self._context.propose(command, origin, stamp_s)
