"""Every leaf does what its rows say, and what holds for all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import pytest

import trees
from supervisor.core.exchange import Request
from tests.trees.leaf_rows import HEAD, TABLE, Row, drill, inventory, settle
from tests.trees.stand_ins import Bench
from trees.base import Condition, Leaf
from trees.context import MissionContext
from trees.stages.parts import EnterStage


def leaf_name(row: Row) -> str:
    return f"{type(row.make(Bench())).__name__}: {row.case}"


@pytest.mark.parametrize("row", TABLE.rows, ids=leaf_name)
def test_ticks_of(row: Row) -> None:
    bench = Bench()
    leaf = row.make(bench)
    if row.open_stage and not isinstance(leaf, (EnterStage, Condition)):
        bench.context.enter_stage(HEAD)
    for ticks, change, expected in row.steps:
        if callable(change):
            change(bench)
        else:
            bench.changes |= change
        assert bench.tick_to_end(leaf, ticks) == expected
    assert row.says in leaf.feedback_message
    faults = [fault.text for fault in bench.context.faults]
    assert [text for text in faults if not text.startswith(row.fault)] == []
    assert bool(faults) == bool(row.fault)


def every_leaf_class() -> Iterator[type[Leaf]]:
    for module in pkgutil.walk_packages(trees.__path__, "trees."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Leaf) and value.__module__ == module.name:
                yield value


def test_every_leaf_stands_in_the_table() -> None:
    tabled = {type(row.make(Bench())) for row in TABLE.rows}
    abstract = {"Leaf", "Condition", "MovingLeaf", "WaitingLeaf", "_Press", "_Asking"}
    missing = {leaf.__name__ for leaf in every_leaf_class() if leaf not in tabled} - abstract
    assert missing == set()


@pytest.mark.parametrize("row", TABLE.rows, ids=leaf_name)
def test_ending_a_leaf_twice_neither_raises_nor_commands(row: Row) -> None:
    bench = Bench()
    leaf = row.make(bench)
    bench.tick(leaf)
    requests = bench.context.request_number
    bench.context.begin_tick(bench.context.snapshot, bench.now_s)
    for status in ("INVALID", "INVALID", "FAILURE"):
        leaf.stop(type(leaf.status)[status])
    assert bench.context.proposal is None
    assert bench.context.request_number == requests


@pytest.mark.parametrize("row", TABLE.rows, ids=leaf_name)
def test_a_leaf_is_built_without_a_robot(row: Row) -> None:
    bench = Bench()
    bench.context = MissionContext.unwired()
    assert row.make(bench).status.value == "INVALID"


@pytest.mark.parametrize(
    ("make", "request_kind"), [(inventory, Request.INVENTORY), (drill, Request.DRILL), (settle, Request.SETTLE)]
)
def test_a_request_is_made_once(make: Callable[[Bench], Leaf], request_kind: Request) -> None:
    bench = Bench()
    bench.tick(make(bench), 20)
    assert {(output.request, output.request_number) for output in bench.outputs} == {(request_kind, 1)}


def test_conditions_are_never_running() -> None:
    for row in TABLE.rows:
        bench = Bench()
        leaf = row.make(bench)
        if isinstance(leaf, Condition):
            assert bench.tick(leaf) in ("success", "failure")
