"""The control table of a simulated X-series servo: defaults, and who may write what when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.codec import pack, unpack
from drivers.serial.dynamixel.tables import Register, ServoModel

OK: Final = 0
RESULT_FAIL: Final = 1
DATA_RANGE: Final = 4
DATA_LENGTH: Final = 5
DATA_LIMIT: Final = 6
ACCESS: Final = 7

PLAIN_BYTES: Final = t.PRESENT_TEMPERATURE.address + t.PRESENT_TEMPERATURE.size

_STORED: Final[Mapping[Register, int]] = {
    t.ID: 1,
    t.BAUD_RATE: 1,
    t.RETURN_DELAY: 250,
    t.OPERATING_MODE: t.MODE_POSITION,
    t.SECONDARY_ID: 255,
    t.TEMPERATURE_LIMIT: 80,
    t.MAX_VOLTAGE_LIMIT: 160,
    t.MIN_VOLTAGE_LIMIT: 95,
    t.PWM_LIMIT: 885,
    t.VELOCITY_LIMIT: 200,
    t.MAX_POSITION_LIMIT: 4095,
    t.SHUTDOWN: 0b11_0100,
}
"""As an XM430-W350 leaves the factory (e-Manual): also the other models' here, but for their current limit."""

_RAM: Final[Mapping[Register, int]] = {
    t.STATUS_RETURN_LEVEL: 2,
    t.VELOCITY_I_GAIN: 1920,
    t.VELOCITY_P_GAIN: 100,
    t.POSITION_P_GAIN: 800,
    t.GOAL_PWM: 885,
    t.GOAL_VELOCITY: 200,
    t.PRESENT_VOLTAGE: 120,
    t.PRESENT_TEMPERATURE: 30,
}

_RANGES: Final[Mapping[Register, tuple[int, int]]] = {
    t.ID: (0, t.MAXIMUM_ID),
    t.BAUD_RATE: (0, 7),
    t.RETURN_DELAY: (0, 254),
    t.TEMPERATURE_LIMIT: (0, 100),
    t.PWM_LIMIT: (0, 885),
    t.MAX_POSITION_LIMIT: t.SINGLE_TURN_COUNTS,
    t.MIN_POSITION_LIMIT: t.SINGLE_TURN_COUNTS,
    t.TORQUE_ENABLE: (0, 1),
    t.LED: (0, 1),
    t.STATUS_RETURN_LEVEL: (0, 2),
    t.BUS_WATCHDOG: (0, t.WATCHDOG_COUNTS[1]),
}

_LISTABLE_FROM: Final = 64
"""Only what is in RAM can be listed."""

_LIST_AT: Final = 168

GOALS: Final = (
    t.GOAL_PWM,
    t.GOAL_CURRENT,
    t.GOAL_VELOCITY,
    t.PROFILE_ACCELERATION,
    t.PROFILE_VELOCITY,
    t.GOAL_POSITION,
)
"""Read-only from the expiry of the watchdog until 0 is written to it."""

_REGISTER_AT: Final = {
    register.address + offset: register for register in t.REGISTERS.values() for offset in range(register.size)
}


