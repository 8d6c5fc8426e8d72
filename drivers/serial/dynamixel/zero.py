"""Making where a servo stands its zero: the homing offset, in EEPROM, with the torque off."""

from __future__ import annotations

from typing import Final

from drivers.motor_group import Zeroing
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.asking import Probed, read_register, write_register
from supervisor.core.errors import DeviceError

TOLERANCE_RAD: Final = 0.02
"""What a servo may read right after setting its zero: it hangs free and may creep."""


def set_zero(probed: Probed, now_s: float) -> Zeroing:
    """Set the homing offset so that the servo reads the centre of its turn, 0 rad, where it stands.

    Args:
        probed: The servo.
        now_s: Time of the first step.

    Returns:
        The position read back afterwards, rad, motor frame.

    Raises:
        DeviceError: It does not answer, is not off, does not take the offset, or does not read zero afterwards.
    """
    name = f"motor of {probed.line.motor.joint}"
    now_s, torque = yield from read_register(probed, t.TORQUE_ENABLE, now_s)
    if torque is None:
        raise DeviceError(f"{name} does not answer: its zero was not set")
    if torque:
        raise DeviceError(f"{name} is on: its zero may only be set while off")
    now_s, offset = yield from read_register(probed, t.HOMING_OFFSET, now_s)
    now_s, position = yield from read_register(probed, t.PRESENT_POSITION, now_s)
    if offset is None or position is None:
        raise DeviceError(f"{name} does not answer: its zero was not set")
    # Whole turns are left out: they are lost with the power, and the offset is not.
    wanted = offset + t.CENTRE_COUNT - position
    half = t.COUNTS_PER_TURN // 2
    wanted = (wanted + half) % t.COUNTS_PER_TURN - half
    now_s, found = yield from write_register(probed, t.HOMING_OFFSET, wanted, now_s)
    if found != wanted:
        raise DeviceError(f"{name} reads back a homing offset of {found} after setting {wanted}: its zero was not set")
    now_s, position = yield from read_register(probed, t.PRESENT_POSITION, now_s)
    if position is None:
        raise DeviceError(f"{name} does not answer after setting its zero: look again")
    position_rad = codec.position_from_count(position % t.COUNTS_PER_TURN)
    if abs(position_rad) > TOLERANCE_RAD:
        raise DeviceError(f"{name} reads {position_rad:.3f} rad after setting its zero; expected 0")
    return position_rad
