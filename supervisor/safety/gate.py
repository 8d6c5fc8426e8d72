"""The gate: the only maker of an `Actuation`. It chooses what is written, limits it, and counts what it changed.

| arming, level | written each cycle |
|---|---|
| DISARMED | DISABLE while a motor may be on, else POLL |
| CHECKING | POLL; ENABLE and damping without stiffness while motors are switched on |
| ARMED, HOLD | the pose measured when it began, with the robot file's gains |
| RUNNING | the newest valid proposal within the limits; without one, the last applied targets |
| SETTLE | from the pose measured when it began to the rest pose at bounded speed, then DISABLE |
| DAMP | no stiffness, the profile's damping, for a bounded time, then DISABLE |
| CUT, TERMINAL | DISABLE |

A stop never energises: where the motors were off when it latched, each level writes DISABLE.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from supervisor.core.command import Actuation, Drive, JointCommand, Proposal
from supervisor.core.exchange import GateCounts, Knobs
from supervisor.core.joints import Vector
from supervisor.core.levels import Level
from supervisor.core.moves import MINIMUM_JERK_PEAK_SPEED, minimum_jerk
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.state import MotorStatus, RobotState
from supervisor.safety.limits import CommandLimiter

OFF_CYCLES = 5
"""Cycles in which DISABLE is written before POLL takes over: one lost frame must not leave a motor on."""

ARRIVED_S = 0.3
"""Time at the rest pose before SETTLE cuts: the joints lag behind their targets."""

LIMIT_FRACTION = 0.5
"""What the level LIMIT leaves of the stage's torque and speed fractions."""


class Mode(Enum):
    """What the gate has been doing since `Gate.since_s`."""

    OFF = "off"
    RELAX = "relax"
    HOLD = "hold"
    FOLLOW = "follow"
    SETTLE = "settle"
    DAMP = "damp"


