from __future__ import annotations

import pytest

from drivers.serial.dynamixel import asking, instructions
from drivers.serial.dynamixel import tables as t
from tests.drivers.serial.dynamixel.fake import Rig


def probed(rig: Rig) -> asking.Probed:
    rig.inventory()
    return rig.group._probed["j0"]


def test_a_register_is_written_and_read_back() -> None:
    rig = Rig()
    one = probed(rig)
    _, value = rig.finish(asking.write_register(one, t.LED, 1, rig.now_s))
    assert (value, rig.servos[0].table[t.LED]) == (1, 1)


def test_what_is_refused_reads_back_as_it_was() -> None:
    rig = Rig()
    one = probed(rig)
    _, value = rig.finish(asking.write_register(one, t.LED, 9, rig.now_s))
    assert value == 0


def test_a_question_that_is_never_answered_ends() -> None:
    rig = Rig()
    one = probed(rig)
    rig.port.bus.servos = ()
    began_s = rig.now_s
    _, answer = rig.finish(asking.ask(one, instructions.make_ping(1), 3, rig.now_s))
    assert answer is None
    assert rig.now_s - began_s < t.ATTEMPTS * (t.REPLY_TIMEOUT_S + 0.01)


def test_a_question_that_is_never_sent_ends() -> None:
    rig = Rig()
    one = probed(rig)
    work = asking.ask(one, instructions.make_ping(1), 3, 0.0, attempts=1)
    next(work)
    for step in range(1, 101):
        work.send(0.002 * step)
    with pytest.raises(StopIteration) as end:
        work.send(1.0)
    assert end.value.value == (1.0, None)
