"""The safety core: one call per control cycle, from measurements to the one thing that may be written.

Guards, latch, arming and gate in this order, so that a trip and its command belong to the same cycle. Total: whatever
goes wrong inside leads to the profile's level for the unknown, never to silence.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from supervisor.core.command import Actuation, Drive
from supervisor.core.exchange import Knobs, MissionOutput, Request
from supervisor.core.guard import GuardBoard
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.state import MotorStatus, RobotState
from supervisor.safety.arming import Situation, press
from supervisor.safety.board import GuardBoardEvaluator, is_blocking
from supervisor.safety.checking import Checking
from supervisor.safety.clearance import Clearance, device_reasons
from supervisor.safety.decision import Decision
from supervisor.safety.gate import Gate, Mode
from supervisor.safety.inputs import DISABLED, FAULT, POSITION, GuardInputs
from supervisor.safety.power import PowerStep
from supervisor.safety.restart import Found, Keeping, LatchMemory
from supervisor.safety.severity import INTERNAL, MISSION, OPERATOR, Severity

_LOG = logging.getLogger(__name__)

ALWAYS_LATCHES = "emergency_stop"
"""The guard that latches even while disarmed: a person has pressed something."""

SILENT_TIMEOUTS = 2.0
"""A motor that was not heard for this many of its own command timeouts has switched itself off."""

_NAN = float("nan")


class SafetyCore:
    """Decides every control cycle what is written to the motors.

    Args:
        robot: The robot file.
        safety: The safety file.
        damping_maximum_nm_s_per_rad: (n,) what the motors can be told, at the joint; None where nothing bounds it.
        memory: Keeps the latch, the trips and the arming state beyond this process; None keeps nothing.

    Attributes:
        notes: What a person should know of what the process before has left.

    Raises:
        ConfigError: A guard row does not fit its guard, or a required one is missing.
    """

    def __init__(
        self,
        robot: RobotConfig,
        safety: SafetyConfig,
        damping_maximum_nm_s_per_rad: Vector | None = None,
        memory: LatchMemory | None = None,
    ) -> None:
        self._robot = robot
        self._safety = safety
        self._silent_s = SILENT_TIMEOUTS * robot.motor_timeout_s
        self._evaluator = GuardBoardEvaluator(safety)
        self._keeping = Keeping(memory)
        beginning = self._keeping.beginning
        self.notes = beginning.notes
        self._severity = Severity(safety.profile, robot.order, beginning.stop, beginning.trips)
        self._clearance = Clearance(safety, self._evaluator, self._severity, robot.order)
        self._gate = Gate(robot, safety, damping_maximum_nm_s_per_rad)
        self._arming = beginning.arming
        self._entered_s = _NAN
        self._has_energised = False
        self._request_number = 0
        self._refusals: tuple[str, ...] = ()
        self._checking = Checking(robot.order, robot.vector("torque_nm"), self._clearance, self._keeping)
        self._clears_faults = False
        self._wants_inventory = False
        self._has_failed = False

    @property
    def found(self) -> Found | None:
        """What the process before has left; None where nothing is kept."""
        return self._keeping.found

    @property
    def latch_missing(self) -> str:
        """Why the latch was not on the disk when that was asked last; empty when it was."""
        return self._keeping.missing

    def inputs(self) -> GuardInputs:
        """Inputs for this robot, to be kept and written anew each cycle."""
        return GuardInputs.of(self._robot)

    def step(
        self, inputs: GuardInputs, actions: Sequence[OperatorAction], output: MissionOutput | None, now_s: float
    ) -> Decision:
        """One control cycle. Never raises.

        Args:
            inputs: This cycle's measurements.
            actions: The operator's presses since the last cycle.
            output: Newest output of the mission.
            now_s: Clock.

        Returns:
            The decision; its actuation must be written in this cycle.
        """
        try:
            return self._step(inputs, actions, output, now_s)
        except Exception:  # noqa: BLE001  The last wrapper: silence would be the worst of all answers.
            if not self._has_failed:  # Once: a log line per cycle would make a slow loop out of a broken one.
                _LOG.critical("the safety core failed; going to %s", self._safety.profile.unknown.name, exc_info=True)
            self._has_failed = True
            return self._after_failure(now_s)

    def _step(
        self, inputs: GuardInputs, actions: Sequence[OperatorAction], output: MissionOutput | None, now_s: float
    ) -> Decision:
        state = inputs.newest()
        gate, severity = self._gate, self._severity
        self._complete(inputs, output, now_s)
        board = self._evaluator.evaluate(inputs)
        gate.measure(state)
        stage = output.stage if output is not None else ""
        self._clearance.watch(now_s)
        is_at_rest = self._is_at_rest(state, now_s)
        self._latch(board, stage, is_at_rest, now_s)
        if output is not None and output.request_number != self._request_number:
            self._request_number = output.request_number
            if output.request is not None:
                self._answer(output.request, stage, is_at_rest, now_s)
        for action in actions:
            self._press(action, inputs, stage, is_at_rest, now_s)
        self._keeping.note(self._arming, severity, is_at_rest=is_at_rest)  # Before CHECKING looks whether it is kept.
        if severity.stop is not None and not gate.is_finished:
            severity.fall_through(can_follow=_can_follow(inputs), now_s=now_s)
        actuation = self._actuate(inputs, state, output, stage, now_s)
        self._has_energised = self._has_energised or gate.is_powered
        self._keeping.note(self._arming, severity, is_at_rest=is_at_rest)
        return self._decision(board, actuation, is_at_rest=is_at_rest and gate.mode is Mode.OFF)

    def _complete(self, inputs: GuardInputs, output: MissionOutput | None, now_s: float) -> None:
        """Write what the core itself knows into the inputs."""
        newest = self._gate.newest
        inputs.now_s = now_s
        inputs.output = output
        inputs.applied = newest.command if newest.drive is Drive.COMMAND and self._gate.mode in _STIFF else None
        inputs.arming = self._arming
        inputs.expects_power = self._gate.mode in _STIFF

    def _latch(self, board: GuardBoard, stage: str, is_at_rest: bool, now_s: float) -> None:
        """Latch trips while the robot is under power; while it is off they stand in the way of arming instead."""
        if not board.level.latches:
            return
        # The stop of the process before comes with motors that this one has not switched on.
        is_on = self._arming in _ON and self._has_energised and not is_at_rest
        if self._gate.is_powered or is_on:
            self._severity.take(board, stage, now_s)
        else:
            self._severity.take((reading for reading in board if reading.id == ALWAYS_LATCHES), stage, now_s)
        stop = self._severity.stop
        if stop is not None:
            self._stopped(stop.guard)

    def _stop(self, level: Level, cause: str, stage: str, now_s: float, *, planned: bool = False) -> None:
        """Latch a stop that somebody asked for."""
        self._severity.request(level, cause, stage, now_s, planned=planned)
        self._stopped(cause)

    def _stopped(self, cause: str) -> None:
        """A stop is latched: whatever was being prepared is over."""
        self._arming = ArmingState.STOPPED
        self._checking.interrupt(cause)

    def _press(self, action: OperatorAction, inputs: GuardInputs, stage: str, is_at_rest: bool, now_s: float) -> None:
        """One press of the operator."""
        outcome = press(action, self._situation(inputs, is_at_rest, now_s))
        self._severity.attend(now_s)
        self._refusals = outcome.refusals
        if outcome.refusals:
            return
        if outcome.resets:
            self._severity.clear()
        if outcome.stop is not None:
            self._stop(outcome.stop, OPERATOR, stage, now_s)
        self._go(outcome.arming, inputs, now_s)

    def _go(self, arming: ArmingState, inputs: GuardInputs, now_s: float) -> None:
        """Enter a state of arming."""
        if arming is self._arming:
            return
        self._arming = arming
        self._entered_s = now_s
        self._checking.restart(now_s)
        inputs.running_since_s = now_s if arming is ArmingState.RUNNING else math.inf

    def _answer(self, request: Request, stage: str, is_at_rest: bool, now_s: float) -> None:
        """One new request of the mission."""
        self._refusals = ()
        is_off = self._arming is ArmingState.DISARMED or (self._arming is ArmingState.STOPPED and is_at_rest)
        if request in _ENDS:
            level, states = _ENDS[request]
            if self._arming in states:
                self._stop(level, MISSION, stage, now_s, planned=True)
            else:
                self._arming = ArmingState.DISARMED
                self._checking.end()
        elif request is Request.DRILL:
            self._begin_drill(now_s)
        elif not is_off:
            self._refusals = (f"{request.name} needs motors that are off; the robot is {self._arming.value}",)
        elif request is Request.CLEAR_FAULTS:
            self._clears_faults = True
        else:
            self._wants_inventory = True

    def _begin_drill(self, now_s: float) -> None:
        stop_pressed = self._evaluator.reading(ALWAYS_LATCHES)
        # The drill energises the motors: what would stop it at once keeps it from beginning.
        tripped = [r.id for r in self._evaluator.board if r.tripped and r.level.latches]
        if self._arming is not ArmingState.DISARMED:
            reason = f"DRILL needs a disarmed robot; it is {self._arming.value}"
        elif stop_pressed is not None and is_blocking(stop_pressed):
            reason = "DRILL needs the emergency stop released"
        elif tripped:
            reason = f"DRILL needs the guards OK; tripped: {', '.join(tripped)}"
        else:
            self._checking.begin_drill(now_s)
            self._arming = ArmingState.CHECKING
            return
        self._refusals = (reason,)
        self._checking.refuse_drill(reason)

    def _actuate(
        self, inputs: GuardInputs, state: RobotState, output: MissionOutput | None, stage: str, now_s: float
    ) -> Actuation:
        """Advance arming by one cycle and have the gate make this cycle's command."""
        gate, level = self._gate, self._level()
        if self._clears_faults:
            self._clears_faults = False
            return gate.clear_faults(level)
        if self._arming is ArmingState.CHECKING:
            arming, refusals, power = self._checking.step(inputs.inventory, state, now_s, is_powered=gate.is_powered)
            self._refusals = refusals or self._refusals
            self._go(arming, inputs, now_s)
            if power in (PowerStep.ENABLE, PowerStep.RELAX):
                return gate.relax(now_s, enable=power is PowerStep.ENABLE)
        if self._arming is ArmingState.ARMED and now_s - self._entered_s > self._safety.arming.start_timeout_s:
            self._stop(Level.SETTLE, "start_timeout", stage, now_s, planned=True)
        stop = self._severity.stop
        if stop is not None:
            return gate.stop(stop.level, state, now_s)
        if self._arming is ArmingState.ARMED:
            return gate.hold(level, now_s)
        if self._arming is ArmingState.RUNNING:
            proposal = output.proposal if output is not None else None
            knobs = output.knobs if output is not None else _FULL
            return gate.follow(proposal, knobs, inputs.running_since_s, level, now_s)
        return gate.off(state, level, now_s)

    def _situation(self, inputs: GuardInputs, is_at_rest: bool, now_s: float) -> Situation:
        stop = self._severity.stop
        return Situation(
            self._arming,
            stop.level if stop is not None else Level.NONE,
            self._severity.is_operator_hold,
            is_at_rest,
            self._clearance.guards(),
            self._clearance.causes(now_s),
            device_reasons(inputs.inventory, self._checking.drill_report),
        )

    def _is_at_rest(self, state: RobotState, now_s: float) -> bool:
        """True when DISABLE has been answered: no motor that can still be heard says that it is on."""
        if self._gate.mode is not Mode.OFF:
            return False
        on = (state.motor_status == MotorStatus.ENABLED) & (now_s - state.motor_stamp_s <= self._silent_s)
        return not on.any()

    def _level(self) -> Level:
        stop = self._severity.stop
        if stop is not None:
            return stop.level
        board = self._evaluator.board
        if not board.level.latches:
            return board.level
        # Disarmed: what would stop a running robot only blocks arming.
        return max((r.level for r in board if r.tripped and not r.level.latches), default=Level.NONE)

    def _decision(self, board: GuardBoard, actuation: Actuation, *, is_at_rest: bool) -> Decision:
        wants_inventory, self._wants_inventory = self._wants_inventory, False
        return Decision(
            board,
            actuation.level,
            self._arming,
            self._refusals,
            self._severity.stop,
            actuation,
            self._gate.counts,
            is_at_rest,
            self._checking.drill_report,
            wants_inventory,
        )

    def _after_failure(self, now_s: float) -> Decision:
        """The profile's level for the unknown. DISABLE where the motors were off: a failure energises nothing."""
        self._stop(self._safety.profile.unknown, INTERNAL, "", now_s)
        # HOLD and SETTLE need the very things that have just failed: damping needs nothing.
        actuation = self._gate.last_resort(max(self._level(), Level.DAMP), now_s)
        with suppress(Exception):  # The memory may be what has failed; the command goes out all the same.
            self._keeping.note(self._arming, self._severity, is_at_rest=False)
        return self._decision(self._evaluator.blank(), actuation, is_at_rest=False)


_STIFF = frozenset({Mode.HOLD, Mode.FOLLOW, Mode.SETTLE})
_ON = frozenset({ArmingState.ARMED, ArmingState.RUNNING, ArmingState.STOPPED})
_ENDS = {
    Request.SETTLE: (Level.SETTLE, _ON),
    Request.DISARM: (Level.CUT, frozenset({ArmingState.STOPPED})),
}
"""The planned stop of each end of a mission, and the states that it ends: from the others the robot is disarmed."""

_FULL = Knobs()


def _can_follow(inputs: GuardInputs) -> bool:
    """Whether positions can be commanded: feedback fresh and finite, every motor on."""
    joints = inputs.joints
    if inputs.motors_stale or not np.isfinite(joints.rows[POSITION]).all():
        return False
    return not (inputs.expects_power and (joints.rows[DISABLED].any() or joints.rows[FAULT].any()))
