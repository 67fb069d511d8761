"""Questions that once got misleading answers: wrong zeros, unequal periods, labels of the wrong currency."""

from __future__ import annotations

import re
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import ACME, CUSTOMERS, GLOBEX, UMBRA, Customer

from .world import World, ordinal

COST = {"type": "basic", "value": "cost"}
THIS_MONTH = {"mode": "current", "unit": "month"}
REGULAR_EXPRESSION = re.compile(r"\\d|\^|\[0-9\]|does not match")


def by_month(**more: Any) -> dict[str, Any]:
    """Return the config of this month's cost."""
    return {
        "dataSource": "billing",
        "metrics": [COST],
        "timeInterval": "month",
        "timeRange": THIS_MONTH,
        **more,
    }


def condition(identifier: str, value: str, **more: Any) -> dict[str, Any]:
    """Return a filter on one value of a fixed dimension."""
    return {"id": identifier, "type": "fixed", "values": [value], **more}


@pytest.mark.parametrize(
    "wanted, nearest",
    [
        (condition("service_description", "Amazon EC2"), "Amazon Elastic Compute Cloud"),
        (condition("service_description", "bigquery"), "BigQuery"),
        # The API ignores caseInsensitive for whole values, as its document says.
        (condition("service_description", "BigQuery", caseInsensitive=True), '"mode": "contains"'),
        (condition("project_id", "acme-production"), "111122223333"),
        (condition("cloud_provider", "amazon"), None),
    ],
)
async def test_query_names_the_nearest_value_of_an_unknown_filter(
    november: World, wanted: dict[str, Any], nearest: str | None
) -> None:
    if nearest is None:
        assert (await november.ask("run_query", config=by_month(filters=[wanted])))["rows"]
        return
    assert nearest in await november.refusal("run_query", config=by_month(filters=[wanted]))


@pytest.mark.parametrize(
    "tool, arguments",
    [
        ("cost_breakdown", {"groupBy": "service", "cloud": "oracle"}),
        ("forecast_spend", {"cloud": "nosuch"}),
        ("cost_trend", {"cloud": "oracle"}),
        ("compare_spend", {"period": "this_month", "cloud": "oracle"}),
        ("explain_cost_change", {"cloud": "oracle"}),
    ],
)
async def test_unknown_cloud_is_refused_with_the_clouds_in_the_data(
    november: World, tool: str, arguments: dict[str, Any]
) -> None:
    text = await november.refusal(tool, **arguments)
    assert all(cloud in text for cloud in ("amazon-web-services", "google-cloud", "microsoft-azure"))


async def test_budget_whose_scope_matches_nothing_is_refused(november: World) -> None:
    text = await november.refusal(
        "create_budget",
        name="Compute",
        amount=1000,
        currency="USD",
        type="recurring",
        timeInterval="month",
        startPeriod="2026-11-01",
        scopes=[condition("service_description", "Amazon EC2", mode="is")],
    )
    assert "Amazon Elastic Compute Cloud" in text
    budgets = await november.ask("list_budgets")
    assert "Compute" not in [budget["budgetName"] for budget in budgets["budgets"]]


async def test_running_month_is_compared_with_as_many_days(november: World) -> None:
    span = {"from": "2026-10-01", "to": "2026-10-31"}
    answer = await november.ask("compare_spend", period1Months=1, period2=span)
    now, then = november.cost("2026-11-01", "2026-11-28"), november.cost("2026-10-01", "2026-10-28")
    assert answer["period1"]["days"] == answer["period2"]["days"] == 28
    assert answer["period2"]["to"] == "2026-10-28" and answer["alignment"] == "same_days"
    assert (answer["total"]["period1"], answer["total"]["period2"]) == (now, then)
    assert answer["total"]["changePercent"] == round(100 * (now - then) / then, 1)


async def test_change_of_the_running_month_is_explained_like_for_like(november: World) -> None:
    answer = await november.ask("explain_cost_change", after="2026-11")
    now, then = november.cost("2026-11-01", "2026-11-28"), november.cost("2026-10-01", "2026-10-28")
    total = answer["total"]
    assert (total["before"], total["after"], answer["alignment"]) == (then, now, "same_days")
    assert total["changePercent"] == round(100 * (now - then) / then, 1)
    assert total["perDayAfter"] == round(now / 28, 2)
    assert answer["after"]["complete"] is False and answer["after"]["finalThrough"] == "2026-11-25"
    assert round(sum(answer["causes"].values()), 2) == total["change"] == round(now - then, 2)


