"""What crosses between the processes of a run besides rows, as bytes and back. Decoding answers None to rubbish."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import (
    DeviceReport,
    DrillReport,
    GateCounts,
    Knobs,
    MissionOutput,
    PolicyHealth,
    Request,
    Snapshot,
    Stop,
)
from supervisor.core.levels import Level
from supervisor.core.state import BusStatistics

_REQUESTS: Final = tuple(Request)
_OUTPUT: Final = struct.Struct("<qdiqdddd ddd ?ddd?ddddi ? ?qd HHH")
_VECTORS: Final = 5
"""Of a proposal: position, velocity, kp, kd, torque."""
_BUS_COUNTERS: Final = 7
_GATE_COUNTERS: Final = 5


class OutputCodec:
    """Mission outputs of one robot and safety file.

    Args:
        joints: How many.
        guards: Ids, in the order of both sides.
    """

    def __init__(self, joints: int, guards: Sequence[str]) -> None:
        self._joints = joints
        self._guards = {guard: index for index, guard in enumerate(guards)}
        self._names = tuple(guards)
        self._values = _VECTORS * joints
        self._none = np.full(self._values, np.nan)

    @property
    def capacity(self) -> int:
        """Largest output, in bytes: three texts of a quarter of a kilobyte each fit."""
        return _OUTPUT.size + 3 * 256 + 8 * (len(self._names) + self._values)

    def encode(self, output: MissionOutput) -> bytes:
        """An output as bytes.

        Raises:
            ValueError, struct.error: A proposal for another robot, or a name of more than 255 bytes.
        """
        proposal, health, knobs = output.proposal, output.policy, output.knobs
        texts = (
            output.stage.encode(),
            b"" if proposal is None else proposal.origin.encode(),
            b"" if proposal is None else proposal.stage.encode(),
        )
        if max(map(len, texts)) > 255:
            raise ValueError(f"the name of a stage or leaf is longer than 255 bytes: {texts}")
        head = _OUTPUT.pack(
            output.tick,
            output.stamp_s,
            -1 if output.request is None else _REQUESTS.index(output.request),
            output.request_number,
            output.stage_elapsed_s,
            output.stage_limit_s,
            output.mission_elapsed_s,
            output.mission_limit_s,
            knobs.action_gain,
            knobs.torque_fraction,
            knobs.speed_fraction,
            health.is_active,
            health.stamp_s,
            health.elapsed_s,
            health.period_s,
            health.is_finite,
            health.action_peak,
            health.action_step_peak,
            health.saturated_fraction,
            health.observation_excess,
            health.observation_index,
            output.needs_motion,
            proposal is not None,
            0 if proposal is None else proposal.tick,
            0.0 if proposal is None else proposal.stamp_s,
            *map(len, texts),
        )
        limits = np.full(len(self._names), np.nan)
        for guard, limit in output.guard_limits.items():
            if guard in self._guards:
                limits[self._guards[guard]] = limit
        values = self._none
        if proposal is not None:
            command = proposal.command
            values = np.concatenate(
                (
                    command.position_rad,
                    command.velocity_rad_per_s,
                    command.kp_nm_per_rad,
                    command.kd_nm_s_per_rad,
                    command.torque_nm,
                )
            )
            if values.shape != (self._values,):
                raise ValueError(f"a proposal with {values.size} numbers; this robot's have {self._values}")
        return b"".join((head, *texts, limits.tobytes(), values.astype("<f8").tobytes()))

    def decode(self, raw: bytes) -> MissionOutput | None:
        """An output out of bytes; None where they are none of this robot's."""
        if len(raw) < _OUTPUT.size:
            return None
        (
            tick,
            stamp_s,
            request,
            request_number,
            stage_elapsed_s,
            stage_limit_s,
            mission_elapsed_s,
            mission_limit_s,
            action_gain,
            torque_fraction,
            speed_fraction,
            *health,
            needs_motion,
            has_proposal,
            proposal_tick,
            proposal_stamp_s,
            stage_bytes,
            origin_bytes,
            proposal_stage_bytes,
        ) = _OUTPUT.unpack_from(raw)
        sizes = (stage_bytes, origin_bytes, proposal_stage_bytes)
        start = _OUTPUT.size + sum(sizes)
        if len(raw) != start + 8 * (len(self._names) + self._values) or not -1 <= request < len(_REQUESTS):
            return None
        at = _OUTPUT.size
        texts: list[str] = []
        for size in sizes:
            try:
                texts.append(raw[at : at + size].decode())
            except UnicodeDecodeError:
                return None
            at += size
        numbers = np.frombuffer(raw, dtype="<f8", offset=start) if start % 8 == 0 else np.frombuffer(raw[start:], "<f8")
        limits = numbers[: len(self._names)]
        tightened = {self._names[i]: float(limits[i]) for i in np.flatnonzero(~np.isnan(limits)).tolist()}
        proposal = None
        if has_proposal:
            rows = numbers[len(self._names) :].reshape(_VECTORS, self._joints)
            proposal = Proposal(JointCommand(*rows), texts[1], texts[2], proposal_tick, proposal_stamp_s)
        # In the order of its fields, because naming them takes twice as long.
        return MissionOutput(
            tick,
            stamp_s,
            proposal,
            None if request < 0 else _REQUESTS[request],
            request_number,
            texts[0],
            stage_elapsed_s,
            stage_limit_s,
            mission_elapsed_s,
            mission_limit_s,
            Knobs(action_gain, torque_fraction, speed_fraction),
            tightened,
            PolicyHealth(*health),
            needs_motion,
        )


