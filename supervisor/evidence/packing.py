"""Packs one control cycle into a row: what the safety core was given, and what it decided."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, Protocol

import numpy as np

from supervisor.core.command import Actuation
from supervisor.core.exchange import DrillReport, GateCounts, Stop
from supervisor.core.guard import GuardBoard
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.state import RobotState
from supervisor.evidence.row import (
    ARMING_NUMBER,
    DRIVE_NUMBER,
    GIVEN,
    PRESS_NUMBER,
    PRESSES,
    SCALARS,
    RecordLayout,
)

_CODES: Final = {"<f8": "d", "<u4": "I", "<u1": "B"}
_WHOLE: Final = 0xFFFFFFFF


class Given(Protocol):
    """What the safety core was given in a cycle besides measurements, presses and the mission's output.

    `GuardInputs` of the safety room is one, and says what each means.
    """

    now_s: float
    loop_lag_mean_s: float
    loop_lag_worst_s: float
    operator_link_age_s: float
    guardian_age_s: float
    clock_step_s: float
    bus_loss: float
    bus_off: int
    bus_errors: int
    foreign_commands: int
    recorder_ok: bool
    emergency_stop: bool
    hashes_match: bool


class Decided(Protocol):
    """What the safety core made of it: a `Decision` of the safety room, which says what each means."""

    @property
    def board(self) -> GuardBoard:
        """All guards."""
        ...

    @property
    def arming(self) -> ArmingState:
        """State of arming."""
        ...

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the last press or request did nothing."""
        ...

    @property
    def stop(self) -> Stop | None:
        """The latched stop."""
        ...

    @property
    def actuation(self) -> Actuation:
        """What was written."""
        ...

    @property
    def gate(self) -> GateCounts:
        """What the gate changed or refused since the start."""
        ...

    @property
    def is_at_rest(self) -> bool:
        """Whether the motors are provably off."""
        ...

    @property
    def drill(self) -> DrillReport | None:
        """Result of the last drill."""
        ...

    @property
    def inventory_requested(self) -> bool:
        """Whether an inventory was to be started."""
        ...