async def test_trend_compares_the_running_month_like_for_like(november: World) -> None:
    answer = await november.ask("cost_trend")
    running = answer["months"][-1]
    now, then = november.cost("2026-11-01", "2026-11-28"), november.cost("2026-10-01", "2026-10-28")
    assert running["period"] == "2026-11" and running["changePercent"] is None
    assert running["likeForLike"] == {
        "before": then,
        "after": now,
        "changePercent": round(100 * (now - then) / then, 1),
        "days": "2026-10-01/2026-10-28",
        # The last three days are not final.
        "final": {
            "to": "2026-11-25",
            "before": november.cost("2026-10-01", "2026-10-25"),
            "after": november.cost("2026-11-01", "2026-11-25"),
            "changePercent": 1.5,
        },
    }
    assert "Costs of the last 3 days are still arriving" in answer["note"]


async def test_every_cost_answer_states_the_currency_it_asked_for(november: World) -> None:
    euro = next(customer for customer in CUSTOMERS if customer.currency == "EUR")
    answer = await november.call("cost_breakdown", {"groupBy": "cloud"}, customer=euro)
    content = answer["structuredContent"]
    configs = november.query_configs
    assert content["currency"] == "EUR"
    assert configs and {"EUR"} >= {configs[-1]["currency"]}
    in_dollars = november.sql(
        "SELECT SUM(cost) FROM lines JOIN series USING (series) WHERE cost_type <> 'credit' AND day BETWEEN ? AND ?",
        ordinal("2026-11-01"),
        ordinal("2026-11-28"),
        customer=euro,
    )[0][0]
    assert abs(content["total"]["all"] - in_dollars / 1e6 * 0.87) < 0.02


@pytest.mark.parametrize("customer", [ACME, GLOBEX, UMBRA], ids=lambda customer: customer.currency)
async def test_an_api_token_gets_the_currency_of_its_customer(november: World, customer: Customer) -> None:
    """The token does not tell the customer's id, so the settings cannot be read."""
    answer = await november.call("cost_breakdown", {"groupBy": "cloud"}, customer, tenant="")
    assert answer["structuredContent"]["currency"] == november.query_configs[-1]["currency"] == customer.currency


async def test_nothing_is_new_when_the_data_begin_later(november: World) -> None:
    begin = november.sql("SELECT MIN(day) FROM lines")[0][0]
    assert begin == ordinal("2025-10-01")
    text = await november.refusal("explain_cost_change", after="2026-09", before="2025-09")
    assert "2025-10-01" in text


@pytest.mark.parametrize(
    "tool, arguments",
    [
        ("explain_cost_change", {"after": "2026-12"}),
        ("cost_breakdown", {"groupBy": "service", "period": "2026-12"}),
        ("compare_spend", {"period": "2027-Q1"}),
    ],
)
async def test_future_is_refused_in_favor_of_the_forecast(
    november: World, tool: str, arguments: dict[str, Any]
) -> None:
    assert "forecast_spend" in await november.refusal(tool, **arguments)


async def test_totals_of_an_explanation_take_one_dimension_at_a_time(november: World) -> None:
    explained = await november.ask("explain_cost_change", after="2026-10", top=1)
    whole = await november.ask("query_result", handle=explained["handle"])
    assert "change" not in whole["total"]
    one = await november.ask(
        "query_result",
        handle=explained["handle"],
        filters=[{"column": "dimension", "op": "is", "values": ["service"]}],
    )
    assert round(one["total"]["after"], 2) == explained["total"]["after"] == november.cost("2026-10-01", "2026-10-31")