class Gate:
    """Makes one actuation per cycle: call `measure`, then exactly one of the makers.

    Args:
        robot: Limits, gains and rest pose.
        safety: The gate's limits and the stop profile.
        damping_maximum_nm_s_per_rad: (n,) what the motors can be told, at the joint; None where nothing bounds it. A
            profile that asks more is refused before any run; should one get here, its joints are damped as far as
            they can be, because a command that a motor cannot be told is not sent at all.
    """

    def __init__(
        self, robot: RobotConfig, safety: SafetyConfig, damping_maximum_nm_s_per_rad: Vector | None = None
    ) -> None:
        count = len(robot.order)
        self._profile = safety.profile
        self._limiter = CommandLimiter(robot, safety.gate)
        self._kp, self._kd = robot.vector("kp_nm_per_rad"), robot.vector("kd_nm_s_per_rad")
        self._rest = robot.vector("rest_rad")
        self._zeros = np.zeros(count)
        self._zeros.flags.writeable = False
        self._damping = np.full(count, safety.profile.damp_kd_nm_s_per_rad)
        if damping_maximum_nm_s_per_rad is not None:
            np.minimum(self._damping, damping_maximum_nm_s_per_rad, out=self._damping)
        self._mode = Mode.OFF
        self._since_s = float("-inf")
        self._is_finished = True
        self._off_cycles = 0
        self._duration_s = 0.0
        self._start = self._limiter.last_target_rad
        self._accepted: Proposal | None = None
        self._refused: Proposal | None = None
        self._fractions = (1.0, 1.0)
        self._is_measured = False
        self._command = self._damp_command(self._damping)
        self._actuation = Actuation(Drive.POLL, self._command, Level.NONE)

    @property
    def counts(self) -> GateCounts:
        """What the gate changed or refused since the start."""
        return self._limiter.counts

    @property
    def newest(self) -> Actuation:
        """What was made last."""
        return self._actuation

    @property
    def mode(self) -> Mode:
        """What the gate is doing."""
        return self._mode

    @property
    def is_powered(self) -> bool:
        """True when the last actuation may have left motors on."""
        return self._actuation.drive in (Drive.ENABLE, Drive.COMMAND)

    @property
    def is_finished(self) -> bool:
        """True when a stop has come to its end and DISABLE is written."""
        return self._is_finished

    def measure(self, state: RobotState) -> None:
        """Take this cycle's measurements; whatever they are, the makers below can use them."""
        self._is_measured = self._limiter.measure(state)

    def off(self, state: RobotState, level: Level, now_s: float, *, always: bool = False) -> Actuation:
        """Motors off.

        Args:
            state: Newest measurements.
            level: Level in force.
            now_s: Clock.
            always: Write DISABLE every cycle, not only until the motors are known to be off.
        """
        if self._enter(Mode.OFF, now_s):
            self._off_cycles = 0
            self._is_finished = True
        self._off_cycles += 1
        is_on = self._off_cycles <= OFF_CYCLES or bool((state.motor_status == MotorStatus.ENABLED).any())
        return self._make(Drive.DISABLE if always or is_on else Drive.POLL, self._command, level)

    def clear_faults(self, level: Level) -> Actuation:
        """Clear motor faults; the motors stay off."""
        return self._make(Drive.CLEAR_FAULT, self._command, level)

    def relax(self, now_s: float, *, enable: bool) -> Actuation:
        """Motors on without stiffness: little damping, so that nothing starts to swing.

        Args:
            now_s: Clock.
            enable: Write ENABLE instead of a command in this cycle.
        """
        self._enter(Mode.RELAX, now_s)
        # The robot file's damping, which holds a standing robot, is on the safe side for a limp one.
        return self._make(Drive.ENABLE if enable else Drive.COMMAND, self._damp_command(self._kd), Level.NONE)

    def hold(self, level: Level, now_s: float) -> Actuation:
        """Hold the pose that was measured when holding began."""
        if self._enter(Mode.HOLD, now_s):
            self._accept_pose(self._limiter.captured_pose_rad())
        return self._make(Drive.COMMAND, self._limiter.limited(counted=False), level)

    def follow(self, proposal: Proposal | None, knobs: Knobs, since_s: float, level: Level, now_s: float) -> Actuation:
        """Follow the newest valid proposal; without one, keep the last applied targets.

        Args:
            proposal: Newest proposal of the mission.
            knobs: The stage's fractions.
            since_s: Proposals made before this are leftovers from before the start, and not followed.
            level: Level in force; LIMIT halves the fractions.
            now_s: Clock.
        """
        if self._enter(Mode.FOLLOW, now_s):
            self._accepted = self._refused = None
            self._accept_pose(self._limiter.last_target_rad)
        if proposal is not None and proposal is not self._accepted:
            self._consider(proposal, knobs, since_s, now_s)
        torque, speed = self._fractions
        if level is Level.LIMIT:
            torque, speed = torque * LIMIT_FRACTION, speed * LIMIT_FRACTION
        return self._make(Drive.COMMAND, self._limiter.limited(torque, speed), level)

    def stop(self, level: Level, state: RobotState, now_s: float) -> Actuation:
        """The command of a latched level, every cycle until the reset."""
        if level >= Level.CUT or self._is_finished or self._has_ended(level, now_s):
            return self.off(state, level, now_s, always=True)
        if level is Level.DAMP or not self._is_measured:
            return self._damp(level, now_s)
        if level is Level.SETTLE:
            return self._settle(level, now_s)
        return self.hold(level, now_s)

    def last_resort(self, level: Level, now_s: float) -> Actuation:
        """What is written when everything else has raised: computes nothing that could raise again."""
        if self._mode is not Mode.DAMP:
            self._mode, self._since_s = Mode.DAMP, now_s
            self._is_finished = not self.is_powered
        if level >= Level.CUT or now_s - self._since_s >= self._profile.damp_duration_s:
            self._is_finished = True
        drive = Drive.DISABLE if self._is_finished else Drive.COMMAND
        self._actuation = Actuation(drive, self._damp_command(self._damping), level)
        return self._actuation

    def _has_ended(self, level: Level, now_s: float) -> bool:
        elapsed_s = now_s - self._since_s
        if self._mode is Mode.DAMP and level is Level.DAMP:
            return elapsed_s >= self._profile.damp_duration_s
        if self._mode is Mode.SETTLE and level is Level.SETTLE:
            return elapsed_s >= min(self._duration_s + ARRIVED_S, self._profile.settle_timeout_s)
        return False

    def _settle(self, level: Level, now_s: float) -> Actuation:
        if self._enter(Mode.SETTLE, now_s):
            self._start = self._limiter.captured_pose_rad()
            way = float(np.abs(self._rest - self._start).max())
            self._duration_s = way * MINIMUM_JERK_PEAK_SPEED / self._profile.settle_speed_rad_per_s
        share = 1.0 if self._duration_s <= 0.0 else minimum_jerk((now_s - self._since_s) / self._duration_s)
        self._accept_pose(self._start + (self._rest - self._start) * share)
        return self._make(Drive.COMMAND, self._limiter.limited(counted=False), level)

    def _damp(self, level: Level, now_s: float) -> Actuation:
        self._enter(Mode.DAMP, now_s)
        return self._make(Drive.COMMAND, self._damp_command(self._damping), level)

    def _consider(self, proposal: Proposal, knobs: Knobs, since_s: float, now_s: float) -> None:
        """Make a new proposal the wish, or refuse it and keep the one before."""
        if not since_s <= proposal.stamp_s <= now_s:
            return
        torque, speed = knobs.torque_fraction, knobs.speed_fraction
        is_sound = 0.0 < torque <= 1.0 and 0.0 < speed <= 1.0
        if is_sound and self._limiter.accept(proposal.command):
            self._accepted = proposal
            self._fractions = (torque, speed)
        elif proposal is not self._refused:
            self._refused = proposal
            self._limiter.reject()

    def _accept_pose(self, position: Vector) -> None:
        command = JointCommand(position, self._zeros, self._kp, self._kd, self._zeros)
        if not self._limiter.accept(command):
            raise FloatingPointError(f"a pose of the gate itself is not usable: {position}")

    def _damp_command(self, kd: Vector) -> JointCommand:
        """No stiffness; the position is only there because the frame has a field for it."""
        return JointCommand(self._limiter.last_target_rad, self._zeros, self._zeros, kd, self._zeros)

    def _enter(self, mode: Mode, now_s: float) -> bool:
        """Note what is being done; True in the first cycle of it."""
        if mode is self._mode:
            return False
        self._mode, self._since_s, self._is_finished = mode, now_s, False
        return True

    def _make(self, drive: Drive, command: JointCommand, level: Level) -> Actuation:
        if drive is Drive.COMMAND:
            self._command = command
        self._actuation = Actuation(drive, command, level)
        return self._actuation
