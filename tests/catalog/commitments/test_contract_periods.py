"""The running period of a contract."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.catalog.commitments.contract_periods import running_periods

from ..commitments_api import CONTRACTS


@pytest.mark.parametrize(
    ("today", "ends"),
    [
        ("2025-12-31", "2025-12-31"),
        ("2026-01-01", "2026-12-31"),
        ("2026-12-31", "2026-12-31"),
        ("2027-12-31", "2027-12-31"),
        ("2028-01-01", None),
        ("2024-12-31", None),
    ],
)
def test_each_day_has_one_period(today: str, ends: str | None) -> None:
    found = [item.ends.isoformat() for item in running_periods(CONTRACTS[:1], date.fromisoformat(today))]
    assert found == ([ends] if ends else [])


@pytest.mark.parametrize("periods", [None, "x", ["x"], [{"startDate": "2026-01-01"}], [{"endDate": "2027-01-01"}]])
def test_odd_periods_are_left_out(periods: Any) -> None:
    assert list(running_periods([{"id": "c", "periods": periods}], date(2026, 9, 21))) == []
