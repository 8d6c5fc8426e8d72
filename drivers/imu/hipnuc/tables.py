"""HiPNUC: packets, fields and status bits, as data.

Source: `hipnuc/products` 5a4380272c (vendor's Python parser and C decoder) and its newer SDK headers (c/hipnuc);
HiPNUC Command and Programming Manual 1.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYNC: Final = b"\x5a\xa5"
HEADER_BYTES: Final = 6
MAXIMUM_PAYLOAD_BYTES: Final = 506

TAG_HI81: Final = 0x81
TAG_HI83: Final = 0x83
TAG_HI91: Final = 0x91

PACKET_TAGS: Final[Mapping[str, int]] = {"hi91": TAG_HI91, "hi83": TAG_HI83}
"""Packets that a robot file may name. HI81 is decoded, but carries a north-referenced attitude: not used."""

PACKET_NAMES: Final[Mapping[int, str]] = {TAG_HI81: "hi81", TAG_HI83: "hi83", TAG_HI91: "hi91"}

HI91_BYTES: Final = 76
HI81_BYTES: Final = 104

STANDARD_GRAVITY_M_PER_S2: Final = 9.8
"""What the firmware divides by to make G; the older vendor Python parser multiplies by 9.80665, 0.07 % more."""

HI83_FIELDS: Final[Mapping[int, tuple[str, str]]] = {
    0: ("acc_m_per_s2", "3f"),
    1: ("gyro_rad_per_s", "3f"),
    2: ("mag_ut", "3f"),
    3: ("rpy_deg", "3f"),
    4: ("quat_wxyz", "4f"),
    5: ("time_us", "Q"),
    6: ("utc", "5BHB"),
    7: ("pressure_pa", "f"),
    8: ("temperature_degc", "f"),
    9: ("inclination_deg", "3f"),
    10: ("heave_surge_sway_m", "3f"),
    11: ("heave_surge_sway_hz", "3f"),
    12: ("velocity_enu_m_per_s", "3f"),
    13: ("acceleration_enu_m_per_s2", "3f"),
    14: ("ins_lon_lat_msl", "3d"),
    15: ("gnss_quality", "4B"),
    16: ("odometer_m_per_s", "f"),
    17: ("undulation_m", "f"),
    18: ("differential_age_s", "f"),
    19: ("node_id", "B3x"),
    30: ("gnss_lon_lat_msl", "3d"),
    31: ("gnss_velocity_enu_m_per_s", "3f"),
}
"""Fields of HI83 by bit of its bitmap, in wire order: name and layout. Gyro is rad/s here, deg/s in HI91."""

HI83_SHORT_TIME_LAYOUT: Final = "I"
"""Early 1.7.1 firmware sends four bytes of time instead of eight; only the length of the frame tells."""

STATUS_BITS: Final[Mapping[int, str]] = {
    3: "gyro bias not converged",
    4: "magnetic disturbance",
    5: "accelerometer saturated",
    6: "gyro saturated",
    7: "attitude not converged",
    9: "static",
    10: "magnetometer aiding on",
    11: "UTC not synchronised",
    12: "sync pulse",
}

WARNING_MASK: Final = 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7
"""Status bits with which a sample should not be trusted: saturation and convergence."""

FRAME_BYTES: Final[Mapping[str, int]] = {"hi91": HEADER_BYTES + HI91_BYTES, "hi83": HEADER_BYTES + 8 + 12 + 12 + 16 + 8}
"""Bytes on the wire per sample; HI83 with the fields used here (acc, gyro, quaternion, time)."""
