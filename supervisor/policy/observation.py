"""The observation: from measurements to the values that the network was trained on, in place.

The pipeline of one step: sources → raw values → clip and scale of each term, in its stated order → global clip →
history → the network's input. Buffers and index tables are made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from supervisor.core.joints import JointOrder, Vector
from supervisor.core.state import RobotState
from supervisor.policy.contract import Contract, Term
from supervisor.policy.gait import GaitPhase
from supervisor.policy.history import History
from supervisor.policy.session import Tensor

Writer = Callable[[RobotState, Vector], object]

LARGEST = 1e18
"""Values beyond this are no measurement, and their squares would leave float32."""

BASE_VELOCITY_MAXIMUM_AGE_S = 0.1
"""An older estimate counts as missing: five steps at 50 Hz, in which a walking robot changes its velocity."""


class ObservationBuilder:
    """Builds one policy's observation. Owns the history, the gait clock and what the last action was.

    Args:
        contract: A contract that has passed its checks.
        order: The robot's joint order.
        raw: (frame_width,) float64 to write the raw values into; made here where None.
        observation: (width,) float32 to write the network's input into; made here where None.

    Attributes:
        raw: Values of the newest time step, in their units, before clip and scale.
        observation: The network's input.
    """

    def __init__(
        self, contract: Contract, order: JointOrder, raw: Vector | None = None, observation: Tensor | None = None
    ) -> None:
        config = contract.observation
        self.raw: Vector = np.zeros(config.frame_width) if raw is None else raw
        self.observation: Tensor = np.zeros(config.width, np.float32) if observation is None else observation
        self._size: Vector = np.zeros(config.frame_width)
        self._command: Vector = np.zeros(len(contract.command))
        slew = [axis.slew_per_s for axis in contract.command.values()]
        self._slew: Vector | None = None
        if any(value is not None for value in slew):
            self._slew = np.array([math.inf if value is None else value * contract.period_s for value in slew])
        self._clock = None if contract.clock is None else GaitPhase(contract.clock, contract.policy_hz)
        self._last_action: list[tuple[Vector, NDArray[np.intp]]] = []
        self._writers: list[Writer] = []
        first = 0
        for term in config.terms:
            self._add_term(term, contract, order, self.raw[first : first + term.dim])
            first += term.dim
        self._conditioning = _Conditioning(contract)
        self._history = History(contract, self.observation) if config.width > config.frame_width else None
        self._frame: Tensor = self.observation if self._history is None else self._history.newest

    def reset(self) -> None:
        """Forget history, clock, slewed command and last action."""
        self._command[:] = 0.0
        for view, _ in self._last_action:
            view[...] = 0.0
        if self._clock is not None:
            self._clock.reset()
        if self._history is not None:
            self._history.reset()

    def remember(self, action: Vector) -> None:
        """Say what the next observation's last action is.

        Args:
            action: (n,) in the contract's joint order, with the meaning that the contract gives `last_action`.
        """
        for view, indices in self._last_action:
            if len(indices):
                action.take(indices, None, view, "clip")
            else:
                view[...] = action

    def build(self, state: RobotState, command: Vector) -> bool:
        """Write `raw` and `observation` for one step.

        Args:
            state: Newest measurements.
            command: One value per component of the contract's command.

        Returns:
            False when a value is missing, not finite or too large to be one; the history is then left alone.
        """
        if self._slew is not None:
            if not np.isfinite(command).all():
                return False  # before it spoils the command that is slewed
            told = self._command
            told += np.minimum(np.maximum(command - told, -self._slew), self._slew)
            command = told
        for write in self._writers:
            write(state, command)
        raw = self.raw
        size = self._size
        np.abs(raw, size)
        if not size.item(size.argmax()) < LARGEST:  # argmax finds NaN first, and NaN is not below
            return False
        self._conditioning.apply(raw, self._frame)
        if self._history is not None:
            self._history.push()
        return True

    def _add_term(self, term: Term, contract: Contract, order: JointOrder, view: Vector) -> None:
        """Fill a term's slice of the raw values now, or add what fills it each step."""
        if term.source == "constant":
            view[...] = term.value
        elif term.source == "last_action":
            same = not term.joints or term.joints == tuple(contract.joints)
            own = JointOrder(contract.joints)
            self._last_action.append((view, np.array([], np.intp) if same else own.indices_of(term.joints)))
        elif term.source == "gait_clock":
            clock = self._clock
            assert clock is not None, "checked with the contract"  # noqa: S101
            self._writers.append(lambda _state, command: clock.write(command, view))
        elif term.source.startswith("joint_"):
            self._writers.append(_joint_writer(term, contract, order, view))
        else:
            self._writers.append(_BASE_WRITERS[term.source](view))


