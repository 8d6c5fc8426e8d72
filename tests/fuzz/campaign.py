"""Tries every decoder, stream parser and device with a million random and mutated inputs each.

    python -m tests.fuzz.campaign --inputs 1000000 --write docs/fuzzing.md

Every batch of inputs comes from the seed and its own number, so that a defect is found again without what came before:

    python -m tests.fuzz.campaign --only "vectornav stream" --inputs 20000

A new decoder or make gets its row without the minutes for all others:

    python -m tests.fuzz.campaign --missing --write docs/fuzzing.md
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import warnings
import zlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.fuzz.tally import Tally
from tests.fuzz.target import Target
from tests.fuzz.targets import targets

SEED = 20_261_120
BATCH = 512
LIMIT_S = 2.0
"""Processor time for a whole batch, which usually takes hundredths of it: beyond, the input at work hangs."""

WAIT_LIMIT_S = 60.0
"""The same of the clock on the wall, for what sleeps: long, because others may need the processor."""

MOST_REASONS = 4
HEADS = ("target", "inputs", "CPU s", "accepted", "rejected", "exceptions", "hangs", "false feedback", "collisions",
         "seed")  # fmt: skip


class HangError(BaseException):
    """An input takes too long. Not an `Exception`: what is under test must not catch it."""


@contextmanager
def limited(limit_s: float, wait_limit_s: float) -> Generator[None, None, None]:
    """Raise `HangError` in what takes longer, by processor time or by the clock."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError

    clocks = ((signal.SIGPROF, signal.ITIMER_PROF, limit_s), (signal.SIGALRM, signal.ITIMER_REAL, wait_limit_s))
    before = [signal.signal(number, stop) for number, _, _ in clocks]
    try:
        for _, clock, limit in clocks:
            signal.setitimer(clock, limit)
        yield
    finally:
        for (number, clock, _), handler in zip(clocks, before, strict=True):
            signal.setitimer(clock, 0.0)
            signal.signal(number, handler)


def seed_of(target: Target, seed: int) -> int:
    """The target's own seed: another one for every target, the same in every campaign."""
    return seed ^ zlib.crc32(target.name.encode())


