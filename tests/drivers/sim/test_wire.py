from __future__ import annotations

import pytest

from drivers.bus import Frame
from drivers.sim.wire import NO_FAULTS, SimulatedCan, SimulatedSerial, WireFaults


def frames(count: int, stamp_s: float = 0.0) -> list[Frame]:
    return [Frame(i % 7, i.to_bytes(8, "big"), False, False, stamp_s) for i in range(count)]


def numbers(batch: list[Frame]) -> list[int]:
    return [int.from_bytes(frame.data, "big") for frame in batch]


def wire(**faults: float | bool) -> SimulatedCan:
    can = SimulatedCan("can0", (1, 2))
    can.set_faults(WireFaults(**faults))  # type: ignore[arg-type]
    return can


def test_a_healthy_wire_delivers_everything_once_in_order() -> None:
    can = wire()
    assert can.send(frames(5)) == 5
    assert numbers(can.take(0.0)) == [0, 1, 2, 3, 4]
    assert can.take(0.0) == []
    can.give(frames(3, stamp_s=0.001))
    assert numbers(can.receive(0.002)) == [0, 1, 2]
    assert can.receive(0.002) == []
    assert can.counters.sent == 5


def test_nothing_is_readable_before_it_arrives() -> None:
    can = wire()
    can.give(frames(2, stamp_s=0.001))
    assert can.receive(0.0005) == []
    assert len(can.receive(0.001)) == 2


@pytest.mark.parametrize("direction", ["out", "back"])
def test_a_share_of_the_frames_is_lost_in_each_direction(direction: str) -> None:
    can = wire(drop_rate=0.3)
    can.send(frames(2000))
    can.give(frames(2000))
    arrived = {"out": can.take(0.0), "back": can.receive(0.0)}[direction]
    assert 0.65 < len(arrived) / 2000 < 0.75
    assert numbers(arrived) == sorted(numbers(arrived))


def test_corrupted_frames_are_lost_to_the_motors_and_spoilt_for_the_host() -> None:
    can = wire(corrupt_rate=1.0)
    can.send(frames(10))
    assert can.take(0.0) == []
    can.give(frames(10))
    received = can.receive(0.0)
    changed = [bin(seen ^ sent).count("1") for seen, sent in zip(numbers(received), range(10), strict=True)]
    assert changed == [1] * 10


def test_duplicated_frames_arrive_twice() -> None:
    can = wire(duplicate_rate=1.0)
    can.give(frames(2))
    assert numbers(can.receive(0.0)) == [0, 0, 1, 1]


def test_a_reordered_frame_arrives_after_the_newer_ones() -> None:
    can = wire(reorder_rate=1.0)
    can.give(frames(1))
    assert can.receive(0.0) == []
    can.set_faults(WireFaults(reorder_rate=1e-9))
    can.give([Frame(0, (99).to_bytes(8, "big"))])
    assert numbers(can.receive(0.0)) == [99, 0]


def test_frames_held_back_are_delivered_when_the_fault_ends() -> None:
    can = wire(reorder_rate=1.0)
    can.give(frames(2))
    can.send(frames(3))
    assert (can.receive(0.0), can.take(0.0)) == ([], [])
    can.set_faults(NO_FAULTS)
    assert (len(can.receive(0.0)), len(can.take(0.0))) == (2, 3)


def test_delayed_frames_take_their_time_both_ways_and_none_is_lost_when_the_delay_ends() -> None:
    can = wire(delay_s=0.01)
    can.send(frames(1))
    assert can.take(0.0) == []
    assert can.take(0.005) == []
    assert len(can.take(0.0101)) == 1
    can.give(frames(1, stamp_s=0.02))
    assert can.receive(0.025) == []
    can.set_faults(NO_FAULTS)
    can.give(frames(1, stamp_s=0.026))
    assert len(can.receive(0.027)) == 1
    (late,) = can.receive(0.031)
    assert late.stamp_s == pytest.approx(0.03)


def test_a_bus_that_is_off_takes_nothing_gives_nothing_and_says_so() -> None:
    can = wire()
    can.give(frames(1))
    can.set_faults(WireFaults(is_off=True))
    assert can.counters.is_off
    assert can.send(frames(3)) == 0
    assert can.counters.errors == 3
    can.give(frames(1))
    assert can.receive(1.0) == []
    can.set_faults(NO_FAULTS)
    assert not can.counters.is_off
    assert can.send(frames(3)) == 3


def test_a_serial_line_carries_bytes_both_ways() -> None:
    line = SimulatedSerial("imu0", (1,))
    assert line.write(b"LOG ENABLE\r\n") == 12
    assert b"".join(frame.data for frame in line.take(0.0)) == b"LOG ENABLE\r\n"
    line.give([Frame(0, b"ab", stamp_s=0.001), Frame(0, b"cd", stamp_s=0.003)])
    assert line.read(0.002) == b"ab"
    assert line.read(0.004) == b"cd"
    line.set_faults(WireFaults(is_off=True))
    assert line.write(b"x") == 0
    assert line.counters.errors == 1


def test_the_host_can_be_told_when_something_arrives_next() -> None:
    line = SimulatedSerial("imu0", (0,))
    assert line.next_arrival_s() == float("inf")
    line.give([Frame(0, b"ab", stamp_s=0.001), Frame(0, b"cd", stamp_s=0.003)])
    assert line.next_arrival_s() == 0.001
    line.read(0.002)
    assert line.next_arrival_s() == 0.003


def test_random_faults_repeat_with_the_seed() -> None:
    def survivors(seed: int) -> list[int]:
        can = SimulatedCan("can0", (seed,))
        can.set_faults(WireFaults(drop_rate=0.5))
        can.give(frames(100))
        return numbers(can.receive(0.0))

    assert survivors(1) == survivors(1)
    assert survivors(1) != survivors(2)
