"""Serial-line CAN: command letters, bit rates and lengths, as data.

Sources: Lawicel CANUSB and CAN232 manuals (commands), `python-can` 4.6.1 (83.3 kbit/s, FD letters and data rates, which
are those of the CANable 2.0 firmware and not standard).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LINE_END: Final = b"\r"
"""Ends every line, and alone is the adapter's "done"."""

REFUSED: Final = b"\a"
"""The adapter's "not done"; ends a line too."""

OPEN: Final = b"O\r"
LISTEN: Final = b"L\r"
CLOSE: Final = b"C\r"
READ_VERSION: Final = b"V\r"
READ_SERIAL_NUMBER: Final = b"N\r"
READ_STATUS: Final = b"F\r"
TIMESTAMPS_ON: Final = b"Z1\r"
TIMESTAMPS_OFF: Final = b"Z0\r"

BITRATES_BPS: Final[Mapping[int, bytes]] = {
    10_000: b"S0\r",
    20_000: b"S1\r",
    50_000: b"S2\r",
    100_000: b"S3\r",
    125_000: b"S4\r",
    250_000: b"S5\r",
    500_000: b"S6\r",
    750_000: b"S7\r",
    1_000_000: b"S8\r",
    83_300: b"S9\r",
}

DATA_BITRATES_BPS: Final[Mapping[int, bytes]] = {2_000_000: b"Y2\r", 5_000_000: b"Y5\r"}

LENGTHS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
"""Data bytes by DLC; above 8 for CAN FD only."""

STATUS_FLAGS: Final[Mapping[int, str]] = {
    0: "RECEIVE_QUEUE_FULL",
    1: "TRANSMIT_QUEUE_FULL",
    2: "ERROR_WARNING",
    3: "DATA_OVERRUN",
    5: "ERROR_PASSIVE",
    6: "ARBITRATION_LOST",
    7: "BUS_ERROR",
}
"""Bits of the reply to READ_STATUS; bit 4 is unused."""

TIMESTAMP_DIGITS: Final = 4
"""Milliseconds of a minute, after the data, where the adapter was told to send them."""

MAXIMUM_LINE_BYTES: Final = 1 + 8 + 1 + 2 * 64 + TIMESTAMP_DIGITS
"""The longest line that is a frame: letter, identifier, DLC, data, time stamp; without its end."""