def try_target(
    target: Target, inputs: int, seed: int = SEED, *, limit_s: float = LIMIT_S, wait_limit_s: float = WAIT_LIMIT_S
) -> Tally:
    """Try one target.

    Args:
        target: The row.
        inputs: How many.
        seed: Of the campaign.
        limit_s: Processor time for a batch.
        wait_limit_s: The same by the clock.
    """
    tally = Tally()
    began_s = time.process_time()
    own_seed = seed_of(target, seed)
    subject, age = target.make(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, done in enumerate(range(0, inputs, BATCH)):
            batch = target.source.batch(own_seed, number, min(BATCH, inputs - done))
            items = iter(batch.items)
            # Each turn goes on behind the input that raised or hung.
            is_done = False
            while not is_done:
                item = None
                try:
                    with limited(limit_s, wait_limit_s):
                        for item in items:
                            if age == target.lives:
                                subject.finish(tally)
                                subject, age = target.make(), 0
                            age += 1
                            tally.inputs += 1
                            subject.take(item, batch.known, tally)
                        is_done = True
                except HangError:
                    tally.hung(item, f"more than {limit_s:g} s")
                    subject, age = target.make(), 0
                except Exception as error:  # noqa: BLE001 (whatever it is, it is a defect)
                    tally.raised(item, error)
                    subject, age = target.make(), 0
        subject.finish(tally)
    tally.seconds = time.process_time() - began_s
    return tally


def reasons_of(tally: Tally) -> str:
    """The most frequent reasons of what was rejected."""
    most = tally.rejected.most_common()
    shown = [f"{count} {reason}" for reason, count in most[:MOST_REASONS] if count]
    rest = sum(count for _, count in most[MOST_REASONS:])
    return "; ".join(shown + [f"{rest} others"] * bool(rest)).replace("|", "/")


def row_of(target: Target, tally: Tally, seed: int) -> list[str]:
    """One row of the table."""
    counts = (tally.exceptions, tally.hangs, tally.false_feedback, tally.collisions)
    cells = (target.name, tally.inputs, f"{tally.seconds:.0f}", tally.accepted, reasons_of(tally), *counts)
    return [*map(str, cells), str(seed_of(target, seed))]


def rows_of(page: str) -> list[list[str]]:
    """The rows of a page, as they were written."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def table(rows: Sequence[Sequence[str]]) -> str:
    """The results as a Markdown table, and their sum."""
    lines = [f"| {' | '.join(HEADS)} |", "|" + " --- |" * len(HEADS)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    inputs, seconds, exceptions, hangs, false = (sum(int(row[place]) for row in rows) for place in (1, 2, 5, 6, 7))
    total = (
        f"{len(rows)} decoders, parsers and devices took {inputs} inputs: {exceptions} exceptions, {hangs} hangs, "
        f"{false} times false feedback ({seconds} s of processor time)."
    )
    return "\n".join(lines) + f"\n\n{total}\n"


def document(rows: Sequence[Sequence[str]], seed: int, inputs: int) -> str:
    """The whole of docs/fuzzing.md."""
    return _PAGE.format(inputs=inputs, seed=seed, table=table(rows))


_PAGE = """\
# What damaged bytes do

Made with `python -m tests.fuzz.campaign --inputs {inputs} --seed {seed} --write docs/fuzzing.md` (`make fuzz`). Every
decoder, stream parser and device takes random and mutated inputs: bytes and frames of the vector files with bits
flipped, bytes changed, put in and taken out, cut short, spliced, one after another, pieces of other protocols, noise,
and other contents behind a right checksum. Streams are fed as they come, one unfinished packet into the next.
For motors there is also everything that their simulated twins answer to an inventory and to commands.

A row is of the day on which it was tried: new decoders and makes get theirs with `--missing`, `make fuzz` tries all
anew.

- **accepted**: replies, packets, samples and reports that were taken for good. What was accepted is judged by rules
  written apart from the codecs (`tests/fuzz`): identifiers, lengths and directions, and checksums bit by bit.
- **rejected**: by documented errors, and what parsers counted as thrown away, the most frequent reasons first.
- **exceptions**: anything else that was raised, warnings included.
- **hangs**: batches of 512 that took more than 2 s; parsers that kept more than one unfinished frame, or that did not
  find a good frame any more.
- **false feedback**: what was accepted and is not sound; a motor that never spoke and has values, or is reported by the
  inventory, which runs in step with the inputs in the rows of that name.
- **collisions**: damaged frames that are right all the same: by chance, or because the damage undid what is wrong in a
  vector on purpose. An 8-bit sum lets one damaged frame in 256 through, so whoever asks also compares identifier and
  size, and the units check what can be checked (the length of a quaternion).

{table}"""


def _try_named(name: str, inputs: int, seed: int) -> Tally:
    return try_target(next(target for target in targets() if target.name == name), inputs, seed)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _results(chosen: Sequence[Target], options: argparse.Namespace) -> Iterator[tuple[Target, Tally]]:
    """Targets and results, as they are done."""
    if options.workers == 1:
        yield from ((target, try_target(target, options.inputs, options.seed)) for target in chosen)
        return
    with ProcessPoolExecutor(max_workers=options.workers) as pool:
        jobs = {pool.submit(_try_named, target.name, options.inputs, options.seed): target for target in chosen}
        yield from ((jobs[job], job.result()) for job in as_completed(jobs))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs per target")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="targets whose name has this in it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="write the page here")
    parser.add_argument("--missing", action="store_true", help="keep the page's rows, and try what has none yet")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 when there was a defect."""
    options = _options(arguments)
    chosen = [target for target in targets() if options.only in target.name]
    kept = rows_of(options.write.read_text(encoding="utf-8")) if options.missing else []
    rows = {row[0]: row for row in kept}
    tried = [target for target in chosen if target.name not in rows]
    defects = 0
    for count, (target, tally) in enumerate(_results(tried, options), 1):
        rows[target.name] = row_of(target, tally, options.seed)
        defects += tally.defects
        what = f"{tally.defects} defects" if tally.defects else f"{tally.accepted} accepted"
        _say(f"{count}/{len(tried)} {target.name}: {tally.inputs} inputs, {tally.seconds:.1f} s, {what}")
        for sample in tally.samples:
            _say(f"  {sample}")
    ordered = [rows[target.name] for target in chosen]
    _say(table(ordered))
    if options.write:
        options.write.write_text(document(ordered, options.seed, options.inputs), encoding="utf-8")
    return int(defects > 0)


if __name__ == "__main__":
    sys.exit(main())
