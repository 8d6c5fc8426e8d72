"""What a person asks of the robot's velocity, from the process that sees it to the mission's, and what became of it."""

from __future__ import annotations

import struct
from typing import Final

from supervisor.core.shared.slot import Slot
from supervisor.core.velocity import Steered, Velocity, VelocityAsk

_FORM: Final = struct.Struct("<4d16s96s")


class AskSlot:
    """A place for the newest wish. Also a `Pilot`: what it was told last is what is asked.

    Args:
        slot: The place, of `SIZE` bytes.
    """

    SIZE: Final = _FORM.size

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def write(self, ask: VelocityAsk) -> None:
        """Replace the wish. One process only."""
        # What of a text does not fit is cut off; its beginning is never lost.
        self._slot.write(_FORM.pack(*ask.velocity, ask.stamp_s, ask.source.encode(), ask.absence.encode()))

    def asked(self) -> VelocityAsk | None:
        """The newest, None before the first, and where it cannot be read whole."""
        found = self._slot.read()
        if found is None or len(found[1]) != _FORM.size:
            return None
        forward, left, yaw, stamp_s, source, absence = _FORM.unpack(found[1])
        return VelocityAsk(Velocity(forward, left, yaw), stamp_s, _text(source), _text(absence))


def steered_ask(steered: Steered, now_s: float) -> VelocityAsk:
    """What became of a wish, in the form of one: the velocity is what the policy is told, the absence why not more."""
    source = "" if steered.ask is None else steered.ask.source
    return VelocityAsk(steered.told, now_s, source, steered.reason)


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\x00").decode(errors="replace")
