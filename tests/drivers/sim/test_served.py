from __future__ import annotations

import os
import threading
from collections.abc import Generator

import pytest

from drivers.can.damiao.codec import make_poll
from drivers.imu.hipnuc.codec import FrameParser
from drivers.plant_memory import PlantMemory
from drivers.sim import served as served_module
from drivers.sim.served import BURST_S, ServedPlant
from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import BusError, SimulationError
from supervisor.core.levels import Support
from supervisor.runtime.served_robot import served_config
from tests.drivers.sim.plants import Bench, Clock, served, short_folder
from tests.drivers.sim.simulated import pup

STEP_S = 0.002
SHORT_S = 0.0001


@pytest.fixture
def bench() -> Generator[Bench]:
    with served() as found:
        yield found


# Devices


def test_a_motor_answers_at_once_and_does_not_wait_for_the_body(bench: Bench) -> None:
    bus = bench.can()
    bus.send([make_poll(1), make_poll(2)])
    bench.turn(SHORT_S)
    assert [frame.arbitration_id for frame in bus.receive(bench.clock.now_s)] == [17, 18]
    assert bench.plant.counters.simulated_s == 0.0


def test_two_hosts_hear_the_same_answers(bench: Bench) -> None:
    one, other = bench.can(), bench.can()
    one.send([make_poll(3)])
    bench.turn(SHORT_S)
    (answer,) = one.receive(0.0)
    assert [(f.arbitration_id, f.data) for f in other.receive(0.0)[1:]] == [(answer.arbitration_id, answer.data)]


def test_the_inertial_unit_streams_as_the_body_moves(bench: Bench) -> None:
    line, parser = bench.serial(), FrameParser()
    bench.turn(STEP_S, times=20)
    assert len(list(parser.feed(_read(line)))) == 10


def test_answers_that_are_delayed_are_held_back_and_waited_for() -> None:
    with served({"kind": "frames_delayed", "bus": "can0", "delay_s": 0.005}) as bench:
        bus = bench.can()
        bus.send([make_poll(1)])
        bench.turn(SHORT_S)
        bench.turn(0.0051)
        assert bus.receive(0.0) == []
        assert bench.plant.turn() <= STEP_S
        bench.turn(0.0051)
        assert len(bus.receive(0.0)) == 1


def test_an_answer_that_is_due_before_the_next_step_is_not_kept_for_it() -> None:
    with served({"kind": "frames_delayed", "bus": "can0", "delay_s": 0.0011}) as bench:
        bus = bench.can()
        bus.send([make_poll(1)])
        bench.turn(SHORT_S)
        # Heard at 2 ms: the answer leaves at 2 + 1.1 + 0.3 - 0.5 ms, and the next step is at 4 ms.
        assert bench.turn(0.0019) == pytest.approx(0.0009)
        bench.turn(0.00091)
        assert len(bus.receive(0.0)) == 1


def test_it_knows_when_a_host_last_spoke(bench: Bench) -> None:
    bus = bench.can()
    assert bench.plant.counters.heard_s == 1000.0
    bench.turn(SHORT_S, times=10)
    bus.send([make_poll(1)])
    bench.turn(SHORT_S)
    bench.turn(SHORT_S, times=10)
    assert bench.plant.counters.heard_s == pytest.approx(1000.0 + 11 * SHORT_S)


def test_a_bus_that_is_off_tells_hosts_so() -> None:
    with served({"kind": "bus_off", "bus": "can0"}) as bench:
        bus, other = bench.can("can0"), bench.can("can1")
        bus.send([make_poll(1)])
        other.send([make_poll(1)])
        bench.turn(SHORT_S)
        assert bus.receive(0.0) == []
        assert bus.counters.is_off
        assert len(other.receive(0.0)) == 1
        assert not other.counters.is_off


def test_a_line_that_is_off_is_unplugged_and_comes_back_elsewhere() -> None:
    fault = {"kind": "bus_off", "bus": "imu0", "at": {"stage": "start", "after_s": 0.01}, "for_s": 0.01}
    with served(fault) as bench:
        line = bench.serial()
        bench.turn(STEP_S, times=7)
        line.read(0.0)
        assert line.counters.is_off
        with pytest.raises(BusError, match="no serial line imu0"):
            served_config(pup().config, bench.folder)
        bench.turn(STEP_S, times=5)
        new = bench.serial()
        bench.turn(STEP_S, times=5)
        assert _read(new)
        assert not new.counters.is_off


# Time


def test_the_body_moves_on_its_grid_with_the_clock(bench: Bench) -> None:
    for _ in range(100):
        wait_s = bench.turn(0.0007)
        assert -1e-9 < wait_s <= STEP_S + 1e-9
    assert bench.plant.counters.simulated_s == pytest.approx(0.07)
    assert bench.plant.counters.drops == 0


@pytest.mark.parametrize(("late_s", "dropped_s"), [(BURST_S, 0.0), (BURST_S + 0.004, 0.004), (5.0, 5.0 - BURST_S)])
def test_what_a_late_plant_cannot_catch_up_is_dropped_and_counted(
    bench: Bench, late_s: float, dropped_s: float
) -> None:
    bench.turn(late_s)
    counters = bench.plant.counters
    assert counters.simulated_s == pytest.approx(BURST_S)
    assert counters.dropped_s == pytest.approx(dropped_s, abs=1e-9)
    bench.turn(STEP_S)
    assert counters.simulated_s == pytest.approx(BURST_S + STEP_S)
    assert counters.dropped_s == pytest.approx(dropped_s, abs=1e-9)


