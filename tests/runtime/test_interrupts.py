"""Ctrl-C and SIGTERM are counted, and nothing else changes in the process."""

from __future__ import annotations

import signal
import threading

import pytest

from supervisor.runtime.interrupts import SIGNALS, Interrupts


def handlers() -> list[object]:
    """What is installed now."""
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_counted_and_interrupts_nothing(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        assert interrupts.take() == 0
        signal.raise_signal(number)
        assert interrupts.take() == 1
        assert interrupts.take() == 0


def test_signals_of_both_kinds_add_up() -> None:
    with Interrupts() as interrupts:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        assert interrupts.take() == 3


def test_the_handlers_before_are_back_afterwards_also_after_an_error() -> None:
    before = handlers()
    with Interrupts():
        assert handlers() != before
    assert handlers() == before
    with pytest.raises(RuntimeError), Interrupts():
        raise RuntimeError
    assert handlers() == before


def test_outside_the_main_thread_nothing_is_installed() -> None:
    before = handlers()
    seen: list[object] = []

    def body() -> None:
        with Interrupts() as interrupts:
            seen.extend([handlers() == before, interrupts.take()])

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [True, 0]
    assert handlers() == before
