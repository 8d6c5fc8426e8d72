"""What a tick of the default mission's tree costs, and what stock py_trees leaves would cost in the same tree.

python -m benchmarks.tree_tick [--ticks 5000]

Both trees have the same composites and names and tick the same nodes in every tick: the guards of pup and the leaf
that the ladder stands on. The stock tree's leaves derive from `py_trees.behaviour.Behaviour` and read the same board.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from py_trees.behaviour import Behaviour
from py_trees.common import Status
from py_trees.composites import Selector, Sequence

from benchmarks.harness import Measurement, Row, us
from supervisor.core.command import JointCommand
from supervisor.core.exchange import GateCounts, Snapshot
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.robot_file import load_robot
from supervisor.core.safety import SafetyConfig
from trees.base import Leaf
from trees.conditions.guards import GuardIsOk
from trees.context import MissionContext
from trees.missions.loader import load_mission
from trees.missions.root import create_root

FOLDER = Path(__file__).resolve().parent.parent


class StockGuard(Behaviour):
    """The guard question on py_trees' own leaf."""

    def __init__(self, name: str, context: MissionContext, index: int, guard: str) -> None:
        super().__init__(name)
        self.context, self.index, self.guard = context, index, guard

    def update(self) -> Status:
        """The guard's answer."""
        reading = self.context.snapshot.board.readings[self.index]
        return Status.SUCCESS if reading.id == self.guard and not reading.tripped else Status.FAILURE


class StockLeaf(Behaviour):
    """Any other leaf on py_trees' own: the same answer in every tick."""

    def __init__(self, name: str, answer: Status) -> None:
        super().__init__(name)
        self.answer = answer

    def update(self) -> Status:
        """The same in every tick."""
        return self.answer


class Constant(Leaf):
    """A leaf of ours with the same answer in every tick: what the leaf itself does is not the tree's cost."""

    def __init__(self, name: str, context: MissionContext, answer: Status) -> None:
        super().__init__(name, context)
        self.answer = answer

    def update(self) -> Status:
        """The same in every tick."""
        return self.answer


def snapshot_of(safety: SafetyConfig) -> Snapshot:
    readings = tuple(
        GuardReading(r.id, GuardValue.OK, 0.0, r.limit, r.unit, -1, False, r.level, float("nan")) for r in safety.guards
    )
    zero = np.zeros(12)
    return Snapshot(
        state=None,  # type: ignore[arg-type]
        board=GuardBoard(readings, Level.NONE),
        level=Level.NONE,
        arming=ArmingState.RUNNING,
        refusals=(),
        stop=None,
        is_at_rest=False,
        applied=JointCommand(zero, zero, zero, zero, zero),
        inventory=(),
        drill=None,
        gate=GateCounts(),
        buses={},
    )


def copy_of(node: Behaviour, leaf: Callable[[Behaviour], Behaviour]) -> Behaviour:
    """The same composites around other leaves."""
    if isinstance(node, (Sequence, Selector)):
        return type(node)(node.name, node.memory, [copy_of(child, leaf) for child in node.children])
    return leaf(node)


def answer_of(node: Behaviour) -> Status:
    """What every leaf but the guards answers, so that the ladder stands on its sixth rung."""
    passed = {f"StageIsPassed {name}" for name in ("preflight", "observe", "stand", "zero_action", "single_joint")}
    if node.name.startswith("StageIsPassed"):
        return Status.SUCCESS if node.name in passed else Status.FAILURE
    return Status.RUNNING if node.name == "RunPolicy" else Status.SUCCESS


def ticked(root: Behaviour) -> int:
    return sum(1 for _ in root.tick())


def durations_us(root: Behaviour, ticks: int) -> np.ndarray:
    timer = time.perf_counter
    found = np.empty(ticks)
    for i in range(ticks):
        began = timer()
        root.tick_once()
        found[i] = timer() - began
    return found * 1e6


def measure(ticks: int) -> tuple[int, dict[str, Measurement]]:
    """Tick both trees in turns.

    Returns:
        How many nodes a tick visits, and what it costs by tree: "ours" and "stock py_trees".
    """
    safety = load_robot(FOLDER / "config" / "robots" / "pup").safety
    mission = load_mission(FOLDER / "config" / "missions" / "deployment.yaml", safety)
    context = MissionContext.unwired()
    drawn = create_root(None, mission, safety)
    context.begin_tick(snapshot_of(safety), 0.0)

    def ours(node: Behaviour) -> Behaviour:
        if isinstance(node, GuardIsOk):
            return GuardIsOk(node.row, [row.id for row in safety.guards].index(node.row.id), context)
        return Constant(node.name, context, answer_of(node))

    def stock(node: Behaviour) -> Behaviour:
        if isinstance(node, GuardIsOk):
            return StockGuard(node.name, context, [row.id for row in safety.guards].index(node.row.id), node.row.id)
        return StockLeaf(node.name, answer_of(node))

    trees = {"ours": copy_of(drawn, ours), "stock py_trees": copy_of(drawn, stock)}
    for root in trees.values():
        durations_us(root, 200)
    counts = {name: ticked(root) for name, root in trees.items()}
    assert len(set(counts.values())) == 1, counts
    gc.disable()
    found: dict[str, list[np.ndarray]] = {name: [] for name in trees}
    for _ in range(10):
        # In turns: a machine that slows down slows both.
        for name, root in trees.items():
            found[name].append(durations_us(root, ticks // 10))
    gc.enable()
    return counts["ours"], {name: Measurement.of([np.concatenate(parts) * 1e-6]) for name, parts in found.items()}


def rows() -> Iterator[Row]:
    """Our leaves against py_trees' own, in the same tree."""
    nodes, found = measure(5000)
    ours, stock = found["ours"], found["stock py_trees"]
    ratio = ours.median_us / stock.median_us
    yield Row(f"tree alone, {nodes} nodes ticked", us(ours))
    yield Row("— against stock py_trees leaves", f"{ratio:.2f} ×", "≤ 0.8 ×", ratio <= 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=5000)
    nodes, found = measure(parser.parse_args().ticks)
    print(f"deployment on pup: {nodes} nodes in a tick")
    for name, measurement in found.items():
        print(f"{name:16s} {us(measurement)}")
    print(f"ratio            {found['ours'].median_us / found['stock py_trees'].median_us:.2f}")


if __name__ == "__main__":
    main()
