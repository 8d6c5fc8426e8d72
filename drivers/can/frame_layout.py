"""python-can's messages as the bytes of `frame_bytes`, and back."""

from __future__ import annotations

import can

from drivers.can.frame_bytes import (
    BIT_RATE_SWITCH,
    CLASSIC,
    CLASSIC_MAXIMUM,
    ERROR_FLAG,
    ERROR_STATE,
    EXTENDED_FLAG,
    EXTENDED_MASK,
    FD_FORMAT,
    FD_LENGTHS,
    FLEXIBLE,
    REMOTE_FLAG,
    STANDARD_MASK,
    unpack,
)


def pack_message(message: can.Message) -> bytes:
    """One python-can message as bytes.

    Raises:
        ValueError: No CAN controller could send it: identifier or length out of range, or a remote frame in CAN FD.
    """
    number, data = message.arbitration_id, bytes(message.data)
    length = message.dlc if message.is_remote_frame else len(data)
    # The identifier of an error frame is a set of error classes, as wide as an extended one.
    mask = EXTENDED_MASK if message.is_extended_id or message.is_error_frame else STANDARD_MASK
    if not 0 <= number <= mask:
        raise ValueError(f"identifier {number:#x} outside 0 to {mask:#x}")
    word = number
    if message.is_error_frame:
        word |= ERROR_FLAG
    elif message.is_extended_id:
        word |= EXTENDED_FLAG
    if message.is_remote_frame:
        word |= REMOTE_FLAG
    if not message.is_fd:
        if length > CLASSIC_MAXIMUM:
            raise ValueError(f"{length} bytes in a classic frame, which holds 8")
        return CLASSIC.pack(word, length, data)
    if message.is_remote_frame or message.is_error_frame:
        raise ValueError("CAN FD has no remote frames, and error frames are classic ones")
    if length not in FD_LENGTHS:
        raise ValueError(f"{length} bytes in an FD frame, which holds one of {sorted(FD_LENGTHS)}")
    flags = FD_FORMAT
    if message.bitrate_switch:
        flags |= BIT_RATE_SWITCH
    if message.error_state_indicator:
        flags |= ERROR_STATE
    return FLEXIBLE.pack(word, length, flags, data)


def unpack_message(raw: bytes, stamp_s: float) -> can.Message | None:
    """One python-can message out of bytes; None for bytes that are no frame. Never raises.

    Args:
        raw: Of any length.
        stamp_s: When it arrived, seconds since the epoch.
    """
    frame = unpack(raw)
    if frame is None:
        return None
    return can.Message(
        timestamp=stamp_s,
        arbitration_id=frame.number,
        is_extended_id=frame.is_extended,
        is_remote_frame=frame.is_remote,
        is_error_frame=frame.is_error,
        is_fd=frame.is_fd,
        bitrate_switch=bool(frame.flags & BIT_RATE_SWITCH),
        error_state_indicator=bool(frame.flags & ERROR_STATE),
        dlc=frame.length,
        data=None if frame.is_remote else frame.data,
    )
