"""Makes SAFETY.md: `python -m supervisor.safety.document > SAFETY.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from supervisor.core.exchange import Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.safety import SafetyConfig
from supervisor.safety.arming import Outcome, Situation, press, situations
from supervisor.safety.guards import GUARDS
from supervisor.safety.requirements import GUARD_REQUIREMENTS, REQUIREMENTS, Requirement
from supervisor.safety.restart import Found, Kept, begin

_FOLDER: Final = Path(__file__).resolve().parents[2]
"""Of the project, whose own robot and figures the document shows."""

_STOP: Final = Stop(Level.CUT, "a guard", float("nan"), float("nan"), "", 0.0, 0.0, "")

_HEAD = """\
# Safety

> Made by `python -m supervisor.safety.document > SAFETY.md`. Change the code or the safety file, then make it anew; a
> test compares the two.

**This is not a certified safety function.** It is a Python program on a general-purpose computer. It stands in front
of a hardware emergency stop (IEC 60204-1 category 0 or 1) that must exist and must not depend on it.

## What stops the robot

| if this fails | then |
|---|---|
| a sensor, a motor, a bus, the policy, the mission | the guards below, in the same control cycle |
| a guard function raises or returns nonsense | its value is ERROR, which is never OK |
| the safety core itself raises | the profile's level for the unknown, computed without what failed |
| the control process hangs, stops, lies or dies | the guardian, a process of its own: DAMP, then CUT, see below |
| the guardian dies | the guard `guardian`: the control process brings the robot to rest |
| both die | the motors' own command timeout, set and read back at inventory: they go limp |
| the computer loses power | the same |
| all of the above | the hardware emergency stop |

The guardian hears of every cycle which guards were evaluated and which are tripped, in which order cycles come, and the
level and the state of arming. It kills a process that is silent for longer than the robot file allows, or that says
what no sound one would, and sends the bytes that stop the motors on handles of its own:
[docs/guardian.md](docs/guardian.md).
It is there in runs in real time; in lockstep nothing can hang that would not hang it as well.

With `--dry-run` and `--shadow` nothing of this stops a robot: nothing is commanded, and whoever drives it has to. A
control process that was given no guardian has no way to command: what it decides ends in a port that passes on at most
the question for feedback, and with `--shadow` on buses that take nothing.

A restart is not a reset. The latch, the counted trips and the arming state are in a small file of each robot. That the
robot is being switched on is on the disk before the first motor is, and only a robot that is off again in order takes
it back: whatever ends under power, the process or the computer, begins in STOPPED. So no command waits for a disk, not
even that of a stop, whose cause is written to memory first and to the disk by another process.

Every cycle's record holds all that was decided upon: measurements, ages, flags, presses, the mission's output, what the
process before has left. `handrail replay RUN` takes that, and nothing else, through the safety core again, and every
board, level, state of arming, count of the gate and command must come out bit for bit. So a stop can be explained
afterwards by running it, and a change of the core can be tried on runs that happened.

## Levels

| level | written every cycle | stop category | leaves it |
|---|---|---|---|
| NONE, WARN | proposals within the limits | - | by itself |
| LIMIT | proposals within half of the stage's torque and speed | - | by itself |
| HOLD | the pose measured when it began | 2 | cause clear, RESET (power kept), START; the operator's own: RESUME |
| SETTLE | from there to the rest pose at bounded speed, then DISABLE | 1 | at rest, cause clear: RESET, ARM, START |
| DAMP | no stiffness, damping for a bounded time, then DISABLE | 1 | as SETTLE |
| CUT | DISABLE | 0 | as SETTLE |
| TERMINAL | DISABLE | 0 | a new process, where it is CUT |

The largest level wins and only rises. HOLD falls through when no operator attends to it in time; HOLD and SETTLE fall
through at once when feedback is stale, not finite, or a motor is off. Levels of HOLD and above latch while the robot is
under power; while it is DISARMED the same guards stand in the way of arming. The emergency stop always latches.

A guard trips when it was not OK in N of the last M cycles, and no later than after N failed cycles however they are
spread: each failed cycle adds four units to a budget of 4 N, each good one takes one away.
"""

_PRESSES = """\
## Presses, trips and restarts

Every press in every situation, enumerated from the program. `?` marks what needs its checks to pass (guards OK, cause
clear, at rest, devices without problems), `-` what is refused or does nothing. CONFIRM answers the mission's questions
and changes nothing here. A guard that trips while the robot is under power leads to STOPPED at its level or the one in
force, whichever is larger; while it is off only the emergency stop does. Whether the guardian is well is such a guard.
The last column is what the next process begins with if this one ends here.
"""

_RESTARTS = """\
A planned stop, the end of a mission, leaves nothing latched once it has come to its end. TERMINAL ends with its
process, which leaves CUT; so do HOLD, SETTLE and DAMP, because nothing holds or damps the robot any more. The cause is
kept, shown, and has to be clear for RESET. A file that is missing is that of a new robot. One that is torn, changed, of
another version or robot, not ours alone, or not to be read begins in STOPPED because of `state_file`. Three processes
that end under power within an hour are three trips of one cause: the third begins in TERMINAL.
"""

_DAMAGED = """\
## Damaged bytes

