"""Fault scripts: what goes wrong in a simulated run, where and when, as YAML.

```yaml
schema: 1
faults:
  - {kind: swapped_ids, joints: [fl_hip, fr_hip], at: {stage: start}}
  - {kind: frames_dropped, bus: can0, rate: 0.3, at: {stage: ramp_50, after_s: 1.0}, for_s: 2.0}
```
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivers.sim.fault_kinds import BUS_FAULTS, MOTOR_FAULTS, Fault, FaultScript, MotorFault, SwappedIds
from drivers.sim.motors.makes import FAULT_NAMES
from supervisor.core.errors import ConfigError, Problem
from supervisor.core.loading import Document, KeyPath, read_document, validate_document
from supervisor.core.robot import RobotConfig

START = "start"
"""Stands for the beginning of the run where a fault names a stage."""


def load_faults(path: Path, robot: RobotConfig, stages: Sequence[str]) -> FaultScript:
    """Read a fault script and check its names.

    Args:
        path: The file.
        robot: Whose joints and buses it may name.
        stages: Names of the mission's stages.

    Raises:
        ConfigError: Every problem of the file.
    """
    document = read_document(path)
    script = validate_document(document, FaultScript)
    check_faults(script, robot, stages, document)
    return script


def check_faults(
    script: FaultScript, robot: RobotConfig, stages: Sequence[str], document: Document | None = None
) -> None:
    """Check the names in a fault script.

    Args:
        script: The script.
        robot: Whose joints and buses it may name.
        stages: Names of the mission's stages.
        document: The file it came from, for line numbers.

    Raises:
        ConfigError: Every unknown name.
    """
    source = Document("fault script", None) if document is None else document
    problems = [
        problem
        for index, fault in enumerate(script.faults)
        for problem in _problems_of(fault, ("faults", index), robot, stages, source)
    ]
    if problems:
        raise ConfigError(problems)


def _problems_of(
    fault: Fault, here: KeyPath, robot: RobotConfig, stages: Sequence[str], document: Document
) -> Iterator[Problem]:
    if fault.at.stage != START and fault.at.stage not in stages:
        allowed = f"one of {', '.join((START, *stages))}"
        yield document.problem((*here, "at", "stage"), repr(fault.at.stage), allowed)
    if isinstance(fault, BUS_FAULTS):
        wired = {joint.motor.bus for joint in robot.joints.values()}
        possible = [name for name in robot.buses if fault.kind != "brown_out" or name in wired]
        if fault.bus not in possible:
            yield document.problem((*here, "bus"), repr(fault.bus), f"one of {', '.join(possible)}")
    if isinstance(fault, MOTOR_FAULTS):
        for index, joint in enumerate(fault.joints):
            path = (*here, "joints", index)
            if joint not in robot.joints:
                yield document.problem(path, repr(joint), f"one of {', '.join(robot.joints)}")
            elif joint in fault.joints[:index]:
                yield document.problem(path, f"{joint!r} twice", "each joint once")
    if isinstance(fault, MotorFault):
        for make in sorted({robot.joints[joint].motor.make for joint in fault.joints if joint in robot.joints}):
            names = FAULT_NAMES.get(make, ())
            if fault.code not in names:
                yield document.problem((*here, "code"), repr(fault.code), f"for {make}: {', '.join(names) or 'none'}")
    if isinstance(fault, SwappedIds) and all(joint in robot.joints for joint in fault.joints):
        makes = {robot.joints[joint].motor.make for joint in fault.joints}
        if len(makes) > 1:
            yield document.problem((*here, "joints"), f"motors of {' and '.join(sorted(makes))}", "two of one make")


@dataclass(slots=True)
class _Entry:
    fault: Fault
    starts_s: float = math.inf
    ends_s: float = math.inf


@dataclass(slots=True)
class FaultInjector:
    """Knows which faults of a script are in force.

    Attributes:
        script: The script.
        active: Faults in force since the last `update`, in the order of the script.
    """

    script: FaultScript
    active: tuple[Fault, ...] = ()
    _entries: list[_Entry] = field(default_factory=list[_Entry])
    _seen: set[str] = field(default_factory=set[str])
    _next_s: float = math.inf

    def __post_init__(self) -> None:
        self._entries = [_Entry(fault) for fault in self.script.faults]

    def enter_stage(self, stage: str, now_s: float) -> None:
        """Start the clock of a stage's faults; only the first entry counts."""
        if stage in self._seen:
            return
        self._seen.add(stage)
        for entry in self._entries:
            if entry.fault.at.stage == stage:
                entry.starts_s = now_s + entry.fault.at.after_s
                entry.ends_s = entry.starts_s + (math.inf if entry.fault.for_s is None else entry.fault.for_s)
                self._next_s = min(self._next_s, entry.starts_s)

    def update(self, now_s: float) -> bool:
        """Bring `active` up to date; True when it changed."""
        if now_s < self._next_s:
            return False
        edges = [time_s for entry in self._entries for time_s in (entry.starts_s, entry.ends_s) if time_s > now_s]
        self._next_s = min(edges, default=math.inf)
        active = tuple(entry.fault for entry in self._entries if entry.starts_s <= now_s < entry.ends_s)
        changed, self.active = active != self.active, active
        return changed


class FaultTeller:
    """Says when faults begin and end."""

    def __init__(self) -> None:
        self._kinds: frozenset[str] = frozenset()

    def look(self, active: Iterable[Fault]) -> list[str]:
        """What has changed since the last look.

        Args:
            active: Faults in force.

        Returns:
            A line for each kind of fault that begins or ends, those that begin first.
        """
        before, self._kinds = self._kinds, frozenset(fault.kind for fault in active)
        return [
            *(f"fault script: {kind} begins" for kind in sorted(self._kinds - before)),
            *(f"fault script: {kind} ends" for kind in sorted(before - self._kinds)),
        ]


def kinds_of(faults: Iterable[Fault], group: tuple[type, ...]) -> tuple[str, ...]:
    """The kinds among some faults that belong to a group, each once, sorted."""
    return tuple(sorted({fault.kind for fault in faults if isinstance(fault, group)}))