class RowPacker:
    """Writes rows into memory of somebody else's. Costs a handful of microseconds, and allocates next to nothing.

    Args:
        layout: Of the rows.
        memory: Where rows go, after `start`; must stay writable.
        start: Offset of the first row, a multiple of 8.
        stride: From one row to the next, a multiple of 8; 0 for rows without gaps.

    Attributes:
        rows: How many rows fit.
    """

    __slots__ = (
        "_gate",
        "_gate_numbers",
        "_joint_shape",
        "_memory",
        "_missing",
        "_pack_into",
        "_start",
        "_stride",
        "_values",
        "_words",
        "_words_crc32",
        "rows",
    )

    def __init__(self, layout: RecordLayout, memory: bytearray | memoryview, start: int = 0, stride: int = 0) -> None:
        self._memory, self._start = memory, start
        self._stride = stride or layout.row_bytes
        # The last row need not be followed by a gap.
        self.rows = (len(memory) - start + self._stride - layout.row_bytes) // self._stride
        self._values: tuple[Vector, ...] = tuple(
            np.frombuffer(memory, np.float64, layout.value_count, start + i * self._stride + layout.values_offset)
            for i in range(self.rows)
        )
        count = len(layout.guards)
        scalars = "".join(_CODES[kind] for _, kind, _ in SCALARS)
        self._pack_into = struct.Struct(f"<{scalars}{PRESSES}s{2 * count}d{count}h{count}B{count}B").pack_into
        self._missing = np.full(len(layout.joints), np.nan)
        self._joint_shape = (len(layout.joints),)
        # Counters and words stay the very same objects until they change, which is seldom.
        self._gate: GateCounts | None = None
        self._gate_numbers = (0, 0, 0, 0, 0)
        self._words: tuple[tuple[str, ...] | None, Stop | None, DrillReport | None] = (None, None, None)
        self._words_crc32 = 0

    def pack(
        self,
        row: int,
        decision: int,
        state: RobotState,
        given: Given,
        presses: Sequence[OperatorAction],
        decided: Decided,
        proposed_position_rad: Vector | None,
        cycle_us: float,
    ) -> None:
        """Write one row.

        Args:
            row: Which, from 0.
            decision: Counts what the safety core decided, from 0.
            state: What was measured.
            given: What else the core was given.
            presses: The operator's, in their order.
            decided: What it decided.
            proposed_position_rad: (n,) targets before the gate, None where there was no proposal.
            cycle_us: How long the cycle before took by the machine's clock (microseconds).

        Raises:
            struct.error, ValueError, TypeError: Something does not fit the layout; the row is not valid.
        """
        proposed = proposed_position_rad
        if proposed is None or proposed.shape != self._joint_shape:
            proposed = self._missing
        imu = state.imu
        velocity = state.base_velocity
        actuation = decided.actuation
        command = actuation.command
        readings = decided.board.readings
        if decided.gate is not self._gate:
            self._count(decided.gate)
        words = self._words
        if decided.refusals is not words[0] or decided.stop is not words[1] or decided.drill is not words[2]:
            self._read(decided)
        self._pack_into(
            self._memory,
            self._start + row * self._stride,
            *_given(given),
            cycle_us,
            imu.stamp_s,
            velocity.stamp_s,
            decision,
            state.cycle & _WHOLE,
            imu.sequence & _WHOLE,
            imu.unchanged & _WHOLE,
            *self._gate_numbers,
            self._words_crc32,
            actuation.level,
            ARMING_NUMBER[decided.arming],
            DRIVE_NUMBER[actuation.drive],
            imu.warning,
            decided.is_at_rest,
            decided.inventory_requested,
            # As the guards see them: whatever is not a clear yes, or no, is the worse of the two.
            given.recorder_ok is True,
            given.emergency_stop is not False,
            given.hashes_match is True,
            bytes([PRESS_NUMBER[press] for press in presses[:PRESSES]]) if presses else b"",
            *map(_measured, readings),
            *map(_limit, readings),
            *map(_joint, readings),
            *map(_value, readings),
            *map(_tripped, readings),
        )
        np.concatenate(
            (
                state.position_rad,
                state.velocity_rad_per_s,
                state.torque_nm,
                state.temperature_degc,
                state.motor_stamp_s,
                state.motor_status,
                state.fault_code,
                command.position_rad,
                command.velocity_rad_per_s,
                command.kp_nm_per_rad,
                command.kd_nm_s_per_rad,
                command.torque_nm,
                proposed,
                imu.orientation_base_in_world_wxyz,
                imu.angular_velocity_base_in_base_rad_per_s,
                imu.acceleration_base_in_base_m_per_s2,
                imu.gravity_in_base,
                velocity.linear_velocity_base_in_base_m_per_s,
            ),
            out=self._values[row],
        )

    def _count(self, gate: GateCounts) -> None:
        """Take over counters that have changed."""
        self._gate = gate
        position, velocity, torque, rate, rejected = _counts(gate)
        self._gate_numbers = (position & _WHOLE, velocity & _WHOLE, torque & _WHOLE, rate & _WHOLE, rejected & _WHOLE)

    def _read(self, decided: Decided) -> None:
        """Take over words that have changed. They are in the events in full; the row proves them."""
        self._words = (decided.refusals, decided.stop, decided.drill)
        self._words_crc32 = zlib.crc32(repr(self._words).encode())


_given = attrgetter(*(name if name != "time_s" else "now_s" for name, _, _ in GIVEN))
_counts = attrgetter("position", "velocity", "torque", "rate", "rejected")
_measured = attrgetter("measured")
_limit = attrgetter("limit")
_joint = attrgetter("joint")
_value = attrgetter("value")
_tripped = attrgetter("tripped")
