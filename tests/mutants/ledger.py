"""What became of the mutants, and which of those that survive are known to change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from supervisor.core.loading import read_document


class Fate(Enum):
    """How a mutant ended."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a mutant is, in words that outlive its running number.

    Args:
        module: Dotted name.
        function: In the module; `Class.method` for a method.
        was: The lines that it replaces, on one line.
        becomes: What stands there instead; nothing where lines are left out.
    """

    module: str
    function: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.module} {self.function}: {self.was} → {self.becomes or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One of them.

    Args:
        module: Dotted name.
        fate: How it ended.
        change: What it is; None where it was killed: nobody asks.
    """

    module: str
    fate: Fate
    change: Change | None = None


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    function: str
    was: str
    becomes: str
    times: int = Field(default=1, ge=1)


class Group(BaseModel):
    """Mutants of one module that are equivalents for one reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    reason: str = Field(min_length=20)
    mutants: tuple[_Row, ...] = Field(min_length=1)

    def changes(self) -> Counter[Change]:
        """Each of them, with how often it is made."""
        counts: Counter[Change] = Counter()
        for row in self.mutants:
            counts[Change(self.module, row.function, row.was, row.becomes)] += row.times
        return counts


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: int = Field(alias="schema", ge=1, le=1)
    equivalents: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The survivors held against the list.

    Args:
        surviving: Survivors that are not listed, each with how many there are.
        gone: Listed ones that were killed or are no longer made.
        equivalent: Listed ones that survived.
    """

    surviving: Counter[Change]
    gone: Counter[Change]
    equivalent: Counter[Change]

    @property
    def is_well(self) -> bool:
        """Whether the list says what was found."""
        return not self.surviving and not self.gone


def read_equivalents(path: Path) -> tuple[Group, ...]:
    """The list.

    Raises:
        ConfigError: Cannot be read.
        ValueError: Does not say what it should.
    """
    return _File.model_validate(read_document(path).value).equivalents


def held_against(mutants: Iterable[Mutant], groups: Sequence[Group]) -> Verdict:
    """Compare the survivors with the list, each as often as it is made."""
    survived = Counter(m.change for m in mutants if m.fate is Fate.SURVIVED and m.change is not None)
    listed = sum((group.changes() for group in groups), Counter[Change]())
    return Verdict(surviving=survived - listed, gone=listed - survived, equivalent=survived & listed)
