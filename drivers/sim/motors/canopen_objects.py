"""The object dictionary of a simulated CANopen drive, and the process data that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from supervisor.core.robot import DriveConfig

Where = tuple[int, int]
"""Index and subindex of an object."""

HEARTBEAT_CONSUMER: Final = (0x1016, 1)
COMMUNICATION_ERROR: Final = (0x1029, 1)
ABORT_OPTION: Final = (0x6007, 0)
ERROR_CODE: Final = (0x603F, 0)
STATUSWORD: Final = (0x6041, 0)
MODE: Final = (0x6060, 0)
MODE_DISPLAY: Final = (0x6061, 0)
TARGET_TORQUE: Final = (0x6071, 0)

NO_SUCH_OBJECT: Final = 0x06020000
NO_SUCH_SUBINDEX: Final = 0x06090011
READ_ONLY: Final = 0x06010002
NOT_MAPPABLE: Final = 0x06040041
PDO_TOO_LONG: Final = 0x06040042
OUT_OF_RANGE: Final = 0x06090030
NOT_NOW: Final = 0x08000022

SUPPLY_MV: Final = 48_000
SUPPORTED_MODES: Final = 0x3AD
"""Profile position, velocity and torque, homing, and the three cyclic ones."""

MILLI_TURNS_PER_MINUTE: Final = 0xFDB44700

VENDOR, PRODUCT, REVISION = 0x5EED, 0x402, 0x10001

TEXTS: Final[Mapping[Where, bytes]] = {(0x1008, 0): b"simulated drive", (0x100A, 0): b"1.2.0"}

_SIGNED: Final = frozenset(
    {*((i, 0) for i in (0x6007, 0x605A, 0x605E, 0x6060, 0x6061, 0x6064, 0x606C, 0x6071, 0x6077, 0x607A)), (0x3201, 1)}
)
_MAPPABLE: Final[Mapping[Where, int]] = {
    (0x6040, 0): 2,
    STATUSWORD: 2,
    ERROR_CODE: 2,
    MODE: 1,
    MODE_DISPLAY: 1,
    (0x6064, 0): 4,
    (0x606C, 0): 4,
    TARGET_TORQUE: 2,
    (0x6077, 0): 2,
    (0x607A, 0): 4,
}
"""Bytes of the objects that may travel as process data."""

_TEMPERATURES: Final[Mapping[str, Where]] = {"EPOS4": (0x3201, 1)}
"""Where a model has its temperature."""

_SIZES: Final[Mapping[Where, int]] = {
    **_MAPPABLE,
    (0x1000, 0): 4,
    (0x1001, 0): 1,
    (0x1005, 0): 4,
    (0x1016, 0): 1,
    HEARTBEAT_CONSUMER: 4,
    (0x1017, 0): 2,
    (0x1018, 0): 1,
    **{(0x1018, sub): 4 for sub in range(1, 5)},
    (0x1029, 0): 1,
    COMMUNICATION_ERROR: 1,
    (0x3201, 0): 1,
    (0x3201, 1): 2,
    ABORT_OPTION: 2,
    (0x605A, 0): 2,
    (0x605E, 0): 2,
    (0x6072, 0): 2,
    (0x6076, 0): 4,
    (0x6079, 0): 4,
    **{(index, sub): 4 for index in (0x608F, 0x6091) for sub in (1, 2)},
    **{(index, 0): 1 for index in (0x608F, 0x6091)},
    (0x60A9, 0): 4,
    (0x6502, 0): 4,
}

_PDOS: Final = 4
_MAPPED: Final = 8
_WRITABLE: Final = frozenset(
    {HEARTBEAT_CONSUMER, (0x1017, 0), COMMUNICATION_ERROR, ABORT_OPTION, (0x605A, 0), (0x605E, 0), (0x6040, 0), MODE}
    | {TARGET_TORQUE, (0x607A, 0)}
)
_OFF: Final = 1 << 31


class Drive(Protocol):
    """What the objects belong to."""

    nmt: list[int]
    drives: list[DriveConfig]

    def measured(self, motor: int) -> dict[Where, int]:
        """What the read-only objects read now."""
        ...

    def obey(self, motor: int, where: Where, value: int) -> None:
        """Act on an object that was written."""
        ...

    def node_id(self, motor: int) -> int:
        """What a drive listens to."""
        ...


class Pdo:
    """One PDO as it is set up at the moment."""

    def __init__(self, objects: Objects, communication: int) -> None:
        self._objects = objects
        values = objects.values
        self.identifier = values[communication, 1] & 0x7FF
        self.transmission_type = values[communication, 2]
        mapping = communication + 0x200
        entries = [values[mapping, place] for place in range(1, values[mapping, 0] + 1)]
        self.mapped = [((entry >> 16, entry >> 8 & 0xFF), (entry & 0xFF) // 8) for entry in entries]

    def pack(self, measured: Mapping[Where, int]) -> bytes:
        """What is sent, with what is measured now."""
        values = self._objects.values
        data = b""
        for where, size in self.mapped:
            value = measured[where] if where in measured else values[where]
            data += (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        return data

    def unpack(self, data: bytes) -> dict[Where, int]:
        """Values in a frame; nothing where it is too short."""
        found: dict[Where, int] = {}
        start = 0
        for where, size in self.mapped:
            if start + size > len(data):
                return {}
            found[where] = int.from_bytes(data[start : start + size], "little", signed=where in _SIGNED)
            start += size
        return found


class Objects:
    """All objects of one drive.

    Args:
        owner: The drives.
        motor: Which of them.
        model: Its row.

    Attributes:
        values: By index and subindex, without what is measured.
        receivers, senders: The PDOs that are on.
    """

    def __init__(self, owner: Drive, motor: int, model: str) -> None:
        self._owner, self._motor = owner, motor
        self._temperature = _TEMPERATURES.get(model)
        self.values: dict[Where, int] = {}
        self.receivers: list[Pdo] = []
        self.senders: list[Pdo] = []
        self._node = owner.node_id(motor)
        self.reset()

    def reset(self) -> None:
        """As after power-up: nothing was ever stored."""
        drive = self._owner.drives[self._motor]
        self.values = {
            (0x1000, 0): 0x00020192,
            (0x1005, 0): 0x80,
            (0x1016, 0): 1,
            HEARTBEAT_CONSUMER: 0,
            (0x1017, 0): 0,
            (0x1018, 0): 4,
            (0x1018, 1): VENDOR,
            (0x1018, 2): PRODUCT,
            (0x1018, 3): REVISION,
            (0x1018, 4): 0x1000 + self._motor,
            (0x1029, 0): 1,
            COMMUNICATION_ERROR: 0,
            ABORT_OPTION: 1,
            (0x605A, 0): 2,
            (0x605E, 0): 2,
            (0x6040, 0): 0,
            MODE: 1,
            TARGET_TORQUE: 0,
            (0x6072, 0): min(round(1000.0 * drive.torque_max_nm / self._rated_nm(drive)), 0xFFFF),
            (0x6076, 0): round(drive.rated_torque_nm * 1e3),
            (0x6079, 0): SUPPLY_MV,
            (0x607A, 0): 0,
            **{(index, 0): 2 for index in (0x608F, 0x6091)},
            (0x608F, 1): drive.encoder_counts_per_turn,
            (0x608F, 2): 1,
            (0x6091, 1): 1,
            (0x6091, 2): 1,
            (0x60A9, 0): MILLI_TURNS_PER_MINUTE,
            (0x6502, 0): SUPPORTED_MODES,
        }
        if self._temperature is not None:
            self.values[self._temperature[0], 0] = 1
        self._map_as_delivered()

    @staticmethod
    def _rated_nm(drive: DriveConfig) -> float:
        """Rated torque at the output."""
        return drive.rated_torque_nm * drive.motor_turns_per_output_turn or 1.0

    def _map_as_delivered(self) -> None:
        """Controlword in, statusword out, both by event; the other PDOs are off."""
        node = self._node
        for pdo in range(_PDOS):
            off = _OFF if pdo else 0
            for index, base, flags in ((0x1400, 0x200, 0), (0x1800, 0x180, 1 << 30)):
                self.values |= {
                    (index + pdo, 0): 2,
                    (index + pdo, 1): base + 0x100 * pdo + node | off | flags,
                    (index + pdo, 2): 255,
                }
            for index in (0x1600, 0x1A00):
                self.values |= {(index + pdo, place): 0 for place in range(_MAPPED + 1)}
        self.values |= {(0x1600, 0): 1, (0x1600, 1): 0x60400010, (0x1A00, 0): 1, (0x1A00, 1): 0x60410010}
        self._learn_pdos()

    def renumber(self, node: int) -> None:
        """Answer to another node id: the usual identifiers of the PDOs change with it."""
        if node == self._node:
            return
        for index in (base + pdo for base in (0x1400, 0x1800) for pdo in range(_PDOS)):
            if self.values[index, 1] & 0x7F == self._node:
                self.values[index, 1] += node - self._node
        self._node = node
        self._learn_pdos()

    def _learn_pdos(self) -> None:
        self.receivers, self.senders = (
            [Pdo(self, base + pdo) for pdo in range(_PDOS) if not self.values[base + pdo, 1] & _OFF]
            for base in (0x1400, 0x1800)
        )

    def newest(self) -> dict[Where, int]:
        """All objects, with what is measured now."""
        measured = self._owner.measured(self._motor)
        if self._temperature is None:
            measured.pop((0x3201, 1))
        return {**self.values, **measured, MODE_DISPLAY: self.values[MODE]}

    def read(self, where: Where) -> bytes | int:
        """An object's bytes, or why not."""
        if where in TEXTS:
            return TEXTS[where]
        values = self.newest()
        if where not in values:
            return NO_SUCH_SUBINDEX if any(index == where[0] for index, _ in values) else NO_SUCH_OBJECT
        size = self._size(where)
        return (values[where] & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    @staticmethod
    def _size(where: Where) -> int:
        if 0x1400 <= where[0] < 0x1C00:
            return 4 if where[1] and (where[0] & 0x200 or where[1] == 1) else 1
        return _SIZES[where]

    def write(self, where: Where, data: bytes) -> int:
        """Set an object; 0, or why not."""
        if where in TEXTS:
            return READ_ONLY
        known = self.newest()
        if where not in known:
            return NO_SUCH_SUBINDEX if any(index == where[0] for index, _ in known) else NO_SUCH_OBJECT
        size = self._size(where)
        if len(data) != size:
            return 0x06070012 if len(data) > size else 0x06070013
        value = int.from_bytes(data, "little", signed=where in _SIGNED)
        if 0x1400 <= where[0] < 0x1C00:
            return self._write_pdo(where, value)
        if where not in _WRITABLE:
            return READ_ONLY
        if where == ABORT_OPTION and not 0 <= value <= 3:
            return OUT_OF_RANGE
        self.set(where, value)
        return 0

    def set(self, where: Where, value: int) -> None:
        """Set an object, and act on it."""
        self.values[where] = value
        self._owner.obey(self._motor, where, value)

    def _write_pdo(self, where: Where, value: int) -> int:
        """Change a PDO: only outside OPERATIONAL, its mapping only while it is off and empty."""
        index, subindex = where
        if self._owner.nmt[self._motor] == 5:
            return NOT_NOW
        is_mapping = bool(index & 0x200)
        communication = index - 0x200 if is_mapping else index
        is_off = bool(self.values[communication, 1] & _OFF)
        if not is_mapping:
            if subindex == 0:
                return READ_ONLY
            if subindex == 1 and not is_off and not value & _OFF and value != self.values[where]:
                return OUT_OF_RANGE
        elif not is_off or (subindex and self.values[index, 0]):
            return NOT_NOW
        elif subindex:
            entry, bits = (value >> 16, value >> 8 & 0xFF), value & 0xFF
            if self._mappable().get(entry) != bits // 8:
                return NOT_MAPPABLE
        elif value > _MAPPED or sum((self.values[index, place] & 0xFF) for place in range(1, value + 1)) > 64:
            return PDO_TOO_LONG
        self.values[where] = value
        self._learn_pdos()
        return 0

    def _mappable(self) -> dict[Where, int]:
        extra = {} if self._temperature is None else {self._temperature: 2}
        return {**_MAPPABLE, **extra}