class ControlTable:
    """One servo's registers, and its list of 16-bit addresses whose bytes appear side by side behind it.

    Listed bytes can be read there, and not be written.

    Args:
        model: Which servo.
        firmware: What register 6 reads.
    """

    def __init__(self, model: ServoModel, firmware: int) -> None:
        self._model = model
        self._data_at = model.indirect_data
        # As many listed bytes as there is room for addresses.
        self._end = self._data_at + (self._data_at - _LIST_AT) // 2
        self._bytes = bytearray(self._end)
        self._set(t.MODEL_NUMBER, model.number)
        self._set(t.FIRMWARE_VERSION, firmware)
        self.restore()

    def restore(self, kept: tuple[Register, ...] = ()) -> None:
        """Set the stored registers back to those of the factory, but for some that are kept, and the rest too."""
        for register in t.REGISTERS.values():
            if register.is_stored and not register.is_read_only and register not in kept:
                self._set(register, _STORED.get(register, 0))
        self._set(t.CURRENT_LIMIT, self._model.current_limit_count)
        self.reset_ram()

    def reset_ram(self) -> None:
        """What a power-up does: everything that is not stored has its default."""
        for register in t.REGISTERS.values():
            if not register.is_stored:
                self._set(register, _RAM.get(register, 0))
        self._set(t.GOAL_CURRENT, self[t.CURRENT_LIMIT])
        # As delivered, every entry of the list leads back to its own byte, which is 0.
        own = range(self._data_at, self._end)
        self._bytes[_LIST_AT : self._data_at] = b"".join(at.to_bytes(2, "little") for at in own)
        self._bytes[self._data_at : self._end] = bytes(len(own))

    def __getitem__(self, register: Register) -> int:
        at = register.address
        return unpack(bytes(self._bytes[at : at + register.size]), is_signed=register.is_signed)

    def __setitem__(self, register: Register, value: int) -> None:
        """Set a register from inside the servo: what it measures, and what it decides itself."""
        self._set(register, value)

    def _set(self, register: Register, value: int) -> None:
        data = pack(value, register.size, is_signed=register.is_signed)
        self._bytes[register.address : register.address + register.size] = data

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        """What a read instruction gets: an error code, and the bytes if there is none."""
        if length < 1:
            return DATA_LENGTH, b""
        end = address + length
        if end <= PLAIN_BYTES or _LIST_AT <= address < end <= self._end:
            return OK, bytes(self._byte(at) for at in range(address, end))
        return ACCESS, b""

    def _byte(self, address: int) -> int:
        """One byte, of the listed ones the one it stands for."""
        if address >= self._data_at:
            entry = _LIST_AT + 2 * (address - self._data_at)
            address = int.from_bytes(self._bytes[entry : entry + 2], "little")
        return self._bytes[address]

    def refusal(self, address: int, data: bytes) -> int:
        """Why a write instruction is refused: an error code, 0 if it is not. Nothing is written."""
        if not data:
            return DATA_LENGTH
        if address >= _LIST_AT and address + len(data) <= self._data_at:
            return self._refusal_of_list(address, data)
        touched = dict.fromkeys(_REGISTER_AT.get(at) for at in range(address, address + len(data)))
        after = self._after(address, data)
        for register in touched:
            if register is None or register.is_read_only:
                return ACCESS
            if register.is_stored and self[t.TORQUE_ENABLE]:
                return ACCESS
            code = self._refusal_of(register, after)
            if code:
                return code
        return OK

    def _refusal_of_list(self, address: int, data: bytes) -> int:
        """Why entries of the list are not taken: half an entry, or what is not in RAM."""
        if address % 2 or len(data) % 2:
            return ACCESS
        listed = (int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2))
        return OK if all(_LISTABLE_FROM <= at < self._end for at in listed) else DATA_LIMIT

    def write(self, address: int, data: bytes) -> None:
        """Write what `refusal` has no objection to."""
        self._bytes = self._after(address, data)

    def _after(self, address: int, data: bytes) -> bytearray:
        """The table as it would be."""
        after = bytearray(self._bytes)
        after[address : address + len(data)] = data
        return after

    def _refusal_of(self, register: Register, after: bytearray) -> int:
        """Why one register does not take the value it would have."""
        at = register.address
        value = unpack(bytes(after[at : at + register.size]), is_signed=register.is_signed)
        has_expired = self[t.BUS_WATCHDOG] == t.WATCHDOG_EXPIRED
        if has_expired and (register in GOALS or (register == t.BUS_WATCHDOG and value != 0)):
            return DATA_RANGE
        if register == t.OPERATING_MODE:
            return OK if value in self._model.modes else DATA_LIMIT
        if register == t.TORQUE_ENABLE and value and self[t.HARDWARE_ERROR] & self[t.SHUTDOWN]:
            return RESULT_FAIL
        low, high = self._range_of(register)
        return OK if low <= value <= high else DATA_LIMIT

    def _range_of(self, register: Register) -> tuple[int, int]:
        """Lowest and highest value that a register takes now."""
        if register == t.GOAL_POSITION:
            if self[t.OPERATING_MODE] == t.MODE_POSITION:
                return self[t.MIN_POSITION_LIMIT], self[t.MAX_POSITION_LIMIT]
            return t.MULTI_TURN_COUNTS
        for goal, limit in (
            (t.GOAL_PWM, t.PWM_LIMIT),
            (t.GOAL_CURRENT, t.CURRENT_LIMIT),
            (t.GOAL_VELOCITY, t.VELOCITY_LIMIT),
        ):
            if register == goal:
                return -self[limit], self[limit]
        whole = 1 << 8 * register.size
        unlimited = (-whole // 2, whole // 2 - 1) if register.is_signed else (0, whole - 1)
        return _RANGES.get(register, unlimited)
