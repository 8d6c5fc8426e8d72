"""A small campaign in the suite, and that a campaign finds what it is for."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import drivers
from drivers.imu.witmotion.codec import FrameParser
from drivers.registry import IMU_MAKES, MOTOR_MAKES
from supervisor.core.errors import FrameError
from tests.fuzz import campaign, framings, inputs
from tests.fuzz.campaign import BATCH, SEED, main, reasons_of, row_of, rows_of, table, try_target
from tests.fuzz.inputs import ByteSource
from tests.fuzz.streams import imu_counters, itself, stream
from tests.fuzz.subjects import DecoderSubject
from tests.fuzz.tally import Tally
from tests.fuzz.target import Target
from tests.fuzz.targets import targets

INPUTS = 6000
"""An inventory of three motors takes up to 2000 cycles."""

DECODER = re.compile(r"(decode|match|split|unpack)_\w+|parse|unpack")
PARSER = re.compile(r"\w+(Parser|Filter)|ReceiveBatch")
BASES = {"StreamParser"}
"""What only the parsers made of it can be tried with."""
NO_REPLIES = {"split_checked", "drivers.serial.dynamixel.codec.unpack"}
"""What takes apart what a parser has accepted, and a register's bytes: nothing of it is judged there."""


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_damaged_input_gives_no_exception_no_hang_and_no_false_feedback(target: Target) -> None:
    tally = try_target(target, INPUTS)
    assert tally.inputs == INPUTS
    assert not tally.samples
    assert not tally.defects
    assert tally.accepted, "nothing was accepted: what is tried is not what the decoder is for"
    assert tally.rejected.total(), "nothing was rejected: the inputs are not damaged"


def modules() -> Iterator[Any]:
    """Every module of the drivers but the simulated ones."""
    for info in pkgutil.walk_packages(drivers.__path__, "drivers."):
        if not info.name.startswith("drivers.sim"):
            yield importlib.import_module(info.name)


def decoders_and_parsers() -> list[Any]:
    """Everything in the drivers whose name says that it takes bytes apart."""
    found = [
        member
        for module in modules()
        for name, member in inspect.getmembers(module)
        if getattr(member, "__module__", "") == module.__name__
        and (
            (inspect.isfunction(member) and DECODER.fullmatch(name)) or (inspect.isclass(member) and PARSER.match(name))
        )
    ]
    return [
        member
        for member in found
        if not {member.__name__, f"{member.__module__}.{member.__name__}"} & (BASES | NO_REPLIES)
    ]


@pytest.mark.parametrize("member", decoders_and_parsers(), ids=lambda member: f"{member.__module__}.{member.__name__}")
def test_every_decoder_and_parser_of_the_drivers_is_a_target(member: Any) -> None:
    assert any(member in target.covers for target in targets()), "add a row, or add it to what a row covers"


@pytest.mark.parametrize("make", [*MOTOR_MAKES, *IMU_MAKES])
def test_every_make_of_the_registry_is_a_target(make: str) -> None:
    assert any(target.name.startswith(make) and target.name.endswith(("motors", "unit")) for target in targets())


def test_target_names_are_unique_because_their_seeds_come_from_them() -> None:
    names = [target.name for target in targets()]
    assert len(set(names)) == len(names)


class Broken(FrameParser):
    """A parser with one defect."""

    def __init__(self, defect: Callable[[bytes], bool]) -> None:
        super().__init__()
        self.defect = defect

    def feed(self, data: bytes) -> list[bytes]:
        return [data] if self.defect(data) else super().feed(data)


def raising(data: bytes) -> bool:
    return data[20] == 0x51


def hanging(data: bytes) -> bool:
    while len(data) == 17:
        pass
    return False


def sleeping(data: bytes) -> bool:
    if len(data) == 17:
        time.sleep(60.0)
    return False


def believing(data: bytes) -> bool:
    """Takes whatever has the right size and first byte."""
    return len(data) == 11 and data[0] == 0x55


def broken_stream(defect: Callable[[bytes], bool], decode: Callable[[bytes], object] = lambda _: None) -> Target:
    return stream(
        "broken",
        inputs.messages("witmotion"),
        (framings.WITMOTION,),
        lambda: Broken(defect),
        itself,
        decode,
        imu_counters,
        (),
    )


def test_the_campaign_finds_a_parser_that_raises_and_goes_on() -> None:
    tally = try_target(broken_stream(raising), 2 * BATCH)
    assert tally.exceptions > 10
    assert tally.inputs == 2 * BATCH
    assert tally.samples[0].startswith("IndexError: index out of range\n    input: bytes.fromhex(")


