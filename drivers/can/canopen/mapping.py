"""Setting up which objects a drive sends and takes in every cycle, and reading all of it back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from drivers.can.canopen import sdo
from drivers.can.canopen.batch import COMMAND, MOTION, speed_layout
from drivers.can.canopen.codec import SdoAbort
from drivers.can.canopen.pdo import PdoLayout, PdoSetting, mapping_settings, pdo_id, pdo_identifier, pdo_settings
from drivers.can.canopen.sdo import SdoLine
from drivers.can.canopen.tables import EVERY_SYNC, PDO_IS_NEVER_ASKED_FOR, PDO_IS_OFF, DriveFacts

UNUSED_TPDOS: Final = (3, 4)
"""What a drive may send besides, and nobody reads: it would only load the bus."""

Mapping = Generator[None, float, tuple[float, bool]]
"""A part of the work; returns the time, and whether it is as it should be."""


def map_process_data(line: SdoLine, facts: DriveFacts, problems: list[str], now_s: float) -> Mapping:
    """Map command and feedback of one drive, all of it at each SYNC. Only while it is not OPERATIONAL.

    Args:
        line: The drive.
        facts: What its row knows of it.
        problems: Gets what did not work.
        now_s: Time of the first step.
    """
    wanted: tuple[tuple[int, PdoLayout, bool], ...] = (
        (1, COMMAND, False),
        (1, MOTION, True),
        (2, speed_layout(facts), True),
    )
    is_right = True
    for pdo, layout, is_transmit in wanted:
        now_s, is_set = yield from _map(line, pdo, layout, problems, now_s, is_transmit=is_transmit)
        is_right &= is_set
    for pdo in UNUSED_TPDOS:
        now_s = yield from _switch_off(line, pdo, now_s)
    return now_s, is_right


def _map(
    line: SdoLine, pdo: int, layout: PdoLayout, problems: list[str], now_s: float, *, is_transmit: bool
) -> Mapping:
    """One PDO: as it is where that is right already, else off, emptied, filled, on."""
    where = pdo_identifier(pdo, is_transmit=is_transmit)
    now_s, found = yield from sdo.read(line, where, now_s)
    flags = found & PDO_IS_NEVER_ASKED_FOR if isinstance(found, int) else 0
    identifier = pdo_id(line.node_id, pdo, is_transmit=is_transmit) | flags
    settings = pdo_settings(pdo, layout, EVERY_SYNC, identifier, is_transmit=is_transmit)
    now_s, is_mapped = yield from _reads(line, mapping_settings(pdo, layout, is_transmit=is_transmit), now_s)
    if is_mapped:
        # Nothing to change inside, which drives with a fixed mapping would refuse.
        settings = [settings[0], settings[1], settings[-1]]
    for entry, value in settings:
        now_s, found = yield from sdo.write(line, entry, value, now_s)
        if found != value:
            said = f"0x{found:X}" if isinstance(found, int) else found.reason if found is not None else "nothing"
            kind = "TPDO" if is_transmit else "RPDO"
            problems.append(
                f"{kind} {pdo} cannot be set up: 0x{entry.index:04X}:{entry.subindex} reads back {said} after setting "
                f"0x{value:X}"
            )
            return now_s, False
    return now_s, True


def _reads(line: SdoLine, settings: list[PdoSetting], now_s: float) -> Mapping:
    """Whether objects already have the values that they should have."""
    for entry, value in settings:
        now_s, found = yield from sdo.read(line, entry, now_s)
        if found != value:
            return now_s, False
    return now_s, True


def _switch_off(line: SdoLine, pdo: int, now_s: float) -> sdo.Waiting:
    """A PDO that nobody needs, where there is one."""
    where = pdo_identifier(pdo, is_transmit=True)
    now_s, found = yield from sdo.read(line, where, now_s)
    if isinstance(found, SdoAbort) or found is None or found & PDO_IS_OFF:
        return now_s
    now_s, _ = yield from sdo.write(line, where, found | PDO_IS_OFF, now_s)
    return now_s
