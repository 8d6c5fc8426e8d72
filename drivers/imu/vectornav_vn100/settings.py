"""What a VectorNav unit streams from power-up: its first binary output and its text message, and how to change them.

Source: see `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.imu.asking import ATTEMPTS, KEEP_S, UnitLine
from drivers.imu.vectornav_vn100.codec import FrameParser, decode_error, decode_text
from drivers.imu.vectornav_vn100.commands import (
    make_binary_output,
    make_command,
    make_register_read,
    make_register_write,
)
from drivers.imu.vectornav_vn100.tables import (
    ASYNC_TYPES,
    BINARY_OUTPUT,
    DOLLAR,
    ERROR_NAMES,
    INTERNAL_RATE_HZ,
    PACKETS,
    REGISTER_ASYNC_RATE,
    REGISTER_ASYNC_TYPE,
    REGISTER_BINARY_OUTPUT_1,
)
from supervisor.core.errors import DeviceError, FrameError

BINARY, TEXT, TEXT_RATE = "binary output 1", "async type", "async rate"
_NAMES: Final = {REGISTER_BINARY_OUTPUT_1: BINARY, REGISTER_ASYNC_TYPE: TEXT, REGISTER_ASYNC_RATE: TEXT_RATE}

Words = tuple[str, ...]
Talk = Generator[None, float, tuple[float, Words]]


def _answer(kind: str) -> Callable[[bytes], Words | None]:
    """Finds the answer to a command, or an error, among what is streamed."""

    def find(heard: bytes) -> Words | None:
        for line in FrameParser().feed(heard):
            if line[0] != DOLLAR:
                continue
            try:
                text = decode_text(line)
                if text.kind == "VNERR":
                    return ("VNERR", ERROR_NAMES.get(decode_error(text), "not documented"))
            except FrameError:
                continue
            if text.kind == kind:
                return text.parameters
        return None

    return find


def _say(line: UnitLine, data: bytes, now_s: float, attempts: int = ATTEMPTS, wait_s: float = 0.3) -> Talk:
    """Send a command until it is answered."""
    kind = data[1:6].decode("ascii")
    now_s, words = yield from line.ask(data, _answer(kind), now_s, attempts, wait_s)
    if words is None or words[:1] == ("VNERR",):
        said = "does not answer" if words is None else f"refuses ({words[1]})"
        raise DeviceError(f"imu {said} {data[1:-5].decode('ascii', 'replace')}")
    return now_s, words


def _read(line: UnitLine, register: int, now_s: float) -> Talk:
    now_s, words = yield from _say(line, make_register_read(register), now_s)
    return now_s, words[1:]


def _wanted_output(line: UnitLine, found: Sequence[str]) -> str:
    """The first binary output as it must be: on the port where it is, or the first one."""
    config = line.config
    divisor = INTERNAL_RATE_HZ / config.rate_hz
    if divisor != int(divisor):
        raise DeviceError(f"imu streams binary at {INTERNAL_RATE_HZ:g} Hz by a whole number, not {config.rate_hz:g} Hz")
    ports = int(found[0]) if found and found[0].isdecimal() else 0
    message = make_binary_output(BINARY_OUTPUT, port_mask=ports or 1, divisor=int(divisor))
    return _joined(message.decode("ascii").split("*")[0].split(",")[2:])


def _joined(words: Sequence[str]) -> str:
    """Words of a register in one form: without leading zeros."""
    return ",".join(word.lstrip("0") or "0" for word in words)


def find_settings(line: UnitLine, now_s: float) -> Found:
    """Read what is streamed and compare it; see `Imu.settings`."""
    message = PACKETS[line.config.packet]
    rows: list[tuple[int, str]] = [(REGISTER_ASYNC_TYPE, str(ASYNC_TYPES[message]))]
    now_s, output = yield from _read(line, REGISTER_BINARY_OUTPUT_1, now_s)
    if message:
        rows.append((REGISTER_ASYNC_RATE, f"{line.config.rate_hz:.0f}"))
        if output[:1] != ("0",):
            rows.append((REGISTER_BINARY_OUTPUT_1, _joined(("0", *output[1:]))))
    else:
        rows.append((REGISTER_BINARY_OUTPUT_1, _wanted_output(line, output)))
    settings: list[Setting] = []
    for register, wanted in rows:
        now_s, words = yield from _read(line, register, now_s)
        found = _joined(words if register == REGISTER_BINARY_OUTPUT_1 else words[:1])
        if found != wanted:
            settings.append(Setting("imu", _NAMES[register], found, wanted, "flash", f"register {register}"))
    return now_s, tuple(settings)


def write_settings(line: UnitLine, settings: Settings, now_s: float) -> Changing:
    """Write registers, and have all of them stored, once; see `Imu.configure`."""
    registers = {name: register for register, name in _NAMES.items()}
    for setting in settings:
        packet = make_register_write(registers[setting.name], str(setting.wanted).split(","))
        now_s, _ = yield from _say(line, packet, now_s)
    now_s, _ = yield from _say(line, make_command("write_settings"), now_s, 1, KEEP_S)
    return now_s
