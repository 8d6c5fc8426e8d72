"""CANopen process data: which objects travel in which frame, and the frames of every cycle.

Source: see `tables`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.canopen.codec import checked_integer, checked_node_id, make_sdo_read, make_write
from drivers.can.canopen.tables import (
    MAXIMUM_PDO_BYTES,
    PDO_IS_OFF,
    RPDO_BASES,
    TPDO_BASES,
    U8,
    U32,
    ObjectEntry,
)
from supervisor.core.errors import EncodeError, FrameError

_RPDO_RECORDS: Final = (0x1400, 0x1600)
_TPDO_RECORDS: Final = (0x1800, 0x1A00)
"""Communication and mapping objects of the first PDO."""

_LETTERS: Final = {1: "b", 2: "h", 4: "i"}


class PdoLayout:
    """The objects in one PDO, in order. Made once; packs and unpacks every cycle.

    Args:
        entries: What the PDO carries.

    Raises:
        EncodeError: More than 8 bytes.
    """

    __slots__ = ("_struct", "entries")

    def __init__(self, entries: Sequence[ObjectEntry]) -> None:
        self.entries = tuple(entries)
        letters = (_LETTERS[entry.type.size] for entry in self.entries)
        signs = (entry.type.is_signed for entry in self.entries)
        layout = (letter if sign else letter.upper() for letter, sign in zip(letters, signs, strict=True))
        self._struct = struct.Struct("<" + "".join(layout))
        if self._struct.size > MAXIMUM_PDO_BYTES:
            raise EncodeError(f"{self._struct.size} bytes mapped into a PDO; allowed: up to {MAXIMUM_PDO_BYTES}")

    @property
    def size(self) -> int:
        """Data bytes of the PDO."""
        return self._struct.size

    def pack(self, values: Sequence[int]) -> bytes:
        """Data bytes of the PDO.

        Raises:
            EncodeError: A value is no whole number or does not fit its object, or there are too many or too few.
        """
        try:
            return self._struct.pack(*values)
        except struct.error as error:
            names = ", ".join(f"0x{entry.index:04X}" for entry in self.entries)
            raise EncodeError(f"{tuple(values)} do not fit the objects {names}: {error}") from None

    def unpack(self, data: bytes) -> tuple[int, ...]:
        """Values of the objects.

        Raises:
            FrameError: Wrong length.
        """
        if len(data) != self._struct.size:
            raise FrameError(f"{len(data)} data bytes where the mapping has {self._struct.size}")
        return self._struct.unpack(data)


def make_rpdo(node_id: int, pdo: int, layout: PdoLayout, values: Sequence[int]) -> Frame:
    """One cycle's data for a drive. It acts on them at once, or at the next SYNC, as configured.

    Raises:
        EncodeError: A value does not fit its object.
    """
    return Frame(pdo_id(node_id, pdo, is_transmit=False), layout.pack(values))


class PdoSetting(NamedTuple):
    """One object of a PDO's configuration, and its value."""

    entry: ObjectEntry
    value: int


def pdo_identifier(pdo: int, *, is_transmit: bool) -> ObjectEntry:
    """The object with a PDO's identifier and flags."""
    return ObjectEntry((_TPDO_RECORDS if is_transmit else _RPDO_RECORDS)[0] + pdo - 1, 1, U32)


def mapping_settings(pdo: int, layout: PdoLayout, *, is_transmit: bool) -> list[PdoSetting]:
    """What an object's mapping reads as when it is right: the number of entries, then each."""
    record = (_TPDO_RECORDS if is_transmit else _RPDO_RECORDS)[1] + pdo - 1
    mapped = [entry.index << 16 | entry.subindex << 8 | 8 * entry.type.size for entry in layout.entries]
    return [
        PdoSetting(ObjectEntry(record, 0, U8), len(mapped)),
        *(PdoSetting(ObjectEntry(record, place, U32), value) for place, value in enumerate(mapped, 1)),
    ]


def pdo_settings(
    pdo: int, layout: PdoLayout, transmission_type: int, identifier: int, *, is_transmit: bool
) -> list[PdoSetting]:
    """What to write, in order, to map objects into a PDO: off, emptied, filled, on. Only while not OPERATIONAL.

    Args:
        pdo: 1 to 4.
        layout: What it carries.
        transmission_type: 0 to 240 by SYNC, 254 or 255 by event.
        identifier: Its identifier, with the flags that stay.
        is_transmit: Whether the drive sends it.
    """
    where = pdo_identifier(pdo, is_transmit=is_transmit)
    count, *mapped = mapping_settings(pdo, layout, is_transmit=is_transmit)
    return [
        PdoSetting(where, identifier | PDO_IS_OFF),
        PdoSetting(ObjectEntry(where.index, 2, U8), transmission_type),
        PdoSetting(count.entry, 0),
        *mapped,
        count,
        PdoSetting(where, identifier),
    ]


def make_pdo_configuration(
    node_id: int,
    pdo: int,
    layout: PdoLayout,
    transmission_type: int,
    *,
    is_transmit: bool,
    cob_id: int | None = None,
) -> list[Frame]:
    """Requests that map objects into a PDO, in order, each to be sent after the answer to the one before.

    Only while the node is not OPERATIONAL.

    Args:
        node_id: The drive.
        pdo: 1 to 4.
        layout: What it carries.
        transmission_type: 0 to 240 by SYNC, 254 or 255 by event.
        is_transmit: Whether the drive sends it.
        cob_id: Its identifier; the usual one if None.

    Raises:
        EncodeError: A number that does not fit.
    """
    usual = pdo_id(node_id, pdo, is_transmit=is_transmit)
    identifier = usual if cob_id is None else checked_integer(cob_id, 1, 0x7FF, "identifier of a PDO")
    settings = pdo_settings(pdo, layout, transmission_type, identifier, is_transmit=is_transmit)
    frames = [make_write(node_id, setting.entry, setting.value) for setting in settings]
    # Read back that the mapping is empty: drives with a fixed one acknowledge and keep it.
    frames.insert(3, make_sdo_read(node_id, settings[2].entry.index, 0))
    return frames


def pdo_id(node_id: int, pdo: int, *, is_transmit: bool) -> int:
    """The usual identifier of a PDO.

    Raises:
        EncodeError: No such PDO, or no such node.
    """
    bases: Sequence[int] = TPDO_BASES if is_transmit else RPDO_BASES
    return bases[checked_integer(pdo, 1, len(bases), "PDO") - 1] + checked_node_id(node_id)
