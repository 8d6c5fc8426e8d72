"""BNO08x in UART-RVC mode: one frame, output only, as data.

The mode is chosen by pins (PS1 low, PS0 high): 115 200 baud, 100 frames a second, no command channel.

Source: CEVA BNO08X Data Sheet, UART-RVC; `adafruit/Adafruit_CircuitPython_BNO08x_RVC` 96b4c299ac.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYNC: Final = b"\xaa\xaa"
FRAME_BYTES_EACH: Final = 19
INDEX_COUNT: Final = 256
"""The index of a frame counts modulo this."""

ANGLE_PER_COUNT_DEG: Final = 0.01
STANDARD_GRAVITY_M_PER_S2: Final = 9.80665
"""Acceleration comes in thousandths of it."""

ANGLE_LIMITS_DEG: Final = (180.0, 90.0, 180.0)
"""Of yaw, pitch and roll. Angles beyond have passed the 8-bit sum by chance."""

PACKET: Final = "rvc"
FRAME_BYTES: Final[Mapping[str, int]] = {PACKET: FRAME_BYTES_EACH}
"""Bytes on the wire per sample."""
