"""What the gate does to a command before it may be sent. Pure limiting: it neither chooses nor writes.

The limits, in the order in which they win over each other:

1. position: targets stay inside the joint's range less the margin;
2. rate: a target moves at most `velocity limit * fraction` per second;
3. distance: as far as 1 and 2 allow, a target is no further than `measured_distance_rad` from the measured position;
4. torque: the torque that the motor will compute, kp (q* - q) + kd (dq* - dq) + ff, stays within
   `torque limit * fraction`. The target gives way first, as far as 1 and 2 allow, then the feed-forward, and what is
   left is taken by scaling the gains: so this limit always holds.
"""

from __future__ import annotations

import numpy as np

from supervisor.core.command import JointCommand
from supervisor.core.exchange import GateCounts
from supervisor.core.joints import Vector
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import GateConfig
from supervisor.core.state import RobotState

GAIN_CEILING = 10.0
"""A proposal's gains may be this many times the robot file's. Policies bring softer or stiffer gains than poses, but
not of another order of magnitude: that is a unit or an order mixed up."""

PLAUSIBLE = 1e6
"""A measured position or velocity beyond this is garbage, and its arithmetic would overflow."""


class CommandLimiter:
    """Limits one robot's commands. Owns the target that was sent last.

    Args:
        robot: Limits of the joints and the control period.
        gate: The gate's limits.
    """

    def __init__(self, robot: RobotConfig, gate: GateConfig) -> None:
        count = len(robot.order)
        low, high = robot.position_minimum_rad, robot.position_maximum_rad
        margin = np.minimum(gate.position_margin_rad, 0.5 * (high - low))
        self._low, self._high = low + margin, high - margin
        self._speed = robot.vector("velocity_rad_per_s")
        self._step = self._speed * (gate.target_speed_fraction * robot.control_period_s)
        self._torque = robot.vector("torque_nm") * gate.torque_fraction
        self._torque_limit = robot.vector("torque_nm")
        self._distance = np.full(count, gate.measured_distance_rad)
        self._kp_ceiling = GAIN_CEILING * robot.vector("kp_nm_per_rad")
        self._kd_ceiling = GAIN_CEILING * robot.vector("kd_nm_s_per_rad")
        self._last = np.clip(robot.vector("rest_rad"), self._low, self._high)
        self._q, self._dq = np.zeros(count), np.zeros(count)
        self._a, self._b, self._tau = np.empty(count), np.empty(count), np.empty(count)
        self._torque_now, self._step_now = self._torque.copy(), self._step.copy()
        self._fractions = (1.0, 1.0)
        self._wish: JointCommand | None = None
        self._wish_bytes = b""
        """The wished targets as bytes: the cheapest way to see that nothing had to be changed."""
        self._wish_clips = (0, 0)
        self._totals = [0, 0, 0, 0, 0]
        self._counts = GateCounts()

    @property
    def counts(self) -> GateCounts:
        """How often a proposal was changed or refused, in joint-cycles, since the start."""
        if self._totals != [*_numbers(self._counts)]:
            self._counts = GateCounts(*self._totals)
        return self._counts

    @property
    def last_target_rad(self) -> Vector:
        """(n,) the targets of the newest command."""
        return self._last

    def measure(self, state: RobotState) -> bool:
        """Take this cycle's positions and velocities.

        Args:
            state: Newest measurements.

        Returns:
            False when one was not a number or absurd; the last target and speed 0 stand in for it.
        """
        q, dq = self._q, self._dq
        q[:] = state.position_rad
        dq[:] = state.velocity_rad_per_s
        np.abs(q, out=self._a)
        np.abs(dq, out=self._b)
        np.maximum(self._a, self._b, out=self._a)
        if self._a.item(self._a.argmax()) < PLAUSIBLE:
            return True
        q[:] = np.where(np.abs(q) < PLAUSIBLE, q, self._last)
        dq[:] = np.where(np.abs(dq) < PLAUSIBLE, dq, 0.0)
        return False

    def start_from(self, target_rad: Vector) -> Vector:
        """Let the next command start from these targets instead of the last ones: a new pose was captured.

        Args:
            target_rad: (n,) targets; moved inside the position limits.

        Returns:
            The targets that were taken.
        """
        self._last = np.clip(target_rad, self._low, self._high)
        return self._last

    def captured_pose_rad(self) -> Vector:
        """(n,) the measured pose as given to `measure`, inside the position limits, and the next start."""
        return self.start_from(self._q)

    def accept(self, command: JointCommand) -> bool:
        """Check a new command and make it the wish that `limited` works towards.

        Args:
            command: Any object at all.

        Returns:
            False when it is refused: not five finite float64 vectors of the right length, or gains negative or absurd.
        """
        try:
            vectors = [
                command.position_rad,
                command.velocity_rad_per_s,
                command.kp_nm_per_rad,
                command.kd_nm_s_per_rad,
                command.torque_nm,
            ]
            # Nothing is converted: that would read texts as numbers, and drop what is imaginary.
            table = np.array(vectors)
            shape_ok = table.shape == (5, len(self._low)) and all(v.ndim == 1 for v in vectors)
        except (AttributeError, TypeError, ValueError):
            return False
        if not shape_ok or table.dtype != np.float64 or not np.isfinite(table).all():
            return False
        kp, kd = table[2], table[3]
        if (kp < 0.0).any() or (kd < 0.0).any() or (kp > self._kp_ceiling).any() or (kd > self._kd_ceiling).any():
            return False
        position = np.clip(table[0], self._low, self._high)
        velocity = np.clip(table[1], -self._speed, self._speed)
        torque = np.clip(table[4], -self._torque_limit, self._torque_limit)
        self._wish = JointCommand(position, velocity, kp, kd, torque)
        self._wish_bytes = position.tobytes()
        self._wish_clips = (
            int(np.count_nonzero(position != table[0])),
            int(np.count_nonzero(velocity != table[1])) + int(np.count_nonzero(torque != table[4])),
        )
        return True

    def reject(self) -> None:
        """Count one refused proposal."""
        self._totals[4] += len(self._low)

    def limited(
        self, torque_fraction: float = 1.0, speed_fraction: float = 1.0, *, counted: bool = True
    ) -> JointCommand:
        """The accepted wish, limited for this cycle. `measure` and `accept` come first.

        Args:
            torque_fraction: Of the gate's torque limits, 0 to 1.
            speed_fraction: Of the gate's rate limits, 0 to 1.
            counted: False for commands of the gate itself.

        Returns:
            A new command; its arrays are read-only.
        """
        wish = self._wish
        if wish is None:
            raise RuntimeError("limited() needs an accepted command")
        self._scale(torque_fraction, speed_fraction)
        a, b, q = self._a, self._b, self._q
        # Distance to the measured position.
        np.subtract(q, self._distance, out=a)
        np.add(q, self._distance, out=b)
        np.maximum(wish.position_rad, a, out=a)
        np.minimum(a, b, out=a)
        far = 0 if a.tobytes() == self._wish_bytes else int(np.count_nonzero(a != wish.position_rad))
        # Rate, inside the position limits. The last target lies inside them, so the interval is never empty.
        np.subtract(self._last, self._step_now, out=b)
        np.maximum(b, self._low, out=b)
        lower = b
        upper = self._last + self._step_now
        np.minimum(upper, self._high, out=upper)
        position = np.maximum(a, lower)
        np.minimum(position, upper, out=position)
        fast = 0 if position.tobytes() == a.tobytes() else int(np.count_nonzero(position != a))
        # Torque as the motor will compute it.
        tau = self._tau
        np.subtract(position, q, out=a)
        np.multiply(a, wish.kp_nm_per_rad, out=tau)
        np.subtract(wish.velocity_rad_per_s, self._dq, out=a)
        np.multiply(a, wish.kd_nm_s_per_rad, out=a)
        np.add(tau, a, out=tau)
        np.add(tau, wish.torque_nm, out=tau)
        np.abs(tau, out=a)
        np.subtract(a, self._torque_now, out=a)
        kp, kd, torque, strong = wish.kp_nm_per_rad, wish.kd_nm_s_per_rad, wish.torque_nm, 0
        if a.item(a.argmax()) > 0.0:
            strong = int(np.count_nonzero(a > 0.0))
            position, kp, kd, torque = self._weaken(wish, position, lower, upper)
        position.setflags(write=False)
        self._last = position
        if counted:
            totals = self._totals
            totals[0] += self._wish_clips[0] + far
            totals[1] += self._wish_clips[1]
            totals[2] += strong
            totals[3] += fast
        return JointCommand(position, wish.velocity_rad_per_s, kp, kd, torque)

    def _weaken(
        self, wish: JointCommand, position: Vector, lower: Vector, upper: Vector
    ) -> tuple[Vector, Vector, Vector, Vector]:
        """Bring the predicted torque within the limit: by the target, then the feed-forward, then the gains."""
        allowed, q = self._torque_now, self._q
        damping = wish.kd_nm_s_per_rad * (wish.velocity_rad_per_s - self._dq)
        aim = np.clip(self._tau, -allowed, allowed)
        over = np.abs(self._tau) > allowed
        stiff = over & (wish.kp_nm_per_rad > 0.0)
        # Where the stiffness is tiny the quotient is huge, and clipped right away; its overflow is not an error.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            wished = q + (aim - damping - wish.torque_nm) / wish.kp_nm_per_rad
        position = np.where(stiff, np.clip(wished, lower, upper), position)
        pull = wish.kp_nm_per_rad * (position - q) + damping
        feed_forward = np.clip(aim - pull, -self._torque_limit, self._torque_limit)
        torque = np.where(over, feed_forward, wish.torque_nm)
        total = np.abs(pull + torque)
        scale = np.ones_like(total)
        np.divide(allowed, total, out=scale, where=total > allowed)
        return position, wish.kp_nm_per_rad * scale, wish.kd_nm_s_per_rad * scale, torque * scale

    def _scale(self, torque_fraction: float, speed_fraction: float) -> None:
        if (torque_fraction, speed_fraction) == self._fractions:
            return
        self._fractions = (torque_fraction, speed_fraction)
        np.multiply(self._torque, torque_fraction, out=self._torque_now)
        np.multiply(self._step, speed_fraction, out=self._step_now)


def _numbers(counts: GateCounts) -> tuple[int, int, int, int, int]:
    return counts.position, counts.velocity, counts.torque, counts.rate, counts.rejected
