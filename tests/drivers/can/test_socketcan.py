from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from drivers.can.link_settings import LinkSettings
from drivers.can.socketcan import check_link, prepare_socket
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig

CONFIG = CanBusConfig("can", "socketcan", "can0", 1_000_000)
FD_CONFIG = replace(CONFIG, fd=True, data_bitrate_bps=5_000_000)
GOOD = LinkSettings(is_up=True, queue_frames=32, bitrate_bps=1_000_000)
FD_GOOD = replace(GOOD, is_fd=True, data_bitrate_bps=5_000_000)


@pytest.mark.parametrize(
    ("config", "link"),
    [
        (CONFIG, GOOD),
        (FD_CONFIG, FD_GOOD),
        (CONFIG, FD_GOOD),
        (replace(FD_CONFIG, data_bitrate_bps=0), FD_GOOD),
        # Virtual: no rate, no queue, and FD without being told.
        (FD_CONFIG, LinkSettings(is_up=True)),
        (CONFIG, replace(GOOD, queue_frames=16)),
        (CONFIG, replace(GOOD, queue_frames=128)),
    ],
)
def test_an_interface_that_is_set_up_as_the_robot_file_says_is_taken(config: CanBusConfig, link: LinkSettings) -> None:
    assert check_link(config, lambda _: link) == (link, [])


@pytest.mark.parametrize(
    ("config", "link", "words"),
    [
        (CONFIG, None, "no interface can0"),
        (CONFIG, replace(GOOD, is_up=False), "can0 is down; set it up with: ip link set can0 up txqueuelen 32"),
        (CONFIG, replace(GOOD, is_listen_only=True), "only listens"),
        (CONFIG, replace(GOOD, bitrate_bps=500_000), "runs at 500000 bit/s, the robot file says 1000000"),
        (FD_CONFIG, replace(FD_GOOD, is_fd=False), "not set to CAN FD"),
        (FD_CONFIG, replace(FD_GOOD, data_bitrate_bps=2_000_000), "2000000 bit/s, the robot file says 5000000"),
    ],
)
def test_an_interface_that_is_set_up_otherwise_is_refused(
    config: CanBusConfig, link: LinkSettings | None, words: str
) -> None:
    with pytest.raises(BusError, match=words):
        check_link(config, lambda _: link)


def test_a_refusal_says_the_command_that_mends_it() -> None:
    with pytest.raises(BusError) as caught:
        check_link(FD_CONFIG, lambda _: GOOD)
    assert str(caught.value).endswith(
        "ip link set can0 down; ip link set can0 up txqueuelen 32 type can bitrate 1000000 dbitrate 5000000 fd on "
        "restart-ms 0"
    )


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (replace(GOOD, queue_frames=10), ["refuses commands", "ip link set can0 txqueuelen 32"]),
        (replace(GOOD, queue_frames=1000), ["hides stale commands", "ip link set can0 txqueuelen 32"]),
        (replace(GOOD, restart_ms=100), ["100 ms", "ip link set can0 type can restart-ms 0"]),
        (replace(GOOD, is_bus_off=True), ["left the bus", "ip link set can0 type can restart"]),
    ],
)
def test_what_works_and_should_be_otherwise_is_advised(link: LinkSettings, words: list[str]) -> None:
    _, (sentence,) = check_link(CONFIG, lambda _: link)
    assert [word in sentence for word in words] == [True] * len(words)


def test_all_advice_is_given_at_once() -> None:
    assert len(check_link(CONFIG, lambda _: replace(GOOD, queue_frames=10, restart_ms=1))[1]) == 2


def test_a_sockets_queues_have_the_length_that_is_wanted() -> None:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with own, other:
        prepare_socket(own)
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 32 * 1024
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 256 * 1024
        assert own.getsockopt(socket.SOL_SOCKET, 35) == 1
        assert own.getsockopt(socket.SOL_SOCKET, 40) == 1
