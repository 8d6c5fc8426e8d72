"""VectorNav VN-100: binary groups, text messages, registers and status bits, as data.

The unit's axes are x forward, y right, z down, as printed on it, and its world is north, east, down: mounted upright,
`orientation_imu_in_base_wxyz` is [0, 1, 0, 0].

Source: VectorNav vnproglib 1.2.0 as carried in `dawonn/vectornav` 6824e8b; VN-100 User Manual (UM001).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYNC: Final = 0xFA
DOLLAR: Final = 0x24
CRC_BYTES: Final = 2

MAXIMUM_TEXT_BYTES: Final = 512
"""The longest text messages have about 250 bytes."""

COMMON, TIME, IMU, GPS, ATTITUDE, INS, GPS2 = range(7)

Fields = tuple[tuple[str, str], ...]

_GPS_FIELDS: Final[Fields] = (
    ("time_utc", "b5BH"),
    ("gps_tow_ns", "Q"),
    ("gps_week", "H"),
    ("gps_satellites", "B"),
    ("gps_fix", "B"),
    ("gps_position_lla", "3d"),
    ("gps_position_ecef_m", "3d"),
    ("gps_velocity_ned_m_per_s", "3f"),
    ("gps_velocity_ecef_m_per_s", "3f"),
    ("gps_position_deviation_m", "3f"),
    ("gps_velocity_deviation_m_per_s", "f"),
    ("gps_time_deviation", "I"),
)

GROUPS: Final[Mapping[int, Fields]] = {
    COMMON: (
        ("time_startup_ns", "Q"),
        ("time_gps_ns", "Q"),
        ("time_sync_in_ns", "Q"),
        ("ypr_deg", "3f"),
        ("quat_xyzw", "4f"),
        ("gyro_rad_per_s", "3f"),
        ("position_lla", "3d"),
        ("velocity_ned_m_per_s", "3f"),
        ("acc_m_per_s2", "3f"),
        ("uncompensated_acc_gyro", "6f"),
        ("mag_temperature_pressure", "5f"),
        ("delta_time_theta_velocity", "7f"),
        ("ins_status", "H"),
        ("sync_in_count", "I"),
        ("time_gps_pps_ns", "Q"),
    ),
    TIME: (
        ("time_startup_ns", "Q"),
        ("time_gps_ns", "Q"),
        ("gps_tow_ns", "Q"),
        ("gps_week", "H"),
        ("time_sync_in_ns", "Q"),
        ("time_gps_pps_ns", "Q"),
        ("time_utc", "b5BH"),
        ("sync_in_count", "I"),
        ("sync_out_count", "I"),
        ("time_status", "B"),
    ),
    IMU: (
        ("imu_status", "H"),
        ("uncompensated_mag_gauss", "3f"),
        ("uncompensated_acc_m_per_s2", "3f"),
        ("uncompensated_gyro_rad_per_s", "3f"),
        ("temperature_degc", "f"),
        ("pressure_kpa", "f"),
        ("delta_time_theta", "4f"),
        ("delta_velocity_m_per_s", "3f"),
        ("mag_gauss", "3f"),
        ("acc_m_per_s2", "3f"),
        ("gyro_rad_per_s", "3f"),
        ("sensor_saturation", "H"),
    ),
    GPS: _GPS_FIELDS,
    ATTITUDE: (
        ("vpe_status", "H"),
        ("ypr_deg", "3f"),
        ("quat_xyzw", "4f"),
        ("rotation_matrix", "9f"),
        ("mag_ned_gauss", "3f"),
        ("acc_ned_m_per_s2", "3f"),
        ("linear_acc_body_m_per_s2", "3f"),
        ("linear_acc_ned_m_per_s2", "3f"),
        ("ypr_deviation_deg", "3f"),
    ),
    INS: (
        ("ins_status", "H"),
        ("position_lla", "3d"),
        ("position_ecef_m", "3d"),
        ("velocity_body_m_per_s", "3f"),
        ("velocity_ned_m_per_s", "3f"),
        ("velocity_ecef_m_per_s", "3f"),
        ("mag_ecef_gauss", "3f"),
        ("acc_ecef_m_per_s2", "3f"),
        ("linear_acc_ecef_m_per_s2", "3f"),
        ("position_deviation_m", "f"),
        ("velocity_deviation_m_per_s", "f"),
    ),
    GPS2: _GPS_FIELDS,
}
"""Fields of each binary group, by bit of its mask: name and little-endian layout. A bit beyond these is damage, or of
a firmware that is not known: its size is not known either."""

TEXT_FIELDS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {
    "VNYPR": (("ypr_deg", 3),),
    "VNQTN": (("quat_xyzw", 4),),
    "VNMAG": (("mag_gauss", 3),),
    "VNACC": (("acc_m_per_s2", 3),),
    "VNGYR": (("gyro_rad_per_s", 3),),
    "VNMAR": (("mag_gauss", 3), ("acc_m_per_s2", 3), ("gyro_rad_per_s", 3)),
    "VNYMR": (("ypr_deg", 3), ("mag_gauss", 3), ("acc_m_per_s2", 3), ("gyro_rad_per_s", 3)),
    "VNQMR": (("quat_xyzw", 4), ("mag_gauss", 3), ("acc_m_per_s2", 3), ("gyro_rad_per_s", 3)),
    "VNYBA": (("ypr_deg", 3), ("linear_acc_body_m_per_s2", 3), ("gyro_rad_per_s", 3)),
    "VNYIA": (("ypr_deg", 3), ("linear_acc_ned_m_per_s2", 3), ("gyro_rad_per_s", 3)),
}
"""Streamed text messages: their numbers in order. VNYBA and VNYIA have gravity taken out of the acceleration."""

MOTION_FIELDS: Final = frozenset(("ypr_deg", "quat_xyzw", "gyro_rad_per_s", "acc_m_per_s2"))
"""What a reading is made of."""

PACKETS: Final[Mapping[str, str]] = {"binary": "", "vnymr": "VNYMR", "vnqmr": "VNQMR"}
"""Packets that a robot file may name, and the text message of each: those with specific force, rate and attitude."""

FRAME_BYTES: Final[Mapping[str, int]] = {
    "binary": 1 + 1 + 4 + 8 + 16 + 12 + 12 + 2 + CRC_BYTES,
    "vnymr": 121,
    "vnqmr": 134,
}
"""Bytes on the wire per sample: binary with the fields of `BINARY_OUTPUT`, text with a 16-bit checksum."""

BINARY_OUTPUT: Final[Mapping[int, int]] = {COMMON: 0x0131, ATTITUDE: 0x0001}
"""Field masks that a unit should be set to: time, quaternion, rate, acceleration; and the filter's status."""

