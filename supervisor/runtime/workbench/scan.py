"""`handrail scan`: who answers on a robot's buses, or on one bus, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from rich.console import Group
from rich.table import Table
from rich.text import Text

from drivers.bus import BusFactory, CanBus, SerialPort
from drivers.registry import MOTOR_MAKES
from drivers.scanning import CanScan, Found, Scanning, SerialScan, listen, nobody, scan_can, scan_serial
from supervisor.core.errors import RefusedError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import CanBusConfig, RobotConfig, SerialBusConfig
from supervisor.runtime.workbench.bench import RealTime, Time, Workbench, carry_out

HIGHEST_USUAL_ID: Final = 127
"""Makes allow more, but asking for 2046 ids takes long and finds what nobody sets."""

CYCLE_S: Final = 0.002
"""How often a bus without a robot is looked at."""

SHOWN_FACTS: Final = ("status", "mode", "unique_id", "serial_number", "packet", "rate_hz", "bus_voltage_v", "timeout_s")
"""What a person looks for first; JSON has everything."""


@dataclass(frozen=True, slots=True)
class BusScan:
    """What was found on one bus.

    Attributes:
        bus: Its name.
        found: What answered.
        problems: What is wrong, in words.
        remarks: What is worth knowing.
    """

    bus: str
    found: tuple[Found, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def scan_robot(bench: Workbench) -> tuple[tuple[DeviceReport, ...], tuple[BusScan, ...]]:
    """Ask every device of a robot who it is, then every id on its buses.

    Returns:
        The inventory, and what was found by id.
    """
    reports = bench.finish(bench.robot.inventory(bench.now_s), is_started=True)
    bench.robot.close()
    buses = bench.open_buses()
    scans: list[BusScan] = []
    try:
        for name, bus in buses.items():
            motors = [joint.motor for joint in bench.config.joints.values() if joint.motor.bus == name]
            found: list[Found] = []
            for make in dict.fromkeys(motor.make for motor in motors):
                found += bench.finish_alone(_ask(bus, make, usual_ids(make)))
            known = {(motor.make, motor.id) for motor in motors}
            strangers = [_stranger(one, name) for one in found if (one.make, one.id) not in known]
            scans.append(BusScan(name, tuple(found), (*conflicts(found), *strangers)))
    finally:
        for bus in buses.values():
            bus.close()
    return reports, tuple(scans)


def scan_bus(
    config: CanBusConfig | SerialBusConfig, makes: Sequence[str], buses: BusFactory, passing: Time | None = None
) -> BusScan:
    """Ask every usual id of some makes on one bus, and on CAN listen first to what speaks by itself.

    Args:
        config: The bus.
        makes: Whom to ask for. A question to one make may be a command to another: none is guessed.
        buses: Opens it.
        passing: How time passes, None for real time.

    Raises:
        RefusedError: A make is unknown, cannot be scanned for, or is wired to another kind of bus.
        BusError: The bus cannot be opened.
    """
    wrong = [problem for make in makes for problem in _make_problems(make, config)]
    if wrong:
        raise RefusedError(wrong)
    clock = passing or RealTime(CYCLE_S)
    remarks: list[str] = []
    found: list[Found] = []
    bus: CanBus | SerialPort
    if isinstance(config, CanBusConfig):
        name, can = config.channel, buses.open_can(config.channel, config)
        remarks += _talkers(carry_out(listen(can), clock.wait))
        bus = can
    else:
        name, bus = config.port, buses.open_serial(config.port, config)
    try:
        for make in makes:
            found += carry_out(_ask(bus, make, usual_ids(make)), clock.wait)
    finally:
        bus.close()
    problems = conflicts(found)
    if bus.counters.is_off:
        problems.append("the bus went off: check bit rate, wiring and termination")
    elif bus.counters.errors:
        problems.append(f"{bus.counters.errors} errors: check the rate, wiring, termination, and the devices' power")
    return BusScan(name, tuple(found), tuple(problems), tuple(remarks))


def _ask(bus: CanBus | SerialPort, make: str, ids: Iterable[int]) -> Scanning:
    """The scan for one make; what cannot be scanned for is not found."""
    row = MOTOR_MAKES[make].scan
    if isinstance(row, CanScan):
        return scan_can(cast("CanBus", bus), make, row, ids)
    if isinstance(row, SerialScan):
        return scan_serial(cast("SerialPort", bus), make, row, ids)
    return nobody()


def usual_ids(make: str) -> range:
    """The ids of a make that a scan asks for."""
    low, high = MOTOR_MAKES[make].id_range
    return range(low, min(high, HIGHEST_USUAL_ID) + 1)


def conflicts(found: Sequence[Found]) -> list[str]:
    """Ids that more than one motor answers under."""
    return [
        f"{len(one.details)} answers to one question under {one.make} id {one.id} ({'; '.join(one.details)}): "
        "two motors with one id; unplug one, and give the other another id"
        for one in found
        if len(one.details) > 1
    ]


def _stranger(one: Found, bus: str) -> str:
    return (
        f"a {one.make} motor with id {one.id} answers on {bus} ({'; '.join(one.details)}), which the robot file does "
        "not know: wrong id, wrong bus, or a motor that is missing in the file"
    )


def _make_problems(make: str, config: CanBusConfig | SerialBusConfig) -> list[str]:
    row = MOTOR_MAKES.get(make)
    if row is None:
        return [f"unknown make {make!r}; known: {', '.join(MOTOR_MAKES)}"]
    if row.bus_kind != config.kind:
        return [f"{make} motors are wired to a {row.bus_kind} bus, and this is a {config.kind} bus"]
    return [] if row.scan is not None else [f"{make} motors cannot be scanned for"]


def _talkers(heard: Mapping[int, int]) -> list[str]:
    if not heard:
        return ["nobody speaks by itself"]
    ids = ", ".join(f"{key & 0x1FFF_FFFF:#x}{'x' if key >> 31 else ''} ({n} times)" for key, n in sorted(heard.items()))
    return [f"these speak by themselves: {ids}"]


def has_problems(reports: Sequence[DeviceReport], scans: Sequence[BusScan]) -> bool:
    """Whether anything needs attention."""
    return any(not report.answered or report.problems for report in reports) or any(scan.problems for scan in scans)


def render(config: RobotConfig | None, reports: Sequence[DeviceReport], scans: Sequence[BusScan]) -> Group:
    """A scan as tables and lines."""
    parts: list[Table | Text] = []
    if config is not None:
        parts.append(_devices(config, reports))
    for report in reports:
        parts += (Text(f"{report.name}: {problem}", style="red") for problem in report.problems)
    for scan in scans:
        if config is None:
            parts.append(_found(scan))
        parts += (Text(f"{scan.bus}: {remark}") for remark in scan.remarks)
        parts += (Text(f"{scan.bus}: {problem}", style="red") for problem in scan.problems)
    return Group(*parts)


def _devices(config: RobotConfig, reports: Sequence[DeviceReport]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("device", "bus", "id", "make", "model", "firmware", "answers", "says"):
        table.add_column(head)
    for report in reports:
        joint = config.joints.get(report.name)
        says = ", ".join(f"{key} {report.facts[key]}" for key in SHOWN_FACTS if key in report.facts)
        table.add_row(
            report.name,
            report.bus,
            "-" if joint is None else str(joint.motor.id),
            str(report.facts.get("make", config.imu.make if joint is None else joint.motor.make)),
            str(report.facts.get("model", "-")),
            str(report.facts.get("firmware", "-")),
            Text("yes") if report.answered else Text("no", style="bold red"),
            says or "-",
        )
    return table


def _found(scan: BusScan) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("bus", "make asked for", "id", "says"):
        table.add_column(head)
    for one in scan.found:
        table.add_row(scan.bus, one.make, str(one.id), "; ".join(one.details))
    if not scan.found:
        table.add_row(scan.bus, "-", "-", "nobody answered")
    return table
