"""The guardian and a control process, for real: what is killed, stopped or hung is answered on the bus."""

from __future__ import annotations

import os
import signal
import tty
from pathlib import Path

import pytest

from supervisor.guardian.latch import Left, read_latch
from supervisor.guardian.watch import Fault
from tests.guardian.rig import CUT, DAMP, GuardedRig, by_native_call, by_signal, next_line

SOON_S = 0.5
"""This machine stands still for hundreds of milliseconds at times: the figures are for `benchmarks/guardian.py`."""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_control_process_that_is_killed_or_stopped_is_damped_for_and_then_cut(tmp_path: Path, number: int) -> None:
    with GuardedRig(tmp_path) as rig:
        taken_s, raw = rig.after(by_signal(number))
        assert raw == DAMP
        assert taken_s < SOON_S
        found = rig.heard(0.25)
        assert rig.control.wait(5.0) == -signal.SIGKILL
    first = found.index(CUT)
    assert set(found[:first]) == {DAMP}
    assert set(found[first:]) == {CUT}
    assert read_latch(tmp_path / "latch").left is Left.STOPPED


def test_a_native_call_that_keeps_the_interpreter_is_damped_for_and_does_not_come_back(tmp_path: Path) -> None:
    with GuardedRig(tmp_path, seconds=0.1, then="hang") as rig:
        taken_s, raw = rig.after(by_native_call)
        assert raw == DAMP
        assert taken_s < SOON_S
        assert rig.control.wait(5.0) == -signal.SIGKILL
        assert next_line(rig.guardian)["fault"] == Fault.SILENT


def test_a_robot_that_is_off_is_cut(tmp_path: Path) -> None:
    with GuardedRig(tmp_path, arming="disarmed") as rig:
        _, raw = rig.after(by_signal(signal.SIGKILL))
        assert raw == CUT


def test_a_farewell_lets_the_guardian_go(tmp_path: Path) -> None:
    with GuardedRig(tmp_path, seconds=0.1, then="farewell") as rig:
        assert rig.guardian.wait(5.0) == 0
        assert rig.heard(0.01) == []
        assert next_line(rig.guardian)["guardian"] == "nothing was found"
    assert read_latch(tmp_path / "latch").left is Left.CLEAR


def test_a_line_is_handed_over_and_spoken_on_after_its_owner_is_gone(tmp_path: Path) -> None:
    far, near = os.openpty()
    tty.setraw(near)
    with GuardedRig(tmp_path, line=near) as rig:
        os.kill(rig.control.pid, signal.SIGSTOP)
        assert os.read(far, 3) == b"off"
        # Nobody but the guardian has it now.
        assert rig.control.wait(5.0) == -signal.SIGKILL
    os.close(near)
    os.close(far)


def test_a_guardian_that_is_killed_leaves_what_tells_the_next(tmp_path: Path) -> None:
    with GuardedRig(tmp_path) as rig:
        rig.guardian.kill()
        rig.guardian.wait()
    assert read_latch(tmp_path / "latch").left is Left.LIVE


def test_a_guardian_ends_when_told_after_it_has_cut(tmp_path: Path) -> None:
    with GuardedRig(tmp_path, damp_s=0.05) as rig:
        rig.after(by_signal(signal.SIGKILL))
        rig.guardian.terminate()
        assert rig.guardian.wait(5.0) == 20
        assert CUT in rig.heard(0.01)


def test_it_is_small(tmp_path: Path) -> None:
    with GuardedRig(tmp_path) as rig:
        status = Path(f"/proc/{rig.guardian.pid}/status").read_text(encoding="ascii")
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    assert int(peak) < 40_000
