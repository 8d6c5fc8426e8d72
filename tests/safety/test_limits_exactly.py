"""The limiter beside the same rules written down plainly, joint by joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import JointCommand
from supervisor.core.exchange import GateCounts
from supervisor.core.joints import Vector
from supervisor.core.safety import GateConfig
from supervisor.safety.limits import GAIN_CEILING, PLAUSIBLE, CommandLimiter
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    HIGH,
    KD,
    KP,
    LOW,
    PERIOD_S,
    REST,
    ROBOT,
    SAFETY,
    SPEED,
    TIGHT,
    TORQUE,
    ZEROS,
    make_command,
    make_state,
)


class Plain:
    """The rules of `limits.py`, for one joint at a time, with nothing kept but the last target and the counts."""

    def __init__(self, gate: GateConfig, last: Vector) -> None:
        self.gate = gate
        self.last = [float(x) for x in np.clip(last, LOW + gate.position_margin_rad, HIGH - gate.position_margin_rad)]
        self.position = self.velocity = self.torque = self.rate = 0

    def limited(
        self, wish: JointCommand, q: Vector, dq: Vector, torque_fraction: float, speed_fraction: float
    ) -> np.ndarray:
        """(5, n) the command."""
        return np.array([
            self._joint(i, [float(getattr(wish, name)[i]) for name in JointCommand.__slots__], float(q[i]),
                        float(dq[i]), torque_fraction, speed_fraction)
            for i in range(COUNT)
        ]).T  # fmt: skip

    def _joint(
        self, i: int, wish: list[float], q: float, dq: float, torque_fraction: float, speed_fraction: float
    ) -> tuple[float, float, float, float, float]:
        gate, (target, speed, kp, kd, feed_forward) = self.gate, wish
        low, high = LOW[i] + gate.position_margin_rad, HIGH[i] - gate.position_margin_rad
        inside, slow, weak = (
            clip(target, low, high),
            clip(speed, -SPEED[i], SPEED[i]),
            clip(feed_forward, -TORQUE[i], TORQUE[i]),
        )
        self.position += int(inside != target)
        self.velocity += int(slow != speed) + int(weak != feed_forward)
        near = clip(inside, q - gate.measured_distance_rad, q + gate.measured_distance_rad)
        self.position += int(near != inside)
        step = SPEED[i] * (gate.target_speed_fraction * PERIOD_S) * speed_fraction
        lower, upper = max(self.last[i] - step, low), min(self.last[i] + step, high)
        position = clip(near, lower, upper)
        self.rate += int(position != near)
        allowed = TORQUE[i] * gate.torque_fraction * torque_fraction
        damping = kd * (slow - dq)
        tau = kp * (position - q) + damping + weak
        if abs(tau) > allowed:
            self.torque += 1
            aim = clip(tau, -allowed, allowed)
            if kp > 0.0:
                position = clip(q + (aim - damping - weak) / kp, lower, upper)
            pull = kp * (position - q) + damping
            weak = clip(aim - pull, -TORQUE[i], TORQUE[i])
            total = abs(pull + weak)
            scale = allowed / total if total > allowed else 1.0
            kp, kd, weak = kp * scale, kd * scale, weak * scale
        self.last[i] = position
        return position, slow, kp, kd, weak


def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def table(command: JointCommand) -> np.ndarray:
    return np.array([getattr(command, name) for name in JointCommand.__slots__])


def near(at: Vector, spread: float, random: np.random.Generator) -> Vector:
    return at + random.uniform(-spread, spread, COUNT)


@pytest.mark.parametrize("gate", [SAFETY.gate, TIGHT])
@pytest.mark.parametrize("seed", range(12))
def test_every_command_is_what_the_rules_say(gate: GateConfig, seed: int) -> None:
    random = np.random.default_rng(seed)
    made = CommandLimiter(ROBOT, gate)
    plain = Plain(gate, DEFAULT)
    made.start_from(DEFAULT)
    for cycle in range(25):
        q = near(np.array(plain.last), 0.6 if cycle % 3 else 0.05, random)
        dq = random.uniform(-40.0, 40.0, COUNT) if cycle % 4 == 0 else random.uniform(-2.0, 2.0, COUNT)
        soft = random.choice([0.0, 0.02, 0.3, 1.0, 4.0], COUNT)
        wish = JointCommand(
            near(q, 1.5 if cycle % 5 == 0 else 0.1, random), random.uniform(-25.0, 25.0, COUNT), KP * soft,
            KD * random.choice([0.0, 1.0, 6.0], COUNT), random.uniform(-30.0, 30.0, COUNT),
        )  # fmt: skip
        torque_fraction, speed_fraction = random.choice([0.1, 0.5, 1.0]), random.choice([0.02, 0.3, 1.0])
        assert made.measure(make_state(position_rad=q, velocity_rad_per_s=dq))
        assert made.accept(wish)
        command = made.limited(torque_fraction, speed_fraction)
        expected = plain.limited(wish, q, dq, torque_fraction, speed_fraction)
        np.testing.assert_allclose(table(command), expected, rtol=1e-12, atol=1e-12)
        assert made.last_target_rad is command.position_rad
        # What follows is judged from the same targets to the last bit, which decides what counts as changed.
        plain.last = command.position_rad.tolist()
    assert made.counts == GateCounts(plain.position, plain.velocity, plain.torque, plain.rate, 0)
    assert min(plain.position, plain.velocity, plain.torque, plain.rate) > 0


def test_a_torque_just_at_the_limit_is_left_as_it_is() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    limit = TORQUE * SAFETY.gate.torque_fraction
    for sign in (-1.0, 1.0):
        made.accept(make_command(DEFAULT, kp=ZEROS, kd=ZEROS))
        made.accept(replace(make_command(DEFAULT, kp=ZEROS, kd=ZEROS), torque_nm=sign * limit))
        assert np.array_equal(made.limited().torque_nm, sign * limit)
    assert made.counts.torque == 0


def test_one_joint_over_the_limit_leaves_the_others_as_they_are() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    feed_forward = np.full(COUNT, 1.0)
    feed_forward[4] = TORQUE[4]
    made.accept(JointCommand(DEFAULT, ZEROS, ZEROS, ZEROS, feed_forward))
    command = made.limited(0.5)
    expected = feed_forward.copy()
    expected[4] = 0.5 * SAFETY.gate.torque_fraction * TORQUE[4]
    assert np.array_equal(command.torque_nm, expected)
    assert np.array_equal(command.kp_nm_per_rad, ZEROS)
    assert made.counts == GateCounts(torque=1)


def test_a_tiny_stiffness_is_no_error() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    made.accept(JointCommand(DEFAULT, ZEROS, np.full(COUNT, 5e-324), ZEROS, np.full(COUNT, 15.0)))
    command = made.limited(0.5)
    np.testing.assert_allclose(command.torque_nm, 0.5 * SAFETY.gate.torque_fraction * TORQUE)


def test_it_starts_from_the_rest_pose_inside_the_limits_and_has_counted_nothing() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    margin = SAFETY.gate.position_margin_rad
    assert np.array_equal(made.last_target_rad, np.clip(REST, LOW + margin, HIGH - margin))
    assert made.counts == GateCounts(0, 0, 0, 0, 0)
    assert np.array_equal(
        CommandLimiter(ROBOT, SAFETY.gate).captured_pose_rad(), np.clip(ZEROS, LOW + margin, HIGH - margin)
    )


def test_the_whole_command_may_be_counted_or_not() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    made.accept(make_command(DEFAULT + 1.0))
    made.limited(counted=False)
    assert made.counts == GateCounts()
    made.limited()
    assert made.counts.rate == COUNT
    made.reject()
    made.reject()
    assert made.counts.rejected == 2 * COUNT


@pytest.mark.parametrize("name", ["position_rad", "velocity_rad_per_s"])
def test_what_is_just_plausible_is_believed_and_what_is_not_is_replaced(name: str) -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    for sign in (-1.0, 1.0):
        values = np.array(make_state().position_rad if name == "position_rad" else ZEROS)
        values[1] = sign * np.nextafter(PLAUSIBLE, 0.0)
        assert made.measure(make_state(**{name: values}))
        values[1] = sign * PLAUSIBLE
        assert not made.measure(make_state(**{name: values}))


def test_only_what_is_not_plausible_is_replaced() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.start_from(DEFAULT)
    q, dq = DEFAULT + 0.1, np.full(COUNT, 20.0)
    q[2], dq[5], dq[6] = PLAUSIBLE, float("nan"), -PLAUSIBLE
    assert not made.measure(make_state(position_rad=q, velocity_rad_per_s=dq))
    used_q = np.where(np.arange(COUNT) == 2, DEFAULT, q)
    used_dq = np.where(np.isin(np.arange(COUNT), (5, 6)), 0.0, dq)
    plain = Plain(SAFETY.gate, DEFAULT)
    wish = make_command(DEFAULT + 0.02)
    made.accept(wish)
    # So little torque is allowed that each joint's speed decides what is left.
    np.testing.assert_allclose(table(made.limited(0.01)), plain.limited(wish, used_q, used_dq, 0.01, 1.0), atol=1e-12)
    made.captured_pose_rad()
    np.testing.assert_allclose(made.last_target_rad, used_q)


@pytest.mark.parametrize("name", JointCommand.__slots__)
@pytest.mark.parametrize("bad", [np.array(["x"] * COUNT), np.array([object()] * COUNT)])
def test_a_vector_of_what_is_no_number_is_refused(name: str, bad: np.ndarray) -> None:
    assert not CommandLimiter(ROBOT, SAFETY.gate).accept(replace(make_command(), **{name: bad}))


@pytest.mark.parametrize(("torque_fraction", "speed_fraction"), [(2.0, 1.0), (1.0, 2.0), (0.5, 1.0), (1.0, 0.5)])
def test_the_very_first_fractions_are_in_force(torque_fraction: float, speed_fraction: float) -> None:
    made, plain = CommandLimiter(ROBOT, SAFETY.gate), Plain(SAFETY.gate, DEFAULT)
    made.measure(make_state(position_rad=DEFAULT - 0.8))
    made.start_from(DEFAULT)
    wish = make_command(DEFAULT + 0.5)
    made.accept(wish)
    expected = plain.limited(wish, DEFAULT - 0.8, ZEROS, torque_fraction, speed_fraction)
    np.testing.assert_allclose(table(made.limited(torque_fraction, speed_fraction)), expected, atol=1e-12)


def test_half_a_newton_metre_too_much_is_too_much() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    feed_forward = ZEROS.copy()
    feed_forward[3] = 0.5 * SAFETY.gate.torque_fraction * TORQUE[3] + 0.5
    made.accept(JointCommand(DEFAULT, ZEROS, ZEROS, ZEROS, feed_forward))
    assert made.limited(0.5).torque_nm[3] == 0.5 * SAFETY.gate.torque_fraction * TORQUE[3]


def test_a_joint_just_at_the_limit_is_left_to_the_last_bit_while_another_is_over_it() -> None:
    random = np.random.default_rng(3)
    full = SAFETY.gate.torque_fraction * TORQUE[0]
    at = DEFAULT.copy()
    at[0] = 0.0
    looked_at = 0
    for _ in range(200):
        made = CommandLimiter(ROBOT, SAFETY.gate)
        made.measure(make_state(position_rad=at))
        made.start_from(at)
        wish, feed_forward = at.copy(), ZEROS.copy()
        wish[0], feed_forward[7] = random.uniform(0.01, 0.03), TORQUE[7]
        torque = KP[0] * wish[0]
        made.accept(replace(make_command(wish), torque_nm=feed_forward))
        command = made.limited(torque / full)
        if full * (torque / full) == torque:
            looked_at += 1
            assert command.position_rad[0] == wish[0]
            assert command.torque_nm[7] < TORQUE[7]
    assert looked_at > 100


def test_gains_at_the_ceiling_are_taken_and_beyond_it_not() -> None:
    made = CommandLimiter(ROBOT, SAFETY.gate)
    for name, gains in (("kp", KP), ("kd", KD)):
        for joint in (0, COUNT - 1):
            values = gains.copy()
            values[joint] = GAIN_CEILING * gains[joint]
            assert made.accept(make_command(**{name: values}))
            values[joint] = np.nextafter(values[joint], np.inf)
            assert not made.accept(make_command(**{name: values}))
            values[joint] = 0.0
            assert made.accept(make_command(**{name: values}))
            values[joint] = -5e-324
            assert not made.accept(make_command(**{name: values}))


def test_a_limit_before_any_command_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError) as caught:
        CommandLimiter(ROBOT, SAFETY.gate).limited()
    assert str(caught.value) == "limited() needs an accepted command"


def test_only_the_middle_is_left_of_a_range_narrower_than_its_margins() -> None:
    made = CommandLimiter(ROBOT, replace(SAFETY.gate, position_margin_rad=10.0))
    np.testing.assert_allclose(made.last_target_rad, 0.5 * (LOW + HIGH), atol=1e-12)
    made.measure(make_state(position_rad=DEFAULT))
    made.start_from(DEFAULT)
    made.accept(make_command(HIGH))
    np.testing.assert_allclose(made.limited().position_rad, 0.5 * (LOW + HIGH), atol=1e-12)


def test_without_fractions_all_of_torque_and_speed_is_allowed() -> None:
    made, plain = CommandLimiter(ROBOT, SAFETY.gate), Plain(SAFETY.gate, DEFAULT)
    made.measure(make_state(position_rad=DEFAULT - 0.8))
    made.start_from(DEFAULT)
    wish = make_command(DEFAULT + 0.5)
    made.accept(wish)
    np.testing.assert_allclose(table(made.limited()), plain.limited(wish, DEFAULT - 0.8, ZEROS, 1.0, 1.0), atol=1e-12)


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1])
def test_five_vectors_of_one_wrong_length_are_refused(count: int) -> None:
    vectors = [np.zeros(count) for _ in JointCommand.__slots__]
    assert not CommandLimiter(ROBOT, SAFETY.gate).accept(JointCommand(*vectors))


def test_a_list_is_no_vector() -> None:
    for name in JointCommand.__slots__:
        assert not CommandLimiter(ROBOT, SAFETY.gate).accept(replace(make_command(), **{name: [0.0] * COUNT}))
