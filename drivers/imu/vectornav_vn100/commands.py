"""The text commands that a VectorNav unit takes: registers read and written, tare, reset.

Source: see `tables`.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from drivers.imu.vectornav_vn100.codec import KNOWN_MASKS, text_xor
from drivers.imu.vectornav_vn100.tables import COMMANDS, GROUPS, REGISTER_BINARY_OUTPUT_1
from supervisor.core.errors import EncodeError

_PARAMETER: Final = re.compile(r"[!-#%-)+\--~]*")
"""Printable, and none of: space, $ * and comma."""

Checksum = Literal["xor8", "crc16"]


def make_message(words: Sequence[str], check: Checksum = "xor8") -> bytes:
    """One text message as it goes over the wire.

    Raises:
        EncodeError: A word that would end or split the message.
    """
    if not all(_PARAMETER.fullmatch(word) for word in words):
        raise EncodeError(f"words {list(words)}: printable characters other than space, comma, $ and * only")
    body = ",".join(words).encode("ascii")
    digits = f"{text_xor(body):02X}" if check == "xor8" else f"{crc_hqx(body, 0):04X}"
    return b"$" + body + b"*" + digits.encode("ascii") + b"\r\n"


def make_command(command: str, check: Checksum = "xor8") -> bytes:
    """A command without parameters.

    Args:
        command: One of `COMMANDS`.
        check: Which checksum to use.

    Raises:
        EncodeError: Not one of them.
    """
    if command not in COMMANDS:
        raise EncodeError(f"command {command!r}; known: {', '.join(COMMANDS)}")
    return make_message([COMMANDS[command]], check)


def make_register_read(register: int, check: Checksum = "xor8") -> bytes:
    """Ask for a register.

    Raises:
        EncodeError: No register has this number.
    """
    return make_message(["VNRRG", _register(register)], check)


def make_register_write(register: int, values: Sequence[int | str], check: Checksum = "xor8") -> bytes:
    """Write a register; the unit answers with the same message.

    Raises:
        EncodeError: No register has this number, or a value that would end or split the message.
    """
    return make_message(["VNWRG", _register(register), *map(str, values)], check)


def make_binary_output(
    masks: Mapping[int, int], *, port_mask: int, divisor: int, output: int = 1, check: Checksum = "xor8"
) -> bytes:
    """Set up one of the three binary outputs.

    Args:
        masks: Field mask by group; groups without fields are left out.
        port_mask: 1 and 2 for the serial ports, 3 for both, 0 for none.
        divisor: Of the internal rate, 800 Hz.
        output: 1, 2 or 3.
        check: Which checksum to use.

    Raises:
        EncodeError: An output, port, divisor, group or field that does not exist.
    """
    if not (1 <= output <= 3 and 0 <= port_mask <= 3 and 0 <= divisor <= 0xFFFF):
        raise EncodeError(f"binary output {output}, ports {port_mask}, divisor {divisor}")
    for group, mask in masks.items():
        if group not in GROUPS or not 0 <= mask <= KNOWN_MASKS[group]:
            raise EncodeError(f"fields 0x{mask:X} of group {group}: not known")
    used = {group: mask for group, mask in sorted(masks.items()) if mask}
    groups = sum(1 << group for group in used)
    values = [port_mask, divisor, f"{groups:X}", *(f"{mask:X}" for mask in used.values())]
    return make_register_write(REGISTER_BINARY_OUTPUT_1 + output - 1, values, check)


def _register(register: int) -> str:
    if not 0 <= register <= 0xFF:
        raise EncodeError(f"register {register} outside 0 to 255")
    return f"{register:02d}"
