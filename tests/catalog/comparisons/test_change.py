"""Explaining a change, over a small bill."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.comparisons.change import choose_argument, parse_periods
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.catalog.tools.tool import ToolError
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import TOOLS, Caller, call


def line(day: str, service: str, sku: str, cost: float, usage: float, **values: str) -> Line:
    usual = {"service_description": service, "sku_description": sku, "sku_id": sku.casefold(), "project_id": "p"}
    return (
        day,
        {**usual, "project_name": "Project", "region": "eu", "cloud_provider": "google-cloud", **values},
        cost,
        usage,
    )


EARLIER = line("2026-06-30", "BigQuery", "Analysis", 1.0, 1.0)
LINES = [
    EARLIER,
    line("2026-07-03", "BigQuery", "Analysis", 100.0, 10.0),
    line("2026-07-03", "Storage", "Standard", 40.0, 4.0),
    line("2026-07-03", "Old", "Gone", 10.0, 1.0),
    line("2026-08-03", "BigQuery", "Analysis", 240.0, 20.0),
    line("2026-08-03", "Storage", "Standard", 40.0, 4.0),
    line("2026-08-03", "New", "Fresh", 7.5, 1.0),
    line("2026-08-03", "Credits", "Promotion", -20.0, 0.0, cost_type="Credit"),
    line("2026-09-03", "BigQuery", "Analysis", 999.0, 1.0),
    line("2026-09-05", "BigQuery", "Analysis", 1.0, 0.001),
]


async def explain(lines: list[Line], **arguments: Any) -> Any:
    """Return the explanation of a bill."""
    return (
        await call("explain_cost_change", Recorder(make_api({"dimensions": {"dimensions": []}}, lines)), **arguments)
    )["structuredContent"]


async def test_a_month_is_explained() -> None:
    answer = await explain(LINES, top=2)
    days = {"days": 31, "complete": True}
    assert answer["before"] == {"from": "2026-07-01", "to": "2026-07-31", "finalThrough": "2026-07-31", **days}
    assert answer["after"] == {"from": "2026-08-01", "to": "2026-08-31", "finalThrough": "2026-08-31", **days}
    assert answer["alignment"] == "whole" and "failed" not in answer and "note" not in answer
    assert answer["total"] == {
        **{"before": 150.0, "after": 267.5, "change": 117.5, "changePercent": 78.3},
        **{"perDayBefore": 4.84, "perDayAfter": 8.63},
    }
    by = {dimension["dimension"]: dimension for dimension in answer["by"]}
    assert list(by) == ["service", "project", "region", "sku"]
    for dimension in by.values():
        parts = [*dimension["drivers"], dimension["other"]]
        assert round(sum(part["change"] for part in parts), 2) == 117.5
        assert round(sum(part["share"] for part in parts), 1) == 100.0
    assert by["service"]["drivers"][0] == {
        **{"name": "BigQuery", "before": 100.0, "after": 240.0, "change": 140.0, "share": 119.1},
    }
    assert by["project"]["drivers"][0]["id"] == "p" and by["project"]["drivers"][0]["name"] == "Project"
    assert by["sku"]["drivers"][0] == {
        **{"id": "analysis", "name": "Analysis", "before": 100.0, "after": 240.0, "change": 140.0, "share": 119.1},
        # 10 more at 10 each, and 20 that cost 2 more each.
        **{"byUsage": 100.0, "byPrice": 40.0},
    }
    assert by["sku"]["drivers"][1]["name"] == "Promotion" and by["sku"]["drivers"][1]["status"] == "new"
    assert answer["causes"] == {
        **{"calendar": 0.0, "usage": 100.0, "price": 40.0, "new": 7.5, "gone": -10.0, "credits": -20.0, "untold": 0.0},
    }
    assert answer["currency"] == "USD" and answer["basis"] == {
        **{"metric": "cost", "credits": "excluded", "timeZones": {"google-cloud": "America/Los_Angeles"}},
    }


async def test_an_unfinished_month_is_compared_with_as_many_days() -> None:
    """It is 21 September, so the 31 August does not count; there are no prices of a single day to compare."""
    lines = [*LINES, line("2026-08-31", "BigQuery", "Analysis", 5000.0, 500.0)]
    answer = await explain(lines, after="2026-09")
    assert (answer["before"]["to"], answer["before"]["days"]) == ("2026-08-21", 21)
    assert answer["after"] == {
        **{"from": "2026-09-01", "to": "2026-09-21", "days": 21, "complete": False, "finalThrough": "2026-09-18"},
    }
    assert answer["alignment"] == "same_days" and "perDayChangePercent" not in answer["total"]
    assert answer["total"]["before"] == 267.5 and answer["total"]["after"] == 1000.0
    # 47.619: 1,000 in 21 days.
    assert answer["total"]["changePercent"] == 273.8 and answer["total"]["perDayAfter"] == 47.62
    assert "not over" in answer["note"] and "2026-09-21" in answer["note"]


async def test_months_of_different_length_have_a_calendar_effect() -> None:
    lines = [EARLIER, line("2026-06-10", "S", "X", 300.0, 30.0), line("2026-07-10", "S", "X", 341.0, 31.0)]
    lines.append(line("2026-05-10", "S", "X", 1.0, 1.0))
    answer = await explain(lines, after="2026-07", by=["sku"])
    assert answer["alignment"] == "whole" and answer["total"] == {
        # 301 includes the line of 30 June.
        **{"before": 301.0, "after": 341.0, "change": 40.0, "changePercent": 13.3},
        # 11 a day against 10.0333.
        **{"perDayBefore": 10.03, "perDayAfter": 11.0, "perDayChangePercent": 9.6},
    }
    # One more day at 301 / 30. 31 at 10 each would be 310, so 1 more each is 31; the SKU of the first line is gone.
    causes = answer["causes"]
    assert causes == {"calendar": 10.03, "usage": -0.03, "price": 31.0, "new": 0.0, "gone": -1.0, "untold": 0.0}
    (driver, gone) = answer["by"][0]["drivers"]
    assert driver["byCalendar"] == 10.0 and driver["byPrice"] == 31.0 and driver["byUsage"] == 0.0
    assert gone["status"] == "gone"


async def test_periods_of_any_length_compare_per_day_only() -> None:
    lines = [EARLIER, line("2026-08-02", "S", "X", 30.0, 30.0), line("2026-08-11", "S", "X", 40.0, 40.0)]
    answer = await explain(lines, after="2026-08-11/2026-08-20", before="2026-07-05/2026-08-03")
    assert answer["alignment"] == "per_day" and answer["total"] == {
        **{"before": 30.0, "after": 40.0, "change": 10.0, "changePercent": None},
        **{"perDayBefore": 1.0, "perDayAfter": 4.0, "perDayChangePercent": 300.0},
    }
    # 20 days less at 1 a day.
    assert answer["causes"]["calendar"] == -20.0 and answer["causes"]["usage"] == 30.0


async def test_arguments_of_all_cost_tools_work_here_too() -> None:
    answer = await explain(LINES, groupBy="service", topN=1)
    (service,) = answer["by"]
    assert service["dimension"] == "service" and len(service["drivers"]) == 1
    both = await explain(LINES, groupBy=["region", "cloud"])
    assert [dimension["dimension"] for dimension in both["by"]] == ["region", "cloud"]
    with pytest.raises(ApiError, match="Only one of by and groupBy"):
        await explain(LINES, groupBy="service", by=["sku"])
    with pytest.raises(ApiError, match="by: .*services.* Did you mean service"):
        await explain(LINES, by=["services"])


async def test_one_day_is_compared_with_its_weekday() -> None:
    answer = await explain(LINES, period="yesterday", by=["service"])
    assert (answer["after"]["from"], answer["before"]["from"]) == ("2026-09-20", "2026-09-13")


async def test_skus_are_matched_by_id_because_prices_are_in_descriptions() -> None:
    lines = [
        EARLIER,
        line("2026-07-03", "EC2", "$0.10 per hour", 10.0, 100.0, sku_id="box"),
        line("2026-08-03", "EC2", "$0.12 per hour", 12.0, 100.0, sku_id="box"),
    ]
    answer = await explain(lines, by=["sku"])
    (driver,) = answer["by"][0]["drivers"]
    assert (driver["id"], driver["name"], driver["byPrice"]) == ("box", "$0.12 per hour", 2.0)
    assert "status" not in driver and answer["causes"]["price"] == 2.0


async def test_commitments_are_a_cause() -> None:
    lines = [
        EARLIER,
        line("2026-07-03", "EC2", "Box", 200.0, 100.0, cost_type="Usage"),
        line("2026-08-03", "EC2", "Box", 80.0, 40.0, cost_type="Usage"),
        line("2026-08-03", "EC2", "Box", 0.0, 60.0, cost_type="DiscountedUsage"),
        line("2026-08-03", "EC2", "Reservation", 70.0, 744.0, cost_type="RIFee"),
    ]
    answer = await explain(lines)
    # 60 hours at 2 are covered, for 70.
    assert answer["causes"]["commitments"] == -50.0 and answer["total"]["change"] == -50.0
    assert all(answer["causes"][name] == 0.0 for name in ("usage", "price", "new", "gone", "untold"))
    box = next(driver for driver in answer["by"][3]["drivers"] if driver["name"] == "Box")
    assert box["byCommitments"] == -120.0 and box["byUsage"] == box["byPrice"] == 0.0


async def test_shares_of_a_small_net_change_are_null() -> None:
    lines = [EARLIER]
    for name, old, new in (("A", 1000.0, 0.0), ("B", 0.0, 1001.0)):
        lines += [line("2026-07-03", name, name, old, old / 10), line("2026-08-03", name, name, new, new / 10)]
    answer = await explain(lines, by=["service", "region"])
    service, region = answer["by"]
    assert [driver["share"] for driver in (*service["drivers"], service["other"])] == [None, None, None]
    assert [driver["share"] for driver in (*region["drivers"], region["other"])] == [100.0, 0.0]
    assert "share is null by service" in answer["note"] and "half" in answer["note"]


async def test_nothing_is_new_if_the_data_begin_later() -> None:
    with pytest.raises(ApiError, match="before: the data begins on 2026-06-30") as caught:
        await explain(LINES, after="2026-08", before="2026-05")
    assert caught.value.kind == "argument"
    with pytest.raises(ApiError, match="compareTo: the data begins on 2026-06-30"):
        await explain(LINES, period="2026-08", compareTo="2026-05")


async def test_a_period_that_the_data_cut_is_compared_per_day_and_nothing_is_new() -> None:
    answer = await explain(LINES[1:], by=["service"])
    # The data begins on the third of July.
    assert (answer["before"]["from"], answer["before"]["days"], answer["alignment"]) == ("2026-07-03", 29, "per_day")
    assert answer["total"]["changePercent"] is None and answer["total"]["perDayBefore"] == round(150 / 29, 2)
    assert "data begins on 2026-07-03" in answer["note"] and "nothing counts as new" in answer["note"]
    statuses = {driver["name"]: driver.get("status") for driver in answer["by"][0]["drivers"]}
    assert statuses == {"BigQuery": None, "Credits": None, "Old": "gone", "New": None}


@pytest.mark.parametrize("arguments", [{"after": "2026-12"}, {"period": "2027-Q1"}, {"before": "2026-10"}])
async def test_a_future_period_is_refused_in_favor_of_a_forecast(arguments: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="forecast_spend"):
        await explain(LINES, **arguments)


async def test_all_queries_are_sent_in_one_round_with_a_currency() -> None:
    label = {"id": "team", "type": "label", "values": ["data"]}
    own_lines = [line("2026-08-12", "EC2", "Box", 1.0, 1.0, cloud_provider="amazon-web-services", team="data")]
    api = Recorder(make_api({}, [*LINES, *own_lines]))
    await call("explain_cost_change", api, after="2026-08-10/2026-08-19", by=["sku"], cloud="aws", filters=[label])
    configs = [(request.body or {})["config"] for request in api.requests]
    assert {config["currency"] for config in configs} == {"USD"}
    *own, history = configs
    spans = [config["customTimeRange"]["from"][:10] for config in own]
    # By SKU and by cloud, before and after.
    assert spans == ["2026-07-31", "2026-07-31", "2026-08-10", "2026-08-10"]
    for config in own:
        assert config["timeRange"] == {"mode": "custom"} and config["timeInterval"] == "month"
        assert config["filters"][0] == label and config["filters"][1]["values"] == ["amazon-web-services"]
        assert TOOLS["run_query"].argument_problems({"query": config}) == []
    assert [metric["value"] for metric in own[0]["metrics"]] == ["cost", "usage"]
    assert [group["id"] for group in own[0]["group"]] == ["sku_id", "sku_description", "cost_type"]
    assert [group["id"] for group in own[1]["group"]] == ["cloud_provider"]
    # Whether the data begins earlier does not depend on the filters.
    assert "filters" not in history and history["timeInterval"] == "day"
    assert history["customTimeRange"]["from"][:10] == "2026-06-30"


async def test_credits_are_queried_and_are_a_cause_even_without_amounts() -> None:
    api = Recorder(make_api({}, LINES[:3]))
    answer = (await call("explain_cost_change", api, includeCredits=True))["structuredContent"]
    own = [(request.body or {})["config"] for request in api.requests[:-1]]
    assert own and all(config["includePromotionalCredits"] for config in own)
    assert answer["causes"]["credits"] == 0.0 and answer["basis"]["credits"] == "included"
    assert "credits" not in (await explain(LINES[:3]))["causes"]


async def structured(caller: Caller, **arguments: Any) -> Any:
    """Return the structured content of an explanation."""
    result: Any = await TOOLS["explain_cost_change"].run(caller, arguments)
    return structured_content(result)


async def test_a_handle_leads_to_all_drivers_one_dimension_at_a_time() -> None:
    caller = Caller(Recorder(make_api({}, LINES)))
    answer = await structured(caller, top=1, by=["service"])
    table: Any = await TOOLS["query_result"].run(caller, {"handle": answer["handle"], "sortBy": "change", "top": 2})
    assert table["rowCount"] == 5 and table["total"]["change"] == 117.5
    assert [row[1] for row in table["rows"]] == ["BigQuery", "New"]
    source = table["source"]
    assert source["tool"] == "explain_cost_change" and source["after"]["from"] == "2026-08-01"
    assert source["oneAtATime"] == "dimension"
    assert "handle" not in await structured(caller, top=25)


@pytest.mark.requirement("N10")
async def test_n10_a_handle_is_about_the_customer_that_an_employee_acts_for() -> None:
    caller = Caller(Recorder(make_api({}, LINES)))
    caller.customer_context = "acme"
    answer = await structured(caller, top=1, by=["service"])
    again: Any = await TOOLS["query_result"].run(caller, {"handle": answer["handle"]})
    assert again["rowCount"] == 5 and again["source"]["customer"] == "acme"
    caller.customer_context = "globex"
    with pytest.raises(ToolError, match="belongs to the customer acme"):
        await TOOLS["query_result"].run(caller, {"handle": answer["handle"]})


def make_failing_api(lines: list[Line], *columns: str) -> Recorder:
    """Return an API that refuses queries by these columns."""

    def answer(request: Request) -> Any:
        groups = [group["id"] for group in (request.body or {})["config"].get("group", ())]
        if groups and groups[0] in columns:
            return ApiError(f"no {groups[0]}", kind="refused", status=400)
        return make_api({}, lines)(request)

    return Recorder(answer)


async def test_a_dimension_that_fails_is_named_and_all_failing_is_an_error() -> None:
    answer = (await call("explain_cost_change", make_failing_api(LINES, "region")))["structuredContent"]
    assert answer["failed"] == [{"part": "region", "why": "no region (HTTP 400)"}]
    assert [dimension["dimension"] for dimension in answer["by"]] == ["service", "project", "sku"]
    with pytest.raises(ApiError, match="no region"):
        await call("explain_cost_change", make_failing_api(LINES, "region"), by=["region"])
    with pytest.raises(ApiError, match="service_description"):
        odd = {"result": {"schema": [{"name": "x"}], "rows": [[1]]}}
        await call("explain_cost_change", Recorder(odd), by=["service"])


async def test_totals_come_from_another_dimension_if_those_by_cloud_fail() -> None:
    answer = (await call("explain_cost_change", make_failing_api(LINES, "cloud_provider"), by=["sku"]))[
        "structuredContent"
    ]
    assert answer["total"]["change"] == 117.5 and answer["basis"]["timeZones"] == {}


async def test_an_unknown_history_is_named_and_costs_are_explained_all_the_same() -> None:
    def answer(request: Request) -> Any:
        daily = (request.body or {})["config"]["timeInterval"] == "day"
        return ApiError("no days", kind="refused", status=400) if daily else make_api({}, LINES)(request)

    result = (await call("explain_cost_change", Recorder(answer)))["structuredContent"]
    assert result["failed"] == [{"part": "history", "why": "no days (HTTP 400)"}] and result["total"]["change"] == 117.5


async def test_no_costs_are_not_a_zero_without_a_word() -> None:
    answer = await explain([EARLIER], after="2026-09-02", before="2026-09-01", by=["service"])
    assert answer["total"]["change"] == 0.0 and answer["total"]["changePercent"] is None
    assert answer["note"] == "Nothing had a cost in this period."
    assert answer["by"][0]["drivers"] == [] and answer["by"][0]["other"]["share"] is None


async def test_a_filter_that_matches_nothing_is_checked() -> None:
    dimension = {"id": "cloud_provider", "type": "fixed", "values": [{"value": "google-cloud"}]}
    api = Recorder(make_api({"/dimension": dimension}, LINES))
    with pytest.raises(ApiError, match='no cloud "oracle".*google-cloud'):
        await call("explain_cost_change", api, cloud="oracle")


async def test_long_lists_are_not_called_new_or_gone() -> None:
    lines = [EARLIER, *(line("2026-07-03", f"s{number}", "x", 1.0, 1.0) for number in range(1000))]
    lines += [line("2026-08-03", "other", "x", 5000.0, 1.0)]
    api = Recorder(make_api({}, lines))
    answer = (await call("explain_cost_change", api, by=["service"], top=1))["structuredContent"]
    # By service and by SKU for both periods, and the history; the SKUs are a complete list, so they have the totals.
    assert len(api.requests) == 5 and answer["total"]["change"] == 4000.0
    assert "status" not in answer["by"][0]["drivers"][0]


async def test_totals_are_asked_if_all_lists_are_too_long() -> None:
    lines = [EARLIER, *(line("2026-07-03", f"s{number}", f"x{number}", 1.0, 1.0) for number in range(1000))]
    api = Recorder(make_api({}, lines))
    answer = (await call("explain_cost_change", api, by=["service"], top=1))["structuredContent"]
    assert len(api.requests) == 7 and answer["total"]["change"] == -1000.0


async def test_causes_do_not_need_the_dimension_sku() -> None:
    whole = await explain(LINES)
    answer = await explain(LINES, by=["cloud"])
    assert [dimension["dimension"] for dimension in answer["by"]] == ["cloud"]
    assert (answer["causes"], answer["priceDrivers"]) == (whole["causes"], whole["priceDrivers"])
    assert answer["priceDrivers"] == [{"id": "analysis", "name": "Analysis", "amount": 40.0}]
    failed = (await call("explain_cost_change", make_failing_api(LINES, "sku_id"), by=["cloud"]))["structuredContent"]
    assert "causes" not in failed and failed["failed"] == [{"part": "sku", "why": "no sku_id (HTTP 400)"}]
    with pytest.raises(ApiError, match="no region"):
        await call("explain_cost_change", make_failing_api(LINES, "region"), by=["region"])


async def test_odd_skus_only_fail_what_needs_them() -> None:
    def answer(request: Request) -> Any:
        groups = [group["id"] for group in (request.body or {})["config"].get("group", ())]
        odd = {"result": {"schema": [{"name": "cost"}], "rows": [[1]]}}
        return odd if groups[:1] == ["sku_id"] else make_api({}, LINES)(request)

    result = (await call("explain_cost_change", Recorder(answer), by=["cloud"]))["structuredContent"]
    assert result["total"]["change"] == 117.5 and "causes" not in result
    assert result["failed"][0]["part"] == "sku" and "no columns sku_id" in result["failed"][0]["why"]
    with pytest.raises(ApiError, match="no columns sku_id"):
        await call("explain_cost_change", Recorder(answer), by=["sku"])


def test_periods_that_are_wanted() -> None:
    today = date(2026, 3, 5)

    def days(after: str | None, before: str | None = None) -> list[str]:
        periods = parse_periods(("after", after), ("before", before), today)
        return [
            day.isoformat()
            for side in (periods.before, periods.after)
            for day in (side.elapsed.first, side.elapsed.last)
        ]

    assert days(None) == ["2026-01-01", "2026-01-31", "2026-02-01", "2026-02-28"]
    assert days("2026-03-01/2026-03-05") == ["2026-02-24", "2026-02-28", "2026-03-01", "2026-03-05"]
    assert days("2026-02", "2025-02") == ["2025-02-01", "2025-02-28", "2026-02-01", "2026-02-28"]
    assert days("this month") == ["2026-02-01", "2026-02-05", "2026-03-01", "2026-03-05"]
    # Both begin on the first: what counts is where the days that are compared end.
    assert days("2026-03", "2026-02") == ["2026-02-01", "2026-02-05", "2026-03-01", "2026-03-05"]
    with pytest.raises(ApiError, match="before: must end"):
        days("2026-02", "2026-02-01/2026-02-03")


def test_an_argument_has_one_of_two_names() -> None:
    assert choose_argument(after=None, period=None) == ("after", None)
    assert choose_argument(after=None, period="mtd") == ("period", "mtd")
    with pytest.raises(ApiError, match="Only one of after and period"):
        choose_argument(after="mtd", period="mtd")
