"""A public library for Feetech servos talks to the simulated ones over a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.sim.servo_terminal import IDS, Line

sdk = pytest.importorskip(
    "scservo_sdk", reason="the public library is not installed: pip install feetech-servo-sdk, or handrail[test]"
)


class Client:
    """The library, on one line; series 0 is STS, 1 is SCS."""

    def __init__(self, line: Line, series: int) -> None:
        self.line = line
        self.port = sdk.PortHandler(line.name)
        assert self.port.openPort()
        assert self.port.setBaudRate(1_000_000)
        self.packets = sdk.PacketHandler(series)

    def close(self) -> None:
        self.port.closePort()
        self.line.close()


@pytest.fixture
def sts() -> Iterator[Client]:
    client = Client(Line("feetech", "STS3215"), 0)
    yield client
    client.close()


@pytest.fixture
def scs() -> Iterator[Client]:
    client = Client(Line("feetech", "SCS0009"), 1)
    yield client
    client.close()


def test_a_ping_tells_the_model(sts: Client) -> None:
    assert sts.packets.ping(sts.port, 5) == (777, sdk.COMM_SUCCESS, 0)


def test_an_scs_servo_tells_its_model_in_its_own_byte_order(scs: Client) -> None:
    assert scs.packets.ping(scs.port, 2) == (1284, sdk.COMM_SUCCESS, 0)
    assert scs.packets.read2ByteTxRx(scs.port, 1, 56) == (512, sdk.COMM_SUCCESS, 0)


def test_registers_are_read_and_written(sts: Client) -> None:
    assert sts.packets.read1ByteTxRx(sts.port, 2, 63) == (25, sdk.COMM_SUCCESS, 0)
    assert sts.packets.write2ByteTxRx(sts.port, 2, 42, 2500) == (sdk.COMM_SUCCESS, 0)
    assert sts.packets.write1ByteTxRx(sts.port, 2, 40, 1) == (sdk.COMM_SUCCESS, 0)
    assert sts.packets.read2ByteTxRx(sts.port, 2, 42) == (2500, sdk.COMM_SUCCESS, 0)
    assert sts.line.servos.is_on.tolist() == [False, True, False]


def test_a_fault_reaches_the_client(sts: Client) -> None:
    sts.line.servos.supply_v[0] = 20.0
    sts.packets.read1ByteTxRx(sts.port, 1, 62)
    _, result, error = sts.packets.read1ByteTxRx(sts.port, 1, 62)
    assert (result, error) == (sdk.COMM_SUCCESS, 1)


def test_many_are_written_and_read_at_once(sts: Client) -> None:
    goals = sdk.GroupSyncWrite(sts.port, sts.packets, 42, 2)
    for number, count in zip(IDS, (1000, 2000, 3000), strict=True):
        assert goals.addParam(number, [count & 0xFF, count >> 8])
    assert goals.txPacket() == sdk.COMM_SUCCESS
    reads = sdk.GroupSyncRead(sts.port, sts.packets, 42, 2)
    for number in IDS:
        assert reads.addParam(number)
    assert reads.txRxPacket() == sdk.COMM_SUCCESS
    assert [reads.getData(number, 42, 2) for number in IDS] == [1000, 2000, 3000]


def test_a_silent_servo_times_out(sts: Client) -> None:
    _, result, _ = sts.packets.read1ByteTxRx(sts.port, 9, 63)
    assert result == sdk.COMM_RX_TIMEOUT
