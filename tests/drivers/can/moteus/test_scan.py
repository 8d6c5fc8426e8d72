from __future__ import annotations

from drivers.can.moteus.scan import SCAN
from tests.drivers.can.moteus.fake import FakeMoteus


def test_a_scan_asks_for_a_serial_number_and_knows_its_answer() -> None:
    fake = FakeMoteus(9)
    question = SCAN.ask(9)
    (answer,) = fake.answer(question)
    assert fake.mode == 0.0
    assert SCAN.recognise(9, answer) == "serial number 000000010000000200000009"
    assert SCAN.recognise(8, answer) is None
    assert SCAN.recognise(9, answer._replace(data=fake.feedback())) is None
    assert SCAN.recognise(9, answer._replace(data=answer.data[:9])) is None
