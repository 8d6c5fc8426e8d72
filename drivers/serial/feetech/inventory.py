"""Asking one Feetech servo who it is and how it is set up. Never energises; a servo that was left on is switched off.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Only two registers are written, both lost
when its power is cut: the torque switch, to off, and the torque limit, which is read back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.devices import NO_TIMEOUT_PROBLEM, WiredMotor
from drivers.serial.feetech.codec import error_names, pack_word, signed_from_magnitude
from drivers.serial.feetech.tables import (
    FULL_TORQUE_LIMIT,
    IDENTITY_ADDRESS,
    RETURN_DELAY_COUNT_S,
    RETURN_DELAY_MAX_COUNT,
    SERIES,
    STS_MODE_POSITION,
    SWITCH_ADDRESS,
    TORQUE_OFF,
    TURN_COUNTS,
    VOLTAGE_COUNT_V,
    FeetechModel,
)
from supervisor.core.exchange import DeviceReport

Facts = dict[str, float | str]
Reading = Generator[None, float, tuple[float, bytes | None]]
"""A read; returns the time at its end and what was read, None when nothing came."""


class ServoLine(Protocol):
    """One servo, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which servo it is."""
        ...

    @property
    def model(self) -> FeetechModel:
        """Its row."""
        ...

    @property
    def error_bits(self) -> int:
        """Of its newest answer."""
        ...

    @property
    def spoilt_bytes(self) -> int:
        """Bytes that came when an inventory had asked on its line, and belonged to no answer."""
        ...

    def read_identity(self, now_s: float) -> Reading:
        """Read what it has stored."""
        ...

    def read_state(self, now_s: float) -> Reading:
        """Read everything from the torque switch on."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a register."""
        ...

    def position_rad(self) -> float:
        """Of its newest answer."""
        ...

    def silence_problem(self, asked: str, spoilt_bytes: int) -> str:
        """Why it does not answer."""
        ...

    def set_stiffness(self, stiffness_nm_per_rad: float) -> None:
        """What its stiffness turned out to be."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """Some registers of one servo, as read."""

    model: FeetechModel
    address: int
    data: bytes

    def __contains__(self, name: str) -> bool:
        return name in SERIES[self.model.series].registers

    def __getitem__(self, name: str) -> int:
        series = SERIES[self.model.series]
        register = series.registers[name]
        at = register.address - self.address
        raw = int.from_bytes(self.data[at : at + register.size], series.order)
        return raw if register.sign_bit is None else signed_from_magnitude(raw, register.sign_bit)


def probe_servo(line: ServoLine, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Read what one servo has stored and how it is, switch it off, give it all its torque, and compare.

    Args:
        line: The servo.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    config = line.motor.config
    facts: Facts = {"make": config.make, "model": config.model}
    spoilt = line.spoilt_bytes
    now_s, identity = yield from line.read_identity(now_s)
    if identity is None:
        problem = line.silence_problem("what it has stored", line.spoilt_bytes - spoilt)
        return now_s, DeviceReport(line.motor.joint, config.bus, False, (problem,), facts)
    stored = Block(line.model, IDENTITY_ADDRESS, identity)
    facts["model_number"] = stored["model"]
    facts["firmware"] = f"{stored['firmware_major']}.{stored['firmware_minor']}"
    facts["baud_code"] = stored["baud"]
    problems = [*_stored_problems(line, stored, facts)]
    spoilt = line.spoilt_bytes
    now_s, state = yield from _prepare(line, facts, problems, now_s)
    if state is None:
        problems.append(line.silence_problem("its state", line.spoilt_bytes - spoilt))
    else:
        problems += _state_problems(line, stored, state, facts)
    problems.append(NO_TIMEOUT_PROBLEM)
    return now_s, DeviceReport(line.motor.joint, config.bus, True, tuple(problems), facts)


def wanted_registers(line: ServoLine) -> Mapping[str, int]:
    """What stored registers must read, as far as the series has them."""
    low, high = TURN_COUNTS[line.model.series]
    return {
        "model": line.model.number,
        "id": line.motor.config.id,
        "min_angle": low,
        "max_angle": high,
        "mode": STS_MODE_POSITION,
        "d_gain": line.model.d_gain,
        "i_gain": 0,
    }


def _stored_problems(line: ServoLine, stored: Block, facts: Facts) -> Iterator[str]:
    """What is stored otherwise than the table and the robot file have it; the stiffness is told to the loop."""
    model = line.model
    series = SERIES[model.series]
    for name, value in wanted_registers(line).items():
        if name in stored and stored[name] != value:
            yield (
                f"register {series.registers[name].address} ({name}) reads {stored[name]}, and {model.name} is driven "
                f"with {value}: see handrail configure, or correct the id or model in the robot file"
            )
    if "return_delay" in stored and stored["return_delay"] > RETURN_DELAY_MAX_COUNT:
        yield (
            f"register {series.registers['return_delay'].address} (return_delay) reads {stored['return_delay']}, "
            f"{stored['return_delay'] * RETURN_DELAY_COUNT_S * 1e6:g} us before each answer; allowed at most "
            f"{RETURN_DELAY_MAX_COUNT}: the line has no time for more"
        )
    if "p_gain" not in stored:
        facts["stiffness_nm_per_rad"] = round(model.stiffness_nm_per_rad, 3)
        return
    stiffness = model.stiffness_nm_per_rad * stored["p_gain"] / model.p_gain
    facts["p_gain"], facts["stiffness_nm_per_rad"] = stored["p_gain"], round(stiffness, 3)
    if stored["p_gain"] < model.p_gain:
        yield (
            f"register {series.registers['p_gain'].address} (p_gain) reads {stored['p_gain']}, and the stiffness of "
            f"{model.name} in the table is for {model.p_gain}: it is softer than the robot file may ask for: see "
            "handrail configure"
        )
    else:
        line.set_stiffness(stiffness)


def _prepare(
    line: ServoLine, facts: Facts, problems: list[str], now_s: float
) -> Generator[None, float, tuple[float, Block | None]]:
    """Read the state, switch off, set the torque limit and read all back."""
    now_s, data = yield from line.read_state(now_s)
    if data is None:
        return now_s, None
    state = Block(line.model, SWITCH_ADDRESS, data)
    facts["was_on"] = "no" if state["torque_enable"] == TORQUE_OFF else "yes"
    wanted = {"torque_enable": bytes((TORQUE_OFF,))}
    if "torque_limit" in state:
        wanted["torque_limit"] = pack_word(FULL_TORQUE_LIMIT, SERIES[line.model.series].order)
    order = SERIES[line.model.series].order
    for name, raw in wanted.items():
        value = int.from_bytes(raw, order)
        for _ in range(3):
            if state[name] == value:
                break
            line.write(name, raw)
            now_s, data = yield from line.read_state(now_s)
            if data is None:
                return now_s, None
            state = Block(line.model, SWITCH_ADDRESS, data)
        else:
            address = SERIES[line.model.series].registers[name].address
            problems.append(f"register {address} ({name}) reads back {state[name]} after writing {value}")
    return now_s, state


def _state_problems(line: ServoLine, stored: Block, state: Block, facts: Facts) -> Iterator[str]:
    """Faults, heat and supply."""
    degc, voltage_v = state["temperature"], state["voltage"] * VOLTAGE_COUNT_V
    facts["position_rad"] = round(line.position_rad(), 4)
    facts["temperature_degc"], facts["bus_voltage_v"] = degc, round(voltage_v, 1)
    if "max_temperature" in stored and degc >= stored["max_temperature"]:
        yield f"is at {degc} degC, its limit (register 13) is {stored['max_temperature']} degC: let it cool down"
    if "min_voltage" in stored:
        low_v, high_v = stored["min_voltage"] * VOLTAGE_COUNT_V, stored["max_voltage"] * VOLTAGE_COUNT_V
        if not low_v <= voltage_v <= high_v:
            yield f"is supplied with {voltage_v:.1f} V, its limits (registers 15, 14) are {low_v:.1f} to {high_v:.1f} V"
    if line.error_bits:
        yield f"reports fault {'+'.join(error_names(line.error_bits))}: find the cause; switching it off clears it"
