"""Asking one servo who it is, and setting in RAM what must be set before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: the torque is switched
off first, and so a servo that another program left on goes limp. What is stored in EEPROM is compared, never written.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from drivers.devices import NO_TIMEOUT_PROBLEM, QUESTIONS
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel import instructions as make
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.asking import Probed, Waiting, ask, read_register, until, write, write_register
from drivers.serial.dynamixel.batch import field
from drivers.serial.dynamixel.tables import Register
from supervisor.core.errors import EncodeError
from supervisor.core.exchange import DeviceReport

_READS: Final = (
    (t.MODEL_NUMBER.address, 14),
    (t.HOMING_OFFSET.address, 4),
    (t.TEMPERATURE_LIMIT.address, 9),
    (t.SHUTDOWN.address, 1),
    (t.PRESENT_VOLTAGE.address, 3),
)
"""Places without gaps: what is not defined may be refused."""

SAME_POSITION_COUNTS: Final = 40
"""How far both ways to read a position may differ: the limb hangs free and may swing."""


def probe_motor(probed: Probed, timeout_s: float, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Switch one servo off, ask who it is, compare what it has stored, set list and timeout, and verify both.

    Args:
        probed: The servo; filled in.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    motor, problems = probed.line.motor, probed.problems
    garbled = probed.line.line.garbled
    now_s, answer = yield from ask(probed, make.make_ping(probed.id), 3, now_s)
    has_answered = answer is not None
    if answer is None:
        problems.append(_silence(probed, probed.line.line.garbled - garbled))
    else:
        now_s = yield from write(probed, t.STATUS_RETURN_LEVEL, 2, now_s)
        now_s = yield from write(probed, t.TORQUE_ENABLE, 0, now_s)
        # A watchdog that has expired takes nothing but this.
        now_s = yield from write(probed, t.BUS_WATCHDOG, 0, now_s)
        now_s = yield from _count_answers(probed, now_s)
        now_s, is_known = yield from identify(probed, now_s)
        if is_known:
            problems += (change.describe() for change in probed.changes)
            now_s = yield from _set_list(probed, now_s)
            now_s = yield from _judge_state(probed, now_s)
            now_s = yield from _set_timeout(probed, timeout_s, now_s)
    return now_s, DeviceReport(motor.joint, motor.config.bus, has_answered, tuple(problems), probed.facts)


def _silence(probed: Probed, garbled: int) -> str:
    """Why a servo may not have answered."""
    config, line = probed.line.motor.config, probed.line.line
    what = f"motor {config.id} on {config.bus} does not answer {t.ATTEMPTS} pings"
    if garbled >= t.ATTEMPTS // 2 and line.has_heard:
        return (
            f"{what} with a packet, but with bytes that are none: more than one motor answers under id {config.id}: "
            "give each an id of its own"
        )
    if line.has_heard:
        return f"{what}, others do: check its power, its cable, and that its id is {config.id}"
    if garbled:
        return (
            f"{what}, and nothing on {config.bus} is readable though bytes arrive: check that baud_bps is the servos' "
            "(register 8; 57600 as delivered), and the line's ground"
        )
    return (
        f"{what}, nor does anybody on {config.bus}: check power, the data line, and that baud_bps is the servos' "
        "(register 8; 57600 as delivered)"
    )


def _count_answers(probed: Probed, now_s: float) -> Waiting:
    """Read a clock in milliseconds a few times: two servos with one id hardly ever agree, and garble each other."""
    garbled, read = probed.line.line.garbled, 0
    packet = make.make_read(probed.id, t.REALTIME_TICK.address, t.REALTIME_TICK.size)
    for _ in range(QUESTIONS):
        now_s, answer = yield from ask(probed, packet, t.REALTIME_TICK.size, now_s, attempts=1)
        read += answer is not None
    garbled = probed.line.line.garbled - garbled
    if garbled and garbled >= QUESTIONS - read and read <= QUESTIONS // 2:
        probed.problems.append(
            f"more than one motor answers under id {probed.id} ({garbled} of {QUESTIONS} answers were no packet): "
            "give each an id of its own"
        )
    return now_s


def identify(probed: Probed, now_s: float) -> Generator[None, float, tuple[float, bool]]:
    """Read what is stored; returns whether it is the model that the robot file says."""
    garbled = probed.line.line.garbled
    reads = [*_READS]
    while reads:
        address, size = reads.pop(0)
        now_s, answer = yield from ask(probed, make.make_read(probed.id, address, size), size, now_s)
        if answer is None or answer.error_code:
            probed.problems.append(_unreadable(probed, address, answer, probed.line.line.garbled - garbled))
            return now_s, False
        _learn(probed.found, address, answer.data)
        if address == t.MODEL_NUMBER.address and probed.found[t.FIRMWARE_VERSION] >= t.STARTUP_FIRMWARE:
            reads.append((t.STARTUP_CONFIGURATION.address, 1))
    found, facts = probed.found, probed.facts
    facts["firmware"] = str(found[t.FIRMWARE_VERSION])
    facts["homing_offset_counts"] = found[t.HOMING_OFFSET]
    facts["temperature_degc"] = found[t.PRESENT_TEMPERATURE]
    facts["bus_voltage_v"] = round(found[t.PRESENT_VOLTAGE] * t.VOLTAGE_COUNT_V, 1)
    facts["current_limit_a"] = round(found[t.CURRENT_LIMIT] * (probed.servo.current_count_a or 0.0), 3)
    number = found[t.MODEL_NUMBER]
    if number == probed.servo.number:
        return now_s, True
    names = {servo.number: servo.name for servo in t.SERVOS.values()}
    probed.problems.append(
        f"is model {number} ({names.get(number, 'unknown')}), the robot file says {probed.servo.number} "
        f"({probed.servo.name}): correct `model`, or the wiring"
    )
    return now_s, False


def _unreadable(probed: Probed, address: int, answer: codec.Status | None, garbled: int) -> str:
    if answer is not None:
        return f"refuses to read from register {address}: {codec.error_name(answer.error_code)}"
    if garbled >= t.ATTEMPTS // 2:
        return (
            f"answers pings, but to reads with bytes that are no packet: more than one motor answers under id "
            f"{probed.id}: give each an id of its own"
        )
    return f"answers pings, but not {t.ATTEMPTS} reads from register {address}: check its cable"


def _learn(found: dict[Register, int], address: int, data: bytes) -> None:
    """Take the registers that lie in what was read."""
    for register in t.REGISTERS.values():
        at = register.address - address
        if at >= 0 and at + register.size <= len(data):
            found[register] = codec.unpack(data[at : at + register.size], is_signed=register.is_signed)


def _set_list(probed: Probed, now_s: float) -> Waiting:
    """Set which bytes appear in the cycle block, read the list back, and compare the block with a plain read."""
    listed = list_bytes()
    now_s, _ = yield from ask(probed, make_list_write(probed.id), 0, now_s)
    packet = make.make_read(probed.id, t.INDIRECT_ADDRESS, len(listed))
    now_s, answer = yield from ask(probed, packet, len(listed), now_s)
    if answer is None or answer.data != listed:
        probed.problems.append(f"does not take the list of what to read in each cycle (register {t.INDIRECT_ADDRESS})")
        return now_s
    asked_s, line = now_s, probed.line
    now_s = yield from until(lambda: line.block_s > asked_s, now_s)
    now_s, position = yield from read_register(probed, t.PRESENT_POSITION, now_s)
    if line.block_s <= asked_s or position is None:
        probed.problems.append(
            f"does not answer the read of all servos at {probed.servo.indirect_data} with the listed registers: "
            "update its firmware"
        )
        return now_s
    seen = int(line.block[field(t.PRESENT_POSITION)])
    probed.facts["position_rad"] = round(codec.position_from_count(position % t.COUNTS_PER_TURN), 4)
    if abs(seen - position) > SAME_POSITION_COUNTS:
        probed.problems.append(
            f"reads {seen} counts through its list and {position} in register {t.PRESENT_POSITION.address}: the list "
            "does not work as documented; update its firmware"
        )
    return now_s


def list_bytes() -> bytes:
    """The list of what to read in each cycle, as the registers have it."""
    return b"".join(address.to_bytes(2, "little") for address in t.CYCLE_BLOCK_ADDRESSES)


def make_list_write(servo_id: int) -> bytes:
    """Set the list of what to read in each cycle."""
    return make.make_write(servo_id, t.INDIRECT_ADDRESS, list_bytes())


def _judge_state(probed: Probed, now_s: float) -> Waiting:
    """Errors, temperature, power, and where it stands."""
    problems, facts, found = probed.problems, probed.facts, probed.found
    now_s, errors = yield from read_register(probed, t.HARDWARE_ERROR, now_s)
    now_s, torque = yield from read_register(probed, t.TORQUE_ENABLE, now_s)
    names = codec.hardware_error_names(errors or 0)
    facts["status"] = " and ".join(names) or ("off" if torque == 0 else "on")
    if names:
        problems.append(f"reports {' and '.join(names)} (register 70): find the cause, then clear its faults")
    temperature, limit = found[t.PRESENT_TEMPERATURE], found[t.TEMPERATURE_LIMIT]
    if temperature >= limit:
        problems.append(f"has {temperature} degC, its limit is {limit}: let it cool down")
    if torque:
        problems.append("stays on after it was switched off: cut its power")
    position_rad = facts.get("position_rad")
    farthest_rad = probed.line.motor.model.position_max_rad - t.WRAP_MARGIN_RAD
    if isinstance(position_rad, float) and abs(position_rad) > farthest_rad:
        problems.append(
            f"stands at {position_rad:.2f} rad, where its turn ends (allowed: {farthest_rad:.2f}): set its zero"
        )
    return now_s


def _set_timeout(probed: Probed, timeout_s: float, now_s: float) -> Waiting:
    """Set the bus watchdog and read it back: it is what stops the servo when this computer dies."""
    problems, facts = probed.problems, probed.facts
    # Left at less than the limit by another program, it would hold the torque down. A limit that cannot be (two bytes
    # hold more than a goal) has been named, and must not reach the wire.
    goal = min(probed.found[t.PWM_LIMIT], t.PWM_FULL)
    now_s, pwm = yield from write_register(probed, t.GOAL_PWM, goal, now_s)
    if pwm != goal:
        problems.append(f"goal PWM reads back {pwm} after setting {goal}")
    firmware, oldest = probed.found[t.FIRMWARE_VERSION], probed.servo.watchdog_firmware
    if firmware < oldest:
        # It would expire, take no more goals, and turn on.
        probed.line.expect_watchdog(0)
        facts["firmware_needed"] = str(oldest)
        problems.append(NO_TIMEOUT_PROBLEM)
        return now_s
    try:
        wanted = codec.watchdog_count(timeout_s)
    except EncodeError as error:
        problems.append(f"command timeout not possible: {error}")
        return now_s
    now_s, count = yield from write_register(probed, t.BUS_WATCHDOG, wanted, now_s)
    if count is not None:
        facts["timeout_s"] = round(count * t.WATCHDOG_COUNT_S, 3)
    if count != wanted:
        found = "nothing" if count is None else f"{count * t.WATCHDOG_COUNT_S:g} s"
        problems.append(
            f"command timeout reads back {found} after setting {wanted * t.WATCHDOG_COUNT_S:g} s: "
            "it would not stop by itself"
        )
        return now_s
    probed.line.expect_watchdog(wanted)
    return now_s
