"""The diagnostic console of moteus: lines of text through CAN, tunneled in subframes. Settings are only reached here.

The controller keeps what it has to say until it is asked for it, a few bytes at a time.

Source: `mjbots/moteus` docs/protocol/diagnostic.md, `moteus` 1.1.1 (Stream, run).
"""

from __future__ import annotations

import math
from typing import Final

from drivers.bus import Frame
from drivers.can.moteus.codec import Address, make_frame
from supervisor.core.errors import EncodeError

CHANNEL: Final = 1
LONGEST_TEXT: Final = 48
"""Bytes of text in one frame, either way; the vendor's library takes as many."""

QUIET: Final = b"tel stop\n"
"""Stop whatever a program on the desk has asked to be sent all the time."""

KEEP: Final = b"conf write\n"
"""Store all settings in flash."""

DONE: Final = b"OK"
"""What the controller says to a command that has no other answer."""

DIGITS: Final = 6
"""Of a setting's value; the controller shows as many."""

_CLIENT_DATA: Final = 0x40
_SERVER_DATA: Final = 0x41
_CLIENT_POLL: Final = 0x42


def make_say(address: Address, text: bytes) -> Frame:
    """Type something; the controller keeps its answer until `make_listen`. Nothing comes back.

    Raises:
        EncodeError: Longer than one frame holds.
    """
    if len(text) > LONGEST_TEXT:
        raise EncodeError(f"{len(text)} bytes of text in one frame; allowed: up to {LONGEST_TEXT}")
    return make_frame(address, bytes((_CLIENT_DATA, CHANNEL, len(text))) + text, is_answered=False)


def make_listen(address: Address) -> Frame:
    """Ask for the next few bytes of text; perhaps there are none."""
    return make_frame(address, bytes((_CLIENT_POLL, CHANNEL, LONGEST_TEXT)), is_answered=True)


def make_ask_setting(address: Address, name: str) -> Frame:
    """Ask for a setting's value.

    Raises:
        EncodeError: Its name is too long, or has characters that would be another command.
    """
    return make_say(address, f"conf get {_checked(name)}\n".encode())


def make_set_setting(address: Address, name: str, value: float) -> Frame:
    """Change a setting, until the power is cut; the controller says OK. Only while it is off.

    Raises:
        EncodeError: The name as in `make_ask_setting`, or an infinite value.
    """
    if math.isinf(value):
        raise EncodeError(f"{name}: {value} is no value")
    return make_say(address, f"conf set {_checked(name)} {value:.{DIGITS}g}\n".encode())


def _checked(name: str) -> str:
    """The name of a setting, and no other command."""
    if not name.replace(".", "").replace("_", "").isalnum() or not name.isascii():
        raise EncodeError(f"{name!r} is not the name of a setting")
    return name


def heard_text(data: bytes) -> bytes | None:
    """The text in a controller's answer to `make_listen`, perhaps empty; None when it is no such answer."""
    if len(data) < 3 or data[0] != _SERVER_DATA or data[1] != CHANNEL or data[2] > len(data) - 3:
        return None
    return data[3 : 3 + data[2]]


def setting_value(line: bytes) -> float | None:
    """The value in a line of text; NaN where the controller says nan, None when the line holds no number."""
    try:
        value = float(line.strip())
    except ValueError:
        return None
    return None if math.isinf(value) else value
