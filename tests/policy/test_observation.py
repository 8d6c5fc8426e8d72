"""The observation builder against a slow reference, and against what a measurement can do wrong."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.joints import JointOrder, frozen_vector
from supervisor.core.state import NEVER_S
from supervisor.policy.observation import ObservationBuilder, euler_xyz
from tests.policy.making import make_contract, make_state, term

ORDER = JointOrder(("b", "x", "a"))
"""The robot's order: another than the policy's, with a joint that the policy does not know."""

COMMAND = frozen_vector([0.3, -0.2, 0.1])


def build(terms, state, command=COMMAND, **more):
    builder = ObservationBuilder(make_contract(terms, **more), ORDER)
    assert builder.build(state, command)
    return builder.observation.astype(float)


def test_joint_terms_are_in_the_order_of_the_policy():
    state = make_state(ORDER, position=[2.0, 9.0, 1.0], velocity=[20.0, 90.0, 10.0])
    terms = [
        term("joint_position", 2),
        term("joint_position_minus_default", 2),
        term("joint_velocity", 2),
    ]
    assert build(terms, state) == pytest.approx([1.0, 2.0, 0.9, 1.8, 10.0, 20.0])


def test_a_term_may_name_its_own_joints_and_zero_some():
    state = make_state(ORDER, position=[2.0, 9.0, 1.0], velocity=[20.0, 90.0, 10.0])
    terms = [
        term("joint_position", 2, joints=["b", "a"]),
        term("joint_velocity", 2, zeroed=["a"]),
    ]
    assert build(terms, state) == pytest.approx([2.0, 1.0, 0.0, 20.0])


def test_when_the_orders_agree_the_values_are_the_same_as_when_they_do_not():
    same = JointOrder(("a", "b"))
    terms = [term("joint_position_minus_default", 2), term("joint_velocity", 2), term("joint_position", 2)]
    builder = ObservationBuilder(make_contract(terms), same)
    assert builder.build(make_state(same, position=[1.0, 2.0], velocity=[3.0, 4.0]), COMMAND)
    assert builder.observation.tolist() == pytest.approx([0.9, 1.8, 3.0, 4.0, 1.0, 2.0])


def test_base_terms_are_the_measured_vectors():
    state = make_state(ORDER, rate=[1, 2, 3], gravity=[0.1, 0.2, -0.9], speed=[0.4, 0.5, 0.6])
    terms = [
        term("base_angular_velocity", 3),
        term("projected_gravity", 3),
        term("base_linear_velocity", 3),
        term("velocity_command", 3),
        term("constant", 2, value=[2.0, 0.5]),
    ]
    expected = [1, 2, 3, 0.1, 0.2, -0.9, 0.4, 0.5, 0.6, 0.3, -0.2, 0.1, 2.0, 0.5]
    assert build(terms, state) == pytest.approx(expected)


@pytest.mark.parametrize(("order", "expected"), [("before_scale", [1.0, -1.0, 0.5]), ("after_scale", [2.0, -2.0, 1.0])])
def test_clip_and_scale_are_done_in_the_stated_order(order, expected):
    clip = [-2.0, 2.0]
    state = make_state(ORDER, rate=[8.0, -8.0, 1.0])
    scale = 0.5 if order == "before_scale" else 1.0
    terms = [term("base_angular_velocity", 3, scale=scale, clip=clip, clip_order=order)]
    assert build(terms, state) == pytest.approx(expected)
    doubled = [term("base_angular_velocity", 3, scale=2.0, clip=clip, clip_order=order)]
    limit = 4.0 if order == "before_scale" else 2.0
    assert build(doubled, state) == pytest.approx([limit, -limit, 2.0])


def test_the_global_clip_comes_last_and_scales_may_differ_per_value():
    state = make_state(ORDER, rate=[1.0, 1.0, 1.0])
    observation = {"layout": "term_major", "clip": [-3.0, 3.0]}
    terms = [term("base_angular_velocity", 3, scale=[1.0, 2.0, 5.0])]
    assert build(terms, state, observation=observation | {"terms": terms}) == pytest.approx([1.0, 2.0, 3.0])


def reference_observation(frames, terms, layout):
    """What the network sees, spelled out: `frames` is a list over time of a list over terms of values."""

    def past(i, age):
        history = terms[i]["history"]
        step = len(frames) - 1 - age
        if step >= 0:
            return list(frames[step][i])
        return list(frames[0][i]) if history["fill"] == "first" else [0.0] * terms[i]["dim"]

    def ages(i):
        history = terms[i].get("history")
        if history is None:
            return [0]
        oldest_first = list(range(history["length"]))[::-1]
        return oldest_first if history["order"] == "oldest_first" else oldest_first[::-1]

    out = []
    if layout == "term_major":
        for i in range(len(terms)):
            for age in ages(i):
                out += frames[-1][i] if age == 0 else past(i, age)
        return out
    framed = [i for i in range(len(terms)) if terms[i].get("history")]
    for i in range(len(terms)):
        if i not in framed:
            out += frames[-1][i]
        elif i == framed[0]:
            for age in ages(i):
                for k in framed:
                    out += frames[-1][k] if age == 0 else past(k, age)
    return out


histories = st.fixed_dictionaries(
    {
        "length": st.integers(1, 5),
        "order": st.sampled_from(["oldest_first", "newest_first"]),
        "fill": st.sampled_from(["zero", "first"]),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    layout=st.sampled_from(["term_major", "frame_major"]),
    own=st.lists(st.none() | histories, min_size=3, max_size=3),
    tail=st.booleans(),
    steps=st.integers(1, 8),
    data=st.data(),
)
def test_history_is_laid_out_as_the_slow_reference_does(layout, own, tail, steps, data):
    terms = [term("base_angular_velocity", 3), term("joint_velocity", 2), term("projected_gravity", 3)]
    if layout == "frame_major":  # one length and order; terms without history only at one end
        shared = data.draw(histories)
        own = [shared | {"fill": data.draw(st.sampled_from(["zero", "first"]))} for _ in terms]
        if tail:
            own[-1] = None
    for row, history in zip(terms, own, strict=True):
        if history is not None:
            row["history"] = history
    contract = make_contract(terms, observation={"layout": layout, "terms": terms})
    builder = ObservationBuilder(contract, ORDER)
    number = st.floats(-5.0, 5.0, width=32)
    for _ in range(2):  # a reset forgets everything
        builder.reset()
        frames = []
        for _ in range(steps):
            frame = [data.draw(st.lists(number, min_size=n, max_size=n)) for n in (3, 2, 3)]
            frames.append(frame)
            a, b = frame[1]
            state = make_state(ORDER, rate=frame[0], velocity=[b, 77.0, a], gravity=frame[2])
            assert builder.build(state, COMMAND)
            assert builder.observation.tolist() == pytest.approx(reference_observation(frames, terms, layout))


@settings(deadline=None, max_examples=40)
@given(
    scale=st.floats(-3.0, 3.0),
    low=st.floats(-2.0, 0.0),
    high=st.floats(0.5, 2.0),
    order=st.sampled_from(["before_scale", "after_scale"]),
    rate=st.lists(st.floats(-100.0, 100.0), min_size=3, max_size=3),
)
def test_conditioning_is_what_it_says_for_any_numbers(scale, low, high, order, rate):
    terms = [term("base_angular_velocity", 3, scale=scale, clip=[low, high], clip_order=order)]
    if order == "before_scale":
        expected = [scale * min(max(value, low), high) for value in rate]
    else:
        expected = [min(max(scale * value, low), high) for value in rate]
    assert build(terms, make_state(ORDER, rate=rate)) == pytest.approx(expected, rel=1e-5, abs=1e-5)


BAD = [math.nan, math.inf, -math.inf, 1e300]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("source", "dim", "given"),
    [
        ("base_angular_velocity", 3, lambda bad: {"rate": [0.0, bad, 0.0]}),
        ("projected_gravity", 3, lambda bad: {"gravity": [bad, 0.0, -1.0]}),
        ("base_linear_velocity", 3, lambda bad: {"speed": [0.0, 0.0, bad]}),
        ("joint_position_minus_default", 2, lambda bad: {"position": [bad, 0.0, 0.0]}),
        ("joint_velocity", 2, lambda bad: {"velocity": [0.0, 0.0, bad]}),
    ],
)
def test_a_value_that_is_no_number_is_refused_even_if_a_clip_would_hide_it(bad, source, dim, given):
    row = term(source, dim, scale=0.0, clip=[-1.0, 1.0], clip_order="before_scale")
    builder = ObservationBuilder(make_contract([row]), ORDER)
    assert not builder.build(make_state(ORDER, **given(bad)), COMMAND)


@pytest.mark.parametrize("bad", BAD)
def test_a_command_that_is_no_number_is_refused(bad):
    builder = ObservationBuilder(make_contract([term("velocity_command", 3)]), ORDER)
    assert not builder.build(make_state(ORDER), frozen_vector([0.0, bad, 0.0]))


def test_a_joint_that_the_policy_does_not_see_may_be_anything():
    builder = ObservationBuilder(make_contract([term("joint_velocity", 2)]), ORDER)
    assert builder.build(make_state(ORDER, velocity=[1.0, math.nan, 2.0]), COMMAND)


def test_a_refused_step_leaves_the_history_alone():
    history = {"length": 2, "order": "newest_first", "fill": "zero"}
    builder = ObservationBuilder(make_contract([term("base_angular_velocity", 3, history=history)]), ORDER)
    builder.build(make_state(ORDER, rate=[1, 1, 1]), COMMAND)
    assert not builder.build(make_state(ORDER, rate=[math.nan, 2, 2]), COMMAND)
    builder.build(make_state(ORDER, rate=[3, 3, 3]), COMMAND)
    assert builder.observation.tolist() == [3, 3, 3, 1, 1, 1]


@pytest.mark.parametrize("stamp_s", [NEVER_S, 0.89])
def test_a_base_velocity_that_is_missing_or_old_is_refused(stamp_s):
    state = make_state(ORDER, now_s=1.0)
    object.__setattr__(state.base_velocity, "stamp_s", stamp_s)
    builder = ObservationBuilder(make_contract([term("base_linear_velocity", 3)]), ORDER)
    assert not builder.build(state, COMMAND)


def test_the_last_action_is_zero_at_first_then_what_was_remembered_and_zero_after_a_reset():
    terms = [term("last_action", 2), term("last_action", 2, name="swapped", joints=["b", "a"])]
    builder = ObservationBuilder(make_contract(terms), ORDER)
    state = make_state(ORDER)
    builder.build(state, COMMAND)
    assert builder.observation.tolist() == [0.0, 0.0, 0.0, 0.0]
    builder.remember(np.array([5.0, 6.0]))
    builder.build(state, COMMAND)
    assert builder.observation.tolist() == [5.0, 6.0, 6.0, 5.0]
    builder.reset()
    builder.build(state, COMMAND)
    assert builder.observation.tolist() == [0.0, 0.0, 0.0, 0.0]


def test_a_slewed_command_moves_at_its_rate_from_zero():
    command = {
        "vx_m_per_s": {"trained": [-1, 1], "recommended": [-1, 1], "slew_per_s": 1.0},
        "vy_m_per_s": {"trained": [-1, 1], "recommended": [-1, 1]},
        "wz_rad_per_s": {"trained": [-1, 1], "recommended": [-1, 1], "slew_per_s": 5.0},
    }
    builder = ObservationBuilder(make_contract([term("velocity_command", 3)], command=command), ORDER)
    state, wanted = make_state(ORDER), frozen_vector([0.05, 0.4, -0.15])
    seen = []
    for _ in range(4):
        builder.build(state, wanted)
        seen.append(builder.observation.tolist())
    assert np.array(seen)[:, 0] == pytest.approx([0.02, 0.04, 0.05, 0.05])
    assert np.array(seen)[:, 1] == pytest.approx([0.4] * 4)
    assert np.array(seen)[:, 2] == pytest.approx([-0.1, -0.15, -0.15, -0.15])
    builder.reset()
    builder.build(state, wanted)
    assert builder.observation[0] == pytest.approx(0.02)


@settings(deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_roll_pitch_and_yaw_are_those_the_quaternion_was_made_of(roll, pitch, yaw):
    def about(axis, angle):
        return np.array([math.cos(angle / 2), *(math.sin(angle / 2) * np.eye(3)[axis])])

    def times(p, q):
        scalar = p[0] * q[0] - p[1:] @ q[1:]
        return np.array([scalar, *(p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))])

    quaternion = times(times(about(2, yaw), about(1, pitch)), about(0, roll))
    assert euler_xyz(quaternion) == pytest.approx((roll, pitch, yaw), abs=1e-6)


def test_an_orientation_that_is_no_number_is_refused():
    builder = ObservationBuilder(make_contract([term("base_euler_xyz", 3)]), ORDER)
    assert not builder.build(make_state(ORDER, orientation=[math.nan] * 4), COMMAND)
