"""The canopen library talks to the simulated drives, and its own node to our inventory, over the datagram bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import numpy as np
import pytest

from drivers.can.canopen.device import CanOpenMotors
from drivers.can.canopen.tables import MODELS
from drivers.devices import WiredMotor
from drivers.hardware import HardwareBuses
from drivers.sim.motors.canopen import CanOpenMotors as SimulatedDrives
from supervisor.core.command import Drive
from supervisor.core.robot import CanBusConfig, DriveConfig, JointConfig, MotorConfig
from tests.drivers.sim.served_motors import PATIENCE_S, STEP_S, ServedMotors

canopen = pytest.importorskip("canopen", reason="the library is not installed: pip install canopen, or handrail[test]")
p402 = pytest.importorskip("canopen.profiles.p402")

EDS = str(Path(__file__).resolve().parents[2] / "data" / "canopen_drive.eds")
"""Of the simulated drive."""

IDS = (1, 2)
DRIVE = DriveConfig(30.0, 20.0, 9.0, 16_384, rated_torque_nm=1.5)


Bench = ServedMotors[SimulatedDrives]


def _joint(number: int) -> JointConfig:
    motor = MotorConfig("canopen", "EPOS4", "can0", number, 0, DRIVE)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 20.0, 20.0, 1.0, 0.0, 0.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = ServedMotors(
        SimulatedDrives([_joint(number) for number in IDS], ["can0"], seed=[7]), tmp_path / "can0", [0.2, -0.3]
    )
    yield bench
    bench.stop()


@pytest.fixture
def network(tmp_path: Path, datagram_interface: str) -> Iterator[canopen.Network]:
    network = canopen.Network()
    network.connect(interface=datagram_interface, channel=str(tmp_path / "can0"))
    network.check()
    yield network
    network.sync.stop()
    network.check()
    network.disconnect()


@pytest.fixture
def pace(tmp_path: Path, datagram_interface: str) -> Iterator[can.BusABC]:
    """A listener: waiting for a frame is how a test waits for the others."""
    with can.Bus(interface=datagram_interface, channel=str(tmp_path / "can0")) as bus:
        yield bus


def until(is_done: Callable[[], bool], act: Callable[[], object]) -> None:
    """Do what waits for the drive until something is so, for a bounded time."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > deadline_s:
            pytest.fail(f"nothing came of it in {PATIENCE_S} s")
        act()


def patient(node: canopen.RemoteNode) -> canopen.RemoteNode:
    node.sdo.RESPONSE_TIMEOUT = PATIENCE_S
    return node


def test_every_object_of_the_eds_is_read(bench: Bench, network: canopen.Network) -> None:
    node = patient(network.add_node(1, EDS))
    found = {
        (index, entry.subindex): node.sdo.upload(index, entry.subindex)
        for index, variable in node.object_dictionary.items()
        for entry in ([variable] if isinstance(variable, canopen.objectdictionary.ODVariable) else variable.values())
    }
    assert node.sdo["Device name"].raw == "simulated drive"
    assert node.sdo["Identity object"]["Serial number"].raw == 0x1000
    assert node.sdo["Motor rated torque"].raw == 1500
    assert node.sdo["Statusword"].raw == 0x250
    assert len(found) > 100
    with pytest.raises(canopen.SdoAbortedError, match="Object does not exist"):
        node.sdo.upload(0x2000, 0)


def test_an_object_is_written_and_reads_back(bench: Bench, network: canopen.Network) -> None:
    node = patient(network.add_node(2, EDS))
    node.sdo["Consumer heartbeat time"][1].raw = 127 << 16 | 100
    assert node.sdo["Consumer heartbeat time"][1].raw == 127 << 16 | 100
    with pytest.raises(canopen.SdoAbortedError):
        node.sdo["Motor rated torque"].raw = 2000


def test_network_management_boot_up_and_a_scan(bench: Bench, network: canopen.Network, pace: can.BusABC) -> None:
    node = patient(network.add_node(1, EDS))
    node.nmt.send_command(0x81)
    node.nmt.wait_for_bootup(PATIENCE_S)
    network.scanner.search(limit=4)
    until(lambda: sorted(network.scanner.nodes) == [1, 2], lambda: pace.recv(STEP_S))


def test_an_emergency_names_its_code(bench: Bench, network: canopen.Network) -> None:
    node = patient(network.add_node(1, EDS))
    bench.motors.fault[0] = 0x4310
    error = node.emcy.wait(0x4310, PATIENCE_S)
    assert error.get_desc() == "Temperature"
    assert node.sdo["Error code"].raw == 0x4310


