"""Asking one drive who it is, and setting what must be set before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: a drive is taken out of
OPERATIONAL and told to switch its voltage off before anything else is asked.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Protocol

from drivers.can.canopen import codec, sdo
from drivers.can.canopen.codec import SdoAbort
from drivers.can.canopen.comparison import Facts, compare_counts, compare_torque, find_velocity_unit, refusal
from drivers.can.canopen.mapping import map_process_data
from drivers.can.canopen.sdo import SdoLine, Waiting
from drivers.can.canopen.states import DISABLE_VOLTAGE, State, decode_statusword
from drivers.can.canopen.tables import (
    ABORT_CONNECTION_OPTION,
    ATTEMPTS,
    COMMUNICATION_ERROR_BEHAVIOUR,
    CONTROLWORD,
    DEVICE_NAME,
    DEVICE_TYPE,
    DRIVE_PROFILE,
    ERROR_CODE,
    FACTS,
    HEARTBEAT_CONSUMER,
    HOST_ID,
    MODE,
    MODE_DISPLAY,
    PRODUCT_CODE,
    REPLY_TIMEOUT_S,
    REVISION,
    SERIAL_NUMBER,
    SOFTWARE_VERSION,
    STATUSWORD,
    SUPPLY_VOLTAGE,
    SUPPORTED_MODES,
    VENDOR_ID,
    AbortConnection,
    Mode,
    NmtCommand,
)
from drivers.devices import QUESTIONS, SECOND_ANSWER_S, WiredMotor, id_problems
from supervisor.core.errors import EncodeError
from supervisor.core.exchange import DeviceReport

PROOFS: Final = 4
"""How often process data must come: two readings make a speed, and the guards look at both."""

STAYS_OPERATIONAL: Final = 1
"""Of 0x1029: who no longer hears the host does not fall silent as well."""

_OFF: Final = (State.SWITCH_ON_DISABLED, State.NOT_READY_TO_SWITCH_ON, State.FAULT)


class MotorLine(SdoLine, Protocol):
    """One drive, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    def forget(self) -> None:
        """Ignore the drive's process data until it is set up."""
        ...

    def begin(self, velocity_unit: int) -> None:
        """Take the drive's process data from now on.

        Args:
            velocity_unit: A value of 0x60A9.
        """
        ...

    def is_heard(self, since_s: float) -> bool:
        """Whether all of the drive's process data have arrived since a time."""
        ...

    def fault_name(self, code: int) -> str:
        """Name of an error code."""
        ...


def probe_motor(line: MotorLine, timeout_s: float, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Switch one drive off, ask who it is, map its process data, set its timeout, and verify all of it.

    Args:
        line: The drive.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    motor = line.motor
    config = motor.config
    problems: list[str] = []
    facts: Facts = {"make": config.make, "model": config.model}
    line.forget()
    now_s, device_type = yield from _wake(line, now_s)
    if device_type is None:
        problems.append(
            f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} requests: check power, cable, termination, "
            f"bit rate, and that its node id is {config.id}"
        )
        return now_s, DeviceReport(motor.joint, config.bus, False, tuple(problems), facts)
    if isinstance(device_type, SdoAbort) or device_type & 0xFFFF != DRIVE_PROFILE:
        said = device_type.reason if isinstance(device_type, SdoAbort) else f"profile {device_type & 0xFFFF}"
        problems.append(f"is no CiA 402 drive: device type reads {said}")
        return now_s, DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)
    now_s = yield from _identify(line, facts, problems, now_s)
    now_s, state = yield from _switch_off(line, facts, problems, now_s)
    now_s = yield from compare_torque(line, motor, facts, problems, now_s)
    now_s = yield from compare_counts(line, motor, facts, problems, now_s)
    now_s, unit = yield from find_velocity_unit(line, motor, facts, problems, now_s)
    if state in _OFF:
        now_s = yield from _set_mode(line, facts, problems, now_s)
        now_s = yield from _set_timeout(line, timeout_s, facts, problems, now_s)
        now_s, is_mapped = yield from map_process_data(line, FACTS[motor.model.name], problems, now_s)
        if is_mapped and unit is not None:
            now_s = yield from _start(line, unit, problems, now_s)
    return now_s, DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)


def _wake(line: MotorLine, now_s: float) -> sdo.Asking:
    """Out of OPERATIONAL, or of STOPPED, where a drive answers nothing; then ask what it is."""
    for _ in range(ATTEMPTS):
        line.replies.clear()
        line.tell(codec.make_nmt(NmtCommand.PRE_OPERATIONAL, line.node_id))
        line.send(codec.make_read(line.node_id, DEVICE_TYPE))
        deadline_s = now_s + REPLY_TIMEOUT_S
        while not line.replies and now_s < deadline_s:
            now_s = yield
        if line.replies:
            return (yield from sdo.read(line, DEVICE_TYPE, now_s))
    return now_s, None


