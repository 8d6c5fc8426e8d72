"""What an Xsens unit streams from power-up: its output configuration, and how to change it.

It answers only in its configuration state, in which it streams nothing, and stores what it is sent at once.

Source: see `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.imu.asking import ATTEMPTS, KEEP_S, UnitLine
from drivers.imu.xsens_xbus.codec import (
    FrameParser,
    decode_output_configuration,
    make_message,
    make_output_configuration,
    split_checked,
)
from drivers.imu.xsens_xbus.tables import (
    ACCELERATION,
    ANY_RATE,
    ERROR,
    ERROR_NAMES,
    EULER,
    GO_TO_CONFIG,
    GO_TO_MEASUREMENT,
    OUTPUT_CONFIGURATION,
    QUATERNION,
    RATE_OF_TURN,
    SET_OUTPUT_CONFIGURATION,
    STATUS_BYTE,
    STATUS_WORD,
)
from supervisor.core.errors import DeviceError, FrameError

OUTPUTS: Final = "output configuration"
_SAMPLED: Final = (QUATERNION, ACCELERATION, RATE_OF_TURN)
_FORMAT_BITS: Final = 0xF
"""Of a data identifier: number format and world frame, all of which are understood."""

Outputs = list[tuple[int, int]]
Talk = Generator[None, float, tuple[float, bytes]]


def _answer(message_id: int) -> Callable[[bytes], bytes | str | None]:
    """Finds an acknowledgement, or the name of an error, among what has arrived."""

    def find(heard: bytes) -> bytes | str | None:
        for message in map(split_checked, FrameParser().feed(heard)):
            if message.message_id == message_id + 1:
                return message.data
            if message.message_id == ERROR and message.data:
                return ERROR_NAMES.get(message.data[0], f"error {message.data[0]}")
        return None

    return find


def _say(line: UnitLine, packet: bytes, now_s: float, attempts: int = ATTEMPTS, wait_s: float = 0.3) -> Talk:
    """Send a message until it is acknowledged."""
    now_s, answer = yield from line.ask(packet, _answer(packet[2]), now_s, attempts, wait_s)
    if not isinstance(answer, bytes):
        raise DeviceError(f"imu says {answer or 'nothing'} to message 0x{packet[2]:02X}: check cable, port, baud rate")
    return now_s, answer


def _in_config(line: UnitLine, packet: bytes, now_s: float, attempts: int, wait_s: float) -> Talk:
    """Ask one thing in the configuration state, and go back to measuring, whatever comes of it."""
    try:
        now_s, _ = yield from _say(line, make_message(GO_TO_CONFIG), now_s)
        now_s, answer = yield from _say(line, packet, now_s, attempts, wait_s)
        now_s, _ = yield from _say(line, make_message(GO_TO_MEASUREMENT), now_s)
    except DeviceError:
        line.tell(make_message(GO_TO_MEASUREMENT))
        raise
    return now_s, answer


def _is_enough(outputs: Outputs, rate_hz: float) -> bool:
    """Whether a reading can be made of it: rate of turn, acceleration, attitude and status, at the wanted rate."""
    rates = {kind & ~_FORMAT_BITS: rate for kind, rate in outputs}
    attitude = QUATERNION if QUATERNION in rates else EULER
    has_status = STATUS_WORD in rates or STATUS_BYTE in rates
    return has_status and all(rates.get(kind) == rate_hz for kind in (attitude, ACCELERATION, RATE_OF_TURN))


def _wanted(rate_hz: float) -> Outputs:
    return [(kind, int(rate_hz) if kind in _SAMPLED else ANY_RATE) for kind in OUTPUT_CONFIGURATION]


def _text(outputs: Outputs) -> str:
    return ", ".join(f"{kind:04X}" + (f" {rate} Hz" if rate != ANY_RATE else "") for kind, rate in outputs) or "nothing"


def find_settings(line: UnitLine, now_s: float) -> Found:
    """Read what is streamed and compare it; see `Imu.settings`. It stops streaming meanwhile."""
    rate_hz = line.config.rate_hz
    if rate_hz != int(rate_hz):
        raise DeviceError(f"imu streams whole numbers of packets per second, not {rate_hz:g}")
    request = make_message(SET_OUTPUT_CONFIGURATION)
    now_s, answer = yield from _in_config(line, request, now_s, ATTEMPTS, 0.3)
    try:
        outputs = decode_output_configuration(answer)
    except FrameError as error:
        raise DeviceError(f"imu: {error}") from None
    if _is_enough(outputs, rate_hz):
        return now_s, ()
    note = "stored at once; its rate must divide the unit's highest one"
    return now_s, (Setting("imu", OUTPUTS, _text(outputs), _text(_wanted(rate_hz)), "flash", note),)


def write_settings(line: UnitLine, settings: Settings, now_s: float) -> Changing:  # noqa: ARG001 (there is one only)
    """Write the output configuration, once; see `Imu.configure`."""
    packet = make_output_configuration(_wanted(line.config.rate_hz))
    now_s, _ = yield from _in_config(line, packet, now_s, 1, KEEP_S)
    return now_s
