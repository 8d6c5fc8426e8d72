"""Asking an id whether an ODrive has it: it tells its version. Boards without an id of their own stay unfound."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.odrive import codec
from drivers.can.odrive.tables import BOARD_OF_HARDWARE, Message
from drivers.scanning import CanScan


def _ask(node_id: int) -> Frame:
    return codec.make_request(node_id, Message.VERSION)


def _recognise(node_id: int, frame: Frame) -> str | None:
    if codec.sender(frame) != (node_id, Message.VERSION):
        return None
    version = codec.decode_report(Message.VERSION, frame.data)
    if not isinstance(version, codec.Version):
        return None
    board = BOARD_OF_HARDWARE.get(version.hardware[0], "board")
    return f"{board}, hardware {codec.dotted(version.hardware)}, firmware {codec.dotted(version.firmware)}"


SCAN: Final = CanScan(_ask, _recognise)
