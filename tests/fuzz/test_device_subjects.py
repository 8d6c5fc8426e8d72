"""Devices with a planted defect are found, and those without are not."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.damiao.device import DamiaoMotors
from drivers.devices import POSITION, STAMP, STATUS, Block, Codes, Probe, WiredMotor
from drivers.imu.hipnuc.codec import FrameParser
from drivers.imu.hipnuc.device import HipnucImu
from drivers.registry import MOTOR_MAKES
from drivers.serial.framing import SummedParser
from drivers.serial.lx16a import codec as lx16a
from drivers.serial.lx16a.tables import READ_POSITION
from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import ImuConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryPort
from tests.fuzz import device_subjects, inputs
from tests.fuzz.campaign import BATCH, try_target
from tests.fuzz.device_subjects import ImuSubject
from tests.fuzz.devices import LEVEL, can_targets, serial_targets
from tests.fuzz.framings import HIPNUC
from tests.fuzz.inputs import ByteSource
from tests.fuzz.tally import Tally
from tests.fuzz.target import Target

DAMIAO = MOTOR_MAKES["damiao"]


class TakesBothKinds(DamiaoMotors):
    """Takes 29-bit identifiers for 11-bit ones."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        return super().take(bus, [frame._replace(is_extended=False) for frame in frames])


class TakesAnyLength(DamiaoMotors):
    """Fills short frames up."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        return super().take(bus, [frame._replace(data=frame.data[:8].ljust(8, b"\0")) for frame in frames])


class KnowsTheSilent(DamiaoMotors):
    """Has a position of motors that never spoke."""

    def decode(self, values: Block, codes: Codes) -> None:
        super().decode(values, codes)
        values[POSITION, np.isnan(values[POSITION])] = 0.0


class InventsStatuses(DamiaoMotors):
    """Has a status that is none."""

    def decode(self, values: Block, codes: Codes) -> None:
        super().decode(values, codes)
        codes[STATUS, values[STAMP] != NEVER_S] = 7


@pytest.mark.parametrize("group", [TakesBothKinds, TakesAnyLength, KnowsTheSilent, InventsStatuses])
def test_a_group_that_believes_what_it_should_not_is_found(group: type[DamiaoMotors]) -> None:
    assert try_target(can_targets("damiao", replace(DAMIAO, make=group))[0], 8 * BATCH).false_feedback > 10


def test_a_make_without_a_rule_of_its_own_is_tried_all_the_same() -> None:
    tally = try_target(can_targets("new make", replace(DAMIAO, make=TakesBothKinds))[0], BATCH)
    assert tally.inputs == BATCH
    assert not tally.defects


class FakeServos:
    """Servos on one line, polled one after the other: the least that a group on a serial line is."""

    def __init__(self, motors: Sequence[WiredMotor], ports: Mapping[str, Any]) -> None:
        self.ids = [motor.config.id for motor in motors]
        self.port = next(iter(ports.values()))
        self.parser = lx16a.make_parser()
        self.position = np.full(len(motors), np.nan)
        self.stamp = np.full(len(motors), NEVER_S)

    def receive(self, now_s: float) -> None:
        for packet in self.parser.feed(self.port.read(now_s)):
            if packet.id in self.ids and packet.instruction == READ_POSITION and len(packet.params) == 2:
                slot = self.ids.index(packet.id)
                self.position[slot] = lx16a.decode_position(packet)
                self.stamp[slot] = now_s

    def write(self, drive: Drive, command: Block) -> None:
        self.port.write(b"poll")

    def decode(self, values: Block, codes: Codes) -> None:
        values[:] = np.nan
        values[POSITION], values[STAMP] = self.position, self.stamp
        codes[:] = 0
        codes[STATUS, self.stamp != NEVER_S] = int(MotorStatus.ENABLED)


class CarelessParser(SummedParser):
    """Takes a frame whatever its sum."""

    def feed(self, data: bytes) -> list[Any]:
        whole = [data[at : at + 8] for at in range(len(data)) if data[at : at + 2] == b"\x55\x55"]
        sealed = [each[:7] + bytes((~sum(each[2:7]) & 0xFF,)) for each in whole if len(each) == 8 and each[3] == 5]
        return super().feed(b"".join(sealed))


class CarelessServos(FakeServos):
    """Have that parser."""

    def __init__(self, motors: Sequence[WiredMotor], ports: Mapping[str, Any]) -> None:
        super().__init__(motors, ports)
        self.parser = CarelessParser(self.parser.layout)


def servos(group: type[FakeServos]) -> Target:
    return serial_targets("lx16a", replace(MOTOR_MAKES["lx16a"], make=group))[0]  # type: ignore[arg-type]


def test_a_group_on_a_serial_line_is_tried() -> None:
    tally = try_target(servos(FakeServos), 4 * BATCH)
    assert tally.accepted > 20
    assert not tally.defects


def test_a_group_on_a_serial_line_that_believes_a_wrong_checksum_is_found() -> None:
    tally = try_target(servos(CarelessServos), 4 * BATCH)
    assert tally.false_feedback > 5


class AlwaysThere(DamiaoMotors):
    """Reports motors that never answered."""

    def probes(self, timeout_s: float) -> list[Probe]:
        return [self.report()]

    def report(self) -> Probe:
        yield
        return (DeviceReport("joint0", "bus0", True, (), {}),)


class NeverDone(DamiaoMotors):
    """Goes on asking for ever."""

    def probes(self, timeout_s: float) -> list[Probe]:
        return [self.ask()]

    def ask(self) -> Probe:
        while True:
            yield


class Choking(DamiaoMotors):
    """Takes whatever comes for an answer."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        self.last = struct.unpack("<d", frames[0].data)
        return super().take(bus, frames)


def try_inventory(group: type[DamiaoMotors], count: int) -> Tally:
    return try_target(can_targets("damiao", replace(DAMIAO, make=group))[1], count)


def test_an_inventory_that_reports_who_was_not_heard_is_found() -> None:
    assert try_inventory(AlwaysThere, BATCH).false_feedback > 10


def test_an_inventory_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_subjects, "MOST_STEPS", 100)
    assert try_inventory(NeverDone, BATCH).hangs == 5


def test_an_inventory_that_raises_is_found() -> None:
    assert try_inventory(Choking, BATCH).exceptions > 10


def test_a_unit_that_believes_a_wrong_checksum_is_found() -> None:
    class Believing(FrameParser):
        def _examine(self, buffer: bytes, at: int) -> int | str:
            verdict = super()._examine(buffer, at)
            return 82 if verdict == "checksum" and len(buffer) - at >= 82 else verdict

    def make(port: MemoryPort) -> HipnucImu:
        imu = HipnucImu(ImuConfig("hipnuc", "imu0", "hi91", 250.0, LEVEL), port)
        imu._parser = Believing()
        return imu

    source = ByteSource(inputs.messages("hipnuc"), (HIPNUC,))
    tally = try_target(Target("believing", source, lambda: ImuSubject(make, (HIPNUC,))), 2 * BATCH)
    assert tally.false_feedback > 10
    assert not tally.exceptions
