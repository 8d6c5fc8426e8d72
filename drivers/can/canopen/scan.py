"""Asking a node id who it is: a read of the device type, which is answered in every state but STOPPED."""

from __future__ import annotations

from typing import Final

from drivers.bus import Frame
from drivers.can.canopen import codec
from drivers.can.canopen.tables import DEVICE_TYPE, DRIVE_PROFILE, Service
from drivers.scanning import CanScan
from supervisor.core.errors import FrameError


def _ask(node_id: int) -> Frame:
    return codec.make_read(node_id, DEVICE_TYPE)


def _recognise(node_id: int, frame: Frame) -> str | None:
    if codec.sender(frame) != (Service.SDO_REPLY, node_id):
        return None
    try:
        reply = codec.decode_sdo_reply(frame.data)
        if not isinstance(reply, codec.SdoValue) or (reply.index, reply.subindex) != (DEVICE_TYPE.index, 0):
            return None
        profile = reply.number(DEVICE_TYPE.type) & 0xFFFF
    except FrameError:
        return None
    return "CiA 402 drive" if profile == DRIVE_PROFILE else f"no drive: device profile {profile}"


SCAN: Final = CanScan(_ask, _recognise)
