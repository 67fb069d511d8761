"""Comparison of two periods, over a small bill."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Operation, Request
from doit_mcp.catalog.comparisons.compare import parse_compared_periods
from doit_mcp.catalog.periods.period import Period
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import TOOLS, call

TODAY = date(2026, 9, 21)


def line(day: str, service: str, cost: float, **values: str) -> Line:
    return day, {"service_description": service, "cloud_provider": "amazon-web-services", **values}, cost, 1.0


class SlowRecorder(Recorder):
    """An API that answers after other tasks had their turns, and counts the requests that wait for it."""

    waiting = most_at_once = 0

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        self.waiting += 1
        self.most_at_once = max(self.most_at_once, self.waiting)
        for _ in range(20):
            await asyncio.sleep(0)
        self.waiting -= 1
        return await super().send(operation, arguments)


EARLIER = line("2026-05-31", "EC2", 1.0)
LINES = [
    EARLIER,
    line("2026-07-05", "EC2", 100.0),
    line("2026-07-31", "EC2", 1000.0),
    line("2026-08-05", "EC2", 150.0),
    line("2026-08-06", "S3", 10.004),
    line("2026-09-05", "EC2", 60.0),
    line("2026-09-05", "S3", 5.0),
]


async def compare(lines: list[Line], **arguments: Any) -> Any:
    """Return the comparison of a bill."""
    return (await call("compare_spend", Recorder(make_api({}, lines)), **arguments))["structuredContent"]


async def test_a_longer_second_period_is_cut_to_the_days_of_the_first() -> None:
    """Today is 21 September, so 31 July does not count."""
    answer = await compare(LINES, period2={"from": "2026-07-01", "to": "2026-07-31"}, period1Months=1)
    assert answer["alignment"] == "same_days"
    for name, first, last, complete, final in (
        ("period1", "2026-09-01", "2026-09-21", False, "2026-09-18"),
        ("period2", "2026-07-01", "2026-07-21", True, "2026-07-21"),
    ):
        period = answer[name]
        assert (period["from"], period["to"]) == (first, last)
        assert (period["days"], period["complete"], period["finalThrough"]) == (21, complete, final)
    assert (
        answer["period1"]["label"] == "2026-09-01 to 2026-09-21"
        and answer["period2"]["label"] == "2026-07-01 to 2026-07-21"
    )
    assert answer["total"] == {
        **{"period1": 65.0, "period2": 100.0, "change": -35.0, "changePercent": -35.0, "perDay1": 3.1, "perDay2": 4.76}
    }
    assert answer["groups"] == [
        {"id": "EC2", "name": "EC2", "period1": 60.0, "period2": 100.0, "change": -40.0, "changePercent": -40.0},
        {"id": "S3", "name": "S3", "period1": 5.0, "period2": 0.0, "change": 5.0, "changePercent": None},
    ]
    assert answer["other"] == {"period1": 0.0, "period2": 0.0, "change": 0.0, "changePercent": None}
    assert answer["period1"]["rows"] == [["EC2", "2026-09", 60.0], ["S3", "2026-09", 5.0]]
    assert answer["period1"]["rowCount"] == 2
    assert [column["name"] for column in answer["period1"]["columns"]] == ["service_description", "period", "cost"]
    assert answer["currency"] == "USD"
    assert answer["basis"] == {"metric": "cost", "credits": "excluded", "timeZones": {"amazon-web-services": "UTC"}}


async def test_an_unfinished_period_is_compared_with_the_start_of_the_last_one_by_default() -> None:
    answer = await compare(LINES, period="this_month")
    assert answer["period1"]["label"] == "2026-09-01 to 2026-09-21"
    assert (answer["period2"]["from"], answer["period2"]["to"]) == ("2026-08-01", "2026-08-21")
    assert answer["total"]["period2"] == 160.0 and answer["total"]["changePercent"] == -59.4


async def test_periods_of_any_length_compare_per_day_only() -> None:
    answer = await compare(LINES, period="2026-09-01/2026-09-10", compareTo="2026-08-01/2026-08-20")
    assert answer["alignment"] == "per_day"
    # 6.5 against 8 a day.
    expected = {"changePercent": None, "perDayChangePercent": -18.8, "perDay1": 6.5, "perDay2": 8.0}
    assert {name: answer["total"][name] for name in expected} == expected
    assert all(group["changePercent"] is None for group in answer["groups"])
    # 6 against 7.5 a day.
    assert answer["groups"][0]["perDayChangePercent"] == -20.0


async def test_groups_and_others_add_up_to_the_total() -> None:
    lines = [EARLIER, *(line("2026-08-05", f"s{n}", n + 0.111) for n in range(1, 8))]
    lines += [line("2026-07-05", f"s{n}", 10 - n + 0.222) for n in range(1, 8)]
    answer = await compare(lines, period="2026-08", topN=3)
    assert [group["name"] for group in answer["groups"]] == ["s1", "s2", "s3"]
    for name in ("period1", "period2", "change"):
        parts = [D(str(group[name])) for group in (*answer["groups"], answer["other"])]
        assert sum(parts) == D(str(answer["total"][name]))
    assert [len(answer[name]["rows"]) for name in ("period1", "period2")] == [3, 3]


async def test_groups_of_two_dimensions_have_both_values() -> None:
    lines = [
        EARLIER,
        line("2026-08-05", "EC2", 5.0, project_id="1111", project_name="acme"),
        line("2026-07-05", "EC2", 4.0, project_id="1111", project_name="acme"),
        line("2026-08-05", "Tax", 1.0),
    ]
    answer = await compare(lines, period="2026-08", groupBy=["project", "service"])
    assert [(group["id"], group["name"]) for group in answer["groups"]] == [
        (["1111", "EC2"], "acme / EC2"),
        ([None, "Tax"], "none / Tax"),
    ]
    assert answer["groups"][0]["change"] == 1.0
    assert answer["period1"]["rows"][0] == ["1111", "acme", "EC2", "2026-08", 5.0]


async def test_skus_are_matched_by_id() -> None:
    lines = [
        EARLIER,
        line("2026-08-05", "EC2", 12.0, sku_id="box", sku_description="$0.12 per hour"),
        line("2026-07-05", "EC2", 10.0, sku_id="box", sku_description="$0.10 per hour"),
    ]
    (group,) = (await compare(lines, period="2026-08", groupBy="sku"))["groups"]
    assert (group["id"], group["name"], group["changePercent"]) == ("box", "$0.12 per hour", 20.0)


async def test_all_queries_are_sent_in_one_round_with_a_currency() -> None:
    api = Recorder(make_api({}, LINES))
    await call("compare_spend", api, period="2026-08", groupBy="service", currency="EUR", includeCredits=True)
    configs = [(request.body or {})["config"] for request in api.requests]
    assert [config["currency"] for config in configs] == ["EUR"] * 5
    assert [config["customTimeRange"] for config in configs[:4]] == [
        {"from": f"2026-{month}-01T00:00:00Z", "to": f"2026-{month}-31T23:59:59Z"} for month in ("08", "08", "07", "07")
    ]
    assert [config["group"][0]["id"] for config in configs[:4]] == ["service_description", "cloud_provider"] * 2
    assert [config.get("includePromotionalCredits") for config in configs] == [True] * 4 + [None]
    assert all(TOOLS["run_query"].argument_problems({"query": config}) == [] for config in configs)


@pytest.mark.parametrize(("tool", "count"), [("compare_spend", 5), ("explain_cost_change", 9)])
async def test_all_queries_are_under_way_at_the_same_time(tool: str, count: int) -> None:
    api = SlowRecorder(make_api({}, LINES))
    await call(tool, api, period="2026-08")
    assert api.most_at_once == len(api.requests) == count


async def test_one_period_that_fails_fails_the_comparison_and_a_total_does_not() -> None:
    def make_failing_api(month: str, group: str) -> Recorder:
        def answer(request: Request) -> Any:
            config = (request.body or {})["config"]
            groups = [item["id"] for item in config.get("group", ())]
            wrong = config["customTimeRange"]["from"].startswith(month) and groups == [group]
            return ApiError("no", kind="refused", status=400) if wrong else make_api({}, LINES)(request)

        return Recorder(answer)

    for month in ("2026-08", "2026-07"):
        with pytest.raises(ApiError, match="no"):
            await call("compare_spend", make_failing_api(month, "service_description"), period="2026-08")
        answer = (await call("compare_spend", make_failing_api(month, "cloud_provider"), period="2026-08"))[
            "structuredContent"
        ]
        assert answer["total"]["change"] is None and answer["groups"] and answer["other"]["change"] is None
        assert answer["failed"][0]["why"] == "no (HTTP 400)"


async def test_groups_that_are_not_listed_are_unknown_and_not_zero() -> None:
    lines = [EARLIER, *(line("2026-07-03", f"s{n}", 2.0) for n in range(1000)), line("2026-08-03", "new", 5000.0)]
    answer = await compare(lines, period="2026-08", topN=1)
    assert answer["groups"] == [
        {"id": "new", "name": "new", "period1": 5000.0, "period2": None, "change": None, "changePercent": None}
    ]
    assert answer["total"]["change"] == 3000.0 and answer["other"]["period2"] is None


async def test_a_period_before_the_data_is_refused_and_a_cut_one_says_so() -> None:
    with pytest.raises(ApiError, match="compareTo: the data begins on 2026-05-31"):
        await compare(LINES, period="2026-08", compareTo="2026-04")
    answer = await compare(LINES[1:], period="2026-08")
    assert (answer["period2"]["from"], answer["period2"]["days"]) == ("2026-07-05", 27)
    assert answer["alignment"] == "per_day" and "data begins on 2026-07-05" in answer["note"]


async def test_no_costs_are_not_a_zero_without_a_word() -> None:
    answer = await compare([EARLIER], period="2026-08")
    assert answer["total"]["change"] == 0.0 and answer["note"] == "Nothing had a cost in this period."


def test_arguments_of_the_old_server_and_new_ones() -> None:
    span = {"from": "2026-07-01T05:00:00Z", "to": "2026-07-03T00:00:00Z"}
    first, second = parse_compared_periods(None, None, 3, span, TODAY)  # type: ignore[arg-type]  # a Span
    assert first.whole == Period(date(2026, 7, 1), date(2026, 9, 30)) and second is not None
    # An end at midnight is exclusive.
    assert second.whole == Period(date(2026, 7, 1), date(2026, 7, 2))
    assert parse_compared_periods("2026-08", None, 3, None, TODAY)[1] is None
    for arguments, problem in (
        (("2026-10", None, 3, None), "forecast_spend"),
        ((None, "2026-08", 3, span), "Only one of compareTo and period2"),
        ((None, None, 3, {"from": " ", "to": "2026-07-02"}), "period2: from and to"),
        ((None, None, 3, {"from": "x", "to": "y"}), "period2.*2026-10-01/2026-10-15"),
    ):
        with pytest.raises(ApiError, match=problem):
            parse_compared_periods(*arguments, TODAY)  # type: ignore[arg-type, call-arg]  # wrong on purpose


def test_old_arguments_are_accepted() -> None:
    old = {"period2": {"from": "x", "to": "y"}, "period1Months": 24, "cloud": "aws", "groupBy": "cloud"}
    tool = TOOLS["compare_spend"]
    assert tool.argument_problems(tool.coerce_arguments(old)) == []
    assert not tool.facts.get("default_list")
