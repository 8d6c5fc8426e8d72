from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Callable, Iterator

import pytest

from supervisor.guardian import scheduling


@pytest.fixture(autouse=True)
def _garbage_is_collected_again() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


class Libc:
    def __init__(self, result: int) -> None:
        self.result = result

    def mlockall(self, flags: int) -> int:
        assert flags == 3
        return self.result


def loader(result: int) -> Callable[..., Libc]:
    def load(name: None, *, use_errno: bool) -> Libc:
        # Of this very process; without errno nobody would know why it was refused.
        assert (name, use_errno) == (None, True)
        return Libc(result)

    return load


def test_what_is_given_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(scheduling.ctypes, "CDLL", loader(0))
    monkeypatch.setattr(
        scheduling.os,
        "sched_setscheduler",
        lambda pid, policy, param: asked.append((pid, policy, param.sched_priority)),
    )
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(scheduling.resource, "setrlimit", lambda kind, both: limits.append((kind, both)))
    assert scheduling.take(61, locks_memory=True) == [
        "memory: locked",
        "SCHED_FIFO 61: taken",
        "ended after 0.1 s without a pause: limited",
    ]
    assert asked == [(0, os.SCHED_FIFO, 61)]
    assert limits == [(resource.RLIMIT_RTTIME, (100_000, 200_000))]
    assert not gc.isenabled()


def test_what_is_refused_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, policy: int, param: os.sched_param) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(scheduling.ctypes, "CDLL", loader(-1))
    monkeypatch.setattr(scheduling.os, "sched_setscheduler", refuse)
    ctypes.set_errno(12)
    assert scheduling.take(61, locks_memory=True) == [
        "memory: Cannot allocate memory",
        "SCHED_FIFO 61: Operation not permitted",
    ]


def test_a_limit_that_is_refused_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, both: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(scheduling.os, "sched_setscheduler", lambda *_: None)
    monkeypatch.setattr(scheduling.resource, "setrlimit", refuse)
    assert scheduling.take(61, locks_memory=False)[-1] == (
        "ended after 0.1 s without a pause: not allowed to raise maximum limit"
    )


def test_what_is_not_wanted_is_not_asked_for() -> None:
    assert scheduling.take(0, locks_memory=False) == []
