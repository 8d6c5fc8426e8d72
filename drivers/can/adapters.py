"""Adapters as python-can opens them: which parameters each kind takes, and what to know when calling it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import can

from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

SLCAN_CLOCK_HZ: Final = 160_000_000
"""Clock in which python-can wants bit timings of a CANable 2. Only the two rates reach the adapter."""

SLCAN_DATA_BITRATE_BPS: Final = 2_000_000
"""Python-can sets up CAN FD there only with a data rate; without one in the robot file, no frame of ours uses it."""

SAMPLE_POINT_PERCENT: Final = 80.0

GS_USB_WAIT_S: Final = 0.001
"""libusb takes a waiting time of 0 for "wait for ever"."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An open adapter.

    Attributes:
        bus: As python-can opened it.
        wait_s: Shortest time that its `recv` may be told to wait.
        has_echo: Whether it hands own frames back although told not to, marked as such.
    """

    bus: can.BusABC
    wait_s: float = 0.0
    has_echo: bool = False


def open_adapter(config: CanBusConfig) -> Adapter:
    """Open an adapter by its python-can name; own frames are not received.

    Raises:
        BusError: It cannot be opened so, and why.
    """
    is_usb = config.interface == "gs_usb"
    try:
        bus = can.Bus(interface=config.interface, channel=config.channel, **_parameters(config))
    except (can.CanError, OSError, ValueError, TypeError, ImportError, NotImplementedError) as error:
        raise BusError(str(error)) from error
    return Adapter(bus, GS_USB_WAIT_S, has_echo=True) if is_usb else Adapter(bus)


def _parameters(config: CanBusConfig) -> dict[str, Any]:
    """What python-can's interface of this name takes.

    Raises:
        BusError: The interface has no CAN FD.
    """
    common: dict[str, Any] = {"bitrate": config.bitrate_bps, "receive_own_messages": False}
    match config.interface:
        case "slcan":
            # Python-can reads byte by byte and would wait up to 1 ms for the first.
            common |= {"timeout": 0.0}
            if config.fd:
                common |= {"bitrate": None, "timing": _flexible_timing(config)}
        case "gs_usb":
            if config.fd:
                raise BusError("python-can's gs_usb has no CAN FD; use the kernel's driver: interface socketcan")
        case "virtual":
            if config.fd:
                common |= {"protocol": can.CanProtocol.CAN_FD}
        case "socketcan" | "handrail_datagram":
            if config.fd:
                common |= {"fd": True}
        case _:
            if config.fd:
                common |= {"fd": True, "data_bitrate": config.data_bitrate_bps or config.bitrate_bps}
    return common


def _flexible_timing(config: CanBusConfig) -> can.BitTimingFd:
    """Bit timings of two rates."""
    return can.BitTimingFd.from_sample_point(
        f_clock=SLCAN_CLOCK_HZ,
        nom_bitrate=config.bitrate_bps,
        nom_sample_point=SAMPLE_POINT_PERCENT,
        data_bitrate=config.data_bitrate_bps or SLCAN_DATA_BITRATE_BPS,
        data_sample_point=SAMPLE_POINT_PERCENT,
    )
