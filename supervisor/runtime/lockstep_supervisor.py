"""Control loop, mission loop and a stand-in for the operator as one object: where two supervisors share a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from supervisor.core.exchange import Snapshot
from supervisor.core.ports import PolicyPort, Prompt, RobotPort
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.changes import Change
from supervisor.runtime.control import ControlCore, Recorder
from supervisor.runtime.journal import Journal
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.lockstep_run import fill_inputs
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator, Hoist
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.timed_policy import TimedPolicy
from trees.context import MissionContext
from trees.missions.root import create_root


class NoRecorder:
    """Keeps nothing: the run that is looked at is not this one's to record."""

    is_healthy = True

    def change(self, change: Change) -> None:
        """Nothing."""

    def append(self, *values: Any, **named: Any) -> None:
        """Nothing."""


class Supervisor:
    """A control loop, a mission loop and a stand-in for the operator, on one port.

    Args:
        prepared: Robot, policy, mission.
        port: The robot.
        recorder: Where every cycle is kept.
        hoist: What lifts and lowers the robot.
        journal: Writes the events, None for none.
        wrap: What a fault script makes of the policy.
    """

    def __init__(
        self,
        prepared: Prepared,
        port: RobotPort,
        recorder: Recorder,
        hoist: Hoist,
        journal: Journal | None = None,
        wrap: Callable[[PolicyPort], PolicyPort] = lambda policy: policy,
    ) -> None:
        config = prepared.robot.config
        self._prepared = prepared
        self._hoist = hoist
        self._journal = journal
        self.link = MemoryLink()
        self.control = ControlCore(config, prepared.robot.safety, port, self.link, recorder)
        self.policy = TimedPolicy(prepared.policy)
        self._driving = wrap(self.policy)
        self.judge = StageJudge(
            config, prepared.policy.command_names, prepared.signature, prepared.policy.tracked_ratio
        )
        fill_inputs(self.control)
        self.stage = ""
        self._begin()

    def _begin(self) -> None:
        """A new mission, from the beginning."""
        answered = _unheard if self._journal is None else self._journal.answered
        self.operator = AutoOperator(self.link, self._hoist, answered)
        self.context = MissionContext(self._prepared.robot.config, self._driving, self.judge, self.operator)
        self.root = create_root(self.context, self._prepared.mission, self._prepared.robot.safety)
        self.mission = MissionCore(self.root, self.context, self.link)

    def begin_again(self) -> None:
        """Another mission after one that was interrupted; what was measured and asked so far stays."""
        self.mission.stop()
        reports, number = self.context.reports, self.context.request_number
        self._begin()
        self.context.reports, self.context.request_number = reports, number

    def cycle(self, now_s: float) -> Snapshot:
        """One control cycle."""
        snapshot = self.control.step(now_s)
        if self._journal is not None:
            self._journal.observe(snapshot, now_s)
        return snapshot

    def tick(self, now_s: float) -> bool:
        """One mission tick.

        Returns:
            Whether a stage began.
        """
        self.operator.tick(now_s)
        output = self.mission.tick(now_s)
        if output is None:
            return False
        if self._journal is not None:
            self._journal.observe_mission(output)
        before, self.stage = self.stage, output.stage
        return self.stage != before


def _unheard(prompt: Prompt, now_s: float) -> None:
    """An answer that nobody keeps."""
