"""Inputs: the same from the same numbers, of every kind, and some of them sound."""

from __future__ import annotations

import pytest

from tests.fuzz.framings import DYNAMIXEL, WITMOTION
from tests.fuzz.inputs import Batch, ByteSource, FrameSource, frames, messages, protocols

BYTES = ByteSource(messages("witmotion"), (WITMOTION,))
FRAMES = FrameSource(frames("damiao"), [(0x011, False)])


def test_every_vector_file_gives_bytes_or_frames() -> None:
    assert len(protocols()) == 19
    assert all(messages(name) or frames(name) for name in protocols())


@pytest.mark.parametrize("source", [BYTES, FRAMES], ids=["bytes", "frames"])
def test_a_batch_comes_from_its_numbers_alone(source: ByteSource | FrameSource) -> None:
    def batch(seed: int, number: int) -> Batch:
        return source.batch(seed, number, 64)

    assert batch(1, 2) == batch(1, 2)
    assert batch(1, 2).items != batch(1, 3).items
    assert batch(1, 2).items != batch(2, 2).items
    assert len(batch(1, 2).items) == 64


def test_the_first_input_of_all_is_always_the_same() -> None:
    # Whoever reads a seed in the table a year from now must get the inputs of today.
    assert BYTES.batch(7, 0, 1).items[0].hex() == "55524063e1cb9b69e863c5"
    assert FRAMES.batch(7, 0, 1).items[0].data.hex() == "90bb3590ced41434"


def test_most_bytes_are_damaged_and_those_that_were_sealed_verify() -> None:
    batch = BYTES.batch(3, 0, 4000)
    corpus = set(messages("witmotion"))
    untouched = [item for item in batch.items if item in corpus]
    assert len(untouched) < 1000
    made = batch.known - set(BYTES.batch(3, 0, 0).known)
    assert len(made) > 500
    assert sum(map(WITMOTION.verifies, made)) > 0.8 * len(made)


def test_bytes_are_empty_short_long_and_of_other_protocols() -> None:
    batch = BYTES.batch(3, 0, 8000)
    sizes = [len(item) for item in batch.items]
    assert min(sizes) == 0
    assert max(sizes) > 1000
    assert set(batch.items) & set(messages("dynamixel2"))


def test_a_corpus_without_a_checksum_is_changed_and_not_sealed() -> None:
    batch = ByteSource([b"abcdefgh"]).batch(3, 0, 200)
    assert not batch.known
    assert len(set(batch.items)) > 100


def test_frames_have_every_length_and_kind_and_mostly_a_good_identifier() -> None:
    made = FRAMES.batch(3, 0, 8000).items
    assert {len(frame.data) for frame in made} >= set(range(17))
    assert {(frame.is_extended, frame.is_fd) for frame in made} == {
        (a, b) for a in (False, True) for b in (False, True)
    }
    assert len({frame.arbitration_id for frame in made}) > 500
    assert sum(frame.arbitration_id == 0x011 for frame in made) > 2000


def test_a_frame_with_its_checksum_in_the_corpus_is_known() -> None:
    frame = next(frame for data in messages("dynamixel2") for frame in DYNAMIXEL.sound_frames(data))
    assert frame in ByteSource([frame], (DYNAMIXEL,)).batch(1, 0, 1).known
