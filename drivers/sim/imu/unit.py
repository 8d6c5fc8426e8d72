"""What every simulated inertial unit does alike: measure a motion with noise, and suffer its faults."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.sim.imu.conditions import (
    ACCELERATION_NOISE_M_PER_S2,
    ATTITUDE_NOISE_RAD,
    GYRO_NOISE_RAD_PER_S,
    ImuCondition,
    Motion,
    quaternion_of,
    rotation_of,
    turn_about,
)
from supervisor.core.errors import SimulationError
from supervisor.core.robot import ImuConfig

_MAGNETIC_FIELD_UT: Final = np.array([0.0, 20.0, -40.0])
"""Of the earth at middle latitudes, world frame with y to the north."""

_MAGNETIC_NOISE_UT: Final = 0.2
_NOISE: Final = np.array(
    [ACCELERATION_NOISE_M_PER_S2, GYRO_NOISE_RAD_PER_S, _MAGNETIC_NOISE_UT, 0.5 * ATTITUDE_NOISE_RAD]
)[:, None]
"""By row: specific force, rate, field, and half the angle by which the attitude is off."""
_NOISE_BLOCK: Final = 256

_GIMBAL_LOCK: Final = 1.0 - 1e-12
"""Sine of a pitch beyond which rounding leaves nothing of roll and yaw."""

Three = tuple[float, float, float]
Four = tuple[float, float, float, float]


class Sensed(NamedTuple):
    """What a unit measures, in its own axes.

    Attributes:
        acceleration_m_per_s2: Specific force.
        rate_rad_per_s: Angular rate.
        field_ut: Magnetic field.
        orientation_wxyz: Its attitude in a world with z up.
    """

    acceleration_m_per_s2: Three
    rate_rad_per_s: Three
    field_ut: Three
    orientation_wxyz: Four


_NAN: Final = math.nan
BROKEN: Final = Sensed((_NAN, _NAN, _NAN), (_NAN, _NAN, _NAN), (_NAN, _NAN, _NAN), (_NAN, _NAN, _NAN, _NAN))
"""What a unit says that can say nothing; makes without NaN on the wire send zeros."""


class SimulatedUnit(ABC):
    """One unit, streaming from power-up as its stored settings say. A `SimulatedImu` but for its bytes.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    maker: ClassVar[str]
    packets: ClassVar[tuple[str, ...]]

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        if config.packet not in self.packets:
            known = " and ".join(self.packets)
            raise SimulationError(f"the simulated {self.maker} unit sends {known}, not {config.packet!r}")
        self._packet = config.packet
        self._mounting = self._unit_in_base = rotation_of(config.orientation_imu_in_base_wxyz)
        self._rng, self._deviation = np.random.default_rng(list(seed)), _NOISE * noise_scale
        self._noise: NDArray[np.float64] = np.zeros((_NOISE_BLOCK, 4, 3))
        self._noise_at = _NOISE_BLOCK
        self._vectors: NDArray[np.float64] = np.vstack([np.zeros((2, 3)), _MAGNETIC_FIELD_UT])
        self._condition = ImuCondition()
        self._bias: NDArray[np.float64] = np.zeros(3)
        self._is_biased = False
        self._sensed: Sensed | None = None
        self._is_streaming = True
        self._now_s = 0.0
        self.period_s = 1.0 / config.rate_hz
        self._saved: tuple[Any, ...] = (self._packet, self._is_streaming, self.period_s)

    def _settings(self) -> tuple[Any, ...]:
        """Everything that it can keep."""
        return self._packet, self._is_streaming, self.period_s

    def _set(self, settings: tuple[Any, ...]) -> None:
        """Take what `_settings` gave."""
        self._packet, self._is_streaming, self.period_s = settings

    def save(self) -> None:
        """Keep the settings that are in force."""
        self._saved = self._settings()

    def restart(self) -> None:
        """What a power cycle does: the settings that were kept."""
        self._set(self._saved)

    def set_condition(self, condition: ImuCondition) -> None:
        """Replace what is wrong with the unit."""
        self._condition = condition
        self._unit_in_base = turn_about(condition.axis, condition.angle_rad) @ self._mounting
        self._bias = np.array(condition.gyro_bias_rad_per_s)
        self._is_biased = bool(self._bias.any())

    def measure(self, motion: Motion) -> bytes:
        """One packet; empty when the unit does not stream."""
        self._now_s = motion.stamp_s
        if not self._is_streaming or self._condition.is_lost:
            return b""
        if self._sensed is None or not self._condition.is_frozen:
            self._sensed = self._sense(motion)
        return self._pack(BROKEN if self._condition.is_nan else self._sensed)

    @abstractmethod
    def hear(self, data: bytes) -> bytes:
        """Take bytes from the host and answer them."""

    @abstractmethod
    def _pack(self, sensed: Sensed) -> bytes:
        """One packet of now, as it goes over the wire."""

    def _sense(self, motion: Motion) -> Sensed:
        if self._noise_at >= _NOISE_BLOCK:
            self._noise_at = 0
            self._noise = self._rng.standard_normal(self._noise.shape) * self._deviation
        noise = self._noise[self._noise_at]
        self._noise_at += 1
        unit_in_world = motion.rotation_base_in_world @ self._unit_in_base
        vectors = self._vectors
        vectors[0] = motion.specific_force_in_world_m_per_s2
        vectors[1] = motion.angular_velocity_base_in_world_rad_per_s
        # A row vector times the rotation is the rotation's transpose times the vector: from the world to the unit.
        measured = vectors @ unit_in_world
        measured += noise[:3]
        if self._is_biased:
            measured[1] += self._bias
        w, x, y, z = quaternion_of(unit_in_world)
        # A small turn (a, b, c) in the unit's axes: the quaternion times (1, a, b, c), made a unit one again.
        a, b, c = noise[3].tolist()
        scale = 1.0 / math.sqrt(1.0 + a * a + b * b + c * c)
        ax, ay, az, gx, gy, gz, mx, my, mz = measured.ravel().tolist()
        attitude = (
            (w - x * a - y * b - z * c) * scale,
            (x + w * a + y * c - z * b) * scale,
            (y + w * b + z * a - x * c) * scale,
            (z + w * c + x * b - y * a) * scale,
        )
        return Sensed((ax, ay, az), (gx, gy, gz), (mx, my, mz), attitude)


def euler_rad(orientation_wxyz: Four) -> Three:
    """Roll, pitch and yaw (rad) of a unit quaternion."""
    w, x, y, z = orientation_wxyz
    sine = 2.0 * (w * y - z * x)
    if abs(sine) > _GIMBAL_LOCK:
        # Roll and yaw turn about the same axis here: all of it is called yaw.
        return 0.0, math.copysign(0.5 * math.pi, sine), -2.0 * math.copysign(1.0, sine) * math.atan2(x, w)
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = sine if math.isnan(sine) else math.asin(min(1.0, max(-1.0, sine)))
    return roll, pitch, math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def north_east_down(orientation_wxyz: Four) -> Four:
    """An attitude in a world with z up, seen from one that is turned by half a turn about its x axis."""
    w, x, y, z = orientation_wxyz
    return x, -w, z, -y
