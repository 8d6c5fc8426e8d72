"""Every row of the campaign."""

from __future__ import annotations

from functools import cache

from tests.fuzz.byte_decoders import byte_decoders
from tests.fuzz.decoders import decoders
from tests.fuzz.devices import devices
from tests.fuzz.sockets import sockets
from tests.fuzz.streams import streams
from tests.fuzz.target import Target


@cache
def targets() -> tuple[Target, ...]:
    """All of them, decoders first."""
    return (*decoders(), *sockets(), *streams(), *byte_decoders(), *devices())
