"""Every simulated inertial unit, read by the driver of its make: through bytes, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.devices import Imu
from drivers.registry import IMU_MAKES, wiring_problems
from drivers.sim.imu.conditions import ImuCondition, Motion, rotation_of, turn_about
from drivers.sim.imu.unit import SimulatedUnit
from drivers.sim.world import IMU_MAKES as TWINS
from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import SimulationError
from supervisor.core.robot import ImuConfig
from supervisor.core.state import ImuReading
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.sim.simulated import pup, script

HALF = math.sqrt(0.5)
LEVEL, UPSIDE_DOWN, ON_ITS_SIDE = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.5, 0.5, -0.5, 0.5)
PACKETS = [(make, packet) for make in TWINS for packet in IMU_MAKES[make].frame_bytes]
every_packet = pytest.mark.parametrize(("make", "packet"), PACKETS)
WORDS_WITHOUT_NAN = ("witmotion", "vectornav_vn100-vnymr", "vectornav_vn100-vnqmr")


def config(make: str, packet: str, mounting: tuple[float, float, float, float] = LEVEL) -> ImuConfig:
    return ImuConfig(make, "imu0", packet, 250.0, mounting)


def pair(unit: ImuConfig, noise: float = 0.0) -> tuple[SimulatedUnit, Imu, MemoryPort]:
    """The twin, and the driver that reads it."""
    port = MemoryPort()
    twin = TWINS[unit.make](unit, seed=[1], noise_scale=noise)
    assert isinstance(twin, SimulatedUnit)
    return twin, IMU_MAKES[unit.make].make(unit, port), port


def motion(rotation: np.ndarray, number: int = 0) -> Motion:
    rate, force = np.array([0.3, -0.5, 0.7]), np.array([1.0, -2.0, 9.8 + number])
    return Motion(rotation, rate, force, 1.0 + 0.004 * number)


def sample(twin: SimulatedUnit, imu: Imu, port: MemoryPort, moved: Motion) -> ImuReading:
    port.pending = twin.measure(moved)
    return imu.read(moved.stamp_s)


@every_packet
@pytest.mark.parametrize("mounting", [LEVEL, UPSIDE_DOWN, ON_ITS_SIDE])
def test_the_driver_reads_the_motion_that_the_twin_was_given(
    make: str, packet: str, mounting: tuple[float, float, float, float]
) -> None:
    twin, imu, port = pair(config(make, packet, mounting))
    for roll, pitch, yaw in ((0.0, 0.0, 0.0), (0.4, -0.3, 0.0), (-1.0, 0.6, 2.0), (2.5, -1.2, -3.0)):
        rotation = turn_about("z", yaw) @ turn_about("y", pitch) @ turn_about("x", roll)
        moved = motion(rotation)
        reading = sample(twin, imu, port, moved)
        found = rotation_of(tuple(reading.orientation_base_in_world_wxyz.tolist()))
        assert reading.gravity_in_base == pytest.approx(rotation.T @ [0.0, 0.0, -1.0], abs=1e-3)
        expected = rotation.T @ moved.angular_velocity_base_in_world_rad_per_s
        assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx(expected, abs=2e-3)
        expected = rotation.T @ moved.specific_force_in_world_m_per_s2
        assert reading.acceleration_base_in_base_m_per_s2 == pytest.approx(expected, abs=1e-2)
        assert found == pytest.approx(rotation, abs=2e-3)
        assert not reading.warning


@every_packet
def test_a_packet_is_as_long_as_the_load_of_its_line_is_computed_with(make: str, packet: str) -> None:
    twin, _, _ = pair(config(make, packet), noise=1.0)
    size = len(twin.measure(motion(np.eye(3))))
    short_checksum = 2 * packet.startswith("vn")
    assert size + short_checksum == IMU_MAKES[make].frame_bytes[packet]


@every_packet
def test_no_two_noisy_samples_repeat_and_a_frozen_unit_does(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet), noise=1.0)
    still = motion(np.eye(3))
    assert [sample(twin, imu, port, still).unchanged for _ in range(50)] == [0] * 50
    twin.set_condition(ImuCondition(is_frozen=True))
    frozen = [sample(twin, imu, port, motion(turn_about("x", 0.1 * i), i)).unchanged for i in range(5)]
    assert frozen == [1, 2, 3, 4, 5]


@every_packet
def test_a_unit_gone_mad_never_reads_as_a_sound_one(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet))
    twin.set_condition(ImuCondition(is_nan=True))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.sequence == 1
    force = reading.acceleration_base_in_base_m_per_s2
    if f"{make}-{packet}".startswith(WORDS_WITHOUT_NAN):
        assert np.linalg.norm(force) == 0.0
    else:
        assert np.isnan(force).all()
        assert np.isnan(reading.gravity_in_base).all()


@every_packet
def test_a_lost_a_biased_and_a_turned_unit(make: str, packet: str) -> None:
    twin, imu, port = pair(config(make, packet))
    twin.set_condition(ImuCondition(is_lost=True))
    assert sample(twin, imu, port, motion(np.eye(3))).sequence == 0
    twin.set_condition(ImuCondition(gyro_bias_rad_per_s=(0.5, 0.0, 0.0)))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.angular_velocity_base_in_base_rad_per_s == pytest.approx([0.8, -0.5, 0.7], abs=2e-3)
    twin.set_condition(ImuCondition(axis="x", angle_rad=math.pi / 2))
    reading = sample(twin, imu, port, motion(np.eye(3)))
    assert reading.gravity_in_base == pytest.approx([0.0, -1.0, 0.0], abs=1e-3)


def test_a_packet_that_a_twin_does_not_send_is_refused() -> None:
    for make in TWINS:
        with pytest.raises(SimulationError, match="not 'smoke'"):
            TWINS[make](config(make, "smoke"), seed=[1])


@every_packet
def test_pup_reads_gravity_and_rates_through_the_bytes_of_any_make(make: str, packet: str) -> None:
    robot = pup()
    # A VectorNav mounted upright has its z axis down; the others have it up.
    mounting = UPSIDE_DOWN if make == "vectornav_vn100" else (HALF, 0.0, 0.0, HALF)
    changed = replace(robot.config, imu=config(make, packet, mounting))
    assert wiring_problems(changed) == []
    push = {"kind": "push", "force_n": [75.0, 50.0, 0.0], "at": {"stage": "start", "after_s": 0.1}, "for_s": 0.3}
    world = SimulatedWorld(replace(robot, config=changed), faults=script(push))
    imu = IMU_MAKES[make].make(changed.imu, world.open_serial("imu0", changed.buses["imu0"]))  # type: ignore[arg-type]
    truths: list[tuple[np.ndarray, np.ndarray]] = []
    errors: list[np.ndarray] = []
    fastest = 0.0
    for cycle in range(1, 251):
        world.advance_to(0.002 * cycle)
        rotation, spatial = world.plant.site_motion()
        truths.append((rotation.T @ [0.0, 0.0, -1.0], rotation.T @ spatial[:3]))
        reading = imu.read(0.002 * cycle)
        if reading.stamp_s == 0.002 * cycle and cycle > 3:
            # A sample is one or two cycles old when it arrives: the nearest of the last truths is its own.
            errors.append(
                np.array(
                    [
                        min(np.abs(reading.gravity_in_base - down).max() for down, _ in truths[-4:]),
                        min(np.abs(reading.angular_velocity_base_in_base_rad_per_s - r).max() for _, r in truths[-4:]),
                    ]
                )
            )
            fastest = max(fastest, float(np.abs(truths[-1][1]).max()))
    assert fastest > 0.2
    assert reading.sequence == pytest.approx(125, abs=2)
    worst = np.max(errors, axis=0)
    # Five standard deviations of the noise.
    assert worst[0] < 5 * 0.0003 + 1e-3
    assert worst[1] < 5 * 0.003 + 5e-3
