"""SocketCAN: what to ask of an interface before motors depend on it, and how its socket is set up.

Source:
    Documentation/networking/can.rst of Linux; include/uapi/linux/can/raw.h
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from drivers.can.batched_socket import RECEIVE_OVERFLOW, TIMESTAMP_NS
from drivers.can.error_frames import ALL_CLASSES
from drivers.can.link_settings import LinkSettings, read_link
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

CYCLE_FRAMES: Final = 32
"""Frames that may wait to be sent: a cycle of commands, and the requests of an inventory. More would be stale commands
that the motors obey late; 32 frames of 8 bytes take 4 ms at 1 Mbit/s."""

SHORTEST_QUEUE: Final = 16
"""Shorter queues of the interface refuse the last commands of a cycle. Linux makes them 10 frames long."""

LONGEST_QUEUE: Final = 128
"""Longer ones say that somebody meant to hide a full bus. The socket's own limit holds in any case."""

STALL_FRAMES: Final = 1024
"""Frames that may wait to be read: 100 ms of a full bus of 1 Mbit/s."""

FRAME_MEMORY_BYTES: Final = 1024
"""What Linux charges a socket for one frame, rounded up: 768 bytes in Linux 6.1, 960 since 6.3."""

_SOL_CAN_RAW: Final = 101
_ERROR_FILTER: Final = 2
_RECEIVE_BUFFER_FORCE: Final = 33

ReadLink = Callable[[str], LinkSettings | None]


def check_link(config: CanBusConfig, read: ReadLink = read_link) -> tuple[LinkSettings, list[str]]:
    """Compare an interface with the robot file.

    Args:
        config: Bus as the robot file describes it.
        read: Asks the kernel.

    Returns:
        The settings, and what should be changed, as sentences that end in the command.

    Raises:
        BusError: The interface is missing, down, listens only, or has another bit rate. Frames sent at another rate
            would disturb everybody on the bus.
    """
    name = config.channel
    link = read(name)
    if link is None:
        raise BusError(f"there is no interface {name}; list them with: ip link")
    setting_up = f"ip link set {name} down; {_setting_up(config)}"
    if not link.is_up:
        raise BusError(f"{name} is down; set it up with: {_setting_up(config)}")
    if link.is_listen_only:
        raise BusError(f"{name} only listens; let it send with: {setting_up}")
    if link.bitrate_bps not in (0, config.bitrate_bps):
        raise BusError(
            f"{name} runs at {link.bitrate_bps} bit/s, the robot file says {config.bitrate_bps}; {setting_up}"
        )
    # A virtual interface has no bit rate at all, and takes FD frames as soon as they fit.
    if link.bitrate_bps and config.fd:
        if not link.is_fd:
            raise BusError(f"{name} is not set to CAN FD, the robot file says fd; {setting_up}")
        if config.data_bitrate_bps and link.data_bitrate_bps != config.data_bitrate_bps:
            raise BusError(
                f"{name} sends data at {link.data_bitrate_bps} bit/s, the robot file says {config.data_bitrate_bps}; "
                f"{setting_up}"
            )
    return link, _advice(name, link)


def _setting_up(config: CanBusConfig) -> str:
    """The command that sets an interface up as the robot file wants it."""
    fd = " fd on" if config.fd else ""
    rate = f" dbitrate {config.data_bitrate_bps}" if config.fd and config.data_bitrate_bps else ""
    return (
        f"ip link set {config.channel} up txqueuelen {CYCLE_FRAMES} type can bitrate {config.bitrate_bps}{rate}{fd} "
        "restart-ms 0"
    )


def _advice(name: str, link: LinkSettings) -> list[str]:
    """What works, and should be otherwise."""
    found: list[str] = []
    if link.queue_frames and not SHORTEST_QUEUE <= link.queue_frames <= LONGEST_QUEUE:
        kind = "refuses commands" if link.queue_frames < SHORTEST_QUEUE else "hides stale commands"
        found.append(
            f"the transmit queue of {name} holds {link.queue_frames} frames and {kind}; make it about one cycle long: "
            f"ip link set {name} txqueuelen {CYCLE_FRAMES}"
        )
    if link.restart_ms:
        found.append(
            f"{name} comes back by itself {link.restart_ms} ms after it has left the bus, with motors in the middle of "
            f"a motion; let it stay off: ip link set {name} down; ip link set {name} type can restart-ms 0"
        )
    if link.is_bus_off:
        found.append(f"{name} has left the bus; look for the fault, then: ip link set {name} type can restart")
    return found


def prepare_socket(own: socket.socket) -> None:
    """Error frames on, arrival times and losses told, and queues of a known length.

    Args:
        own: A bound raw CAN socket. Options that it does not know are left out.
    """
    receive_bytes, send_bytes = STALL_FRAMES * FRAME_MEMORY_BYTES, CYCLE_FRAMES * FRAME_MEMORY_BYTES
    # Linux doubles what it is told, for its own structures, which are counted in what a frame is charged.
    options = [
        (_SOL_CAN_RAW, _ERROR_FILTER, ALL_CLASSES),
        (socket.SOL_SOCKET, TIMESTAMP_NS, 1),
        (socket.SOL_SOCKET, RECEIVE_OVERFLOW, 1),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes // 2),
        (socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes // 2),
        # Beyond the system's limit for everybody (net.core.rmem_max), where this process may.
        (socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, receive_bytes // 2),
    ]
    for level, option, value in options:
        with contextlib.suppress(OSError):
            own.setsockopt(level, option, value)
