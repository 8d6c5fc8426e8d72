"""Where is the output? The encoder knows the rotor within one turn, and the output turns 6.33 times less.

After power-up the motor reads the rotor's angle within one turn. The output may stand at that angle over 6.33, or any
multiple of 56.9 degrees away from it: nothing the motor sends can tell. It stays unresolved until somebody says where
the output can be: the joint's mechanical range if that is below 56.9 degrees, else a known pose (hanging, sitting, at a
stop) with its uncertainty. A robot whose zero is not resolved must not move: its first command would jump.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from drivers.serial.unitree.tables import GEAR, ZERO_PERIOD_RAD
from supervisor.core.errors import DeviceError

MARGIN_RAD: Final = 0.05
"""Added to both ends of where the output can be: backlash, a soft stop, and a zero that was read by eye."""


START_SPAN_MAX_RAD: Final = ZERO_PERIOD_RAD - 2.0 * MARGIN_RAD - 1e-3
"""Within a wider range than this the output could stand in two places that read the same."""


class OutputZero(NamedTuple):
    """A resolved zero.

    Attributes:
        turns: Whole turns of the rotor to add to what the motor reads.
        output_rad: Where the output is now.
        slack_rad: How far the next possible place lies beyond where the output can be; the larger the surer.
    """

    turns: int
    output_rad: float
    slack_rad: float


def resolve_zero(rotor_rad: float, zero_rotor_rad: float, low_rad: float, high_rad: float) -> OutputZero:
    """Find the one place where the output can be.

    Args:
        rotor_rad: What the motor reads now, at the rotor.
        zero_rotor_rad: What it read, in any power-up, with the output at its zero.
        low_rad: Where the output can be now, at least: its mechanical range, or a pose less its uncertainty.
        high_rad: The same, at most.

    Raises:
        DeviceError: No place is possible (a wrong zero, or the joint is elsewhere), more than one, or a value that is
            not finite. The message names the places.
    """
    if not all(math.isfinite(value) for value in (rotor_rad, zero_rotor_rad, low_rad, high_rad)):
        raise DeviceError(f"no zero from rotor {rotor_rad}, zero {zero_rotor_rad}, {low_rad} to {high_rad} rad")
    if not 0.0 <= high_rad - low_rad <= 4.0 * math.pi:
        raise DeviceError(f"the output cannot be between {low_rad} and {high_rad} rad: that is no range of a joint")
    as_read = (rotor_rad - zero_rotor_rad) / GEAR
    first = math.ceil((low_rad - MARGIN_RAD - as_read) / ZERO_PERIOD_RAD)
    last = math.floor((high_rad + MARGIN_RAD - as_read) / ZERO_PERIOD_RAD)
    if first == last:
        place = as_read + first * ZERO_PERIOD_RAD
        below, above = low_rad - (place - ZERO_PERIOD_RAD), place + ZERO_PERIOD_RAD - high_rad
        return OutputZero(first, place, min(below, above))
    where = f"between {low_rad:.3f} and {high_rad:.3f} rad"
    if first > last:
        near = [as_read + turns * ZERO_PERIOD_RAD for turns in (last, first)]
        raise DeviceError(
            f"the output cannot be {where}: the rotor allows {near[0]:.3f} or {near[1]:.3f} rad; check the zero"
        )
    places = ", ".join(f"{as_read + turns * ZERO_PERIOD_RAD:.3f}" for turns in range(first, last + 1))
    raise DeviceError(
        f"the output may be at {places} rad, all {where}: the rotor repeats every {ZERO_PERIOD_RAD:.3f} rad;"
        " bring the joint to a known pose and say where that is"
    )


def wire_position(output_rad: float, zero: OutputZero, zero_rotor_rad: float) -> float:
    """A position of the output as the motor's own position at the rotor, in this power-up."""
    return output_rad * GEAR + zero_rotor_rad - 2.0 * math.pi * zero.turns


def output_position(rotor_rad: float, zero: OutputZero, zero_rotor_rad: float) -> float:
    """What the motor reads at the rotor, as a position of the output."""
    return (rotor_rad - zero_rotor_rad + 2.0 * math.pi * zero.turns) / GEAR
