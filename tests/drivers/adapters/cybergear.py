"""CyberGear motors: what differs from RobStride, against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from drivers.can.cybergear.tables import FAULT_NAMES, REPORT_FAULT_NAMES
from drivers.can.robstride import codec
from tests.drivers.adapters import robstride
from tests.drivers.vector_adapters import Case, simple

CYBERGEAR: Mapping[str, Callable[[Case], None]] = {
    **robstride.COMMON,
    "stop_clear_fault": simple(
        lambda i: codec.make_stop(i["motor_id"], i["host_id"], clear_fault=i.get("clear_fault", True))
    ),
    "feedback": partial(robstride.check_feedback, names=FAULT_NAMES),
    "fault_frame": partial(robstride.check_fault_frame, names=REPORT_FAULT_NAMES),
}


def check(case: Case) -> None:
    robstride.check_with(CYBERGEAR, case)