def _identify(line: MotorLine, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Name, firmware and serial number, for the record; two serial numbers are two drives."""
    now_s, facts["device"] = yield from sdo.read_text(line, DEVICE_NAME, now_s)
    now_s, facts["firmware"] = yield from sdo.read_text(line, SOFTWARE_VERSION, now_s)
    for key, entry in (("vendor", VENDOR_ID), ("product", PRODUCT_CODE), ("revision", REVISION)):
        now_s, value = yield from sdo.read(line, entry, now_s)
        facts[key] = f"0x{value:X}" if isinstance(value, int) else "unknown"
    now_s, facts["serial"] = yield from _count_drives(line, problems, now_s)
    return now_s


def _count_drives(line: MotorLine, problems: list[str], now_s: float) -> Generator[None, float, tuple[float, str]]:
    """Ask for the serial number a few times: two drives with one id both answer, with two numbers or with one."""
    serials: set[int] = set()
    answers = 0
    # A second drive's answer to the question before must not count here.
    line.replies.clear()
    for question in range(QUESTIONS):
        line.send(codec.make_read(line.node_id, SERIAL_NUMBER))
        deadline_s = now_s + (SECOND_ANSWER_S if question < QUESTIONS - 1 else REPLY_TIMEOUT_S)
        while now_s < deadline_s:
            now_s = yield
        answers += len(line.replies)
        serials |= sdo.numbers(line, SERIAL_NUMBER)
    found = ", ".join(f"0x{serial:X}" for serial in sorted(serials)) or "unknown"
    if len(serials) > 1:
        problems.append(
            f"more than one motor answers under id {line.node_id} (serial numbers {found}): give each an id of its own"
        )
    else:
        problems += id_problems(line.node_id, QUESTIONS, answers)
    return now_s, found


def _switch_off(
    line: MotorLine, facts: Facts, problems: list[str], now_s: float
) -> Generator[None, float, tuple[float, State]]:
    """Voltage off, and what the drive says of its state, its supply and its faults."""
    now_s, _ = yield from sdo.write(line, CONTROLWORD, DISABLE_VOLTAGE, now_s)
    now_s, word = yield from sdo.read(line, STATUSWORD, now_s)
    state = decode_statusword(word).state if isinstance(word, int) else State.UNKNOWN
    facts["state"] = state.value
    now_s, voltage = yield from sdo.read(line, SUPPLY_VOLTAGE, now_s)
    if isinstance(voltage, int):
        facts["bus_voltage_v"] = voltage / 1e3
    if state in (State.FAULT, State.FAULT_REACTION_ACTIVE):
        now_s, code = yield from sdo.read(line, ERROR_CODE, now_s)
        name = line.fault_name(code) if isinstance(code, int) else "unnamed"
        problems.append(f"reports fault {name}: find the cause, then clear it")
    if state not in _OFF:
        problems.append(f"is in state {state.value} after voltage off: it may only be set up while off")
    return now_s, state


def _set_mode(line: MotorLine, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Cyclic synchronous torque, if the drive has it."""
    now_s, modes = yield from sdo.read(line, SUPPORTED_MODES, now_s)
    if isinstance(modes, int) and not modes >> (Mode.CYCLIC_TORQUE - 1) & 1:
        problems.append(f"has no cyclic synchronous torque mode: supported drive modes (0x6502) 0x{modes:08X}")
        return now_s
    now_s, mode = yield from sdo.write(line, MODE, Mode.CYCLIC_TORQUE, now_s)
    shown: int | SdoAbort | None = mode
    if mode == Mode.CYCLIC_TORQUE:
        for _ in range(ATTEMPTS):
            now_s, shown = yield from sdo.read(line, MODE_DISPLAY, now_s)
            if shown == Mode.CYCLIC_TORQUE:
                break
    facts["mode"] = shown if isinstance(shown, int) else "unknown"
    if shown != Mode.CYCLIC_TORQUE:
        problems.append(f"mode reads back {refusal(shown)} after setting {int(Mode.CYCLIC_TORQUE)}")
    return now_s


def _set_timeout(line: MotorLine, timeout_s: float, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Have it watch our heartbeat, and switch off without it: what stops the motor when this computer dies."""
    try:
        request = codec.make_watch_heartbeat(line.node_id, HOST_ID, timeout_s)
    except EncodeError as error:
        problems.append(f"{error}")
        return now_s
    wanted = int.from_bytes(request.data[4:], "little")
    now_s, found = yield from sdo.write(line, HEARTBEAT_CONSUMER, wanted, now_s)
    if isinstance(found, int):
        facts["timeout_s"] = (found & 0xFFFF) / 1e3
    if found != wanted:
        said = f"{(found & 0xFFFF) / 1e3:g} s for node {found >> 16}" if isinstance(found, int) else refusal(found)
        problems.append(
            f"heartbeat timeout (0x1016) reads back {said} after setting {timeout_s:g} s for node {HOST_ID}: "
            "it would not stop by itself"
        )
    option = AbortConnection.DISABLE_VOLTAGE
    now_s, found = yield from sdo.write(line, ABORT_CONNECTION_OPTION, option, now_s)
    if found != option:
        problems.append(
            f"abort connection option (0x6007) reads back {refusal(found)} after setting {int(option)}, disable "
            "voltage: it would not stop by itself"
        )
    # Optional: a drive without it falls silent together with switching off, which is as safe.
    now_s, found = yield from sdo.write(line, COMMUNICATION_ERROR_BEHAVIOUR, STAYS_OPERATIONAL, now_s)
    facts["after_timeout"] = "goes on reporting" if found == STAYS_OPERATIONAL else "may fall silent"
    return now_s


def _start(line: MotorLine, unit: int, problems: list[str], now_s: float) -> Waiting:
    """OPERATIONAL, and proof of it: process data at a SYNC, and again at a later one."""
    line.begin(unit)
    heard = 0
    for _ in range(2 * ATTEMPTS):
        line.tell(codec.make_nmt(NmtCommand.OPERATIONAL, line.node_id))
        line.tell(codec.SYNC)
        sent_s = now_s
        while not line.is_heard(sent_s) and now_s < sent_s + REPLY_TIMEOUT_S:
            now_s = yield
        heard += line.is_heard(sent_s)
        if heard == PROOFS:
            return now_s
    line.forget()
    problems.append("sends no process data at a SYNC although it was started: check SYNC id (0x1005) and PDOs")
    return now_s