REGISTER_BAUD: Final = 5
REGISTER_ASYNC_TYPE: Final = 6
REGISTER_ASYNC_RATE: Final = 7
REGISTER_BINARY_OUTPUT_1: Final = 75

ASYNC_TYPES: Final[Mapping[str, int]] = {"": 0, "VNYMR": 14, "VNQMR": 8}
"""Values of the async type register, by text message."""

INTERNAL_RATE_HZ: Final = 800.0
"""Of which a binary output sends every so many samples."""

COMMANDS: Final[Mapping[str, str]] = {
    "write_settings": "VNWNV",
    "restore_factory_settings": "VNRFS",
    "reset": "VNRST",
    "tare": "VNTAR",
    "set_gyro_bias": "VNSGB",
}

ERROR_NAMES: Final[Mapping[int, str]] = {
    1: "hard fault",
    2: "serial buffer overflow",
    3: "invalid checksum",
    4: "invalid command",
    5: "not enough parameters",
    6: "too many parameters",
    7: "invalid parameter",
    8: "invalid register",
    9: "unauthorized access",
    10: "watchdog reset",
    11: "output buffer overflow",
    12: "insufficient baud rate",
    255: "error buffer overflow",
}

ATTITUDE_QUALITY: Final = ("excellent", "good", "bad", "not tracking")
"""Lowest two bits of the VPE status."""

BAD_QUALITY: Final = 2
"""From here on the attitude should not be trusted."""

STATUS_BITS: Final[Mapping[int, str]] = {
    2: "gyro saturated",
    3: "recovering from gyro saturation",
    6: "magnetometer saturated",
    9: "accelerometer saturated",
    11: "known magnetic disturbance",
    12: "known acceleration disturbance",
}
"""Of the VPE status."""

WARNING_MASK: Final = 1 << 2 | 1 << 3 | 1 << 9
"""Status bits with which a sample should not be trusted."""