def test_it_serves_until_it_is_over() -> None:
    with short_folder() as folder:
        plant = ServedPlant(SimulatedWorld(pup()), pup().config, folder / "pup")
        asked: list[int] = []

        def is_over() -> bool:
            asked.append(1)
            return len(asked) > 20

        plant.run(is_over)
        plant.close()
        assert plant.counters.turns == 20
        assert plant.counters.simulated_s > 0.01


def test_a_host_that_speaks_wakes_it_before_the_next_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[tuple[int, float]] = []

    def select(reading: list[int], writing: object, failing: object, timeout_s: float) -> None:
        waited.append((len(reading), timeout_s))

    monkeypatch.setattr(served_module.select, "select", select)
    bench.plant.run(lambda: len(waited) > 2)
    assert waited == [(5, pytest.approx(STEP_S))] * 3


# Truth and orders


def test_it_tells_how_the_robot_is_and_when(bench: Bench) -> None:
    memory = PlantMemory(bench.folder, create=False)
    assert memory.truth() is None
    bench.turn(0.003)
    truth = memory.truth()
    assert truth is not None
    assert truth.stamp_s == pytest.approx(1000.0 + STEP_S)
    assert truth.height_m == pytest.approx(0.6, abs=0.02)
    assert truth.tilt_rad < 0.05
    assert truth.velocity_m_per_s == pytest.approx(bench.world.truth.velocity_base_in_base_m_per_s)
    assert truth.support_reached
    memory.close()


def test_stamps_of_truth_follow_the_clock_after_time_was_dropped(bench: Bench) -> None:
    memory = PlantMemory(bench.folder, create=False, clock_s=bench.clock)
    bench.turn(3.0)
    assert memory.base_velocity(bench.clock.now_s).stamp_s == pytest.approx(bench.clock.now_s)
    memory.close()


def test_support_and_stage_are_obeyed() -> None:
    with served({"kind": "motor_silent", "joints": ["fl_hip"], "at": {"stage": "stand"}}) as bench:
        memory, bus = PlantMemory(bench.folder, create=False), bench.can()
        memory.set_support(Support.GROUND)
        assert not memory.support_reached
        bench.turn(STEP_S)
        assert bench.world.plant.gantry.support is Support.GROUND
        assert not memory.support_reached
        bus.send([make_poll(1)])
        bench.turn(SHORT_S)
        assert len(bus.receive(0.0)) == 1
        memory.enter_stage("stand")
        bench.turn(STEP_S)
        bus.send([make_poll(1)])
        bench.turn(SHORT_S)
        assert bus.receive(0.0) == []
        memory.close()


# Beginning and end


def test_it_leaves_nothing_behind(bench: Bench) -> None:
    assert {path.name for path in bench.folder.iterdir()} == {"buses", "lines.json", "plant"}
    bench.plant.close()
    bench.plant.close()
    assert not bench.folder.exists()


def test_a_plant_after_one_that_died_is_found_by_hosts_and_memory(bench: Bench) -> None:
    memory, bus = PlantMemory(bench.folder, create=False), bench.can()
    memory.set_support(Support.GROUND)
    _die(bench.plant)
    with pytest.raises(BusError, match="no simulated robot is served"):
        served_config(pup().config, bench.folder)
    world = SimulatedWorld(pup())
    bench.plant = ServedPlant(world, pup().config, bench.folder, Clock())
    bus.send([make_poll(1)])
    bench.turn()
    assert len(bus.receive(0.0)) == 1
    bench.plant._move(0.01)
    assert memory.truth() is not None
    assert world.plant.gantry.support is Support.GROUND
    memory.close()


def test_memory_of_another_version_is_made_anew() -> None:
    with short_folder() as folder:
        place = folder / "pup"
        place.mkdir(mode=0o700)
        (place / "plant").write_bytes(b"old")
        plant = ServedPlant(SimulatedWorld(pup()), pup().config, place)
        PlantMemory(place, create=False).close()
        plant.close()
        assert list(folder.iterdir()) == []


def test_a_path_too_long_for_sockets_is_refused_and_leaves_nothing() -> None:
    with short_folder() as folder:
        with pytest.raises(SimulationError, match="too long for sockets"):
            ServedPlant(SimulatedWorld(pup()), pup().config, folder / ("long" * 25))
        assert list(folder.iterdir()) == []


def _die(plant: ServedPlant) -> None:
    """What a SIGKILL does: descriptors are closed, files stay."""
    for line in plant._lines:
        line.close()
    os.close(plant._folder._descriptor)
    plant._folder._descriptor = -1


def _read(line: object) -> bytes:
    """What a pseudo-terminal holds: the kernel hands it over a moment after it was written."""
    found, done = b"", threading.Event()
    for _ in range(20):
        found += line.read(0.0)  # type: ignore[attr-defined]
        done.wait(0.005)
    return found
