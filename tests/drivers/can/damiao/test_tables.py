from __future__ import annotations

import pytest

from drivers.can.damiao import tables


@pytest.mark.parametrize("model", tables.MODELS.values(), ids=lambda model: model.name)
def test_every_row_has_ranges_above_zero_and_a_source(model) -> None:
    assert 12.0 < model.position_max_rad < 13.0
    assert 5.0 <= model.velocity_max_rad_per_s <= 300.0
    assert 0.5 <= model.torque_max_nm <= 300.0
    assert (model.kp_max_nm_per_rad, model.kd_max_nm_s_per_rad) == (500.0, 5.0)
    assert model.source


def test_rows_are_found_under_their_own_name() -> None:
    assert all(name == model.name for name, model in tables.MODELS.items())
    row = tables.MODELS["DM8009"]
    assert (row.position_max_rad, row.velocity_max_rad_per_s, row.torque_max_nm) == (12.5, 45.0, 54.0)


def test_every_status_has_its_own_name() -> None:
    assert len(set(tables.STATUS_NAMES.values())) == len(tables.STATUS_NAMES)
    assert set(tables.STATUS_NAMES) <= set(range(16))
