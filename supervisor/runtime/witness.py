"""Remembers what a diagnosis will want to know: how the robot hung before it moved, and how it was when it failed."""

from __future__ import annotations

from supervisor.core.exchange import PolicyHealth, Snapshot
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.state import NEVER_S
from supervisor.diagnosis.metrics import ReplyRatios
from trees.context import MissionContext


class Witness:
    """Looks at every mission tick; keeps references, computes nothing.

    Attributes:
        passive_pose_rad: (n,) joint positions before the motors were ever on, None before all were heard.
        passive_gravity: (3,) gravity in the base frame at that time.
        refusals: Why arming was refused last.
        policy: Health of the policy when it last drove or watched.
    """

    def __init__(self) -> None:
        self.passive_pose_rad: Vector | None = None
        self.passive_gravity: Vector | None = None
        self.refusals: tuple[str, ...] = ()
        self.policy = PolicyHealth()
        self._replies = ReplyRatios()
        self._newest: Snapshot | None = None
        self._at_failure: Snapshot | None = None
        self._has_been_on = False
        self._reports = 0

    def look(self, snapshot: Snapshot, context: MissionContext) -> None:
        """Take in one tick, after the mission was ticked."""
        state = snapshot.state
        self._newest = snapshot
        self._replies.add(snapshot.buses, state.now_s)
        self.refusals = snapshot.refusals or self.refusals
        if context.policy_health.is_active:
            self.policy = context.policy_health
        self._has_been_on = self._has_been_on or snapshot.arming is not ArmingState.DISARMED
        if not self._has_been_on and float(state.motor_stamp_s.min()) > NEVER_S:
            self.passive_pose_rad = state.position_rad
        if not self._has_been_on and state.imu.stamp_s > NEVER_S:
            self.passive_gravity = state.imu.gravity_in_base
        failed = any(report.outcome == "failed" for report in context.reports[self._reports :])
        self._reports = len(context.reports)
        stopped = snapshot.stop is not None and not snapshot.stop.planned
        if self._at_failure is None and (failed or stopped):
            self._at_failure = snapshot

    @property
    def snapshot(self) -> Snapshot | None:
        """The control loop when something failed first, else the newest."""
        return self._at_failure or self._newest

    @property
    def reply_ratios(self) -> dict[str, float]:
        """Smallest share of due replies by bus."""
        return self._replies.by_bus(self._newest.buses) if self._newest is not None else {}