def test_the_campaign_finds_a_decoder_behind_a_parser_that_raises() -> None:
    tally = try_target(broken_stream(lambda _: False, lambda frame: 1 // (frame[2] & 1)), BATCH)
    assert tally.exceptions > 10


@pytest.mark.parametrize("defect", [hanging, sleeping])
def test_the_campaign_finds_a_parser_that_hangs_and_goes_on(defect: Callable[[bytes], bool]) -> None:
    tally = try_target(broken_stream(defect), BATCH, limit_s=0.05, wait_limit_s=0.05)
    assert tally.hangs
    assert not tally.exceptions
    assert tally.inputs == BATCH
    assert "hang: more than 0.05 s" in tally.samples[0]


def test_the_campaign_finds_a_parser_that_believes_a_wrong_checksum() -> None:
    tally = try_target(broken_stream(believing), 2 * BATCH)
    assert tally.false_feedback > 10
    assert "has no right checksum" in "".join(tally.samples)


def test_the_campaign_finds_a_parser_that_makes_frames_up() -> None:
    class Inventing(FrameParser):
        def feed(self, data: bytes) -> list[bytes]:
            return [frame[:10] + b"\0" for frame in super().feed(data)]

    target = stream(
        "inventing",
        inputs.messages("witmotion"),
        (framings.WITMOTION,),
        Inventing,
        itself,
        lambda _: None,
        imu_counters,
        (),
    )
    tally = try_target(target, BATCH)
    assert tally.false_feedback > 10
    assert "was not in the bytes" in tally.samples[0]


def test_the_campaign_finds_a_parser_that_goes_deaf_and_one_that_hoards() -> None:
    class Deaf(FrameParser):
        def _find(self, buffer: bytes, at: int) -> int:
            return at

        def _examine(self, buffer: bytes, at: int) -> int | str:
            return 0

    target = stream(
        "deaf", inputs.messages("witmotion"), (framings.WITMOTION,), Deaf, itself, lambda _: None, imu_counters, ()
    )
    tally = try_target(target, BATCH)
    assert tally.hangs > 10
    assert "unfinished bytes, at most 10 are a frame" in tally.samples[0]
    shown = try_target(target, BATCH).hangs
    assert shown == tally.hangs


def decoder(call: Callable[[bytes], object], is_sound: Callable[[bytes, Any], bool] = lambda *_: True) -> Target:
    return Target("planted", ByteSource([bytes(range(8))]), lambda: DecoderSubject(call, is_sound))


def test_documented_errors_are_rejections_and_others_are_not() -> None:
    def picky(data: bytes) -> object:
        if len(data) != 8:
            raise FrameError(f"{len(data)} bytes where 8 are due")
        if data[0] == 0xFF:
            raise ValueError("of int() or float(), say")
        return data

    tally = try_target(decoder(picky), 4 * BATCH)
    assert tally.rejected["… bytes where … are due"] > 100
    assert tally.exceptions
    assert tally.accepted
    assert tally.inputs == tally.accepted + tally.rejected.total() + tally.exceptions


def test_a_result_that_its_bytes_do_not_allow_is_false_feedback() -> None:
    tally = try_target(decoder(lambda data: data, lambda data, _: len(data) == 8), BATCH)
    assert tally.false_feedback > 10


def test_a_warning_is_a_defect() -> None:
    tally = try_target(decoder(lambda data: warnings.warn("odd", RuntimeWarning, stacklevel=1)), 5)
    assert tally.exceptions == 5


def test_the_same_seed_gives_the_same_counts_and_another_seed_others() -> None:
    target = next(target for target in targets() if target.name == "vectornav_vn100 stream")
    first, again, other = (try_target(target, BATCH, seed) for seed in (SEED, SEED, SEED + 1))
    assert (first.accepted, first.rejected) == (again.accepted, again.rejected)
    assert first.rejected != other.rejected


def test_the_table_names_target_counts_reasons_and_seed() -> None:
    tally = Tally(inputs=10, seconds=1.6, accepted=3, exceptions=1, hangs=2, false_feedback=4, collisions=5)
    tally.rejected.update({"a|b": 5, "c": 4, "d": 3, "e": 2, "f": 1, "none": 0})
    assert reasons_of(tally) == "5 a/b; 4 c; 3 d; 2 e; 1 others"
    target = decoder(lambda data: data)
    lines = table([row_of(target, tally, 7)]).splitlines()
    own = campaign.seed_of(target, 7)
    assert lines[2] == f"| planted | 10 | 2 | 3 | 5 a/b; 4 c; 3 d; 2 e; 1 others | 1 | 2 | 4 | 5 | {own} |"
    assert "1 exceptions, 2 hangs, 4 times false feedback (2 s of processor time)." in lines[-1]


def test_the_command_tries_writes_and_says_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "fuzzing.md"
    assert main(["--inputs", "600", "--only", "lx16a stream", "--workers", "1", "--write", str(page)]) == 0
    assert "| lx16a stream | 600 |" in page.read_text(encoding="utf-8")
    assert "1/1 lx16a stream: 600 inputs" in capsys.readouterr().out


def test_the_command_keeps_rows_that_there_are_and_tries_what_is_missing(tmp_path: Path) -> None:
    page = tmp_path / "fuzzing.md"
    arguments = ["--workers", "1", "--inputs", "600", "--write", str(page)]
    main([*arguments, "--only", "lx16a stream"])
    page.write_text(page.read_text(encoding="utf-8").replace("| 600 |", "| 700 |"), encoding="utf-8")
    main([*arguments, "--only", "stream", "--missing"])
    rows = {row[0]: row[1] for row in rows_of(page.read_text(encoding="utf-8"))}
    assert rows.pop("lx16a stream") == "700"
    assert set(rows.values()) == {"600"}
    assert list(rows) == [name for name in names_of("stream") if name != "lx16a stream"]


def names_of(what: str) -> list[str]:
    return [target.name for target in targets() if what in target.name]


def test_the_command_fails_when_there_is_a_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "targets", lambda: (broken_stream(believing),))
    assert main(["--inputs", str(BATCH), "--workers", "1"]) == 1
    assert "has no right checksum" in capsys.readouterr().out
