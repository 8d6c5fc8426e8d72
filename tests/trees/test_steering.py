"""A person's wish becomes a velocity within its range, slowly; a wish in any doubt becomes zero at once."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_trees.common import Status

from supervisor.core.exchange import Knobs
from supervisor.core.levels import OperatorAction
from supervisor.core.velocity import COMMANDS, NEUTRAL, Steered, Velocity, VelocityAsk
from tests.trees.stand_ins import TICK_S, Bench, FakePilot
from trees.actions.steering import ENDING, HANDOVER, SteerPolicy
from trees.missions.schema import STAND_S, Duration, SteeringSpec
from trees.steering import LONGEST_TICK_S, NOBODY, UNCENTRED, Steering
from trees.values import StageHead

LOW, HIGH = Velocity(-0.3, -0.2, -0.5), Velocity(0.6, 0.2, 0.5)
SPEC = SteeringSpec(1.0, 0.5, 2.0, 0.3)
FORWARD = Velocity(0.6, 0.0, 0.0)


def centred(now_s: float = 0.0) -> Steering:
    steering = Steering(LOW, HIGH, SPEC)
    steering.step(VelocityAsk(NEUTRAL, now_s), now_s)
    assert steering.reason == ""
    return steering


def walking(wish: Velocity = FORWARD) -> tuple[Steering, float]:
    """One that has arrived at its wish, and when it is."""
    steering, now_s = centred(), 0.0
    for _ in range(100):
        now_s += TICK_S
        steering.step(VelocityAsk(wish, now_s, "command"), now_s)
    return steering, now_s


def test_a_velocity_grows_by_its_acceleration_and_stops_at_the_wish() -> None:
    steering = centred()
    seen = [steering.step(VelocityAsk(FORWARD, TICK_S * i), TICK_S * i).forward_m_per_s for i in range(1, 41)]
    assert seen[:30] == pytest.approx([TICK_S * i for i in range(1, 31)])
    assert seen[30:] == [0.6] * 10


@pytest.mark.parametrize("wish", [Velocity(9.0, 9.0, 9.0), Velocity(1e300, 0.2, 1e9)])
def test_a_wish_beyond_the_range_is_clipped(wish: Velocity) -> None:
    steering, _ = walking(wish)
    assert steering.velocity == HIGH


def test_a_wish_beyond_the_range_backwards_is_clipped() -> None:
    steering, _ = walking(Velocity(-9.0, -9.0, -9.0))
    assert steering.velocity == LOW


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (None, NOBODY),
        (VelocityAsk(FORWARD, 2.0, "gamepad", "the deadman was let go"), "the deadman was let go"),
        (VelocityAsk(FORWARD, 1.5, "gamepad"), "asked 0.52 s ago, allowed: 0.3 s"),
        (VelocityAsk(FORWARD, 3.0, "gamepad"), "asked -0.98 s ago, allowed: 0.3 s"),
        (VelocityAsk(FORWARD, nan, "gamepad"), "asked nan s ago, allowed: 0.3 s"),
        (VelocityAsk(Velocity(0.6, nan, 0.0), 2.02, "gamepad"), "asked for something that is not a number"),
        (VelocityAsk(Velocity(inf, 0.0, 0.0), 2.02, "gamepad"), "asked for something that is not a number"),
        (VelocityAsk(Velocity(0.6, 0.0, -inf), 2.02, "gamepad"), "asked for something that is not a number"),
    ],
)
def test_a_wish_in_doubt_is_zero_at_once_and_stays_so_until_centred(ask: VelocityAsk | None, reason: str) -> None:
    steering, now_s = walking()
    assert steering.velocity == FORWARD
    now_s += TICK_S
    assert (steering.step(ask, now_s), steering.reason) == (NEUTRAL, reason)
    for _ in range(50):
        now_s += TICK_S
        assert (steering.step(VelocityAsk(FORWARD, now_s), now_s), steering.reason) == (NEUTRAL, UNCENTRED)
    steering.step(VelocityAsk(NEUTRAL, now_s), now_s)
    now_s += TICK_S
    assert steering.step(VelocityAsk(FORWARD, now_s), now_s).forward_m_per_s == pytest.approx(TICK_S)


def test_a_stick_that_is_pushed_at_the_beginning_moves_nothing() -> None:
    steering = Steering(LOW, HIGH, SPEC)
    for tick in range(50):
        assert steering.step(VelocityAsk(Velocity(0.0, 0.0, 0.01), TICK_S * tick), TICK_S * tick) == NEUTRAL
    assert steering.reason == UNCENTRED


def test_a_stick_that_is_let_go_slows_the_robot_as_it_was_sped_up() -> None:
    steering, now_s = walking()
    seen = [steering.step(VelocityAsk(NEUTRAL, now_s + TICK_S * i), now_s + TICK_S * i) for i in range(1, 40)]
    assert seen[0].forward_m_per_s == pytest.approx(0.6 - TICK_S)
    assert seen[-1] == NEUTRAL
    assert steering.reason == ""


@pytest.mark.parametrize("late_s", [0.5, 100.0, inf])
def test_a_late_tick_is_no_leave_to_jump(late_s: float) -> None:
    steering = centred()
    velocity = steering.step(VelocityAsk(FORWARD, late_s), late_s)
    assert velocity.forward_m_per_s <= LONGEST_TICK_S + 1e-12


def test_a_clock_that_goes_back_moves_nothing() -> None:
    steering = centred(10.0)
    assert steering.step(VelocityAsk(FORWARD, 9.0), 9.0) == NEUTRAL


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 0.3, -0.1, 5e-324, 1e308])
ASKS = st.none() | st.builds(
    VelocityAsk,
    st.builds(Velocity, NUMBERS, NUMBERS, NUMBERS) | st.just(NEUTRAL),
    NUMBERS,
    st.just("command"),
    st.sampled_from(["", "", "the deadman was let go"]),
)


@given(st.lists(st.tuples(ASKS, st.booleans(), st.floats(0.0, 0.5) | NUMBERS), max_size=30))
def test_whatever_is_asked_whenever_the_velocity_keeps_its_range_and_its_acceleration(
    rows: list[tuple[VelocityAsk | None, bool, float]],
) -> None:
    steering, now_s = Steering(LOW, HIGH, SPEC), 0.0
    for ask, is_fresh, later_s in rows:
        before, now_s = steering.velocity, now_s + later_s
        fresh = ask._replace(stamp_s=now_s) if ask is not None and is_fresh else ask
        after = steering.step(fresh, now_s)
        for old, new, low, high, most in zip(before, after, LOW, HIGH, SPEC.acceleration, strict=True):
            assert low <= new <= high
            assert abs(new) <= abs(old) + most * LONGEST_TICK_S + 1e-9
        if steering.reason:
            assert after == NEUTRAL


# The leaf


class Drive:
    """A leaf that steers, and all that a test looks at."""

    def __init__(
        self, minimum_s: float = 1.0, maximum_s: float = 5.0, lead_s: float = 1.1, spec: SteeringSpec = SPEC
    ) -> None:
        self.bench = bench = Bench()
        bench.operator.is_silent = True
        bench.policy.command_names = ("extra", *COMMANDS[::-1])
        bench.policy.command_range = (np.array([-9.0, -0.5, -0.2, -0.3]), np.array([9.0, 0.5, 0.2, 0.6]))
        self.pilot = FakePilot(bench)
        bench.context.pilot = self.pilot
        self.leaf = SteerPolicy(1.0, Duration(minimum_s, maximum_s), spec, bench.context, bench.motion)
        self.tick(lead_s)

    def tick(self, duration_s: float) -> str:
        return self.bench.tick(self.leaf, round(duration_s / TICK_S))

    def tick_to_end(self, limit_s: float) -> str:
        return self.bench.tick_to_end(self.leaf, round(limit_s / TICK_S))

    @property
    def told(self) -> tuple[float, ...]:
        """What the policy was told last: extra, yaw, left, forward."""
        return tuple(self.bench.policy.steps[-1][1])


def test_the_policy_is_told_each_velocity_in_its_own_place() -> None:
    drive = Drive()
    drive.pilot.velocity = Velocity(0.6, -0.2, 0.5)
    drive.tick(1.0)
    assert drive.told == (0.0, 0.5, -0.2, 0.6)
    commands = [tuple(command) for command in drive.bench.judge.commands if command is not None]
    assert commands[-1] == drive.told
    assert commands[0] == (0.0, 0.0, 0.0, 0.0)


def test_while_the_policy_takes_over_nobody_steers() -> None:
    drive = Drive(lead_s=TICK_S)
    drive.pilot.velocity = FORWARD
    drive.tick(0.88)
    assert drive.bench.context.steered == Steered(drive.pilot.asked(-TICK_S), NEUTRAL, HANDOVER)
    assert len(drive.bench.policy.steps) == 45
    assert not any(command.any() for _, command, _ in drive.bench.policy.steps)


def test_what_is_measured_begins_when_the_policy_has_taken_over() -> None:
    drive = Drive(lead_s=0.5)
    context = drive.bench.context
    context.enter_stage(StageHead("drive", "rollout", Knobs(), 60.0, True, {}, ()))
    drive.tick(0.4)
    assert len(drive.bench.judge.begun) == 1
    drive.tick(1.0)
    assert len(drive.bench.judge.begun) == 2


def test_a_lost_pilot_is_told_to_the_policy_in_the_same_tick() -> None:
    drive = Drive()
    drive.pilot.velocity = FORWARD
    drive.tick(1.0)
    assert drive.told[3] == 0.6
    drive.pilot.absence = "the deadman was let go"
    drive.tick(TICK_S)
    assert drive.told == (0.0, 0.0, 0.0, 0.0)
    assert drive.bench.outputs[-1].proposal is not None


def test_a_wish_that_ages_is_none() -> None:
    drive = Drive()
    drive.pilot.velocity = FORWARD
    drive.tick(1.0)
    drive.pilot.age_s = 0.31
    drive.tick(TICK_S)
    assert drive.told == (0.0, 0.0, 0.0, 0.0)


def test_a_second_activation_wants_a_centred_stick_again() -> None:
    drive = Drive()
    drive.pilot.velocity = FORWARD
    drive.tick(1.0)
    drive.leaf.stop(Status.INVALID)
    drive.tick(2.5)
    assert drive.told == (0.0, 0.0, 0.0, 0.0)
    assert drive.leaf.feedback_message == UNCENTRED


def test_it_ends_with_a_stand_when_its_time_is_up() -> None:
    drive = Drive(maximum_s=2.0)
    drive.pilot.velocity = FORWARD
    assert drive.tick(2.0 + STAND_S - 0.2) == "running"
    assert drive.told == (0.0, 0.0, 0.0, 0.0)
    assert drive.tick_to_end(0.3) == "success"
    forward = [command[3] for _, command, _ in drive.bench.policy.steps]
    assert max(forward) == 0.6
    assert all(abs(b - a) <= SPEC.forward_m_per_s2 * TICK_S + 1e-12 for a, b in pairwise(forward))


def test_it_does_not_end_before_the_robot_has_been_told_to_stand() -> None:
    drive = Drive(maximum_s=5.0, spec=SteeringSpec(0.2, 0.2, 0.2, 0.3))
    drive.pilot.velocity = FORWARD
    assert drive.tick(5.0 + STAND_S + 0.5) == "running"
    assert drive.told[3] > 0.0
    assert drive.tick_to_end(1.0) == "success"
    assert drive.told[3] == 0.0


def test_it_ends_when_the_person_confirms_and_not_before_its_minimum() -> None:
    drive = Drive(minimum_s=1.0, maximum_s=100.0)
    assert drive.bench.operator.asked == []
    drive.tick(1.0)
    (offer,) = drive.bench.operator.asked
    assert offer.is_offer
    assert offer.action is OperatorAction.CONFIRM
    assert drive.tick(10.0) == "running"
    drive.bench.operator.is_silent = False
    assert drive.tick(STAND_S - 0.1) == "running"
    assert drive.tick_to_end(0.2) == "success"


def test_what_became_of_a_wish_is_told_in_every_tick_and_in_no_other_stage() -> None:
    drive = Drive(maximum_s=2.0)
    context = drive.bench.context
    drive.pilot.velocity = FORWARD
    drive.tick(1.0)
    assert context.steered is not None
    assert (context.steered.ask, context.steered.told) == (drive.pilot.asked(-TICK_S), FORWARD)
    assert context.steered.reason == ""
    drive.pilot.absence = "the deadman was let go"
    drive.tick(TICK_S)
    assert context.steered.told == NEUTRAL
    assert context.steered.reason == "the deadman was let go"
    drive.tick(1.0)
    assert context.steered.reason == ENDING
    context.begin_tick(context.snapshot, drive.bench.now_s)
    assert context.steered is None
