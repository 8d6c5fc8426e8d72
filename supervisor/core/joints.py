"""The order in which joint arrays are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""A float64 array of shape (n,), one value per joint unless said otherwise."""


def frozen_vector(values: Iterable[float]) -> Vector:
    """A read-only float64 copy of `values`."""
    vector = np.array(list(values), dtype=np.float64)
    vector.flags.writeable = False
    return vector


class JointOrder:
    """Joint names in the order of an array. Two orders are equal when their names are.

    Raises:
        ValueError: A name twice, or none at all.
    """

    __slots__ = ("_index", "names")

    def __init__(self, names: Iterable[str]) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self._index: Mapping[str, int] = {name: i for i, name in enumerate(self.names)}
        if not self.names or len(self._index) != len(self.names):
            raise ValueError(f"joint names must be unique and at least one, got {list(self.names)}")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JointOrder) and other.names == self.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"JointOrder({list(self.names)})"

    def index(self, name: str) -> int:
        """Position of a joint in the array.

        Raises:
            KeyError: The joint is not in this order.
        """
        return self._index[name]

    def indices_of(self, names: Iterable[str]) -> NDArray[np.intp]:
        """Positions of several joints, so that `array[indices]` is in the order of `names`."""
        return np.array([self._index[name] for name in names], dtype=np.intp)

    def vector(self, values: Mapping[str, float]) -> Vector:
        """Lay out a mapping by joint name as a read-only array.

        Raises:
            KeyError: A joint of this order is missing, or a name is unknown.
        """
        unknown = [name for name in values if name not in self._index]
        if unknown:
            raise KeyError(f"unknown joints {unknown}; allowed: {list(self.names)}")
        return frozen_vector(values[name] for name in self.names)
