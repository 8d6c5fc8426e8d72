from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.canopen import states
from drivers.can.canopen.states import DriveStateMachine, State, Wish

OFF = (State.NOT_READY_TO_SWITCH_ON, State.UNKNOWN, State.START, State.FAULT, State.FAULT_REACTION_ACTIVE)


class Drive:
    """A drive that follows the profile's diagram, written apart from the code under test."""

    def __init__(self, state: State = State.SWITCH_ON_DISABLED) -> None:
        self.state = state
        self.last = 0xFFFF
        self.visited = [state]

    def tell(self, word: int) -> None:
        rising = word & 0x80 and not self.last & 0x80
        self.last = word
        command = word & 0x8F
        is_moving = self.state in (State.OPERATION_ENABLED, State.QUICK_STOP_ACTIVE)
        if self.state is State.FAULT:
            self.state = State.SWITCH_ON_DISABLED if rising else State.FAULT
        elif self.state is State.SWITCH_ON_DISABLED:
            self.state = State.READY_TO_SWITCH_ON if command & 0x87 == 0x06 else self.state
        elif command & 0x82 == 0x00:
            self.state = State.SWITCH_ON_DISABLED
        elif command & 0x86 == 0x02:
            self.state = State.QUICK_STOP_ACTIVE if is_moving else State.SWITCH_ON_DISABLED
        elif self.state is not State.QUICK_STOP_ACTIVE:
            self.state = {0x06: State.READY_TO_SWITCH_ON, 0x07: State.SWITCHED_ON}.get(command & 0x8F, self.state)
            if command == 0x0F and State.SWITCHED_ON in self.visited:
                self.state = State.OPERATION_ENABLED
        if self.state is not self.visited[-1]:
            self.visited.append(self.state)


def run(drive: Drive, wish: Wish, cycles: int = 8) -> Drive:
    machine = DriveStateMachine()
    for _ in range(cycles):
        drive.tell(machine.controlword(drive.state, wish))
    return drive


@given(st.integers(0, 0xFFFF))
def test_a_statusword_fits_at_most_one_state(statusword: int) -> None:
    fitting = [state for mask, value, state in states.STATE_MASKS if statusword & mask == value]
    assert len(fitting) <= 1
    assert states.decode_statusword(statusword).state is (fitting[0] if fitting else State.UNKNOWN)


def test_enabling_goes_one_state_at_a_time_and_stays() -> None:
    assert run(Drive(), Wish.ENABLED).visited == [
        State.SWITCH_ON_DISABLED,
        State.READY_TO_SWITCH_ON,
        State.SWITCHED_ON,
        State.OPERATION_ENABLED,
    ]


def test_disabling_cuts_the_output_at_once() -> None:
    drive = run(Drive(), Wish.ENABLED)
    assert run(drive, Wish.DISABLED, cycles=1).state is State.SWITCH_ON_DISABLED


def test_a_quick_stop_is_held_and_left_by_way_of_disabled() -> None:
    drive = run(Drive(), Wish.ENABLED)
    assert run(drive, Wish.STOPPED_QUICKLY).state is State.QUICK_STOP_ACTIVE
    drive.visited = [drive.state]
    run(drive, Wish.ENABLED)
    assert drive.visited[:2] == [State.QUICK_STOP_ACTIVE, State.SWITCH_ON_DISABLED]


@pytest.mark.parametrize("wish", [Wish.ENABLED, Wish.DISABLED, Wish.STOPPED_QUICKLY])
def test_a_fault_stays_unless_clearing_is_the_wish(wish: Wish) -> None:
    assert run(Drive(State.FAULT), wish).visited == [State.FAULT]


def test_clearing_a_fault_never_enables() -> None:
    assert run(Drive(State.FAULT), Wish.FAULT_CLEARED).visited == [State.FAULT, State.SWITCH_ON_DISABLED]


def test_a_reset_is_a_rising_edge_even_when_the_first_was_not_heard() -> None:
    machine = DriveStateMachine()
    words = [machine.controlword(State.FAULT, Wish.FAULT_CLEARED) for _ in range(4)]
    assert words == [0x00, 0x80, 0x00, 0x80]


@given(st.sampled_from(State), st.sampled_from(Wish))
def test_only_the_wish_to_enable_leads_towards_enabled(state: State, wish: Wish) -> None:
    word = DriveStateMachine().controlword(state, wish)
    if wish is not Wish.ENABLED or state in (*OFF, State.QUICK_STOP_ACTIVE):
        assert word in (states.DISABLE_VOLTAGE, states.QUICK_STOP)


@given(st.sampled_from([s for s in State if s not in OFF]))
def test_every_step_towards_enabled_is_a_transition_of_the_profile(state: State) -> None:
    drive = Drive(state)
    drive.visited = [State.SWITCHED_ON, state]
    before = drive.state
    word = DriveStateMachine().controlword(state, Wish.ENABLED)
    drive.tell(word)
    if drive.state is not before:
        assert states.TRANSITIONS[before, drive.state] == word


def test_the_tables_are_those_of_the_canopen_library() -> None:
    p402 = pytest.importorskip("canopen.profiles.p402", reason="the canopen library is not installed")
    for statusword in range(0x10000):
        theirs = [name for name, (mask, value) in p402.State402.SW_MASK.items() if statusword & mask == value]
        ours = states.decode_statusword(statusword).state
        assert [ours.value] == (theirs or ["UNKNOWN"])
    theirs = {(State(a), State(b)): word for (a, b), word in p402.State402.TRANSITIONTABLE.items()}
    assert theirs == dict(states.TRANSITIONS)
