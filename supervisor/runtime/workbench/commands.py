"""What the commands scan, monitor and zero do, from names to text."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.live import Live

from drivers.bus import BusFactory
from drivers.hardware import HardwareBuses
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import CanBusConfig, RobotConfig, SerialBusConfig
from supervisor.core.robot_file import load_robot
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.locate import find_robot
from supervisor.runtime.workbench import monitor, scan, zero
from supervisor.runtime.workbench.bench import open_workbench

REFRESH_S: Final = 0.25
LINE_S: Final = 1.0
"""How often a terminal is redrawn, and how often a view is printed elsewhere."""

PLAIN_WIDTH: Final = 150


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    Attributes:
        config: The robot, None for a scan of one bus.
        reports: Its inventory.
        scans: What answered, by bus.
    """

    config: RobotConfig | None
    reports: Sequence[DeviceReport]
    scans: Sequence[scan.BusScan]

    @property
    def has_problems(self) -> bool:
        """Whether anything needs attention."""
        return scan.has_problems(self.reports, self.scans)

    def as_text(self) -> str:
        """Tables and lines."""
        return as_text(scan.render(self.config, self.reports, self.scans))

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        reports = [{**asdict(report), "facts": dict(report.facts)} for report in self.reports]
        return {"devices": reports, "buses": [asdict(one) for one in self.scans]}


def scan_robot(name: str, *, live: bool, at: Path | None = None) -> ScanResult:
    """Ask every device of a robot, and every other id on its buses.

    Raises:
        HandrailError: The robot cannot be read, opened or simulated.
    """
    robot = load_robot(find_robot(name))
    with open_workbench(robot, live=live, at=at) as bench:
        reports, scans = scan.scan_robot(bench)
    return ScanResult(robot.config, reports, scans)


def scan_bus(
    name: str, makes: Sequence[str], interface: str, rate: int, data_rate: int, buses: BusFactory | None = None
) -> ScanResult:
    """Ask the ids of some makes on one bus.

    Args:
        name: A serial device (/dev/...), or python-can's name of a channel.
        makes: Whom to ask for.
        interface: python-can's name of the interface.
        rate: Bit or baud rate.
        data_rate: Of CAN FD's data, 0 for a bus without.
        buses: Opens the bus; None for hardware.

    Raises:
        HandrailError: The bus cannot be opened, or a make cannot be asked for.
    """
    config: CanBusConfig | SerialBusConfig
    if name.startswith("/dev/"):
        config = SerialBusConfig("serial", name, rate)
    else:
        config = CanBusConfig("can", interface, name, rate, data_rate > 0, data_rate)
    return ScanResult(None, (), (scan.scan_bus(config, makes, buses or HardwareBuses()),))


def monitor_robot(
    name: str, *, live: bool, at: Path | None = None, listening: bool, seconds: float, as_json: bool
) -> None:
    """Show a robot until time is up or somebody interrupts.

    Raises:
        HandrailError: The robot cannot be read, opened or simulated.
    """
    robot = load_robot(find_robot(name))
    until_s = seconds or math.inf
    opened = open_workbench(robot, live=live, at=at, is_paced=True, is_listening=listening)
    with opened as bench, Interrupts() as interrupts:
        watch = monitor.Monitor(bench)
        show, every_s, close = _screen(as_json=as_json)
        try:
            began_s = due_s = bench.now_s
            is_over = False
            while not is_over and not interrupts.take():
                state = watch.step()
                is_over = state.now_s >= began_s + until_s
                if is_over or state.now_s >= due_s + every_s:
                    due_s = state.now_s
                    show(watch.view(state))
        finally:
            close()


def _screen(*, as_json: bool) -> tuple[Callable[[monitor.View], None], float, Callable[[], None]]:
    """How views are shown, how often, and what takes the display down."""
    if as_json:
        return lambda view: _write(json.dumps(_finite(asdict(view))) + "\n"), LINE_S, lambda: None
    if not sys.stdout.isatty():
        return lambda view: _write(as_text(monitor.render(view)) + "\n"), LINE_S, lambda: None
    display = Live(console=Console(), auto_refresh=False, screen=False)
    display.start()
    return lambda view: display.update(monitor.render(view), refresh=True), REFRESH_S, display.stop


def zero_joint(name: str, joint: str, *, live: bool, at: Path | None = None, ask: Callable[[str], zero.Answer]) -> str:
    """Set the zero of one joint's motor.

    Returns:
        What came of it.

    Raises:
        HandrailError: The robot cannot be opened, or the motor cannot be zeroed now.
    """
    robot = load_robot(find_robot(name))
    with open_workbench(robot, live=live, at=at) as bench:
        result = zero.set_zero(bench, joint, ask)
    if not result.was_set:
        return f"{joint}: {result.advice}"
    return f"{joint}: read {result.before_rad:+.4f} rad, reads {result.after_rad:+.4f} rad now; {result.advice}"


def as_text(content: RenderableType) -> str:
    """What rich would draw, for a terminal or for a file."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else PLAIN_WIDTH
    buffer = io.StringIO()
    Console(file=buffer, width=width, force_terminal=is_terminal, highlight=False).print(content)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: what was never measured is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
