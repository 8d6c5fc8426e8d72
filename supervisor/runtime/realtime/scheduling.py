"""What the operating system is asked for, so that a loop is on time, and what it gave."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supervisor.core.robot import RealtimeConfig

_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2

LONGEST_TURN_S: Final = 0.25
"""A control cycle takes less than a millisecond, and whatever comes in between it still far less than this."""

US_PER_S: Final = 1_000_000

IDLE_LATENCY: Final = "/dev/cpu_dma_latency"
"""Who holds it open says how long an idle processor may take to wake up."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that was asked for.

    Attributes:
        asked: What.
        got: What came of it.
        is_met: Whether that is what was asked.
        advice: What to do where it is not, "" otherwise.
    """

    asked: str
    got: str
    is_met: bool
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.asked}: {self.got}" + (f"; {self.advice}" if self.advice else "")


def freeze_garbage() -> Effect:
    """Collect once, keep what is left for ever, and never collect again: a full collection stops everything for 20 ms.

    What is allocated in cycles is freed by its reference count; only rings of references would pile up.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    return Effect("garbage collector off", f"off, {gc.get_freeze_count()} objects frozen", is_met=True)


def lock_memory() -> Effect:
    """Keep every page in memory: a page fault on a disk is a stall of milliseconds."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0:
        return Effect("memory locked", "locked", is_met=True)
    reason = os.strerror(ctypes.get_errno())
    return Effect(
        "memory locked", reason, is_met=False, advice="allow it: `ulimit -l unlimited`, or memlock in limits.conf"
    )


def take_priority(priority: int) -> Effect:
    """Run before everything that has no such priority."""
    asked = f"SCHED_FIFO {priority}"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        advice = "allow it: `ulimit -r 99`, rtprio in limits.conf, or CAP_SYS_NICE"
        return Effect(asked, error.strerror or str(error), is_met=False, advice=advice)
    return Effect(asked, asked, is_met=True)


def give_up_priority() -> None:
    """Run as every other program again: nobody has to wait while this one tidies up, which may take its time."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def limit_turn(seconds: float) -> Effect:
    """Be ended by the kernel (SIGXCPU) after running so long before everything else without a pause.

    Under SCHED_FIFO a process that spins keeps a processor from everybody below it, for ever. One that is gone is
    noticed at once by who watches it.
    """
    asked = f"ended after {seconds:g} s without a pause"
    limit_us = round(seconds * US_PER_S)
    try:
        # Beyond the second limit it is SIGKILL, which nothing survives.
        resource.setrlimit(resource.RLIMIT_RTTIME, (limit_us, 2 * limit_us))
    except (OSError, ValueError) as error:
        return Effect(asked, str(error), is_met=False, advice="the limit it was started with is lower; raise that one")
    return Effect(asked, "limited", is_met=True)


def take_share(niceness: int) -> Effect:
    """Get more of a busy processor than others in the normal class, without keeping anybody off it for good."""
    asked = f"niceness {niceness}"
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except OSError as error:
        advice = "allow it: `ulimit -e 40`, nice in limits.conf, or CAP_SYS_NICE"
        return Effect(asked, error.strerror or str(error), is_met=False, advice=advice)
    return Effect(asked, asked, is_met=True)


def take_core(core: int) -> Effect:
    """Run on one core, and no other."""
    asked = f"core {core}"
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        cores = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        advice = f"take one of {cores}, or leave control_core out"
        return Effect(asked, error.strerror or str(error), is_met=False, advice=advice)
    return Effect(asked, asked, is_met=True)


def keep_awake() -> Effect:
    """Keep idle processors from going to sleep: to wake one up takes time, and what its caches held is gone.

    Holds until the process ends.

    Source:
        Linux, Documentation/power/pm_qos_interface.rst (the wish of an open file, int32, µs)
    """
    asked = "processors kept awake"
    try:
        descriptor = os.open(IDLE_LATENCY, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, struct.pack("=i", 0))
        except OSError:
            os.close(descriptor)
            raise
    except OSError as error:
        advice = f"allow it: a udev rule that lets you write {IDLE_LATENCY}; or keep_awake: false"
        return Effect(asked, error.strerror or str(error), is_met=False, advice=advice)
    return Effect(asked, "awake", is_met=True)


def take_all(config: RealtimeConfig) -> Sequence[Effect]:
    """Ask for everything that a control process needs, after everything else was made.

    Returns:
        What came of each; nothing that is refused stops the process, its lateness is guarded.
    """
    effects = [freeze_garbage()]
    if config.lock_memory:
        effects.append(lock_memory())
    if config.fifo_priority:
        effects.append(take_priority(config.fifo_priority))
        effects.append(limit_turn(LONGEST_TURN_S))
    if config.control_core is not None:
        effects.append(take_core(config.control_core))
    if config.keep_awake:
        effects.append(keep_awake())
    return effects
