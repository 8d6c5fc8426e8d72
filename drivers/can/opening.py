"""Opens a CAN bus, and chooses how frames go in and out."""

from __future__ import annotations

import socket
from collections.abc import Callable

import can
from can.interfaces.slcan import slcanBus
from can.interfaces.socketcan import SocketcanBus

from drivers.bus import CanBus
from drivers.can import slots
from drivers.can.adapters import Adapter, open_adapter
from drivers.can.batched_can import BatchedCan, KernelSocket, Transport
from drivers.can.datagram import DatagramBus
from drivers.can.message_can import MessageCan
from drivers.can.slcan.bus import SlcanCan
from drivers.can.socketcan import check_link, prepare_socket
from supervisor.core.robot import CanBusConfig


def open_can(config: CanBusConfig, wall_clock_s: Callable[[], float]) -> tuple[CanBus, list[str]]:
    """Open a CAN bus.

    Args:
        config: Bus as the robot file describes it.
        wall_clock_s: Seconds since the epoch: the clock that stamps received frames.

    Returns:
        The bus, and what should be set up otherwise, as sentences.

    Raises:
        BusError: It cannot be opened, or the interface is not set up as the robot file says.
    """
    advice: list[str] = []
    is_off = False
    if config.interface == "socketcan":
        link, advice = check_link(config)
        is_off = link.is_bus_off
    bus = _with_frames(open_adapter(config), config, wall_clock_s)
    bus.counters.is_off = is_off
    return bus, advice


def _with_frames(adapter: Adapter, config: CanBusConfig, wall_clock_s: Callable[[], float]) -> CanBus:
    """The fastest way of sending and receiving that an open adapter has."""
    bus, switch = adapter.bus, config.data_bitrate_bps > 0
    transport = _transport(bus) if slots.is_available() else None
    if transport is not None:
        return BatchedCan(bus, transport, is_fd=config.fd, bit_rate_switch=switch, wall_clock_s=wall_clock_s)
    descriptor = _serial_descriptor(bus)
    if descriptor is not None:
        return SlcanCan(bus, descriptor, is_fd=config.fd, bit_rate_switch=switch)
    return MessageCan(adapter, is_fd=config.fd, bit_rate_switch=switch, wall_clock_s=wall_clock_s)


def _transport(bus: can.BusABC) -> Transport | None:
    """What carries the frames, where they are laid out as SocketCAN's."""
    if isinstance(bus, DatagramBus):
        return bus
    if isinstance(bus, SocketcanBus):
        own: socket.socket = bus.socket
        prepare_socket(own)
        return KernelSocket(own.fileno())
    return None


def _serial_descriptor(bus: can.BusABC) -> int | None:
    """The serial port of an adapter on a serial line; None for one of pyserial's ports that are no files."""
    if not isinstance(bus, slcanBus):
        return None
    try:
        return bus.fileno()
    except NotImplementedError:
        return None
