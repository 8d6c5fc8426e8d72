"""Everything the guards look at in one cycle, in one object that is written anew each cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.exchange import DeviceReport, MissionOutput
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.robot import RobotConfig
from supervisor.core.state import MotorStatus, RobotState

VELOCITY, TORQUE, TRACKING, JUMP, TEMPERATURE, AGE, POSITION, FAULT, DISABLED = range(9)
"""Rows of the table of per-joint quantities."""

ROWS = 9

LONG_AGO_S = -1e9
"""Stands in for "never" where the difference of two stamps is needed: the difference of two infinities is NaN."""


class JointTable:
    """Per-joint quantities of one cycle, reduced to the worst joint of each.

    Filled with a dozen array operations, so that no guard has to do arithmetic on arrays. NaN counts as the worst: a
    reduction never hides it.

    Args:
        robot: Whose limits.

    Attributes:
        velocity_rad_per_s, torque_nm: (n,) limits of the robot file.
        rows: ROWS vectors (n,) of this cycle, named above.
        worst: Index of the worst joint of each row.
    """

    __slots__ = (
        "_disabled",
        "_elapsed",
        "_faulty",
        "_last_position",
        "_last_stamp",
        "_long_ago",
        "_maximum",
        "_minimum",
        "_now",
        "_period",
        "_signed",
        "_spare",
        "_stamp",
        "_status",
        "_values",
        "rows",
        "torque_nm",
        "velocity_rad_per_s",
        "worst",
    )

    def __init__(self, robot: RobotConfig) -> None:
        count = len(robot.order)
        self.velocity_rad_per_s = robot.vector("velocity_rad_per_s")
        self.torque_nm = robot.vector("torque_nm")
        self._minimum, self._maximum = robot.position_minimum_rad, robot.position_maximum_rad
        self._values = np.full((ROWS, count), np.nan)
        self._signed = self._values[: AGE + 1]
        self.rows: list[Vector] = list(self._values)
        self.worst = [-1] * ROWS
        # Operands are whole vectors: an array operation with a Python number costs twice as much.
        self._period = np.full(count, robot.control_period_s)
        self._long_ago = np.full(count, LONG_AGO_S)
        self._faulty = np.full(count, int(MotorStatus.FAULT))
        self._disabled = np.full(count, int(MotorStatus.DISABLED))
        self._now, self._spare, self._elapsed = np.zeros(count), np.zeros(count), np.zeros(count)
        self._stamp, self._last_stamp = self._long_ago.copy(), self._long_ago.copy()
        self._last_position = np.full(count, np.nan)
        self._status = b""

    def fill(self, state: RobotState, applied: JointCommand | None, now_s: float) -> None:
        """Compute all rows.

        Args:
            state: This cycle's measurements.
            applied: The impedance command in force, None while positions are not commanded.
            now_s: Clock.

        Raises:
            ValueError: An array does not have one value per joint.
        """
        rows, spare, elapsed, q = self.rows, self._spare, self._elapsed, state.position_rad
        np.divide(state.velocity_rad_per_s, self.velocity_rad_per_s, rows[VELOCITY])
        np.divide(state.torque_nm, self.torque_nm, rows[TORQUE])
        if applied is None:
            rows[TRACKING].fill(0.0)
        else:
            np.subtract(applied.position_rad, q, rows[TRACKING])
        # A step is judged over the time between the two readings, which is longer where a reply was lost.
        np.subtract(q, self._last_position, rows[JUMP])
        np.maximum(state.motor_stamp_s, self._long_ago, out=self._stamp)
        np.subtract(self._stamp, self._last_stamp, elapsed)
        np.fmax(elapsed, self._period, elapsed)
        np.multiply(elapsed, self.velocity_rad_per_s, elapsed)
        np.divide(rows[JUMP], elapsed, rows[JUMP])
        self._last_position[:] = q
        self._stamp, self._last_stamp = self._last_stamp, self._stamp
        np.subtract(q, self._maximum, rows[POSITION])
        np.subtract(self._minimum, q, spare)
        np.maximum(rows[POSITION], spare, out=rows[POSITION])
        rows[TEMPERATURE][:] = state.temperature_degc
        self._now.fill(now_s)
        np.subtract(self._now, state.motor_stamp_s, rows[AGE])
        # Magnitudes, also of what is never negative: minus infinity, or a stamp from the future, must not look healthy.
        np.abs(self._signed, self._signed)
        status = state.motor_status.tobytes()
        if status != self._status:
            np.equal(state.motor_status, self._faulty, rows[FAULT])
            np.equal(state.motor_status, self._disabled, rows[DISABLED])
            self._status = status
        self.worst = self._values.argmax(1).tolist()

    def clear(self) -> None:
        """Forget everything: every row reads as NaN."""
        self._values.fill(np.nan)
        self._last_position.fill(np.nan)
        self._status = b""
        self.worst = [-1] * ROWS


@dataclass(slots=True)
class GuardInputs:
    """What the guards read. One object per control loop, reused every cycle.

    The runtime writes the first group before each `SafetyCore.step`; the core writes the second by itself.
    Nothing has to be written that has not changed. Fields that are not written stay at values that no guard
    accepts, or at the value that means "not in use" where that is said.

    Attributes:
        state: Newest measurements, from `RobotPort.read`.
        inventory: Device reports of the last inventory; empty before one was made, which refuses arming.
        loop_lag_mean_s: How late cycles began, mean over about a second; 0 in lockstep.
        loop_lag_worst_s: The latest begin of a cycle over about a second; 0 in lockstep.
        recorder_ok: False when the recorder loses cycles or cannot write.
        emergency_stop: True while the emergency-stop input is pressed or cannot be read.
        operator_link_age_s: Age of the operator's newest sign of life; 0 where a mission needs no deadman.
        guardian_age_s: Age of the guardian's newest echo, infinite where it has stopped the robot; 0 without one.
        clock_step_s: Size of the largest step of the wall clock against the monotonic one since the last cycle.
        hashes_match: Whether the files armed with are still the files in use.
        bus_loss: Largest share of replies missing over the window, 0 to 1, over all buses. See `BusMonitor`.
        bus_off: Number of buses that take no frames.
        bus_errors: Failed writes and error frames over the window, worst bus.
        foreign_commands: Frames over the window that command our motors and are not ours.

        now_s: Time of this cycle.
        period_s: Control period.
        output: Newest output of the mission, None before the first.
        applied: Impedance command written last, None unless it commanded positions.
        arming: State of arming before this cycle's decisions.
        running_since_s: When RUNNING began; infinite while it has not.
        expects_power: True while a motor that is off is a fault: armed, running, holding or settling.
        expected_guards: How many rows the safety file declares.
        evaluated_guards: How many were evaluated in this cycle so far.
        unknown_tightenings: How many guard limits of the mission name no declared guard.
        joints: Per-joint quantities, reduced.
        imu_stale, motors_stale: True when the source is older than its age guard allows.
    """

    period_s: float
    joints: JointTable
    state: RobotState | None = None
    inventory: tuple[DeviceReport, ...] = ()
    loop_lag_mean_s: float = float("nan")
    loop_lag_worst_s: float = float("nan")
    recorder_ok: bool = False
    emergency_stop: bool = True
    operator_link_age_s: float = float("inf")
    guardian_age_s: float = float("inf")
    clock_step_s: float = 0.0
    hashes_match: bool = False
    bus_loss: float = float("nan")
    bus_off: int = 0
    bus_errors: int = 0
    foreign_commands: int = 0
    now_s: float = 0.0
    output: MissionOutput | None = None
    applied: JointCommand | None = None
    arming: ArmingState = ArmingState.DISARMED
    running_since_s: float = float("inf")
    expects_power: bool = False
    expected_guards: int = 0
    evaluated_guards: int = 0
    unknown_tightenings: int = 0
    imu_stale: bool = True
    motors_stale: bool = True

    @classmethod
    def of(cls, robot: RobotConfig) -> GuardInputs:
        """Inputs for one robot, with nothing measured yet."""
        return cls(period_s=robot.control_period_s, joints=JointTable(robot))

    def newest(self) -> RobotState:
        """The newest measurements.

        Raises:
            LookupError: Nothing was measured yet; the guards turn that into ERROR.
        """
        if self.state is None:
            raise LookupError("nothing measured yet")
        return self.state

    def prepare(self, imu_age_limit_s: float, motor_age_limit_s: float) -> None:
        """Reduce this cycle's arrays once for all guards. Never raises.

        Args:
            imu_age_limit_s: Beyond this age, what is derived from the inertial unit is stale.
            motor_age_limit_s: The same for any motor.
        """
        joints = self.joints
        try:
            state = self.newest()
            joints.fill(state, self.applied, self.now_s)
            self.imu_stale = not self.now_s - state.imu.stamp_s <= imu_age_limit_s
            self.motors_stale = not joints.rows[AGE].item(joints.worst[AGE]) <= motor_age_limit_s
        except Exception:  # noqa: BLE001  Whatever the state is made of: the guards must see that it is unusable.
            joints.clear()
            self.imu_stale = self.motors_stale = True
