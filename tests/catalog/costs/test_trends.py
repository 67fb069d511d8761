"""Trend: the previous server's queries and fields, and what is computed from them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.trend_months import align_running_month, compare_running_month
from doit_mcp.catalog.periods.grammar import last_months, parse_period
from doit_mcp.catalog.periods.parts import split_period
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import call
from ..conftest import Ask

EC2, S3 = {"service_description": "EC2"}, {"service_description": "S3"}
LINES: list[Line] = [
    ("2026-07-05", EC2, 100.0, 1.0),
    ("2026-08-05", EC2, 150.0, 1.0),
    ("2026-08-06", S3, 10.004, 1.0),
    ("2026-09-05", EC2, 60.0, 1.0),
    ("2026-09-05", S3, 5.0, 1.0),
]
LIMIT = {"metric": {"type": "basic", "value": "cost"}, "sort": "desc"}


async def test_a_trend_states_each_month_and_compares_the_running_one_like_for_like() -> None:
    api = Recorder(make_api({}, LINES))
    trend = (await call("cost_trend", api, months="3"))["structuredContent"]
    whole = next(
        (request.body or {})["config"] for request in api.requests if "group" in (request.body or {})["config"]
    )
    assert whole["customTimeRange"] == {"from": "2026-07-01T00:00:00Z", "to": "2026-09-21T23:59:59Z"}
    assert whole["timeInterval"] == "month" and whole["currency"] == "USD"
    # 21 days of September have passed, so it is compared with 21 days of August; the first 18 of them are final.
    spans = [(request.body or {})["config"]["customTimeRange"] for request in api.requests]
    assert sorted((span["from"][:10], span["to"][:10]) for span in spans) == [
        ("2026-07-01", "2026-09-21"),
        ("2026-08-01", "2026-08-18"),
        ("2026-08-01", "2026-08-21"),
        ("2026-09-01", "2026-09-18"),
    ]
    assert trend["months"] == [
        {"period": "2026-07", "cost": 100.0, "changePercent": None},
        {"period": "2026-08", "cost": 160.0, "changePercent": 60.0},
        {
            **{"period": "2026-09", "cost": 65.0, "changePercent": None},
            "likeForLike": {
                **{"before": 160.0, "after": 65.0, "changePercent": -59.4, "days": "2026-08-01/2026-08-21"},
                "final": {"to": "2026-09-18", "before": 160.0, "after": 65.0, "changePercent": -59.4},
            },
        },
    ]
    assert trend["rows"] == [["2026-07", 100.0], ["2026-08", 160.0], ["2026-09", 65.0]]
    assert trend["total"] == {"all": 325.0} and trend["period"]["days"] == 83
    assert trend["partial"] == [{"period": "2026-09", "from": "2026-09-01", "to": "2026-09-21", "days": 21}]


async def test_a_split_trend_has_groups_and_their_rest() -> None:
    api = Recorder(make_api({}, LINES))
    trend = (await call("cost_trend", api, groupBy="service", topN=1))["structuredContent"]
    configs = [(request.body or {})["config"] for request in api.requests]
    split = next(config for config in configs if config.get("group", [{}])[0].get("id") == "service_description")
    assert split["group"] == [{"id": "service_description", "type": "fixed", "limit": {**LIMIT, "value": 25}}]
    assert trend["groups"] == [{"id": "EC2", "name": "EC2", "cost": 310.0, "sharePercent": 95.4}]
    assert trend["total"] == {"shown": 310.0, "other": 15.0, "otherSharePercent": 4.6, "all": 325.0}
    assert trend["rows"] == [["EC2", "2026-07", 100.0], ["EC2", "2026-08", 150.0], ["EC2", "2026-09", 60.0]]


async def test_a_trend_without_its_total_still_has_its_groups() -> None:
    def answer(request: Any) -> Any:
        config = (request.body or {})["config"]
        by_service = config.get("group", [{}])[0].get("id") == "service_description"
        return make_api({}, LINES)(request) if by_service else ApiError("", kind="timeout")

    trend = (await call("cost_trend", Recorder(answer), groupBy="service"))["structuredContent"]
    assert trend["total"] == {"shown": 325.0, "other": None, "otherSharePercent": None, "all": None}
    assert "months" not in trend and trend["groups"][0]["sharePercent"] is None
    assert [part["part"] for part in trend["failed"]] == ["total", "first day of the data", "likeForLike"]
    with pytest.raises(ApiError):
        await call("cost_trend", Recorder(ApiError("", kind="rate")), groupBy="service")


async def test_weeks_begin_on_monday_and_partial_ones_are_flagged(ask: Ask) -> None:
    weeks = await ask("cost_trend", interval="week", period="2026-08-05/2026-08-30")
    assert [row[0] for row in weeks["rows"]] == ["2026-W32", "2026-W33", "2026-W34", "2026-W35"]
    assert weeks["partial"] == [{"period": "2026-W32", "from": "2026-08-05", "to": "2026-08-09", "days": 5}]
    assert "months" not in weeks
    days = await ask("cost_trend", interval="day", period="2026-08-05/2026-08-30")
    assert days["rowCount"] == 26 and "partial" not in days and [row[0] for row in days["rows"]][0] == "2026-08-05"
    assert days["total"] == weeks["total"]
    assert sum(row[1] for row in days["rows"][:5]) == pytest.approx(weeks["rows"][0][1], abs=0.03)


async def test_a_running_week_is_partial(ask: Ask) -> None:
    # The sandbox's today, 21 September 2026, is a Monday.
    weeks = await ask("cost_trend", interval="week", groupBy="cloud", period="2026-09-14/2026-09-21")
    assert weeks["partial"] == [{"period": "2026-W39", "from": "2026-09-21", "to": "2026-09-21", "days": 1}]
    assert {row[1] for row in weeks["rows"]} == {"2026-W38", "2026-W39"}
    assert {row[0] for row in weeks["rows"]} == {group["id"] for group in weeks["groups"]}


async def test_a_trend_by_two_dimensions_adds_up(ask: Ask) -> None:
    trend = await ask("cost_trend", period="last_2_months", groupBy=["cloud", "label:team"])
    for group in trend["groups"]:
        assert sum(part["cost"] for part in group["groups"]) + group["other"] == pytest.approx(group["cost"], abs=0.001)
    assert "likeForLike" not in trend["months"][-1] and trend["months"][-1]["changePercent"] is not None


async def test_credits_are_by_month(ask: Ask) -> None:
    with pytest.raises(ApiError, match="includeCredits: .* interval month"):
        await ask("cost_trend", interval="week", includeCredits=True)
    months = await ask("cost_trend", months=2, includeCredits=True)
    assert months["basis"]["credits"] == "included"
    assert months["total"]["all"] < (await ask("cost_trend", months=2))["total"]["all"]


async def test_months_before_the_data_are_unknown_and_later_ones_cost_nothing() -> None:
    lines: list[Line] = [("2026-03-05", EC2, 5.0, 1.0), ("2026-05-05", EC2, 5.0, 1.0)]
    trend = await call("cost_trend", Recorder(make_api({}, lines)), period="2026-01-01/2026-06-30")
    months = trend["structuredContent"]["months"]
    assert [(month["period"], month["cost"], month["changePercent"]) for month in months] == [
        ("2026-03", 5.0, None),
        # The data have only a part of March.
        ("2026-04", 0.0, None),
        ("2026-05", 5.0, None),
        ("2026-06", 0.0, -100.0),
    ]
    assert trend["structuredContent"]["note"] == "The data begins on 2026-03-05."
    early = (await call("cost_trend", Recorder(make_api({}, lines)), period="2025-12"))["structuredContent"]
    assert early["total"] == {"all": None} and "months" not in early
    assert early["note"] == "The data begins on 2026-03-05: earlier costs are unknown."


async def test_period_and_months_exclude_each_other() -> None:
    with pytest.raises(ApiError, match="months: cannot be combined with period"):
        await call("cost_trend", Recorder(make_api({}, LINES)), months=3, period="2026-08")


@pytest.mark.parametrize(
    ("today", "before", "change", "per_day"),
    [
        # 31 days of March beside 28 of February: whole months.
        ("2026-03-31", "2026-02-01/2026-02-28", None, 0.0),
        # 30 days of March beside 28 of February: only costs per day compare.
        ("2026-03-30", "2026-02-01/2026-02-28", None, 0.0),
        ("2026-03-28", "2026-02-01/2026-02-28", 0.0, None),
        # Before the fourth day, no day is final.
        ("2026-03-01", "2026-02-01/2026-02-01", None, None),
        ("2026-03-03", "2026-02-01/2026-02-03", None, None),
        ("2026-03-04", "2026-02-01/2026-02-04", 0.0, None),
        ("2028-02-29", "2028-01-01/2028-01-29", 0.0, None),
        ("2027-01-01", "2026-12-01/2026-12-01", None, None),
    ],
)
def test_the_running_month_of_any_day(today: str, before: str, change: float | None, per_day: float | None) -> None:
    """Each day costs 10."""
    day = date.fromisoformat(today)
    period = last_months(2, day)
    parts = list(split_period(period.elapsed, "month"))
    aligned = align_running_month(parts, period)
    assert aligned is not None
    before_amount, after_amount = (Decimal(10 * reported.days) for reported in (aligned.before, aligned.after))
    compared = compare_running_month(aligned, before_amount, after_amount, "USD")
    assert (compared["days"], compared["changePercent"]) == (before, change)
    assert compared.get("perDayChangePercent") == per_day


def test_a_month_that_is_over_or_begun_late_is_not_running() -> None:
    today = date(2026, 9, 21)
    for text in ("last_2_months", "2026-08-05/2026-08-31", "2026-09-05/2026-09-21"):
        period = parse_period(text, "period", today)
        assert align_running_month(list(split_period(period.elapsed, "month")), period) is None


async def test_costs_that_begin_in_the_month_before_have_no_like_for_like_percentage() -> None:
    new = {"service_description": "New", "cloud_provider": "google-cloud"}
    lines: list[Line] = [("2026-06-01", EC2, 1.0, 1.0), *((day, new, 5.0, 1.0) for day in ("2026-08-12", "2026-09-02"))]
    dimension = {"id": "cloud_provider", "type": "fixed", "values": [{"value": "google-cloud"}]}
    api = Recorder(make_api({"/dimension": dimension}, lines))
    trend = (await call("cost_trend", api, cloud="gcp", months=3))["structuredContent"]
    july, august, september = trend["months"]
    assert (july["cost"], august["cost"], september["cost"]) == (0.0, 5.0, 5.0)
    compared = september["likeForLike"]
    assert compared["before"] == 5.0 and compared["changePercent"] is None
    assert compared["final"]["changePercent"] is None
    assert trend["note"].startswith("These costs begin on 2026-08-12.")


async def test_a_first_day_that_cannot_be_read_is_named() -> None:
    dimension = {"id": "cloud_provider", "type": "fixed", "values": [{"value": "google-cloud"}]}
    gcp = {**EC2, "cloud_provider": "google-cloud"}
    lines: list[Line] = [("2026-07-05", gcp, 1.0, 1.0), ("2026-08-05", gcp, 1.0, 1.0)]

    def answer(request: Any) -> Any:
        is_daily = (request.body or {}).get("config", {}).get("timeInterval") == "day"
        return ApiError("", kind="timeout") if is_daily else make_api({"/dimension": dimension}, lines)(request)

    trend = (await call("cost_trend", Recorder(answer), cloud="gcp", period="2026-07/2026-08"))["structuredContent"]
    assert [part["part"] for part in trend["failed"]] == ["first day of these costs"]
    assert [month["cost"] for month in trend["months"]] == [1.0, 1.0]
