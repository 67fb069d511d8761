"""Final days of compared periods."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.comparisons.compared_periods import ComparedPeriods
from doit_mcp.catalog.comparisons.final_days import final_members, final_queries
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.periods.alignment import AlignedPeriods, align
from doit_mcp.catalog.periods.period import Period, ReportedPeriod
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import call

TODAY = date(2026, 9, 21)
SIDES = ("before", "after")


def period(first: str, last: str, today: date = TODAY) -> ReportedPeriod:
    return ReportedPeriod(Period(date.fromisoformat(first), date.fromisoformat(last)), today)


def compared(asked: AlignedPeriods) -> ComparedPeriods:
    return ComparedPeriods.from_asked(asked)


def test_periods_of_any_length_keep_the_earlier_one() -> None:
    periods = compared(align(period("2026-09-10", "2026-09-21"), period("2026-07-01", "2026-08-15")))
    members = final_members(periods, (D(460), D(120)), (D(460), D(90)), "USD", SIDES)
    assert members["final"] == {
        **{"days": 9, "to": "2026-09-18", "before": 460.0, "after": 90.0, "change": -370.0, "changePercent": None},
        "perDayChangePercent": 0.0,
    }
    assert members["provisional"] == {"before": 0.0, "after": 30.0, "change": 30.0}
    assert members["compared"] == {
        "before": {"from": "2026-07-01", "to": "2026-08-15", "days": 46, "weekdays": 33},
        "after": {"from": "2026-09-10", "to": "2026-09-18", "days": 9, "weekdays": 7},
    }


def test_days_before_the_data_begin_do_not_count() -> None:
    periods = compared(align(period("2026-09-01", "2026-09-30")))
    whole = final_members(periods, None, (D(140), D(180)), "USD", SIDES)
    assert (whole["final"]["days"], whole["final"]["changePercent"]) == (18, 28.6) and "provisional" not in whole
    cut = periods.cut_to_data(date(2026, 8, 5), "before")
    # 10 a day in both.
    shorter = final_members(cut, None, (D(140), D(180)), "USD", SIDES)["final"]
    assert (shorter["changePercent"], shorter["perDayChangePercent"]) == (None, 0.0)


def test_totals_that_are_unknown_are_left_out() -> None:
    unfinished = compared(align(period("2026-09-01", "2026-09-30")))
    assert final_members(unfinished, (D(1), D(2)), None, "USD", SIDES).keys() == {"compared"}
    settled = compared(align(period("2026-08-01", "2026-08-31")))
    assert final_members(settled, (D(1), D(2)), (D(1), D(2)), "USD", SIDES).keys() == {"compared"}


def test_only_periods_that_are_not_final_need_queries() -> None:
    assert final_queries(Scope(), compared(align(period("2026-08-01", "2026-08-31"))), "USD", SIDES) == {}
    assert final_queries(Scope(), compared(align(period("2026-09-21", "2026-09-21"))), "USD", SIDES) == {}
    periods = compared(align(period("2026-09-01", "2026-09-30")))
    queries = final_queries(Scope("google-cloud"), periods, "EUR", SIDES)
    assert [config["customTimeRange"]["to"][:10] for config in queries.values()] == ["2026-08-18", "2026-09-18"]
    assert all(config["currency"] == "EUR" and config["filters"] for config in queries.values())


LINES: list[Line] = [
    (day, {"service_description": "EC2", "cloud_provider": "amazon-web-services"}, amount, 1.0)
    for day, amount in (("2026-07-15", 1.0), ("2026-08-05", 100.0), ("2026-09-05", 120.0), ("2026-09-20", 7.0))
]


def failing(last_day: str) -> Recorder:
    """Return an API that refuses queries in total, or by cloud, of periods that end on this day."""

    def answer(request: Request) -> Any:
        config = (request.body or {})["config"]
        groups = [group["id"] for group in config.get("group", ())]
        is_total = groups in ([], ["cloud_provider"]) and last_day in config["customTimeRange"]["to"]
        return ApiError("no", kind="refused", status=400) if is_total else make_api({}, LINES)(request)

    return Recorder(answer)


async def test_the_cost_of_final_days_that_fails_is_named() -> None:
    result = (await call("compare_spend", failing("2026-09-18"), period="this_month"))["structuredContent"]
    assert [failure["part"] for failure in result["failed"]] == ["final period1"] and "final" not in result
    assert result["total"]["change"] == 27.0 and result["groups"][0]["change"] == 20.0
    assert result["other"]["change"] is None and "provisional" not in result


async def test_the_cost_of_all_days_that_fails_is_named() -> None:
    result = (await call("explain_cost_change", failing("2026-09-21"), period="this_month"))["structuredContent"]
    assert [failure["part"] for failure in result["failed"]] == ["total"] and "total" not in result
    assert result["final"]["change"] == 20.0 and "provisional" not in result
    assert sum(result["causes"].values()) == 20.0
    result = (await call("compare_spend", failing("2026-09-21"), period="this_month"))["structuredContent"]
    assert result["total"]["change"] is None and result["final"]["change"] == 20.0


@pytest.mark.parametrize(("tool", "count"), [("compare_spend", 7), ("explain_cost_change", 11)])
async def test_final_days_are_two_more_queries(tool: str, count: int) -> None:
    api = Recorder(make_api({}, LINES))
    result = (await call(tool, api, period="this_month"))["structuredContent"]
    assert len(api.requests) == count
    assert (result["final"]["change"], result["total"]["change"]) == (20.0, 27.0)
