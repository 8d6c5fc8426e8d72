"""What a fault in real time is judged by: made-up frames, and how tries are told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.faults.aftermath import FRAME, Aftermath, _hear
from benchmarks.faults.processes import Tried
from benchmarks.faults.report import processes_report

COMMANDS = {"damp": "7fff7ff0006667ff", "drive": "7fff7ff2006667ff", "cut": "f" * 15 + "d", "enable": "f" * 15 + "c"}
SOUND = Aftermath("motor_age", "DAMP", 20.0, 19.0, 3020.0, 18.0, "DAMP", "cut, upright, at rest", "whole", ())


def command(when_s: float, what: str, bus: int = 0, motor: int = 1) -> tuple[int, float, bytes]:
    return bus, when_s, FRAME.pack(motor, 8, bytes.fromhex(COMMANDS[what]))


def answer(when_s: float, *, is_on: bool, bus: int = 0, motor: int = 1) -> tuple[int, float, bytes]:
    return bus, when_s, FRAME.pack(16 + motor, 8, bytes((is_on << 4 | motor, 0x7F, 0xFF, 0, 0, 0, 25, 25)))


def test_the_first_safe_word_to_a_motor_counts_and_what_came_before_the_cause_does_not() -> None:
    frames = [command(9.9, "cut"), command(10.01, "drive"), command(10.03, "damp"), command(10.04, "damp")]
    motor = _hear(frames, 10.0)[0]
    assert motor.first == "DAMP"
    assert motor.told_s == 10.03


def test_silence_counts_while_a_motor_is_on_and_ends_with_its_word_that_it_is_off() -> None:
    frames = [command(10.01, "drive"), command(10.04, "cut"), answer(10.05, is_on=False), command(12.0, "cut")]
    motor = _hear(frames, 10.0)[0]
    assert motor.gap_s == pytest.approx(0.03)
    assert motor.off_s == 10.05
    assert not motor.is_on


def test_a_motor_that_is_told_to_switch_on_again_is_noticed() -> None:
    assert _hear([command(10.1, "cut"), command(10.2, "enable")], 10.0)[0].enabled_again == 1


def test_each_motor_is_heard_on_its_own_bus() -> None:
    motors = _hear([command(10.1, "cut", bus=1, motor=3)], 10.0)
    assert [i for i, motor in enumerate(motors) if motor.first] == [5]


def test_a_fault_that_ends_badly_and_one_that_was_not_tried_are_told() -> None:
    bad = replace(SOUND, problems=("12 motors last said that they are on",))
    tries = [Tried("a", SOUND, "", 0.0), Tried("b", bad, "", 0.0), Tried("c", None, "it did not start", 0.0)]
    text = processes_report(tries, "stand", "")
    assert "- b: 12 motors last said that they are on" in text
    assert "- c: not tried: it did not start" in text
    assert "- a:" not in text


def test_what_nobody_had_to_stop_has_no_times() -> None:
    planned = replace(SOUND, guard="", stopped_ms=20_000.0, off_ms=22_000.0, gap_ms=4.0, told_ms=math.nan)
    assert "| a | none |  | - | - | - | 4 |" in processes_report([Tried("a", planned, "", 0.0)], "stand", "")
