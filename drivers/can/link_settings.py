"""How the kernel has set up a CAN interface: asked over netlink, as `ip -details link show can0` does.

Source:
    rtnetlink(7); include/uapi/linux/if_link.h; include/uapi/linux/can/netlink.h
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_GET_LINK: Final = 18
_NEW_LINK: Final = 16
_REQUEST: Final = 1
_NAME: Final = 3
_QUEUE_LENGTH: Final = 13
_LINK_INFO: Final = 18
_INFO_DATA: Final = 2
_BIT_TIMING: Final = 1
_STATE: Final = 4
_CONTROL_MODE: Final = 5
_RESTART_MS: Final = 6
_DATA_BIT_TIMING: Final = 9

_IS_UP: Final = 1
_FD_MODE: Final = 0x20
_LISTEN_ONLY: Final = 0x02
_BUS_OFF: Final = 3
_NESTED_MASK: Final = 0x3FFF
_REPLY_BYTES: Final = 65_536
_WAIT_S: Final = 1.0

_MESSAGE_HEAD: Final = struct.Struct("=IHHII")
_LINK_HEAD: Final = struct.Struct("=BxHiII")
_ATTRIBUTE_HEAD: Final = struct.Struct("=HH")
_WORD: Final = struct.Struct("=I")
_TWO_WORDS: Final = struct.Struct("=II")


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """One network interface.

    Attributes:
        is_up: Whether it is up.
        queue_frames: Length of its transmit queue, 0 where it has none.
        bitrate_bps: Of arbitration; 0 where it has none (virtual) or does not say (serial-line CAN).
        data_bitrate_bps: Of the data of FD frames; 0 where it has none.
        is_fd: Whether it is set to CAN FD.
        is_listen_only: Whether it acknowledges and sends nothing.
        is_bus_off: Whether the controller has left the bus.
        restart_ms: How long after leaving it comes back by itself; 0 for never.
    """

    is_up: bool = False
    queue_frames: int = 0
    bitrate_bps: int = 0
    data_bitrate_bps: int = 0
    is_fd: bool = False
    is_listen_only: bool = False
    is_bus_off: bool = False
    restart_ms: int = 0


def read_link(name: str) -> LinkSettings | None:
    """Ask the kernel about an interface; None where there is none of that name, or no answer."""
    label = name.encode() + b"\0"
    attribute = _ATTRIBUTE_HEAD.pack(_ATTRIBUTE_HEAD.size + len(label), _NAME) + label
    body = _LINK_HEAD.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute + bytes(-len(attribute) % 4)
    request = _MESSAGE_HEAD.pack(_MESSAGE_HEAD.size + len(body), _GET_LINK, _REQUEST, 1, 0) + body
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
            kernel.settimeout(_WAIT_S)
            kernel.bind((0, 0))
            kernel.send(request)
            return parse_reply(kernel.recv(_REPLY_BYTES))
    except OSError:
        return None


def parse_reply(reply: bytes) -> LinkSettings | None:
    """What an answer says; None where it is not about an interface. Never raises."""
    start = _MESSAGE_HEAD.size + _LINK_HEAD.size
    if len(reply) < start or _MESSAGE_HEAD.unpack_from(reply)[1] != _NEW_LINK:
        return None
    flags = _LINK_HEAD.unpack_from(reply, _MESSAGE_HEAD.size)[3]
    link = dict(_attributes(reply[start:]))
    info = dict(_attributes(link.get(_LINK_INFO, b"")))
    controller = dict(_attributes(info.get(_INFO_DATA, b"")))
    modes = _TWO_WORDS.unpack_from(controller.get(_CONTROL_MODE, b"").ljust(_TWO_WORDS.size, b"\0"))[1]
    return LinkSettings(
        is_up=bool(flags & _IS_UP),
        queue_frames=_word(link, _QUEUE_LENGTH),
        bitrate_bps=_word(controller, _BIT_TIMING),
        data_bitrate_bps=_word(controller, _DATA_BIT_TIMING),
        is_fd=bool(modes & _FD_MODE),
        is_listen_only=bool(modes & _LISTEN_ONLY),
        is_bus_off=_word(controller, _STATE) == _BUS_OFF,
        restart_ms=_word(controller, _RESTART_MS),
    )


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute, up to the first that is damaged."""
    at = 0
    while len(data) - at >= _ATTRIBUTE_HEAD.size:
        length, kind = _ATTRIBUTE_HEAD.unpack_from(data, at)
        if length < _ATTRIBUTE_HEAD.size or at + length > len(data):
            return
        yield kind & _NESTED_MASK, data[at + _ATTRIBUTE_HEAD.size : at + length]
        at += length + -length % 4


def _word(attributes: dict[int, bytes], kind: int) -> int:
    """The first four bytes of an attribute; 0 where it is missing."""
    value = attributes.get(kind, b"")
    return _WORD.unpack_from(value)[0] if len(value) >= _WORD.size else 0
