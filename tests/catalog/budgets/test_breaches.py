"""Budgets that are exceeded or will be, as forecast_spend shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.recorder import Recorder, pages_of

from ..billing import Line, make_api
from ..caller import call

LINES: list[Line] = [("2026-09-01", {"cloud_provider": "google-cloud"}, 10.0, 1.0)]
BUDGET = {"budgetName": "Fine", "amount": 900.0, "currentUtilization": 1.0, "riskStatus": "onTrack"}


@pytest.mark.parametrize("pages", [3, 4])
async def test_budgets_beyond_the_pages_that_are_read_are_named(pages: int) -> None:
    rows: list[list[Any]] = [[{**BUDGET, "id": f"{page}-{at}"} for at in range(2)] for page in range(pages)]
    api = Recorder(make_api({"/budgets": pages_of("budgets", *rows)}, LINES))
    found = (await call("forecast_spend", api))["structuredContent"]
    assert found["budgetsChecked"] == 6 and sum(request.path.endswith("/budgets") for request in api.requests) == 3
    unread = [{"part": "further budgets", "why": "only the first 6 budgets are checked"}]
    assert found.get("failed") == (unread if pages == 4 else None)
