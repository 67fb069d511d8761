"""Final days of compared periods."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.comparisons.comparison import has_final_days
from doit_mcp.catalog.comparisons.final_days import (
    arriving_days,
    compare_final_days,
    final_periods,
    final_queries,
    note_arriving,
)
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.partial_results import PartialResults
from doit_mcp.catalog.periods.alignment import AlignedPeriods, align
from doit_mcp.catalog.periods.period import Period, ReportedPeriod, month_of
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import call

TODAY = date(2026, 9, 21)
SIDES = ("before", "after")


def period(first: str, last: str, today: date = TODAY) -> ReportedPeriod:
    return ReportedPeriod(Period(date.fromisoformat(first), date.fromisoformat(last)), today)


def cost(amount: float) -> dict[str, Any]:
    return {"columns": [{"name": "cost"}], "rows": [[amount]]}


@given(days=st.lists(st.dates(date(2026, 1, 1), date(2026, 9, 20)), min_size=4, max_size=4), default=st.booleans())
def test_final_periods_are_the_final_days_of_both(days: list[date], default: bool) -> None:
    one, two, three, four = sorted(days)
    after = ReportedPeriod(Period(three, four), TODAY)
    periods = align(after, None if default else ReportedPeriod(Period(one, two), TODAY))
    final = final_periods(periods)
    arriving = [arriving_days(side) for side in (periods.before, periods.after)]
    assert (final is None) == (not any(arriving) or not has_final_days(periods))
    assert (note_arriving(periods, has_final=final is not None) == "") == (not any(arriving))
    if final is None:
        return
    for cut, whole in ((final.before, periods.before), (final.after, periods.after)):
        assert cut.whole.first == whole.whole.first and arriving_days(cut) is None
        assert cut.whole.last <= (whole.final_through or cut.whole.first)
    if periods.alignment != "per_day":
        assert final.before.days == final.after.days
    assert (final.alignment == "same_days") == (final.before.days == final.after.days)


def test_months_of_different_length_begin_alike() -> None:
    today = date(2026, 3, 30)
    final = final_periods(align(ReportedPeriod(month_of(today), today)))
    assert final is not None and final.before.elapsed == Period(date(2026, 2, 1), date(2026, 2, 27))
    assert final.after.elapsed == Period(date(2026, 3, 1), date(2026, 3, 27)) and final.alignment == "same_days"


def test_periods_of_any_length_keep_the_earlier_one() -> None:
    periods = align(period("2026-09-10", "2026-09-21"), period("2026-07-01", "2026-08-15"))
    final = final_periods(periods)
    assert final is not None and final.before == periods.before and final.alignment == "per_day"
    parts = PartialResults({"final before": cost(460.0), "final after": cost(90.0)})
    assert compare_final_days(parts, periods, periods, "USD", SIDES)["final"] == {
        **{"days": 9, "to": "2026-09-18", "before": 460.0, "after": 90.0, "change": -370.0, "changePercent": None},
        "perDayChangePercent": 0.0,
    }


def test_days_before_the_data_begin_do_not_count() -> None:
    periods = align(period("2026-09-01", "2026-09-30"))
    parts = PartialResults({"final before": cost(140.0), "final after": cost(180.0)})
    whole = compare_final_days(parts, periods, periods, "USD", SIDES)["final"]
    assert (whole["days"], whole["changePercent"]) == (18, 28.6)
    cut = AlignedPeriods(period("2026-08-05", "2026-08-21"), periods.after, "per_day")
    # 10 a day in both.
    shorter = compare_final_days(parts, periods, cut, "USD", SIDES)["final"]
    assert (shorter["changePercent"], shorter["perDayChangePercent"]) == (None, 0.0)
    late = AlignedPeriods(period("2026-08-20", "2026-08-21"), periods.after, "per_day")
    assert compare_final_days(parts, periods, late, "USD", SIDES) == {}


def test_only_periods_that_are_not_final_need_queries() -> None:
    assert final_queries(Scope(), align(period("2026-08-01", "2026-08-31")), "USD", SIDES) == {}
    assert final_queries(Scope(), align(period("2026-09-21", "2026-09-21")), "USD", SIDES) == {}
    queries = final_queries(Scope("google-cloud"), align(period("2026-09-01", "2026-09-30")), "EUR", SIDES)
    assert [config["customTimeRange"]["to"][:10] for config in queries.values()] == ["2026-08-18", "2026-09-18"]
    assert all(config["currency"] == "EUR" and config["filters"] for config in queries.values())


LINES: list[Line] = [
    (day, {"service_description": "EC2", "cloud_provider": "amazon-web-services"}, amount, 1.0)
    for day, amount in (("2026-07-15", 1.0), ("2026-08-05", 100.0), ("2026-09-05", 120.0), ("2026-09-20", 7.0))
]


@pytest.mark.parametrize("tool", ["compare_spend", "explain_cost_change"])
async def test_final_days_that_fail_are_named(tool: str) -> None:
    def answer(request: Request) -> Any:
        is_final = "2026-09-18" in (request.body or {})["config"]["customTimeRange"]["to"]
        return ApiError("no", kind="refused", status=400) if is_final else make_api({}, LINES)(request)

    result = (await call(tool, Recorder(answer), period="this_month"))["structuredContent"]
    assert [failure["part"].split()[0] for failure in result["failed"]] == ["final"] and "final" not in result
    assert "still arriving." in result["note"]


@pytest.mark.parametrize(("tool", "count"), [("compare_spend", 7), ("explain_cost_change", 11)])
async def test_final_days_are_two_more_queries(tool: str, count: int) -> None:
    api = Recorder(make_api({}, LINES))
    result = (await call(tool, api, period="this_month"))["structuredContent"]
    assert len(api.requests) == count
    assert (result["final"]["change"], result["total"]["change"]) == (20.0, 27.0)
