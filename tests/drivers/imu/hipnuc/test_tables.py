from __future__ import annotations

import struct

from drivers.imu.hipnuc import tables


def test_fields_have_the_sizes_of_the_vendors_structure() -> None:
    sizes = {bit: struct.calcsize("<" + layout) for bit, (_, layout) in tables.HI83_FIELDS.items()}
    three = {0, 1, 2, 3, 9, 10, 11, 12, 13, 31}
    expected = dict.fromkeys(three, 12) | {4: 16, 5: 8, 6: 8, 7: 4, 8: 4, 14: 24, 30: 24}
    expected |= dict.fromkeys((15, 16, 17, 18, 19), 4)
    assert sizes == expected


def test_internal_bits_are_no_fields() -> None:
    assert not set(range(25, 30)) & set(tables.HI83_FIELDS)


def test_warnings_are_saturation_and_convergence() -> None:
    names = [name for bit, name in tables.STATUS_BITS.items() if tables.WARNING_MASK >> bit & 1]
    assert names == [
        "gyro bias not converged",
        "accelerometer saturated",
        "gyro saturated",
        "attitude not converged",
    ]


def test_frame_sizes_are_header_and_payload() -> None:
    assert tables.FRAME_BYTES == {"hi91": 82, "hi83": 62}
