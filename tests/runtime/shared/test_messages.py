from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import (
    DeviceReport,
    DrillReport,
    GateCounts,
    Knobs,
    MissionOutput,
    PolicyHealth,
    Request,
)
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.state import BusStatistics
from supervisor.runtime.shared.messages import (
    OutputCodec,
    decode_counters,
    decode_texts,
    encode_counters,
    encode_texts,
)
from tests.trees.stand_ins import make_snapshot, make_stop

CODEC = OutputCodec(2, ("tilt", "joint_velocity"))
PROPOSAL = Proposal(
    JointCommand(*(frozen_vector([row + 0.5, row - 0.25]) for row in range(5))), "policy", "ramp_10", 41, 1.25
)
OUTPUT = MissionOutput(
    tick=42,
    stamp_s=1.3,
    proposal=PROPOSAL,
    request=Request.DRILL,
    request_number=3,
    stage="ramp_10",
    stage_elapsed_s=0.5,
    stage_limit_s=math.inf,
    mission_elapsed_s=9.0,
    mission_limit_s=600.0,
    knobs=Knobs(0.1, 0.5, 0.75),
    guard_limits={"tilt": 0.25},
    policy=PolicyHealth(True, 1.2, 0.003, 0.02, False, 0.9, 0.1, 0.05, 0.01, 7),
    needs_motion=True,
)


def same(one: MissionOutput | None, other: MissionOutput) -> bool:
    assert one is not None
    if (one.proposal is None) != (other.proposal is None):
        return False
    if one.proposal is not None and other.proposal is not None:
        rows = zip(_rows(one.proposal), _rows(other.proposal), strict=True)
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in rows):
            return False
        if replace(one.proposal, command=other.proposal.command) != other.proposal:
            return False
    return replace(one, proposal=other.proposal) == other


def _rows(proposal: Proposal) -> list[np.ndarray]:
    command = proposal.command
    return [
        command.position_rad,
        command.velocity_rad_per_s,
        command.kp_nm_per_rad,
        command.kd_nm_s_per_rad,
        command.torque_nm,
    ]


@pytest.mark.parametrize(
    "output",
    [
        OUTPUT,
        replace(OUTPUT, proposal=None, request=None, stage="", guard_limits={}),
        replace(OUTPUT, stage="Stufe 1 ä", policy=PolicyHealth()),
        replace(OUTPUT, proposal=replace(PROPOSAL, command=JointCommand(*(np.array([math.nan, math.inf]),) * 5))),
        MissionOutput(1, 0.0),
    ],
)
def test_an_output_comes_back_as_it_was(output: MissionOutput) -> None:
    raw = CODEC.encode(output)
    assert len(raw) <= CODEC.capacity
    assert same(CODEC.decode(raw), output)


def test_a_limit_of_a_guard_that_the_other_side_does_not_know_is_left_out() -> None:
    decoded = CODEC.decode(CODEC.encode(replace(OUTPUT, guard_limits={"tilt": 0.1, "altitude": 3.0})))
    assert decoded is not None
    assert decoded.guard_limits == {"tilt": 0.1}


def test_an_output_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 255 bytes"):
        CODEC.encode(replace(OUTPUT, stage="x" * 256))
    short = JointCommand(*(frozen_vector([0.0]),) * 5)
    with pytest.raises(ValueError, match="a proposal with 5 numbers"):
        CODEC.encode(replace(OUTPUT, proposal=replace(PROPOSAL, command=short)))


@given(st.binary(max_size=400))
def test_rubbish_is_no_output(raw: bytes) -> None:
    decoded = CODEC.decode(raw)
    assert decoded is None or isinstance(decoded, MissionOutput)


@given(st.data())
def test_a_damaged_output_is_an_output_or_none(data: st.DataObject) -> None:
    raw = bytearray(CODEC.encode(OUTPUT))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    decoded = CODEC.decode(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    assert decoded is None or isinstance(decoded, MissionOutput)


SNAPSHOT = replace(
    make_snapshot(stop=make_stop(Level.DAMP)),
    refusals=("guard tilt", "device fl_hip"),
    inventory=(DeviceReport("fl_hip", "can0", True, ("hot",), {"make": "damiao", "timeout_s": 0.1}),),
    drill=DrillReport(False, ("fl_hip stayed on",), math.nan),
)


def test_the_words_of_a_snapshot_come_back_as_they_were() -> None:
    texts = decode_texts(encode_texts(SNAPSHOT))
    assert texts is not None
    assert texts.refusals == SNAPSHOT.refusals
    assert texts.stop == SNAPSHOT.stop
    assert texts.inventory == SNAPSHOT.inventory
    assert texts.drill is not None
    assert texts.drill.problems == ("fl_hip stayed on",)
    assert math.isnan(texts.drill.off_after_s)
    assert texts.board == tuple((r.id, r.unit, r.level) for r in SNAPSHOT.board)


def test_an_inventory_and_a_drill_are_new_only_when_they_are() -> None:
    first = decode_texts(encode_texts(SNAPSHOT, 1, 1))
    again = decode_texts(encode_texts(replace(SNAPSHOT, refusals=()), 1, 1), first)
    assert first is not None
    assert again is not None
    assert again.drill is first.drill
    assert again.inventory is first.inventory
    assert again.refusals == ()
    repeated = decode_texts(encode_texts(SNAPSHOT, 2, 2), again)
    assert repeated is not None
    assert repeated.drill is not first.drill
    assert repeated.inventory is not first.inventory
    assert repeated.inventory == first.inventory


@given(st.binary(max_size=200))
def test_rubbish_is_no_words(raw: bytes) -> None:
    assert decode_texts(raw) is None


@pytest.mark.parametrize("raw", [b"{}", b"[1]", b'{"board": 1}', b"[" * 100_000, b"null"])
def test_other_json_is_no_words(raw: bytes) -> None:
    assert decode_texts(raw) is None


def test_counters_come_back_as_they_were() -> None:
    buses = {"can0": BusStatistics(1, 2, 3, 4, 5, True, 6), "imu0": BusStatistics()}
    raw = encode_counters(GateCounts(1, 2, 3, 4, 5), buses)
    assert decode_counters(raw, ["can0", "imu0"]) == (GateCounts(1, 2, 3, 4, 5), buses)
    assert decode_counters(raw, ["can0"]) is None
    assert decode_counters(raw[:-1], ["can0", "imu0"]) is None