def _angular_velocity(view: Vector) -> Writer:
    def write(state: RobotState, _command: Vector) -> None:
        view[...] = state.imu.angular_velocity_base_in_base_rad_per_s

    return write


def _gravity(view: Vector) -> Writer:
    def write(state: RobotState, _command: Vector) -> None:
        view[...] = state.imu.gravity_in_base

    return write


def _linear_velocity(view: Vector) -> Writer:
    def write(state: RobotState, _command: Vector) -> None:
        estimate = state.base_velocity
        if state.now_s - estimate.stamp_s <= BASE_VELOCITY_MAXIMUM_AGE_S:
            view[...] = estimate.linear_velocity_base_in_base_m_per_s
        else:
            view[...] = math.nan

    return write


def _command(view: Vector) -> Writer:
    def write(_state: RobotState, command: Vector) -> None:
        view[...] = command

    return write


def _euler(view: Vector) -> Writer:
    def write(state: RobotState, _command: Vector) -> None:
        view[...] = euler_xyz(state.imu.orientation_base_in_world_wxyz)

    return write


_BASE_WRITERS: dict[str, Callable[[Vector], Writer]] = {
    "base_angular_velocity": _angular_velocity,
    "base_linear_velocity": _linear_velocity,
    "projected_gravity": _gravity,
    "base_euler_xyz": _euler,
    "velocity_command": _command,
}


def euler_xyz(orientation_wxyz: Vector) -> tuple[float, float, float]:
    """Roll, pitch and yaw of a unit quaternion: about z by yaw, then the new y by pitch, then the new x by roll."""
    w, x, y, z = orientation_wxyz.tolist()
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    sine = 2.0 * (w * y - z * x)
    pitch = math.asin(max(-1.0, min(1.0, sine))) if sine == sine else math.nan
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return roll, pitch, yaw


def _joint_writer(term: Term, contract: Contract, order: JointOrder, view: Vector) -> Writer:
    """What fills a joint term: from robot order to the term's order, minus the default pose where asked."""
    names = term.joints or tuple(contract.joints)
    indices = order.indices_of(names)
    attribute = "velocity_rad_per_s" if term.source == "joint_velocity" else "position_rad"
    zeroed = np.array([names.index(name) for name in term.zeroed], np.intp)
    default: Vector | None = None
    if term.source == "joint_position_minus_default":
        default = np.array([contract.joints[name].default_rad for name in names])
    read = attrgetter(attribute)
    subtract = np.subtract
    if names == order.names and not term.zeroed:
        if default is None:
            return lambda state, _command: _copy(read(state), view)
        return lambda state, _command: subtract(read(state), default, view)

    def write(state: RobotState, _command: Vector) -> None:
        read(state).take(indices, None, view, "clip")
        if default is not None:
            subtract(view, default, view)
        if len(zeroed):
            view[zeroed] = 0.0

    return write


def _copy(values: Vector, view: Vector) -> None:
    view[...] = values


class _Conditioning:
    """Clip and scale of every value, as vectors over one time step; what a contract does not ask for costs nothing."""

    __slots__ = ("_after", "_before", "_is_plain", "_scale", "_work")

    def __init__(self, contract: Contract) -> None:
        terms = contract.observation.terms
        self._before = _bounds(terms, "before_scale", None)
        self._after = _bounds(terms, "after_scale", contract.observation.clip)
        scale = np.concatenate([np.broadcast_to(np.asarray(term.scale, float), term.dim) for term in terms])
        self._scale = None if bool((scale == 1.0).all()) else scale
        self._is_plain = self._before is None and self._after is None and self._scale is None
        self._work = np.zeros(len(scale))

    def apply(self, raw: Vector, out: Tensor) -> None:
        """Write the conditioned values of `raw` to `out`."""
        if self._is_plain:
            out[...] = raw
            return
        work = self._work
        work[...] = raw
        if self._before is not None:
            np.maximum(work, self._before[0], out=work)
            np.minimum(work, self._before[1], out=work)
        if self._scale is not None:
            np.multiply(work, self._scale, work)
        if self._after is not None:
            np.maximum(work, self._after[0], out=work)
            np.minimum(work, self._after[1], out=work)
        out[...] = work


def _bounds(terms: Sequence[Term], order: str, every: tuple[float, float] | None) -> tuple[Vector, Vector] | None:
    """Lowest and highest value of each observation value at one point of the pipeline, None without any bound."""
    low, high = every or (-math.inf, math.inf)
    lows: list[float] = []
    highs: list[float] = []
    for term in terms:
        own = term.clip if term.clip is not None and (term.clip_order or "before_scale") == order else None
        lows += [low if own is None else max(low, own[0])] * term.dim
        highs += [high if own is None else min(high, own[1])] * term.dim
    if all(math.isinf(value) for value in (*lows, *highs)):
        return None
    return np.array(lows), np.array(highs)