Every decoder, stream parser and device takes a million random and mutated inputs (`make fuzz`): bits flipped, bytes
put in and taken out, packets cut short and spliced, identifiers of others, other contents behind a right checksum. Only
documented errors are raised, nothing hangs, and what is accepted is judged by rules written apart from the decoders.

{total}

Each row with its figures and seed is in [docs/fuzzing.md](docs/fuzzing.md). An 8-bit sum (Feetech, LX-16A, WitMotion,
BNO08x, Xsens) lets about one damaged frame in 256 through; on CAN the controllers' own checksum comes first.
"""

_VOLTAGE = """\
Bus voltage is a guard only for motors that report it; the Damiao motors of this robot do not, so none is declared.
"""


def guard_table(safety: SafetyConfig) -> str:
    """The guards of one safety file as a Markdown table."""
    rows = [
        (
            row.id,
            f"{row.limit:g} {row.unit}",
            f"{row.hysteresis:g}",
            f"{row.persistence.cycles} of {row.persistence.of_cycles}",
            row.level.name,
            row.clear,
            " ".join(row.reason.split()) + (" *Derived, not confirmed.*" if row.derived else ""),
        )
        for row in safety.guards
    ]
    return _table(("guard", "limit", "hysteresis", "cycles", "level", "clear", "why this number"), rows)


def requirement_table(requirements: Iterable[Requirement]) -> str:
    """Requirements and their tests as a Markdown table."""
    return _table(("id", "requirement", "test"), [(row.id, row.text, f"`{row.test}`") for row in requirements])


def transition_table() -> str:
    """Every press in every situation, as the program answers it, and what is left of it after a restart."""
    found: dict[tuple[str, str], list[str]] = {}
    left: dict[str, str] = {}
    for situation in situations():
        left[_name(situation)] = _restarted(situation)
        for action in OperatorAction:
            results = found.setdefault((_name(situation), action.name), [])
            results.append(_result(press(action, situation), situation))
    states = list(dict.fromkeys(state for state, _ in found))
    rows = [
        (
            state,
            *(_cell(found[state, action.name]) for action in OperatorAction if action is not OperatorAction.CONFIRM),
            left[state],
        )
        for state in states
    ]
    heads = ("state", *(action.name for action in OperatorAction if action is not OperatorAction.CONFIRM), "restart")
    return _table(heads, rows)


def _restarted(situation: Situation) -> str:
    """What the next process begins with when this one ends."""
    stop = replace(_STOP, level=situation.level) if situation.level.latches else None
    after = begin(Found(Kept(situation.arming, stop)))
    return after.arming.name if after.stop is None else f"{after.arming.name} at {after.stop.level.name}"


def fuzzing_total(page: str) -> str:
    """The sum of the fuzz campaign: the last line of its page."""
    return page.rstrip().splitlines()[-1]


def document(safety: SafetyConfig, robot: str, fuzzing: str) -> str:
    """The whole of SAFETY.md.

    Args:
        safety: The safety file whose guards are shown.
        robot: Name of the robot it belongs to.
        fuzzing: The page of the fuzz campaign.
    """
    sources = "\n".join(f"- `{name}`: {kind.description}" for name, kind in GUARDS.items())
    parts = (
        _HEAD,
        "## Guards\n\nWhat each one watches:\n",
        sources + "\n",
        f"As declared for `{robot}`:\n",
        guard_table(safety) + "\n",
        _VOLTAGE,
        _PRESSES,
        transition_table() + "\n",
        "From a trip to motion there are never fewer than two presses, and a restart takes the place of none.\n",
        _RESTARTS,
        _DAMAGED.format(total=fuzzing_total(fuzzing)),
        "## Requirements\n",
        requirement_table(REQUIREMENTS) + "\n",
        "One per guard:\n",
        requirement_table(GUARD_REQUIREMENTS),
    )
    return "\n".join(parts) + "\n"


def _name(situation: Situation) -> str:
    if situation.arming is not ArmingState.STOPPED:
        return situation.arming.name
    own = " (operator's own)" if situation.is_operator_hold else ""
    return f"STOPPED at {situation.level.name}{own}"


def _result(outcome: Outcome, before: Situation) -> str:
    if outcome.refusals:
        return "-"
    if outcome.stop is not None:
        return f"STOPPED at {max(outcome.stop, before.level).name}"
    return "-" if outcome.arming is before.arming else outcome.arming.name


def _cell(results: Sequence[str]) -> str:
    good = [result for result in results if result != "-"]
    return "-" if not good else good[0] + (" ?" if len(set(results)) > 1 else "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Print SAFETY.md of the demo robot."""
    from supervisor.core.robot_file import load_robot  # noqa: PLC0415  Reading files needs pydantic; no loop does.

    robot = load_robot(_FOLDER / "config/robots/pup")
    fuzzing = (_FOLDER / "docs/fuzzing.md").read_bytes().decode()
    sys.stdout.write(document(robot.safety, robot.config.name, fuzzing))


if __name__ == "__main__":
    main()
