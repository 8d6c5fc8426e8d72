"""The history of an observation: past time steps, in the stated order, layout and fill."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supervisor.policy.contract import Contract, Term
from supervisor.policy.session import Tensor


class History:
    """The last time steps of one policy, and the table that lays them out as the network wants them.

    Args:
        contract: At least one of its terms has a history.
        observation: (width,) the network's input, written by `push`.

    Attributes:
        newest: (frame_width,) where the newest time step is written before `push`.
    """

    __slots__ = ("_filled", "_is_first", "_observation", "_past", "_table", "newest")

    def __init__(self, contract: Contract, observation: Tensor) -> None:
        config = contract.observation
        length = max(term.length for term in config.terms)
        self._past: Tensor = np.zeros((length, config.frame_width), np.float32)
        self.newest: Tensor = np.zeros(config.frame_width, np.float32)
        self._observation = observation
        ages_and_values = layout(config.terms, config.layout)
        self._table = np.array([age * config.frame_width + value for age, value in ages_and_values], np.intp)
        fills = [term.history is not None and term.history.fill == "first" for term in config.terms]
        self._filled = np.repeat(fills, [term.dim for term in config.terms])
        self._is_first = True

    def reset(self) -> None:
        """Forget everything."""
        self._past[:] = 0.0
        self._is_first = True

    def push(self) -> None:
        """Take `newest` in and write the observation."""
        past = self._past
        if self._is_first:
            past[:, self._filled] = self.newest[self._filled]
            self._is_first = False
        else:
            past[1:] = past[:-1]
        past[0] = self.newest
        past.ravel().take(self._table, None, self._observation, "clip")


def layout(terms: Sequence[Term], order: str) -> list[tuple[int, int]]:
    """For each value of the network's input: how many steps old it is, and which value of a time step it is."""
    values: list[range] = []
    first = 0
    for term in terms:
        values.append(range(first, first + term.dim))
        first += term.dim
    if order == "term_major":
        return [(age, value) for term, span in zip(terms, values, strict=True) for age in _ages(term) for value in span]
    framed = [i for i, term in enumerate(terms) if term.history is not None]
    result: list[tuple[int, int]] = []
    for i, term in enumerate(terms):
        if term.history is None:
            result += [(0, value) for value in values[i]]
        elif i == framed[0]:
            result += [(age, value) for age in _ages(term) for k in framed for value in values[k]]
    return result


def _ages(term: Term) -> range:
    """The ages of a term's values in the order in which they stand, in steps."""
    if term.history is not None and term.history.order == "oldest_first":
        return range(term.length - 1, -1, -1)
    return range(term.length)
