"""`handrail configure`: what devices keep without power otherwise than the robot file needs it, and changing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drivers.devices import Setting
from drivers.robot_io import IMU
from supervisor.core.errors import DeviceError
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_file import load_robot
from supervisor.runtime.locate import find_robot
from supervisor.runtime.workbench.bench import Workbench, open_workbench
from supervisor.runtime.workbench.commands import as_text

SETTLED_CYCLES: Final = 25
"""Polls before a motor is judged: the first answers may be under way still."""

IN_FORCE: Final = (
    "Ids, bit rates and ranges of messages are left alone. Several makes show only what is in force, which a run sets "
    "anew: look right after power-up."
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at some devices came to.

    Attributes:
        settings: What differs.
        refused: Who could not be compared now, and why.
        closed: Devices whose make cannot be compared over its bus.
    """

    settings: tuple[Setting, ...]
    refused: tuple[str, ...]
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        found: What differed.
        written: What was written, and read back.
        failed: Who did not take it, and why.
    """

    found: Found
    written: tuple[Setting, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether everything that could be compared is as the robot file needs it."""
        return not self.found.refused and not self.failed and self.written == self.found.settings


def find(bench: Workbench, devices: Sequence[str] = ()) -> Found:
    """Compare what devices keep. Writes none of it, and energises nothing.

    Args:
        bench: The robot; its motors stay off.
        devices: Joints, and "imu"; all where empty.

    Raises:
        DeviceError: No such joint.
    """
    known = (*bench.config.joints, IMU)
    unknown = [device for device in devices if device not in known]
    if unknown:
        raise DeviceError(f"no device {', '.join(unknown)}; the robot has {', '.join(known)}")
    for _ in range(SETTLED_CYCLES):
        bench.step()
    settings: list[Setting] = []
    refused: list[str] = []
    chosen = [device for device in known if not devices or device in devices]
    for device in chosen:
        try:
            settings += bench.finish(bench.robot.settings(device, bench.now_s))
        except DeviceError as error:
            refused.append(str(error))
    closed = tuple(device for device in chosen if not bench.robot.has_settings(device))
    return Found(tuple(settings), tuple(refused), closed)


def write(bench: Workbench, found: Found) -> Outcome:
    """Write what differs, device by device, have it kept, and read it back."""
    written: list[Setting] = []
    failed: list[str] = []
    for device in dict.fromkeys(setting.device for setting in found.settings):
        own = tuple(setting for setting in found.settings if setting.device == device)
        try:
            left = bench.finish(bench.robot.configure(device, own, bench.now_s))
        except DeviceError as error:
            failed.append(str(error))
            continue
        written += own
        failed += (f"{one.device}: {one.name} is {one.found} now, and must be {one.wanted}" for one in left)
    return Outcome(found, tuple(written), tuple(failed))


def configure(
    bench: Workbench, devices: Sequence[str], show: Callable[[str], None], ask: Callable[[str], bool]
) -> Outcome:
    """Show what differs, ask, write, and read back.

    Args:
        bench: The robot; its motors stay off.
        devices: As for `find`.
        show: Shows text.
        ask: Puts a question; whether the answer was yes.

    Raises:
        DeviceError: No such joint.
    """
    found = find(bench, devices)
    show(as_text(render(bench.config, found)))
    if found.refused:
        show("Nothing was written: see to what is refused, or name the devices to configure.\n")
        return Outcome(found)
    if not found.settings:
        return Outcome(found)
    if not ask("Write all of this, to be kept without power?"):
        show("Nothing was written.\n")
        return Outcome(found)
    outcome = write(bench, found)
    show(as_text(render_outcome(outcome)))
    return outcome


def render(config: RobotConfig, found: Found) -> Group:
    """What differs, as a table and lines."""
    parts: list[Table | Text] = []
    if found.settings:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for head in ("device", "setting", "found", "wanted", "kept in", "note"):
            table.add_column(head)
        for one in found.settings:
            table.add_row(one.device, one.name, _value(one.found), _value(one.wanted), one.where, one.note or "-")
        parts.append(table)
    elif not found.refused:
        parts.append(Text("Nothing differs from what the robot file needs, as far as it could be compared."))
    parts += (Text(f"refused: {reason}", style="red") for reason in found.refused)
    makes = {d: config.imu.make if d == IMU else config.joints[d].motor.make for d in found.closed}
    for make in dict.fromkeys(makes.values()):
        parts.append(Text(f"{make} keeps nothing that could be compared over its bus: see docs/hardware.md"))
    return Group(*parts, Text(IN_FORCE))


def render_outcome(outcome: Outcome) -> Group:
    """What was written, and who did not take it."""
    parts = [Text(f"Written and read back: {len(outcome.written)}.")] if outcome.written else []
    parts += [Text(f"failed: {reason}", style="red") for reason in outcome.failed]
    late = dict.fromkeys(one.device for one in outcome.written if one.needs_power_cycle)
    if late:
        names = ", ".join(dict.fromkeys(one.name for one in outcome.written if one.needs_power_cycle))
        parts.append(Text(f"Power-cycle {', '.join(late)}: {names} acts from the next power-up."))
    return Group(*parts)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def configure_robot(
    name: str,
    devices: Sequence[str],
    *,
    live: bool,
    at: Path | None,
    show: Callable[[str], None],
    ask: Callable[[str], bool],
) -> bool:
    """Compare what a robot's devices keep, and change it after asking.

    Returns:
        Whether all of it is as the robot file needs it now.

    Raises:
        HandrailError: The robot cannot be read, opened or simulated, or has no such joint.
    """
    robot = load_robot(find_robot(name))
    with open_workbench(robot, live=live, at=at) as bench:
        return configure(bench, devices, show, ask).is_right
