"""One question per declared guard, read from the board the gate acts on."""

from __future__ import annotations

from typing import Final

from py_trees.common import Status

from supervisor.core.guard import GuardReading, GuardRow
from supervisor.core.levels import ArmingState, GuardValue, Level
from trees.base import FAILURE, SUCCESS, Condition
from trees.context import MissionContext

QUESTIONS: Final = {
    "emergency_stop": "IsStopButtonReleased",
    "motor_age": "AreMotorsHeard",
    "imu_age": "IsImuHeard",
    "motor_fault": "AreMotorsFaultless",
    "motor_disabled": "AreMotorsOnWhenAsked",
    "motor_temperature": "AreMotorsCool",
    "tilt": "IsUpright",
    "base_angular_rate": "IsBaseCalm",
    "joint_velocity": "AreJointsSlow",
    "joint_position": "AreJointsInRange",
    "joint_torque": "IsTorqueInRange",
    "tracking_error": "AreJointsTracking",
    "encoder_jump": "AreEncodersSteady",
    "imu_norm": "IsImuPlausible",
    "imu_gravity": "IsGravityPlausible",
    "imu_frozen": "IsImuLive",
    "imu_warning": "IsImuContent",
    "proposal_age": "IsProposalFresh",
    "policy_age": "IsPolicyFresh",
    "policy_deadline": "IsPolicyOnTime",
    "action_finite": "IsActionFinite",
    "action_bound": "IsActionBounded",
    "action_rate": "IsActionSmooth",
    "action_saturated": "IsActionUnsaturated",
    "observation_range": "IsObservationKnown",
    "loop_lag_mean": "IsLoopOnTime",
    "loop_lag_worst": "IsEachCycleOnTime",
    "stage_timeout": "IsStageInTime",
    "mission_timeout": "IsMissionInTime",
    "clock_step": "IsClockSteady",
    "operator_link": "IsOperatorThere",
    "guardian": "IsGuardianThere",
    "bus_off": "AreBusesOn",
    "bus_loss": "AreRepliesComing",
    "bus_errors": "AreBusesClean",
    "second_writer": "IsOnlyWriter",
    "recorder": "IsRecorderHealthy",
    "hashes": "AreFilesUnchanged",
    "guard_count": "AreAllGuardsEvaluated",
}
"""What a guard's node is called in the drawing; a guard without an entry is called after its id."""


def question_of(guard: str) -> str:
    """The node's name for a guard id."""
    return QUESTIONS.get(guard, "Is" + "".join(part.capitalize() for part in guard.split("_")) + "Ok")


class GuardIsOk(Condition):
    """Whether a guard lets the mission go on: it has not tripped at a level that stops.

    A guard that warns or limits goes on acting through the gate and is told in the message; it does not end the
    mission. While the motors are off there is no motion to withhold, and preflight judges the guards itself.

    Args:
        row: The guard, as the safety file declares it.
        index: Where the guard stands on the board.
        context: The mission's context.
    """

    def __init__(self, row: GuardRow, index: int, context: MissionContext) -> None:
        super().__init__(question_of(row.id), context)
        self.row = row
        self._index = index
        self.details = (f"{row.id} ≤ {row.limit:g} {row.unit} → {row.level.name}",)
        self.hints = (row.reason,)

    def update(self) -> Status:
        """SUCCESS unless the guard's stop level is in force, or the board does not show the guard."""
        snapshot = self.context.snapshot
        reading = self._reading()
        if reading is None:
            self.say(f"{self.row.id} is not on the board")
            return FAILURE
        if not reading.tripped:
            if self.feedback_message:
                self.feedback_message = ""
            return SUCCESS
        self._tell(reading)
        if reading.level < Level.HOLD or snapshot.arming is ArmingState.DISARMED:
            return SUCCESS
        return FAILURE

    def _reading(self) -> GuardReading | None:
        readings = self.context.snapshot.board.readings
        if self._index < len(readings) and (reading := readings[self._index]).id == self.row.id:
            return reading
        return self.context.snapshot.board.by_id().get(self.row.id)

    def _tell(self, reading: GuardReading) -> None:
        if self.feedback_message:
            return
        if reading.value in (GuardValue.OK, GuardValue.VIOLATED):
            self.feedback_message = f"{reading.id} {reading.measured:.3g} {reading.unit} > {reading.limit:.3g}"
        else:
            self.feedback_message = f"{reading.id} is {reading.value.name.lower().replace('_', ' ')}"
