from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.canopen import pdo, tables
from drivers.can.canopen.tables import CONTROLWORD, MODE, OBJECTS, POSITION_ACTUAL, STATUSWORD, TARGET_POSITION
from supervisor.core.errors import EncodeError, FrameError

entries = st.sampled_from(sorted(OBJECTS.values(), key=lambda entry: (entry.index, entry.subindex)))
mappings = st.lists(entries, max_size=8).filter(lambda mapping: sum(entry.type.size for entry in mapping) <= 8)
CSP = pdo.PdoLayout([CONTROLWORD, TARGET_POSITION])


@given(mappings, st.data())
def test_what_is_packed_comes_back(mapping: list[tables.ObjectEntry], data: st.DataObject) -> None:
    values = tuple(data.draw(st.integers(*entry.type.range)) for entry in mapping)
    layout = pdo.PdoLayout(mapping)
    packed = layout.pack(values)
    by_hand = (
        value.to_bytes(entry.type.size, "little", signed=entry.type.is_signed)
        for entry, value in zip(mapping, values, strict=True)
    )
    assert packed == b"".join(by_hand)
    assert layout.unpack(packed) == values


@given(mappings, st.binary(max_size=10))
def test_process_data_of_another_length_are_a_frame_error(mapping: list[tables.ObjectEntry], data: bytes) -> None:
    layout = pdo.PdoLayout(mapping)
    if len(data) == sum(entry.type.size for entry in mapping):
        assert len(layout.unpack(data)) == len(mapping)
    else:
        with pytest.raises(FrameError):
            layout.unpack(data)


@pytest.mark.parametrize(
    "values", [(15, 1 << 31), (15, -(1 << 31) - 1), (-1, 0), (65_536, 0), (15,), (15, 0, 0), (15, 0.5), (15, math.nan)]
)
def test_values_that_do_not_fit_are_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(EncodeError, match="0x6040, 0x607A"):
        pdo.make_rpdo(5, 1, CSP, values)


def test_more_than_eight_bytes_are_refused() -> None:
    with pytest.raises(EncodeError, match="9 bytes"):
        pdo.PdoLayout([TARGET_POSITION, TARGET_POSITION, MODE])


@pytest.mark.parametrize(("node_id", "number"), [(0, 1), (128, 1), (5, 0), (5, 5)])
def test_a_drive_or_a_number_that_does_not_exist_is_refused(node_id: int, number: int) -> None:
    with pytest.raises(EncodeError):
        pdo.make_rpdo(node_id, number, CSP, (15, 0))
    with pytest.raises(EncodeError):
        pdo.make_pdo_configuration(node_id, number, CSP, 1, is_transmit=False)


def test_a_mapping_is_switched_off_emptied_written_and_switched_on_again() -> None:
    layout = pdo.PdoLayout([STATUSWORD, POSITION_ACTUAL])
    frames = pdo.make_pdo_configuration(5, 2, layout, 1, is_transmit=True)
    assert {frame.arbitration_id for frame in frames} == {0x605}
    assert [frame.data.hex() for frame in frames] == [
        "2301180185020080",
        "2f01180201000000",
        "2f011a0000000000",
        "40011a0000000000",
        "23011a0110004160",
        "23011a0220006460",
        "2f011a0002000000",
        "2301180185020000",
    ]


@pytest.mark.parametrize(("transmission_type", "cob_id"), [(256, None), (-1, None), (1, 0), (1, 0x800)])
def test_settings_that_do_not_fit_are_refused(transmission_type: int, cob_id: int | None) -> None:
    with pytest.raises(EncodeError):
        pdo.make_pdo_configuration(5, 1, CSP, transmission_type, is_transmit=False, cob_id=cob_id)