async def test_savings_are_three_lists_on_one_basis_each(november: World) -> None:
    answer = await november.ask("get_savings_summary", top=50)
    shortfalls = [row for row in answer["at_stake"] if "periodEnds" in row]
    anomalies = [row for row in answer["at_stake"] if "periodEnds" not in row]
    for rows in (answer["save"], answer["waste"], shortfalls, anomalies):
        amounts = [row["amount"] for row in rows if row["currency"] == "USD"]
        assert amounts == sorted(amounts, reverse=True)
        assert all({"id", "title", "amount", "currency"} <= set(row) for row in rows)
    assert any("purchase" in row["id"] for row in answer["save"]), [row["id"] for row in answer["save"]]
    assert shortfalls and all(re.fullmatch(r"\d{4}-\d\d-\d\d", row["periodEnds"]) for row in shortfalls)


async def test_report_says_which_days_it_covers_and_which_months_are_cut(november: World) -> None:
    answer = await november.ask("get_report_results", name="Cost by team", timeRange="P1M")
    period = answer["period"]
    assert period["to"] == "2026-11-28" and period["from"] > "2026-10-01"
    assert "2026-10" in str(answer.get("partial", answer))


async def test_limited_query_states_the_total(november: World) -> None:
    limit = {"metric": COST, "sort": "desc", "value": 3}
    group = [{"id": "service_description", "type": "fixed", "limit": limit}]
    answer = await november.ask("run_query", config=by_month(group=group))
    assert answer["limited"] is True and len(answer["rows"]) == 3
    assert answer["total"]["cost"] == november.cost("2026-11-01", "2026-11-28")


async def test_usage_of_mixed_units_is_refused(november: World) -> None:
    text = await november.refusal("run_query", config=by_month(metrics=[{"type": "basic", "value": "usage"}]))
    assert "unit" in text and "sku" in text.lower()


@pytest.mark.parametrize(
    "tool, arguments",
    [
        ("explain_cost_change", {"after": "the last month"}),
        ("cost_breakdown", {"groupBy": "service", "period": "Novembre"}),
        ("get_report_results", {"name": "Cost by team", "startDate": "soon", "endDate": "later"}),
        ("get_report_results", {"name": "Cost by team", "timeRange": "a month or so"}),
        ("compare_spend", {"period": "this mont"}),
    ],
)
async def test_errors_about_periods_show_what_is_accepted(
    november: World, tool: str, arguments: dict[str, Any]
) -> None:
    text = await november.refusal(tool, **arguments)
    assert not REGULAR_EXPRESSION.search(text), text
    assert re.search(r"2026-|YYYY-MM|last_", text), text


@pytest.mark.parametrize("words", ["last month", "Last_Month", "last-month", "2026-10", "2026-10-01/2026-10-31"])
async def test_period_in_words_is_the_month(november: World, words: str) -> None:
    answer = await november.ask("cost_breakdown", groupBy="service", period=words)
    assert (answer["period"]["from"], answer["period"]["to"]) == ("2026-10-01", "2026-10-31")
    assert answer["total"]["all"] == november.cost("2026-10-01", "2026-10-31")


async def test_unknown_dimension_is_refused_with_the_nearest(november: World) -> None:
    text = await november.refusal("run_query", config=by_month(group=[{"id": "Team", "type": "label"}]))
    assert "team" in text


async def test_unknown_report_is_refused_with_candidates(november: World) -> None:
    assert "Forecast" in await november.refusal("get_report_results", name="forecst")


async def test_budgets_agree_on_status_and_forecast(november: World) -> None:
    listed = {budget["id"]: budget for budget in (await november.ask("list_budgets"))["budgets"]}
    forecast = {budget["id"]: budget for budget in (await november.ask("forecast_spend"))["budgets"]}
    assert {budget["status"] for budget in listed.values()} <= {"exceeded", "at_risk", "on_track", "unknown"}
    for identifier, budget in listed.items():
        assert budget["status"] != "at_risk" or budget["percentUsed"] <= 100
        assert budget["status"] != "exceeded" or re.fullmatch(r"2026-\d\d-\d\d", budget["exceededOn"])
        detail = await november.ask("get_budget", id=identifier)
        assert detail["forecastedUtilization"] == budget["forecastedUtilization"]
        if identifier in forecast:
            assert forecast[identifier]["expected"] == budget["forecastedUtilization"]
        assert not re.search(r"\b1[678]\d{8}(\d{3})?\b", str(detail)), "epoch dates"