def encode_texts(snapshot: Snapshot, inventory_number: int = 0, drill_number: int = 0) -> bytes:
    """What of a snapshot is words, and changes seldom: JSON.

    Args:
        snapshot: The snapshot.
        inventory_number: Counts inventories: one that says the same as the last is another one still.
        drill_number: The same for drills.
    """
    stop, drill = snapshot.stop, snapshot.drill
    content = {
        "board": [[reading.id, reading.unit, int(reading.level)] for reading in snapshot.board.readings],
        "refusals": list(snapshot.refusals),
        "stop": None if stop is None else asdict(stop),
        "inventory": [{**asdict(report), "facts": dict(report.facts)} for report in snapshot.inventory],
        "drill": None if drill is None else asdict(drill),
        "numbers": [inventory_number, drill_number],
    }
    return json.dumps(content, separators=(",", ":"), default=int).encode()


class Texts:
    """The words of a snapshot, decoded.

    Args:
        content: As decoded from JSON.
        last: The words before: an inventory or a drill that is the same one is the same object.

    Attributes:
        board: Id, unit and level of each guard, in the order of the rows.
        refusals, stop, inventory, drill: As in `Snapshot`.
        numbers: Of the inventory and of the drill.
    """

    __slots__ = ("board", "drill", "inventory", "numbers", "refusals", "stop")

    def __init__(self, content: Mapping[str, Any], last: Texts | None = None) -> None:
        self.board = tuple((str(name), str(unit), Level(level)) for name, unit, level in content["board"])
        self.refusals: tuple[str, ...] = tuple(map(str, content["refusals"]))
        stop = content["stop"]
        self.stop = None if stop is None else decode_stop(stop)
        inventory, drill = content["numbers"]
        self.numbers = (int(inventory), int(drill))
        old = (-1, -1) if last is None else last.numbers
        self.inventory: tuple[DeviceReport, ...]
        self.drill: DrillReport | None
        if last is not None and self.numbers[0] == old[0]:
            self.inventory = last.inventory
        else:
            self.inventory = tuple(
                DeviceReport(r["name"], r["bus"], bool(r["answered"]), tuple(r["problems"]), dict(r["facts"]))
                for r in content["inventory"]
            )
        if last is not None and self.numbers[1] == old[1]:
            self.drill = last.drill
        else:
            found = content["drill"]
            self.drill = (
                None if found is None else DrillReport(found["passed"], tuple(found["problems"]), found["off_after_s"])
            )


def decode_texts(raw: bytes, last: Texts | None = None) -> Texts | None:
    """The words of a snapshot out of bytes; None where they are none.

    Args:
        raw: As `encode_texts` made them.
        last: The words before.
    """
    try:
        return Texts(json.loads(raw), last)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def decode_stop(content: Mapping[str, Any]) -> Stop:
    """A stop out of what `asdict` made of it.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    fields: dict[str, Any] = dict(content)
    fields |= {key: Level(content[key]) for key in ("level", "first_level")}
    fields |= {key: tuple(content[key]) for key in ("joints", "further")}
    return Stop(**fields)


def encode_counters(gate: GateCounts, buses: Mapping[str, BusStatistics]) -> bytes:
    """The counters of the gate and the buses, in the order of the robot file."""
    numbers = [gate.position, gate.velocity, gate.torque, gate.rate, gate.rejected]
    for bus in buses.values():
        numbers += (bus.sent, bus.received, bus.expected, bus.dropped, bus.errors, bus.is_off, bus.foreign_commands)
    return struct.pack(f"<{len(numbers)}q", *numbers)


def decode_counters(raw: bytes, buses: Sequence[str]) -> tuple[GateCounts, dict[str, BusStatistics]] | None:
    """The counters out of bytes; None where they are none of these buses."""
    count = _GATE_COUNTERS + _BUS_COUNTERS * len(buses)
    if len(raw) != 8 * count:
        return None
    numbers = struct.unpack(f"<{count}q", raw)
    statistics: dict[str, BusStatistics] = {}
    for index, name in enumerate(buses):
        first = _GATE_COUNTERS + _BUS_COUNTERS * index
        sent, received, expected, dropped, errors, is_off, foreign = numbers[first : first + _BUS_COUNTERS]
        statistics[name] = BusStatistics(sent, received, expected, dropped, errors, bool(is_off), foreign)
    return GateCounts(*numbers[:_GATE_COUNTERS]), statistics
