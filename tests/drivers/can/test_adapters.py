from __future__ import annotations

from dataclasses import replace

import can
import pytest

from drivers.can import adapters
from drivers.can.adapters import Adapter, open_adapter
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What python-can was asked to open."""
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(adapters.can, "Bus", lambda **parameters: calls.append(parameters) or "bus")
    return calls


def config(interface: str, *, fd: bool = False, data_bitrate_bps: int = 0) -> CanBusConfig:
    return CanBusConfig("can", interface, "a channel", 1_000_000, fd=fd, data_bitrate_bps=data_bitrate_bps)


@pytest.mark.parametrize("interface", ["socketcan", "slcan", "virtual", "handrail_datagram", "gs_usb", "pcan"])
def test_a_classic_bus_is_opened_at_its_rate_without_own_frames(interface: str, asked: list[dict[str, object]]) -> None:
    assert open_adapter(config(interface)).bus == "bus"
    (parameters,) = asked
    expected = {
        "interface": interface,
        "channel": "a channel",
        "bitrate": 1_000_000,
        "receive_own_messages": False,
    }
    assert expected.items() <= parameters.items()
    assert "fd" not in parameters


@pytest.mark.parametrize(
    ("interface", "more"),
    [
        ("socketcan", {"fd": True}),
        ("handrail_datagram", {"fd": True}),
        ("virtual", {"protocol": can.CanProtocol.CAN_FD}),
        ("kvaser", {"fd": True, "data_bitrate": 5_000_000}),
    ],
)
def test_an_fd_bus_is_opened_as_its_interface_wants_it(
    interface: str, more: dict[str, object], asked: list[dict[str, object]]
) -> None:
    open_adapter(config(interface, fd=True, data_bitrate_bps=5_000_000))
    assert more.items() <= asked[0].items()


@pytest.mark.parametrize(("data_bitrate_bps", "asked_bps"), [(5_000_000, 5_000_000), (0, 2_000_000)])
def test_a_serial_line_adapter_gets_both_rates_and_is_never_waited_for(
    asked: list[dict[str, object]], data_bitrate_bps: int, asked_bps: int
) -> None:
    open_adapter(config("slcan", fd=True, data_bitrate_bps=data_bitrate_bps))
    (parameters,) = asked
    timing = parameters["timing"]
    assert isinstance(timing, can.BitTimingFd)
    assert (timing.nom_bitrate, timing.data_bitrate) == (1_000_000, asked_bps)
    assert (parameters["timeout"], parameters["bitrate"]) == (0.0, None)


def test_gs_usb_by_libusb_waits_shortly_and_echoes(asked: list[dict[str, object]]) -> None:
    assert open_adapter(config("gs_usb")) == Adapter("bus", 0.001, has_echo=True)


def test_gs_usb_by_libusb_has_no_fd(asked: list[dict[str, object]]) -> None:
    with pytest.raises(BusError, match="interface socketcan"):
        open_adapter(config("gs_usb", fd=True))
    assert asked == []


@pytest.mark.parametrize(
    "failure",
    [
        can.CanInitializationError("no"),
        OSError("no"),
        ValueError("no"),
        TypeError("no"),
        ImportError("no"),
        NotImplementedError("no"),
    ],
)
def test_an_adapter_that_does_not_open_is_a_bus_error(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise failure

    monkeypatch.setattr(adapters.can, "Bus", refuse)
    with pytest.raises(BusError, match="no"):
        open_adapter(config("virtual"))


def test_a_virtual_fd_bus_opens() -> None:
    adapter = open_adapter(replace(config("virtual", fd=True), channel="adapters"))
    assert adapter.bus.protocol is can.CanProtocol.CAN_FD
    adapter.bus.shutdown()


def test_a_serial_line_that_is_not_there_is_a_bus_error() -> None:
    with pytest.raises(BusError, match="not_there"):
        open_adapter(replace(config("slcan"), channel="/dev/not_there"))