def drive(network: canopen.Network, number: int) -> canopen.profiles.p402.BaseNode402:
    """A drive with our process data, mapped by the library."""
    node = p402.BaseNode402(number, EDS)
    network.add_node(node)
    patient(node)
    node.TIMEOUT_SWITCH_STATE_FINAL = node.TIMEOUT_SWITCH_STATE_SINGLE = PATIENCE_S
    node.TIMEOUT_CHECK_TPDO = PATIENCE_S
    node.nmt.state = "PRE-OPERATIONAL"
    node.tpdo.read()
    node.rpdo.read()
    for pdo, entries in (
        (node.rpdo[1], ("Controlword", "Target torque")),
        (node.tpdo[1], ("Statusword", "Position actual value", "Torque actual value")),
    ):
        pdo.clear()
        for entry in entries:
            pdo.add_variable(entry)
        pdo.trans_type = 1
        pdo.enabled = True
        pdo.save()
    node.sdo["Modes of operation"].raw = 10
    node.setup_402_state_machine()
    node.rpdo[1].start(0.005)
    node.nmt.state = "OPERATIONAL"
    return node


def test_the_library_leads_a_drive_through_its_state_machine_and_turns_it(bench: Bench, network) -> None:
    node = drive(network, 2)
    network.sync.start(0.005)
    node.state = "OPERATION ENABLED"
    assert node.state == "OPERATION ENABLED"
    node.rpdo[1]["Target torque"].raw = -100
    until(lambda: node.tpdo[1]["Position actual value"].raw < -30_000, node.check_statusword)
    assert abs(node.tpdo[1]["Torque actual value"].raw + 100) < 10
    assert bench.position[0] == 0.2
    assert bench.position[1] < -1.0
    node.state = "SWITCH ON DISABLED"
    assert not bench.motors.is_on[1]
    bench.motors.fault[1] = 0x8611
    until(lambda: node.state == "FAULT", node.check_statusword)
    node.controlword = 0x80
    until(lambda: node.state == "SWITCH ON DISABLED", node.check_statusword)
    node.rpdo[1].stop()


def test_our_inventory_sets_up_the_librarys_own_node(
    tmp_path: Path, network: canopen.Network, pace: can.BusABC, datagram_interface: str
) -> None:
    local = canopen.LocalNode(5, EDS)
    network.add_node(local)
    facts = {
        (0x1000, 0): 0x00020192, (0x1008, 0): "a node of the library", (0x100A, 0): "2.4.1", (0x6041, 0): 0x250,
        (0x1018, 1): 1, (0x1018, 2): 2, (0x1018, 3): 3, (0x1018, 4): 0x77, (0x6076, 0): 1500, (0x6072, 0): 2223,
        (0x608F, 1): 16_384, (0x608F, 2): 1, (0x60A9, 0): 0x00B44700, (0x6502, 0): 0x3AD, (0x6061, 0): 10,
        (0x6079, 0): 47_500, (0x6091, 1): 1, (0x6091, 2): 1,
    }  # fmt: skip
    for index in range(4):
        facts |= {(0x1400 + index, 1): 0x80000000, (0x1800 + index, 1): 0x80000000}
        facts |= {(0x1400 + index, 2): 255, (0x1800 + index, 2): 255}
        facts |= {(base + index, place): 0 for base in (0x1600, 0x1A00) for place in range(9)}
    for (index, subindex), value in facts.items():
        found = local.object_dictionary[index]
        entry = found if isinstance(found, canopen.objectdictionary.ODVariable) else found[subindex]
        local.set_data(index, subindex, entry.encode_raw(value))
    bus = HardwareBuses().open_can("can0", CanBusConfig("can", datagram_interface, str(tmp_path / "can0"), 1_000_000))
    motor = MotorConfig("canopen", "CiA402", "can0", 5, 0, DRIVE)
    motors = CanOpenMotors([WiredMotor("j", motor, MODELS["CiA402"])], {"can0": bus})
    (probe,) = motors.probes(0.1)
    next(probe)
    report = None
    deadline_s = time.monotonic() + 2 * PATIENCE_S
    while report is None and time.monotonic() < deadline_s:
        motors.write(Drive.POLL, np.zeros((5, 1)))
        # Until the node has taken the cycle's frames, and perhaps answered.
        pace.recv(STEP_S)
        motors.take("can0", bus.receive(time.monotonic()))
        try:
            probe.send(time.monotonic())
        except StopIteration as end:
            (report,) = end.value
    bus.close()
    assert report is not None
    # It is a node and no drive: nothing is sent at a SYNC, and nothing else is missing.
    assert [problem[:44] for problem in report.problems] == ["sends no process data at a SYNC although it "]
    assert (report.facts["device"], report.facts["serial"]) == ("a node of the library", "0x77")
    assert local.sdo[0x1016][1].raw == 127 << 16 | 100
    assert [local.sdo[0x1600][place].raw for place in range(3)] == [2, 0x60400010, 0x60710010]
    assert local.sdo[0x1400][1].raw == 0x205
    assert local.sdo[0x1800][1].raw == 0x185
    assert local.sdo[0x6060].raw == 10
