from __future__ import annotations

import pytest

from drivers.imu.vectornav_vn100 import commands
from drivers.imu.vectornav_vn100.tables import ATTITUDE, COMMON
from supervisor.core.errors import EncodeError
from tests.drivers.imu.units import vectornav_text


def test_what_a_message_cannot_carry_is_refused() -> None:
    refused = [
        lambda: commands.make_message(["VNRRG", "1,2"]),
        lambda: commands.make_message(["VN*"]),
        lambda: commands.make_message(["VN$"]),
        lambda: commands.make_message(["VNÄ"]),
        lambda: commands.make_register_read(-1),
        lambda: commands.make_register_write(256, [1]),
        lambda: commands.make_command("explode"),
        lambda: commands.make_binary_output({COMMON: 0x8000}, port_mask=1, divisor=4),
        lambda: commands.make_binary_output({9: 1}, port_mask=1, divisor=4),
        lambda: commands.make_binary_output({COMMON: 1}, port_mask=4, divisor=4),
        lambda: commands.make_binary_output({COMMON: 1}, port_mask=1, divisor=4, output=4),
    ]
    for make in refused:
        with pytest.raises(EncodeError):
            make()


def test_a_binary_output_of_two_groups_names_both() -> None:
    frame = commands.make_binary_output({ATTITUDE: 1, COMMON: 0x131}, port_mask=2, divisor=4)
    assert frame == vectornav_text("VNWRG,75,2,4,11,131,1", 2)
