"""SocketCAN's error frames: what the controller reports about itself and the bus, by name.

Source:
    include/uapi/linux/can/error.h
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUS_OFF: Final = 0x40
"""CAN_ERR_BUSOFF: the controller has left the bus, after too many errors of its own."""

CONTROLLER: Final = 0x04
"""CAN_ERR_CRTL: the first data byte but one says what."""

NAMES: Final[Mapping[int, str]] = {
    0x001: "transmit timeout",
    0x002: "lost arbitration",
    0x008: "protocol violation",
    0x010: "transceiver",
    0x020: "no acknowledge",
    BUS_OFF: "bus off",
    0x080: "bus error",
    0x100: "controller restarted",
}
"""Classes of error, in the identifier of an error frame. Bit 0x200 only says that the last two bytes are counters."""

CONTROLLER_NAMES: Final[Mapping[int, str]] = {
    0x01: "receive overflow",
    0x02: "transmit overflow",
    0x04: "error warning",
    0x08: "error warning",
    0x10: "error passive",
    0x20: "error passive",
    0x40: "error active again",
}
"""Bits of the controller's byte. Warning and passive come once each for receiving and for transmitting."""

UNKNOWN: Final = "unknown"

ALL_CLASSES: Final = 0x1FFF_FFFF
"""Filter that lets every error frame through."""


def error_names(classes: int, data: bytes) -> tuple[str, ...]:
    """What an error frame says; one name at least, each once.

    Args:
        classes: Its identifier, without flags.
        data: Of any length; SocketCAN's have 8 bytes.
    """
    names = [name for bit, name in NAMES.items() if classes & bit]
    if classes & CONTROLLER:
        status = data[1] if len(data) > 1 else 0
        names += [name for bit, name in CONTROLLER_NAMES.items() if status & bit] or ["controller"]
    return tuple(dict.fromkeys(names)) or (UNKNOWN,)


class ErrorFrames:
    """Counts error frames by what they say.

    Attributes:
        counts: Error frames by name; a frame that says two things counts under both.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def take(self, classes: int, data: bytes) -> bool:
        """Count one error frame.

        Returns:
            Whether the controller has left the bus.
        """
        for name in error_names(classes, data):
            self.counts[name] = self.counts.get(name, 0) + 1
        return bool(classes & BUS_OFF)
