"""No command leaves the limiter beyond a limit, not finite or too fast: whatever goes in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from supervisor.core.command import JointCommand
from supervisor.core.safety import GateConfig
from supervisor.safety.limits import CommandLimiter
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    HIGH,
    KD,
    KP,
    LOW,
    PERIOD_S,
    ROBOT,
    SAFETY,
    SPEED,
    TIGHT,
    TORQUE,
    ZEROS,
    make_command,
    make_state,
)


def limiter(gate: GateConfig = SAFETY.gate, at: np.ndarray = DEFAULT) -> CommandLimiter:
    made = CommandLimiter(ROBOT, gate)
    made.measure(make_state(position_rad=at))
    made.start_from(at)
    return made


def predicted(command: JointCommand, q: np.ndarray, dq: np.ndarray) -> np.ndarray:
    return (
        command.kp_nm_per_rad * (command.position_rad - q)
        + command.kd_nm_s_per_rad * (command.velocity_rad_per_s - dq)
        + command.torque_nm
    )


ANY = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-3.0, 3.0)
SANE = st.floats(-4.0, 4.0)


def vectors(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, COUNT, elements=elements)


@settings(max_examples=150)
@given(
    targets=st.lists(vectors(ANY), min_size=1, max_size=4), velocity=vectors(ANY), kp=vectors(st.floats(0.0, 400.0)),
    kd=vectors(st.floats(0.0, 9.0)), torque=vectors(ANY), q=vectors(ANY), dq=vectors(ANY),
    fractions=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)), tight=st.booleans(),
)  # fmt: skip
def test_no_input_leads_beyond_a_limit(targets, velocity, kp, kd, torque, q, dq, fractions, tight) -> None:
    gate = TIGHT if tight else SAFETY.gate
    made = CommandLimiter(ROBOT, gate)
    made.start_from(DEFAULT)
    made.accept(make_command())
    for target in targets:
        before = made.last_target_rad.copy()
        made.measure(make_state(position_rad=q, velocity_rad_per_s=dq))
        made.accept(JointCommand(target, velocity, kp, kd, torque))
        command = made.limited(*fractions)
        everything = np.array([getattr(command, name) for name in JointCommand.__slots__])
        assert np.isfinite(everything).all()
        margin = gate.position_margin_rad
        assert (command.position_rad >= LOW + margin).all()
        assert (command.position_rad <= HIGH - margin).all()
        step = SPEED * gate.target_speed_fraction * fractions[1] * PERIOD_S
        assert (np.abs(command.position_rad - before) <= step * (1.0 + 1e-9) + 1e-12).all()
        assert (np.abs(command.velocity_rad_per_s) <= SPEED).all()
        assert (np.abs(command.torque_nm) <= TORQUE).all()
        assert (command.kp_nm_per_rad >= 0.0).all()
        assert (command.kd_nm_s_per_rad >= 0.0).all()
        measured = np.abs(q) < 1e6
        used_q, used_dq = np.where(measured, q, before), np.where(np.abs(dq) < 1e6, dq, 0.0)
        allowed = TORQUE * gate.torque_fraction * fractions[0]
        assert (np.abs(predicted(command, used_q, used_dq)) <= allowed * (1.0 + 1e-6) + 1e-6).all()


@given(vectors(SANE), vectors(SANE))
def test_what_is_within_all_limits_goes_through_unchanged(direction: np.ndarray, q: np.ndarray) -> None:
    at = np.clip(q, LOW + 0.1, HIGH - 0.1)
    made = limiter(at=at)
    wish = at + 0.03 * direction / 4.0
    made.measure(make_state(position_rad=at))
    made.accept(make_command(wish))
    command = made.limited()
    assert np.array_equal(command.position_rad, wish)
    assert np.array_equal(command.kp_nm_per_rad, KP)
    assert made.counts == type(made.counts)()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", JointCommand.__slots__)
def test_one_number_that_is_not_finite_refuses_the_whole_command(name: str, bad: float) -> None:
    made, vector = limiter(), np.array(getattr(make_command(), name), dtype=float)
    vector[7] = bad
    assert not made.accept(replace(make_command(), **{name: vector}))


@pytest.mark.parametrize("name", JointCommand.__slots__)
@pytest.mark.parametrize("bad", [np.zeros(11), np.zeros(13), np.zeros((1, 12)), np.float64(0.1), None, "x" * 12, {}])
def test_a_vector_of_the_wrong_shape_or_type_is_refused(name: str, bad: object) -> None:
    assert not limiter().accept(replace(make_command(), **{name: bad}))


@pytest.mark.parametrize("kind", [np.complex128, np.float32, np.int64, np.str_, np.object_])
def test_what_is_no_vector_of_float64_is_refused_and_not_converted(kind: type) -> None:
    whole = np.ones(COUNT)
    made = limiter()
    assert made.accept(JointCommand(whole, whole, whole, whole, whole))
    other: Any = whole.astype(kind)
    assert not made.accept(JointCommand(other, other, other, other, other))
    if kind in (np.complex128, np.str_, np.object_):
        assert not made.accept(JointCommand(other, whole, whole, whole, whole))


@pytest.mark.parametrize("command", [None, 3, "command", object()])
def test_what_is_no_command_is_refused(command: object) -> None:
    assert not limiter().accept(command)


def test_negative_and_absurd_gains_are_refused() -> None:
    made = limiter()
    for wrong in (-1e-9, 10.0 * KP[0] + 1e-6):
        gains = KP.copy()
        gains[0] = wrong
        assert not made.accept(make_command(kp=gains))
    for wrong in (-1e-9, 10.0 * KD[0] + 1e-6):
        gains = KD.copy()
        gains[0] = wrong
        assert not made.accept(make_command(kd=gains))
    assert made.accept(make_command(kp=10.0 * KP, kd=10.0 * KD))
    assert made.accept(make_command(kp=ZEROS, kd=ZEROS))


def test_a_refused_command_leaves_the_one_before_in_force() -> None:
    made = limiter()
    made.accept(make_command(DEFAULT + 0.01))
    made.accept(make_command(DEFAULT * float("nan")))
    assert np.allclose(made.limited().position_rad, DEFAULT + 0.01)


def test_targets_move_at_the_rate_until_they_are_there() -> None:
    made = limiter()
    made.accept(make_command(DEFAULT + 0.1))
    step = 18.0 * PERIOD_S
    positions = []
    for _ in range(4):
        positions.append(made.limited(1.0, 1.0).position_rad[0] - DEFAULT[0])
        made.measure(make_state(position_rad=made.last_target_rad))
    assert np.allclose(positions, [step, 2 * step, 0.1, 0.1])
    assert made.counts.rate == 2 * COUNT


def test_the_rate_follows_the_stages_speed_fraction() -> None:
    made = limiter()
    made.accept(make_command(DEFAULT + 0.3))
    assert np.allclose(made.limited(1.0, 0.25).position_rad - DEFAULT, 0.25 * 18.0 * PERIOD_S)


def test_the_target_gives_way_to_the_torque_limit() -> None:
    made = limiter(at=DEFAULT)
    q = DEFAULT - 0.3
    made.measure(make_state(position_rad=q))
    made.accept(make_command(DEFAULT))
    command = made.limited(0.5, 1.0)
    assert np.allclose(np.abs(predicted(command, q, ZEROS)), 10.0)
    assert np.allclose(command.position_rad, q + 10.0 / 35.0)
    assert np.allclose(command.torque_nm, ZEROS)
    assert made.counts.torque == COUNT


def test_where_the_rate_forbids_the_target_the_feed_forward_gives_way() -> None:
    made = limiter(at=DEFAULT)
    q = DEFAULT - 0.3
    made.measure(make_state(position_rad=q))
    made.accept(make_command(DEFAULT))
    command = made.limited(0.5, 0.01)
    assert np.allclose(command.position_rad, DEFAULT - 0.01 * 18.0 * PERIOD_S)
    assert np.allclose(predicted(command, q, ZEROS), 10.0)
    assert (command.torque_nm < -0.1).all()


def test_without_stiffness_the_feed_forward_gives_way() -> None:
    made = limiter()
    made.accept(JointCommand(DEFAULT, ZEROS, ZEROS, ZEROS, np.full(COUNT, 15.0)))
    command = made.limited(0.5)
    assert np.allclose(command.torque_nm, 10.0)


def test_a_damping_that_asks_too_much_is_scaled() -> None:
    made = limiter()
    dq = np.full(COUNT, 100.0)
    made.measure(make_state(position_rad=DEFAULT, velocity_rad_per_s=dq))
    made.accept(make_command(DEFAULT))
    command = made.limited(0.1, 0.001)
    assert np.allclose(predicted(command, DEFAULT, dq), -2.0)
    assert (command.kd_nm_s_per_rad < KD).all()


def test_a_target_stays_near_the_measured_position() -> None:
    made = limiter(TIGHT)
    q = DEFAULT + 0.41
    made.measure(make_state(position_rad=q))
    made.accept(make_command(DEFAULT, kp=ZEROS))
    assert np.allclose(made.limited().position_rad, DEFAULT + 0.01)
    assert made.counts.position == COUNT


def test_clips_are_counted_by_joint_and_cycle() -> None:
    made = limiter()
    wish = DEFAULT.copy()
    wish[0], wish[3] = HIGH[0] + 1.0, LOW[3] - 1.0
    made.accept(replace(make_command(wish, kp=ZEROS), velocity_rad_per_s=np.full(COUNT, 19.0), torque_nm=ZEROS - 21.0))
    made.limited()
    made.limited(counted=False)
    made.limited()
    made.reject()
    counts = made.counts
    assert (counts.position, counts.velocity, counts.rejected) == (4, 2 * 2 * COUNT, COUNT)
    assert made.counts is counts


def test_measured_garbage_is_replaced_and_reported() -> None:
    made = limiter()
    for bad in (float("nan"), float("inf"), 1e7):
        q = DEFAULT.copy()
        q[2] = bad
        assert not made.measure(make_state(position_rad=q))
        assert not made.measure(make_state(position_rad=DEFAULT, velocity_rad_per_s=q))
    assert made.measure(make_state(position_rad=DEFAULT))
    made.measure(make_state(position_rad=np.full(COUNT, float("nan"))))
    assert np.allclose(made.captured_pose_rad(), DEFAULT)


def test_commands_are_read_only() -> None:
    made = limiter()
    made.accept(make_command(DEFAULT + 0.2))
    command = made.limited()
    with pytest.raises(ValueError, match="read-only"):
        command.position_rad[0] = 3.0


def test_a_margin_wider_than_the_range_leaves_its_middle() -> None:
    made = limiter(replace(SAFETY.gate, position_margin_rad=10.0))
    assert np.allclose(made.start_from(DEFAULT), (LOW + HIGH) / 2.0)


def test_nothing_is_limited_before_a_command_was_accepted() -> None:
    with pytest.raises(RuntimeError, match="accepted"):
        CommandLimiter(ROBOT, SAFETY.gate).limited()


@pytest.mark.parametrize(("edge", "side"), [(LOW, -1.0), (HIGH, 1.0)])
def test_a_joint_far_outside_does_not_draw_its_target_along(edge: np.ndarray, side: float) -> None:
    made = limiter(at=edge)
    made.measure(make_state(position_rad=edge + side * 2.0))
    made.accept(make_command(edge))
    assert np.array_equal(made.limited().position_rad, edge)
