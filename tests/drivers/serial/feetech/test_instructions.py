from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.serial.feetech import instructions as make
from drivers.serial.feetech.codec import make_parser, match_status
from drivers.serial.feetech.tables import ERROR_BITS, SERIES
from supervisor.core.errors import EncodeError


def test_a_sync_write_for_twelve_servos_has_the_size_of_the_sheet() -> None:
    goals = [(servo_id, bytes(6)) for servo_id in range(1, 13)]
    assert len(make.make_sync_write(42, 6, goals)) == 92
    assert len(make.make_sync_read(56, 15, range(1, 13))) == 20


@pytest.mark.parametrize(
    "call",
    [
        lambda: make.make_ping(253),
        lambda: make.make_read(254, 56, 2),
        lambda: make.make_read(1, 256, 2),
        lambda: make.make_read(1, 56, 0),
        lambda: make.make_write(1, 40, b""),
        lambda: make.make_write(1, -1, b"\0"),
        lambda: make.make_reset(254),
        lambda: make.make_calibrate_offset(254),
        lambda: make.make_sync_read(56, 2, []),
        lambda: make.make_sync_read(56, 2, [1, 1]),
        lambda: make.make_sync_write(42, 2, [(1, b"\0")]),
        lambda: make.make_sync_write(42, 2, [(254, b"\0\0")]),
        lambda: make.make_sync_write(42, 6, [(servo_id, bytes(6)) for servo_id in range(40)]),
        lambda: make.make_sts_goal(make.StsGoal(1, 32768, 0, 0)),
        lambda: make.make_sts_goal(make.StsGoal(1, -32768, 0, 0)),
        lambda: make.make_sts_goal(make.StsGoal(1, 0, -1, 0)),
        lambda: make.make_sts_goal(make.StsGoal(1, 0, 32768, 0)),
        lambda: make.make_sts_goal(make.StsGoal(1, 0, 0, 256)),
        lambda: make.make_sts_goal(make.StsGoal(1, 0, float("nan"), 0)),  # type: ignore[arg-type]
        lambda: make.make_sts_goal(make.StsGoal(1, float("nan"), 0, 0)),  # type: ignore[arg-type]
        lambda: make.make_sts_speed(1, 32768, 0),
        lambda: make.make_scs_goal(make.ScsGoal(1, 1024, 0, 0)),
        lambda: make.make_scs_goal(make.ScsGoal(1, -1, 0, 0)),
        lambda: make.make_scs_goal(make.ScsGoal(1, 0, 65536, 0)),
        lambda: make.make_scs_goal(make.ScsGoal(1, 0, 0, -1)),
    ],
)
def test_what_no_servo_could_take_is_refused(call: Callable[[], bytes]) -> None:
    with pytest.raises(EncodeError):
        call()


def test_a_goal_that_is_left_for_later_differs_in_its_instruction_only() -> None:
    goal = make.StsGoal(1, -5, 100, 3)
    now, later = make.make_sts_goal(goal), make.make_sts_reg_goal(goal)
    assert (now[4], later[4], now[5:-1]) == (3, 4, later[5:-1])
    assert make.make_scs_reg_goal(make.ScsGoal(1, 512, 0, 0))[4] == 4


def test_a_ping_reads_as_an_answer_with_an_error_which_is_why_echoes_are_filtered() -> None:
    (packet,) = make_parser().feed(make.make_ping(1))
    answer = match_status(packet, 1, 0)
    assert answer is not None
    assert ERROR_BITS[0] == "VOLTAGE"
    assert answer.error_bits == 1


@pytest.mark.parametrize("name", SERIES)
def test_no_two_registers_share_a_byte(name: str) -> None:
    rows = SERIES[name].registers.values()
    taken = [register.address + k for register in rows for k in range(register.size)]
    assert len(taken) == len(set(taken))
    for register in rows:
        assert register.is_stored == (register.address < 40)
