"""Frozen dataclasses made quickly are still what dataclasses are."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field

import pytest

from supervisor.core.command import Actuation, JointCommand, Proposal
from supervisor.core.exchange import PolicyHealth, Snapshot
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.core.quick import quickly_made
from supervisor.core.state import BaseVelocity, RobotState
from supervisor.safety.decision import Decision

QUICK = (
    *(Actuation, BaseVelocity, Decision, GuardBoard, GuardReading),
    *(JointCommand, PolicyHealth, Proposal, RobotState, Snapshot),
)


@quickly_made
@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 2.0


@pytest.mark.parametrize("kind", QUICK)
def test_every_quick_class_takes_its_fields_in_order_and_by_name(kind):
    names = [f.name for f in dataclasses.fields(kind)]
    in_order, by_name = kind(*range(len(names))), kind(**{name: i for i, name in enumerate(names)})
    assert type(in_order) is type(by_name) is kind
    assert [getattr(in_order, name) for name in names] == list(range(len(names)))
    assert [getattr(by_name, name) for name in names] == list(range(len(names)))
    assert list(inspect.signature(kind).parameters) == names


@pytest.mark.parametrize("kind", QUICK)
def test_every_quick_class_is_still_frozen(kind):
    names = [f.name for f in dataclasses.fields(kind)]
    made = kind(*range(len(names)))
    for name in names:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 5)
    assert not hasattr(made, "__dict__")


def test_defaults_equality_hash_replace_and_copies_are_those_of_a_dataclass():
    point = Point(1.0)
    assert (point.x, point.y) == (1.0, 2.0)
    assert point == Point(1.0, 2.0) != Point(1.0, 3.0)
    assert hash(point) == hash(Point(1.0, 2.0))
    assert dataclasses.replace(point, y=4.0) == Point(1.0, 4.0)
    assert repr(point) == "Point(x=1.0, y=2.0)"
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point


@pytest.mark.parametrize(("arguments", "keys"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 3})])
def test_missing_and_unknown_fields_are_refused(arguments, keys):
    with pytest.raises(TypeError, match=r"Point|__init__"):
        Point(*arguments, **keys)


def test_a_guard_reading_keeps_its_properties():
    reading = GuardReading("tilt", GuardValue.OK, 0.5, 2.0, "rad", -1, False, Level.DAMP, float("nan"))
    assert (reading.margin, reading.margin_fraction) == (1.5, 0.75)


@quickly_made
@dataclass(frozen=True, slots=True)
class Listing:
    items: list[int] = field(default_factory=list)


def test_a_default_that_is_made_is_made_anew_each_time():
    first, second = Listing(), Listing()
    assert first.items == second.items == []
    assert first.items is not second.items


@dataclass(frozen=True)
class Roomy:
    x: float


@dataclass(frozen=True, slots=True)
class Further(Point):
    z: float = 0.0


@dataclass(frozen=True, slots=True)
class Checked:
    x: float

    def __post_init__(self) -> None:
        assert self.x > 0.0


@pytest.mark.parametrize("kind", [Further, Roomy, Checked])
def test_what_is_not_plain_is_refused(kind):
    with pytest.raises(TypeError, match="not a plain frozen dataclass"):
        quickly_made(kind)
