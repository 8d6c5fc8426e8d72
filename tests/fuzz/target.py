"""One row of the campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fuzz.inputs import Batch
from tests.fuzz.subjects import Subject


class Source(Protocol):
    """Makes inputs."""

    def batch(self, seed: int, number: int, count: int) -> Batch:
        """One batch, always the same for the same numbers."""
        ...


@dataclass(frozen=True)
class Target:
    """One decoder, parser or device.

    Attributes:
        name: As the table shows it.
        source: Of its inputs.
        make: Makes it, fresh.
        covers: The functions and classes of `drivers` that it tries; a test looks whether any is missing.
        lives: Inputs after which it is made anew, so that what happens at the start is tried often.
    """

    name: str
    source: Source
    make: Callable[[], Subject]
    covers: tuple[Callable[..., Any], ...] = field(default=())
    lives: int = 1 << 30
