"""Refuses tree shapes that do not withhold motion when a guard fails. Each was seen to move a robot on.

A guard is any of our conditions about the robot; a mover is any leaf that proposes commands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from py_trees import decorators
from py_trees.behaviour import Behaviour
from py_trees.common import ParallelPolicy
from py_trees.composites import Composite, Parallel, Selector, Sequence
from py_trees.decorators import Decorator

from trees.base import Condition, Leaf
from trees.conditions.guards import GuardIsOk
from trees.conditions.state import NoStopLatched

_FORBIDDEN: Final = {
    "EternalGuard": "takes RUNNING and INVALID for yes, and its condition is not one of our leaves",
    "FailureIsSuccess": "turns a failed guard into a passed one",
    "FailureIsRunning": "turns a failed guard into a waiting one",
    "RunningIsSuccess": "turns a waiting leaf into a finished one",
    "SuccessIsRunning": "keeps a finished leaf alive",
    "SuccessIsFailure": "turns a passed guard into a failed one",
    "RunningIsFailure": "ends a leaf that is still busy",
    "Inverter": "turns a failed guard into a passed one",
    "Condition": "turns every status but the awaited one into RUNNING",
    "OneShot": "remembers across activations and cannot be reset",
    "Timeout": "looks only after its child's tick, and on another clock than ours",
    "Count": "is not needed here",
    "PassThrough": "is not needed here",
    "ForEach": "reads the global blackboard",
    "StatusToBlackboard": "writes to the global blackboard",
    "Repeat": "treats a malformed result as RUNNING",
    "Retry": "treats a malformed result as SUCCESS, and asks a failed guard again",
}


def lint(root: Behaviour) -> list[str]:
    """Every reason not to tick a tree; empty when its shape withholds motion.

    Args:
        root: The tree.
    """
    problems: list[str] = []
    for node in walk(root):
        place = path_of(node)
        for text in _node_problems(node):
            problems.append(f"{place}: {text}")  # noqa: PERF401 - one line per problem reads better
    return problems


def walk(node: Behaviour) -> Iterator[Behaviour]:
    """All nodes, parents first, children in order."""
    yield node
    for child in node.children:
        yield from walk(child)


def path_of(node: Behaviour) -> str:
    """Names from the root to a node; what the record and messages identify a node by."""
    names = [node.name]
    while node.parent is not None:
        node = node.parent
        names.append(node.name)
    return "/".join(reversed(names))


def _node_problems(node: Behaviour) -> Iterator[str]:
    if isinstance(node, Decorator):
        yield from _decorator_problems(node)
    elif isinstance(node, Composite):
        yield from _composite_problems(node)
    elif not isinstance(node, Leaf):
        yield f"{type(node).__name__} is not one of our leaves; allowed: nodes derived from trees.base.Leaf"
    if isinstance(node, Leaf) and node.drives and not _has_guards_above(node):
        yield "proposes commands with no guard above it; allowed: in a Sequence(memory=False) that begins with guards"


def _decorator_problems(node: Decorator) -> Iterator[str]:
    kind = type(node).__name__
    reason = _FORBIDDEN.get(kind, "is not a decorator whose results were examined")
    yield f"the decorator {kind} {reason}; allowed: no decorator"
    if isinstance(node, (decorators.Retry, decorators.Repeat)) and any(_is_guard(inner) for inner in walk(node)):
        yield f"{kind} over a guard asks until it says yes; allowed: a guard is asked once a tick"


def _composite_problems(node: Composite) -> Iterator[str]:
    kind = type(node).__name__
    if type(node) not in (Sequence, Selector, Parallel):
        yield f"{kind} is not a stock composite; allowed: Sequence and Selector"
    if not node.children:
        yield f"{kind} without children; a list of guards that failed to load would read as all is well"
    for name, count in Counter(child.name for child in node.children).items():
        if count > 1:
            yield f"{count} children called {name!r}; allowed: each name once, the record goes by paths"
    for child in node.children:
        if child.parent is not node:
            yield f"{child.name} has another parent; allowed: each node once"
    if isinstance(node, Parallel):
        yield from _parallel_problems(node)
    elif type(getattr(node, "memory", None)) is not bool:
        yield f"memory of this {kind} is not set; allowed: True or False, written out"
    elif isinstance(node, Sequence):
        yield from _sequence_problems(node)
    elif isinstance(node, Selector):
        yield from _selector_problems(node)


def _parallel_problems(node: Parallel) -> Iterator[str]:
    if isinstance(node.policy, ParallelPolicy.SuccessOnOne):
        yield "SuccessOnOne succeeds while a guard fails; allowed: no Parallel"
    if any(_is_guard(child) for child in node.children):
        yield "Parallel as a guard ticks the action also when the guard has failed; allowed: Sequence(memory=False)"
    if any(isinstance(inner, Leaf) and inner.drives for inner in walk(node)):
        yield "Parallel over a leaf that proposes commands; allowed: one proposal a tick"


def _sequence_problems(node: Sequence) -> Iterator[str]:
    guards = [i for i, child in enumerate(node.children) if _is_guard(child)]
    others = [i for i, child in enumerate(node.children) if not isinstance(child, Condition)]
    if not guards:
        return
    if node.memory and not _has_guards_above(node):
        yield "memory=True asks its guards once only, and no reactive guard stands above; allowed: memory=False"
    if others and max(guards) > min(others):
        yield "a guard after an action is asked too late; allowed: guards first"


def _selector_problems(node: Selector) -> Iterator[str]:
    """The pre-empting order: a safe branch before the mission runs before the mission's leaves have ended."""
    moving = [any(isinstance(inner, Leaf) and inner.drives for inner in walk(child)) for child in node.children]
    if True not in moving:
        return
    first = moving.index(True)
    # Only a reactive selector pre-empts; with memory the earlier choices are over.
    if not node.memory and first > 0:
        yield "the safe branch stands before the mission: it would run before the mission's leaves have ended"
    if any(_is_guard(child) for child in node.children):
        yield "a guard as one choice of a Selector does not withhold the other; allowed: guards in a Sequence"


def _is_guard(node: Behaviour) -> bool:
    return isinstance(node, (GuardIsOk, NoStopLatched))


def _has_guards_above(node: Behaviour) -> bool:
    """Whether some ancestor is a reactive Sequence that asks the latch and at least one guard before this branch."""
    child = node
    while (parent := child.parent) is not None:
        if type(parent) is Sequence and parent.memory is False and child in parent.children:
            before = parent.children[: parent.children.index(child)]
            if any(isinstance(b, NoStopLatched) for b in before) and any(isinstance(b, GuardIsOk) for b in before):
                return _is_reactive_to(parent)
        child = parent
    return False


def _is_reactive_to(node: Behaviour) -> bool:
    """Whether a node is ticked from its first child on in every tick: no memory between it and the root."""
    while (parent := node.parent) is not None:
        if not isinstance(parent, (Sequence, Selector)) or parent.memory is not False or parent.children[0] is not node:
            return False
        node = parent
    return True
