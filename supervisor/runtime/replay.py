"""A recorded run put through the safety core again: the same decisions bit for bit, or the first that differs.

Nothing is taken from the record but what the core was given. Each decision is packed into a row as the control loop
did it, and the bytes are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from supervisor.core.command import Proposal
from supervisor.core.errors import ConfigError, RecordError
from supervisor.core.exchange import MissionOutput
from supervisor.core.levels import OperatorAction
from supervisor.core.loading import load_yaml
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.evidence.changes import Change, ChangeKind, Changes, read_changes
from supervisor.evidence.packing import RowPacker
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.row import GIVEN, PRESS_NUMBER, SCHEMA, RecordLayout
from supervisor.evidence.row_values import row_type, state_of
from supervisor.evidence.run_folder import CYCLES, INPUTS, changes_path, check_inputs
from supervisor.runtime.changes import decode_inventory, decode_start
from supervisor.runtime.shadow_port import shadow_safety
from supervisor.runtime.shared.messages import OutputCodec
from supervisor.safety.core import SafetyCore
from supervisor.safety.restart import Found, Kept

_ACTIONS: Final = {number: action for action, number in PRESS_NUMBER.items()}
_COUNTS: Final = frozenset({"bus_off", "bus_errors", "foreign_commands"})


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that was decided otherwise.

    Attributes:
        decision: Its number.
        time_s: The run's clock.
        field: Column of the record, with joint or guard where it has one for each.
        recorded, replayed: What it says.
    """

    decision: int
    time_s: float
    field: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay went.

    Attributes:
        recorded: Cycles in the record.
        replayed: How many of them were decided again, up to the first difference.
        difference: None where there is none.
        reason: Why the replay ended before the record did, "" where it did not.
    """

    recorded: int
    replayed: int
    difference: Difference | None
    reason: str


class ReplayedLatch:
    """A `LatchMemory` that answers as the one of the run did, and keeps nothing.

    Args:
        found: What the process before that run had left.

    Attributes:
        problem: Why the latch is not on the disk; empty when it is.
    """

    def __init__(self, found: Found) -> None:
        self._found = found
        self.problem = ""

    @property
    def is_kept(self) -> bool:
        """Whether it is on the disk."""
        return not self.problem

    def load(self) -> Found:
        """What the process before that run had left."""
        return self._found

    def store(self, kept: Kept) -> None:
        """Nothing: the run has kept it."""


class _UncertainError(Exception):
    """From here on it is not known what the core was given."""


def replay_run(folder: Path) -> Replayed:
    """Put a run through the safety core again.

    Args:
        folder: The run's folder.

    Raises:
        RecordError: The record cannot be read, is of a version that cannot be replayed, or the copies of what went in
            are not those of the run.
    """
    problems = check_inputs(folder)
    if problems:
        raise RecordError(f"{folder} cannot be replayed: {'; '.join(problems)}")
    record = read_record(folder / CYCLES)
    if record.schema != SCHEMA:
        raise RecordError(
            f"{folder} cannot be replayed: its record has schema {record.schema}, which does not hold all that the "
            f"safety core was given; {SCHEMA} does. `handrail report` reads it"
        )
    changes = read_changes(changes_path(folder / CYCLES))
    if not changes.entries or changes.entries[0].kind is not ChangeKind.START:
        raise RecordError(f"{folder} cannot be replayed: the changes do not begin with what the core was made with")
    try:
        robot = load_yaml(folder / INPUTS / "robot.yaml", RobotConfig)
        safety = _safety_of(record, load_yaml(folder / INPUTS / "safety.yaml", SafetyConfig))
    except ConfigError as error:
        raise RecordError(f"{folder}: a copy of what went in cannot be read: {error}") from None
    try:
        return _Replay(record, changes, robot, safety).run()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{folder}: its changes are damaged ({type(error).__name__}: {error})") from None


def _safety_of(record: CycleRecord, declared: SafetyConfig) -> SafetyConfig:
    """The safety file that the core was given: that of a shadow differs from what was declared.

    Raises:
        RecordError: The record has other guards.
    """
    levels = {guard.id: guard.level for guard in record.guards}
    for safety in (declared, shadow_safety(declared)):
        if {row.id: row.level.name for row in safety.guards} == levels:
            return safety
    raise RecordError("the record has other guards than the safety file of its run: it was put together by hand")


class _Replay:
    """One replay."""

    def __init__(self, record: CycleRecord, changes: Changes, robot: RobotConfig, safety: SafetyConfig) -> None:
        start = decode_start(changes.entries[0].content)
        self._record = record
        self._changes = changes
        self._next_change = 1
        self._latch = None if start.found is None else ReplayedLatch(start.found)
        self._core = SafetyCore(robot, safety, start.damping_maximum_nm_s_per_rad, self._latch)
        self._inputs = self._core.inputs()
        self._order = robot.order
        self._codec = OutputCodec(len(robot.order), [row.id for row in safety.guards])
        self._output: MissionOutput | None = None
        self._proposal: Proposal | None = None
        layout = RecordLayout.of(robot.order, safety.guards)
        if row_type(layout) != record.rows.dtype:
            raise RecordError("the rows of the record are not those of its robot and safety file")
        self._memory = bytearray(layout.row_bytes)
        self._packer = RowPacker(layout, self._memory)
        self._rows = np.frombuffer(self._memory, row_type(layout))

    def run(self) -> Replayed:
        """Decide everything again, up to the first difference."""
        rows, count = self._record.rows, len(self._record)
        raw = rows.view(np.uint8).reshape(count, len(self._memory))
        for number in range(count):
            # A copy of its own: what is mapped from the file costs a look into it each time.
            found = raw[number].tobytes()
            row = np.frombuffer(found, rows.dtype)[0]
            try:
                self._decide(row, number)
            except _UncertainError as error:
                return Replayed(count, number, None, str(error))
            if found != self._memory:
                return Replayed(count, number, self._difference(row), "")
        return Replayed(count, count, None, "")

    def _decide(self, row: Any, number: int) -> None:
        """One decision, packed into `self._memory`."""
        decision = int(row["decision"])
        if decision != number:
            raise _UncertainError(f"decisions {number} to {decision - 1} are not in the record")
        self._change(decision)
        inputs = self._inputs
        state = inputs.state = state_of(row, self._order)
        for name, _, _ in GIVEN[1:]:
            setattr(inputs, name, int(row[name]) if name in _COUNTS else float(row[name]))
        inputs.recorder_ok = bool(row["recorder_ok"])
        inputs.emergency_stop = bool(row["emergency_stop"])
        inputs.hashes_match = bool(row["hashes_match"])
        codes: list[int] = row["presses"].tolist()
        presses: list[OperatorAction] = [_ACTIONS[code] for code in codes if code]
        output = self._output
        decided = self._core.step(inputs, presses, output, float(row["time_s"]))
        proposal = None if output is None else output.proposal
        wished = None if proposal is None else proposal.command.position_rad
        self._packer.pack(0, decision, state, inputs, presses, decided, wished, float(row["cycle_us"]))

    def _change(self, decision: int) -> None:
        """Take over what holds from this decision on."""
        entries = self._changes.entries
        while self._next_change < len(entries) and entries[self._next_change].decision <= decision:
            self._take(entries[self._next_change])
            self._next_change += 1
        if self._changes.problem and self._next_change == len(entries) and decision > entries[-1].decision:
            raise _UncertainError(self._changes.problem)

    def _take(self, change: Change) -> None:
        kind, content = change.kind, change.content
        if kind is ChangeKind.LOST:
            raise _UncertainError(f"what the core was given could not be kept: {content.decode()}")
        if kind is ChangeKind.INVENTORY:
            self._inputs.inventory = decode_inventory(content)
        elif kind is ChangeKind.LATCH:
            if self._latch is not None:
                self._latch.problem = content.decode()
        elif kind in (ChangeKind.OUTPUT, ChangeKind.SAME_PROPOSAL):
            self._output = self._decoded(kind, content)
        else:
            raise ValueError(f"a second {kind.name} at decision {change.decision}")

    def _decoded(self, kind: ChangeKind, content: bytes) -> MissionOutput | None:
        """An output, with the proposal before where it had that."""
        if not content:
            return None
        output = self._codec.decode(content)
        if output is None:
            raise ValueError("an output of another robot")
        if kind is ChangeKind.SAME_PROPOSAL:
            return replace(output, proposal=self._proposal)
        self._proposal = output.proposal or self._proposal
        return output

    def _difference(self, row: Any) -> Difference:
        """The first number that differs."""
        made, record = self._rows[0], self._record
        decision, time_s = int(row["decision"]), float(row["time_s"])
        names = {len(record.joints): record.joints, len(record.guards): tuple(guard.id for guard in record.guards)}
        # Words say the least: a checksum of them.
        for field in sorted(row.dtype.names, key=lambda name: name == "words_crc32"):
            one, other = np.atleast_1d(row[field]), np.atleast_1d(made[field])
            for i in range(len(one)):
                if one[i].tobytes() != other[i].tobytes():
                    place = "" if len(one) == 1 else f" of {names.get(len(one), range(len(one)))[i]}"
                    words = [_words(record, field, value) for value in (one[i], other[i])]
                    return Difference(decision, time_s, f"{field}{place}", *words)
        return Difference(decision, time_s, "bytes between the columns", "changed", "none")


def _words(record: CycleRecord, field: str, value: Any) -> str:
    """A number of the record for people."""
    meanings = record.numbers.get(record.units[field], ())
    return meanings[int(value)] if meanings and int(value) < len(meanings) else repr(value.item())


def replay_text(folder: Path, found: Replayed) -> str:
    """How a replay went, for people."""
    lines: list[str] = []
    difference = found.difference
    if difference is not None:
        lines += [
            f"{folder.name}: decision {difference.decision} at {difference.time_s:.3f} s differs",
            f"  {difference.field}: recorded {difference.recorded}, replayed {difference.replayed}",
            "the record was changed, or the safety core is not the one that made it",
        ]
    same = f"{found.replayed} of {found.recorded} decisions are the same, bit for bit"
    return "\n".join([*lines, same, *([f"the rest cannot be replayed: {found.reason}"] if found.reason else [])])
