"""Measuring a stage while it runs and judging it when it ends. Commands nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from supervisor.core.exchange import PolicyHealth, Snapshot
from supervisor.core.joints import Vector
from supervisor.core.levels import GuardValue
from supervisor.core.moves import MovePlan
from supervisor.core.report import Criterion, CriterionResult
from supervisor.core.robot import RobotConfig
from supervisor.core.state import MotorStatus
from supervisor.diagnosis.features import features, move_errors, resting_features
from supervisor.diagnosis.metrics import CommandTracking, ReplyRatios, largest_slope, oscillation
from supervisor.diagnosis.plan import default_move_plan
from supervisor.diagnosis.signature import Explanation, Signature
from supervisor.diagnosis.window import Extremes, Window, last

_ALWAYS = (
    "tilt_rad",
    "base_rate_rad_per_s",
    "joint_speed_rad_per_s",
    "torque_fraction",
    "temperature_degc",
    "imu_age_s",
    "motor_age_s",
    "guards_ok",
)
_POLICY = ("observation_excess", "action_peak", "saturated_fraction", "policy_period_fraction", "policy_finite")
_RESTING_KINDS = frozenset({"stand", "zero_action"})
_POSE_WINDOW_S = 0.3


class StageJudge:
    """Implements `core.ports.Judge`.

    Args:
        robot: The robot: limits, poses, joint order.
        command_names: Meaning of the policy's command vector.
        signature: The robot's signature, None where there is none: its metrics are then not measured.
        tracked_ratio: (len(command_names),) measured over commanded as in simulation, None for 1.
    """

    def __init__(
        self,
        robot: RobotConfig,
        command_names: Sequence[str] = (),
        signature: Signature | None = None,
        tracked_ratio: Vector | None = None,
    ) -> None:
        self._order = robot.order
        self._default = robot.vector("default_rad")
        self._torque_limit = robot.vector("torque_nm")
        self._signature = signature
        self._plan = signature.plan if signature else default_move_plan(robot)
        self._window = Window(len(robot.order))
        self._always = Extremes(_ALWAYS)
        self._policy = Extremes(_POLICY)
        self._tracking = CommandTracking(
            tuple(command_names), np.ones(len(command_names)) if tracked_ratio is None else tracked_ratio
        )
        self._replies = ReplyRatios()
        self._explanation: tuple[Explanation, ...] = ()
        self._explained: tuple[str, float, int] = ("", 0.0, -1)
        self._signature_values: dict[str, float] = {}
        self.begin("", "", 0.0)

    def move_plan(self) -> MovePlan:
        """The signature's moves, or the default ones for a robot without a signature."""
        return self._plan

    def begin(self, stage: str, kind: str, now_s: float) -> None:
        """Start measuring a stage."""
        self._stage, self._kind, self._start_s, self._end_s = stage, kind, now_s, now_s
        self._window.clear()
        self._always.clear()
        self._policy.clear()
        self._tracking.clear()
        self._replies.clear()
        self._error_largest, self._error_squared, self._error_count = -math.inf, 0.0, 0
        self._guard_ids: tuple[str, ...] = ()
        self._margins = np.zeros(0)
        self._first: Snapshot | None = None
        self._last: Snapshot | None = None

    def sample(self, snapshot: Snapshot, health: PolicyHealth, command: Vector | None, label: str) -> None:
        """Take one tick's measurements."""
        state = snapshot.state
        self._window.add(state, label)
        self._end_s = state.now_s
        self._first = self._first or snapshot
        self._last = snapshot
        gravity, gyro = state.imu.gravity_in_base, state.imu.angular_velocity_base_in_base_rad_per_s
        self._always.add(
            (
                math.atan2(math.hypot(gravity[0], gravity[1]), -gravity[2]),
                math.sqrt(float(gyro @ gyro)),
                float(np.abs(state.velocity_rad_per_s).max()),
                float((np.abs(state.torque_nm) / self._torque_limit).max()),
                float(state.temperature_degc.max()),
                state.now_s - state.imu.stamp_s,
                state.now_s - float(state.motor_stamp_s.min()),
                float(all(reading.value is GuardValue.OK for reading in snapshot.board.readings)),
            )
        )
        if health.is_active:
            period = health.elapsed_s / health.period_s if health.period_s > 0.0 else math.nan
            self._policy.add(
                (
                    health.observation_excess,
                    health.action_peak,
                    health.saturated_fraction,
                    period,
                    float(health.is_finite),
                )
            )
        self._sample_tracking_error(snapshot)
        self._sample_margins(snapshot)
        self._tracking.add(state, command)
        self._replies.add(snapshot.buses, state.now_s)

    def metrics(self) -> Mapping[str, float]:
        """Everything measured since `begin`; what was not measured is absent."""
        found: dict[str, float] = {"duration_s": self._end_s - self._start_s}
        if self._first is None or self._last is None:
            return found
        found |= self._extremes()
        samples = self._window.samples()
        found["drift_rad_per_s"] = largest_slope(samples.position_rad, samples.time_s)
        found["oscillation_rad"], found["oscillation_hz"], _ = oscillation(samples.position_rad, samples.time_s)
        pose = last(samples.position_rad, samples.time_s, _POSE_WINDOW_S).mean(axis=0)
        found["pose_error_max_rad"] = float(np.abs(pose - self._default).max())
        found |= move_errors(samples, self._plan, self._order)
        found |= self._tracking.metrics()
        found |= self._devices(self._first, self._last)
        found |= self._signature_metrics()
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def judge(self, criteria: Sequence[Criterion]) -> tuple[CriterionResult, ...]:
        """Hold the metrics against criteria; a metric that was not measured is NaN and fails."""
        metrics = self.metrics()
        return tuple(
            CriterionResult(c.metric, c.op, c.limit, value, c.accepts(value))
            for c in criteria
            for value in (metrics.get(c.metric, math.nan),)
        )

    def explanation(self) -> tuple[Explanation, ...]:
        """How the hypotheses explain the newest stage that showed the robot's answers, best first."""
        self._signature_metrics()
        return self._explanation

    def oscillating_joint(self) -> str:
        """The joint that swings most in the current window, "" when that cannot be said."""
        samples = self._window.samples()
        worst = oscillation(samples.position_rad, samples.time_s)[2]
        return self._order.names[worst] if worst >= 0 else ""

    def _sample_tracking_error(self, snapshot: Snapshot) -> None:
        applied, state = snapshot.applied, snapshot.state
        driven = (state.motor_status == MotorStatus.ENABLED) & (applied.kp_nm_per_rad > 0.0)
        if driven.any():
            error = np.where(driven, applied.position_rad - state.position_rad, 0.0)
            self._error_largest = float(np.maximum(self._error_largest, np.abs(error).max()))
            self._error_squared += float(error @ error)
            self._error_count += int(driven.sum())

    def _sample_margins(self, snapshot: Snapshot) -> None:
        readings = snapshot.board.readings
        if len(readings) != len(self._guard_ids):
            self._guard_ids = tuple(reading.id for reading in readings)
            self._margins = np.full(len(readings), np.inf)
        if readings:
            np.minimum(self._margins, [reading.margin_fraction for reading in readings], out=self._margins)

    def _extremes(self) -> dict[str, float]:
        largest, mean = self._always.largest(), self._always.mean()
        found = {
            "tilt_max_rad": largest["tilt_rad"],
            "tilt_mean_rad": mean["tilt_rad"],
            "base_rate_max_rad_per_s": largest["base_rate_rad_per_s"],
            "joint_speed_max_rad_per_s": largest["joint_speed_rad_per_s"],
            "torque_max_fraction": largest["torque_fraction"],
            "torque_mean_fraction": mean["torque_fraction"],
            "temperature_max_degc": largest["temperature_degc"],
            "imu_age_max_s": largest["imu_age_s"],
            "motor_age_max_s": largest["motor_age_s"],
            "guards_ok_fraction": mean["guards_ok"],
        }
        if self._error_count:
            found["tracking_error_max_rad"] = self._error_largest
            found["tracking_error_rms_rad"] = math.sqrt(self._error_squared / self._error_count)
        if self._policy.count:
            largest = self._policy.largest()
            found |= {f"{name}_max": value for name, value in largest.items() if name != "policy_finite"}
            found["policy_finite_fraction"] = self._policy.mean()["policy_finite"]
        order = [i for i in np.argsort(self._margins) if np.isfinite(self._margins[i])]
        if order:
            found["guard_margin_fraction_min"] = float(self._margins[order[0]])
        for i in order[:3]:
            found[f"{self._guard_ids[i]}_margin_fraction_min"] = float(self._margins[i])
        return found

    def _devices(self, first: Snapshot, newest: Snapshot) -> dict[str, float]:
        found: dict[str, float] = {}
        ratios = self._replies.by_bus(newest.buses)
        if ratios:
            found["reply_ratio_min"] = min(ratios.values())
        cycles = newest.state.cycle - first.state.cycle
        if cycles > 0:
            before, after = first.gate, newest.gate
            kinds = ("position", "velocity", "torque", "rate")
            clamped = sum(getattr(after, kind) - getattr(before, kind) for kind in kinds)
            found["gate_clamped_fraction"] = clamped / (cycles * len(self._order))
        if newest.inventory:
            fine = [report.answered and not report.problems for report in newest.inventory]
            found["devices_ok_fraction"] = sum(fine) / len(fine)
        if newest.drill is not None:
            found["drill_passed"] = float(newest.drill.passed)
            found["drill_off_after_s"] = newest.drill.off_after_s
        return found

    def _signature_metrics(self) -> dict[str, float]:
        signature, key = self._signature, (self._stage, self._start_s, self._window.total)
        if signature is None or not self._window.total:
            return {}
        if key == self._explained:
            return self._signature_values
        self._explained, self._signature_values = key, {}
        samples = self._window.samples()
        if self._kind == "single_joint":
            measured = features(samples, self._plan, len(self._order))
        elif self._kind in _RESTING_KINDS:
            pose = None if self._kind == "stand" else self._default
            measured = resting_features(samples, self._plan, self._order, pose)
        else:
            return {}
        ranked = signature.explain(measured)
        if ranked:
            self._explanation = ranked
            healthy = next(e.distance for e in ranked if e.hypothesis.kind == "nominal")
            # Without faults to compare with, the alternative is a robot at the acceptance limit.
            faulty = min((e.cost for e in ranked if e.hypothesis.kind != "nominal"), default=1.0)
            self._signature_values = {
                "signature_distance": healthy,
                "signature_margin": faulty - healthy,
                "signature_coverage": signature.coverage(measured),
            }
        return self._signature_values
