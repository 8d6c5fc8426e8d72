"""What a HiPNUC unit streams from power-up, and how to change it. It cannot be asked: its stream is counted.

Source: see `tables`.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.imu.asking import ATTEMPTS, KEEP_S, UnitLine, pause
from drivers.imu.hipnuc.codec import FrameParser
from drivers.imu.hipnuc.tables import PACKET_NAMES
from supervisor.core.errors import DeviceError

COUNTED_PACKETS: Final = 100
LISTENED_S: Final = 1.0
"""How many packets are waited for, and how long at least: counting them is exact to one."""

SAME_RATE: Final = 0.05
"""How far a counted rate may be from the wanted one, of that: clocks and arrival times are not exact."""

OUTPUT: Final = "output"


def make_command(text: str) -> bytes:
    """One line of text."""
    return text.encode("ascii") + b"\r\n"


def _verdict(heard: bytes) -> str | None:
    """OK or ERR, in the midst of packets."""
    return next((word for word in ("OK", "ERR") if word.encode() + b"\r\n" in heard), None)


def find_settings(line: UnitLine, now_s: float) -> Found:
    """Count what is streamed; see `Imu.settings`."""
    config = line.config
    now_s, verdict = yield from line.ask(make_command("LOG VERSION"), _verdict, now_s)
    if verdict is None:
        raise DeviceError("imu does not answer LOG VERSION: check port, baud rate, and both wires of its cable")
    line.heard = b""
    listened_s = max(LISTENED_S, COUNTED_PACKETS / config.rate_hz)
    now_s = yield from pause(listened_s, now_s)
    counted = Counter(PACKET_NAMES.get(payload[0], "other") for payload in FrameParser().feed(line.heard) if payload)
    rates_hz = {packet: count / listened_s for packet, count in counted.items()}
    is_right = set(rates_hz) == {config.packet}
    if is_right and abs(rates_hz[config.packet] - config.rate_hz) <= SAME_RATE * config.rate_hz:
        return now_s, ()
    found = ", ".join(f"{packet} at about {rate:.0f} Hz" for packet, rate in sorted(rates_hz.items())) or "nothing"
    wanted = f"{config.packet} at {config.rate_hz:g} Hz"
    return now_s, (Setting("imu", OUTPUT, found, wanted, "flash", "its other packets are switched off"),)


def write_settings(line: UnitLine, settings: Settings, now_s: float) -> Changing:  # noqa: ARG001 (there is one only)
    """Have nothing but the wanted packet streamed, and that kept; see `Imu.configure`."""
    config = line.config
    log = f"LOG {config.packet.upper()} ONTIME {1.0 / config.rate_hz:.6g}"
    steps = [(text, ATTEMPTS, 0.3) for text in ("UNLOGALL", log, "LOG ENABLE")]
    for text, attempts, wait_s in (*steps, ("SAVECONFIG", 1, KEEP_S)):
        now_s, verdict = yield from line.ask(make_command(text), _verdict, now_s, attempts, wait_s)
        if verdict != "OK":
            raise DeviceError(f"imu says {verdict or 'nothing'} to {text}: power-cycle it, and look again")
    return now_s
