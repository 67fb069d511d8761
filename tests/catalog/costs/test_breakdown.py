"""Cost breakdown: the queries it sends, what it states, and the sums of its answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.amounts import amount_as_json
from doit_mcp.catalog.costs.answers import CostAnswer, CostRequest
from doit_mcp.catalog.costs.breakdown import make_breakdown
from doit_mcp.catalog.costs.group_costs import CostRow
from doit_mcp.catalog.costs.groups import find_fixed_group
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.periods.grammar import last_months
from doit_mcp.catalog.periods.period import utc_date
from doit_mcp.catalog.tables import row_months
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import Caller, call, run
from ..conftest import Ask

EC2 = {"service_description": "EC2", "cloud_provider": "amazon-web-services", "project_id": "1", "project_name": "prod"}
S3 = {**EC2, "service_description": "S3", "project_id": "2", "project_name": "logs"}
BQ = {**EC2, "service_description": "BigQuery", "cloud_provider": "google-cloud"}
LINES: list[Line] = [
    ("2026-07-31", EC2, 1000.0, 1.0),
    ("2026-08-05", EC2, 2.005, 1.0),
    ("2026-09-05", EC2, 2.0, 1.0),
    ("2026-08-05", S3, 1.111, 1.0),
    ("2026-09-05", BQ, 57.5, 1.0),
    ("2026-10-01", EC2, 1000.0, 1.0),
]


async def test_it_asks_for_groups_and_the_total_of_exactly_the_period() -> None:
    api = Recorder(make_api({}, LINES))
    breakdown = (await call("cost_breakdown", api, groupBy="service", cloud="AWS", months="2", topN=1))[
        "structuredContent"
    ]
    configs = [(request.body or {})["config"] for request in api.requests]
    same = {
        "dataSource": "billing",
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeInterval": "month",
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-08-01T00:00:00Z", "to": "2026-09-21T23:59:59Z"},
        "filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["amazon-web-services"]}],
        "currency": "USD",
    }
    limit = {"metric": {"type": "basic", "value": "cost"}, "sort": "desc", "value": 25}
    assert configs == [
        {**same, "group": [{"id": "cloud_provider", "type": "fixed"}]},
        {**same, "group": [{"id": "service_description", "type": "fixed", "limit": limit}]},
    ]
    # The bill of this test has no limits, so the tool cuts.
    assert breakdown["groups"] == [{"id": "EC2", "name": "EC2", "cost": 4.01, "sharePercent": 78.3}]
    assert breakdown["total"] == {"shown": 4.01, "other": 1.11, "otherSharePercent": 21.7, "all": 5.12}
    assert breakdown["rows"] == [["EC2", "2026-08", 2.01], ["EC2", "2026-09", 2.0]] and breakdown["rowCount"] == 2
    assert [column["name"] for column in breakdown["columns"]] == ["service_description", "period", "cost"]


async def test_it_states_period_currency_and_basis() -> None:
    breakdown = await run("cost_breakdown", Recorder(make_api({}, LINES)), period="2026-08/2026-09", currency="eur")
    assert breakdown["period"] == {
        **{"from": "2026-08-01", "to": "2026-09-21", "days": 52},
        **{"complete": False, "finalThrough": "2026-09-18"},
    }
    assert breakdown["currency"] == "EUR"
    zones = {"amazon-web-services": "UTC", "google-cloud": "America/Los_Angeles"}
    assert breakdown["basis"] == {"metric": "cost", "credits": "excluded", "timeZones": zones}
    arriving = "Costs of the last 3 days are still arriving: days after 2026-09-18 are not final."
    assert breakdown["note"] == arriving and "failed" not in breakdown


async def test_the_currency_is_sent_and_is_the_asked_one_or_the_customers_own() -> None:
    def answer(request: Request) -> Any:
        customer = {"id": "acme", "settings": {"currency": "GBP"}}
        return customer if "customers" in request.path else make_api({}, LINES)(request)

    api = Recorder(answer)
    api.tenant = "acme"
    own = (await call("cost_breakdown", api, groupBy="cloud"))["structuredContent"]
    assert own["currency"] == "GBP"
    sent = [request.body["config"]["currency"] for request in api.requests if request.body]
    # The query in US dollars that begins meanwhile is canceled, often before it is sent.
    assert sent[-1] == "GBP" and sent[:-1] in ([], ["USD"])
    api = Recorder(answer)
    api.tenant = "acme"
    asked = (await call("cost_breakdown", api, groupBy="cloud", currency="eur"))["structuredContent"]
    assert asked["currency"] == "EUR" and [request.path for request in api.requests] == ["/analytics/v1/reports/query"]


@pytest.mark.parametrize(
    "customer", [ApiError("", kind="forbidden", status=403), {}, {"settings": {"currency": "XXX"}}]
)
async def test_without_a_known_currency_dollars_are_asked_for_and_stated(customer: Any) -> None:
    def answer(request: Request) -> Any:
        return customer if "customers" in request.path else make_api({}, LINES)(request)

    query = {"metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month"}
    for tenant in ("acme", ""):
        for name, arguments in (("cost_breakdown", {"groupBy": "cloud"}), ("run_query", {"config": query})):
            api = Recorder(answer)
            api.tenant = tenant
            assert (await call(name, api, **arguments))["structuredContent"]["currency"] == "USD"
            assert all(request.body["config"]["currency"] == "USD" for request in api.requests if request.body)


async def test_by_cloud_one_query_is_enough() -> None:
    api = Recorder(make_api({}, LINES))
    breakdown = (await call("cost_breakdown", api, groupBy="cloud", months=2))["structuredContent"]
    assert len(api.requests) == 1 and "limit" not in (api.requests[0].body or {})["config"]["group"][0]
    assert [group["cost"] for group in breakdown["groups"]] == [57.5, 5.12] and breakdown["total"]["other"] == 0.0


async def test_projects_have_names_beside_their_ids() -> None:
    breakdown = await run("cost_breakdown", Recorder(make_api({}, LINES)), groupBy="project", months=2)
    assert [(group["id"], group["name"]) for group in breakdown["groups"]] == [("1", "prod"), ("2", "logs")]
    assert breakdown["rows"][0] == ["1", "prod", "2026-08", 2.01]


async def test_two_dimensions_are_nested_and_add_up(ask: Ask) -> None:
    one = await ask("cost_breakdown", groupBy="service", period="last_month", topN=3)
    two = await ask("cost_breakdown", groupBy=["service", "project"], period="last_month", topN=3)
    assert two["total"] == one["total"]
    for group, alone in zip(two["groups"], one["groups"]):
        assert {name: group[name] for name in alone} == alone
        parts = group["groups"]
        assert sum(part["cost"] for part in parts) + group["other"] == pytest.approx(group["cost"], abs=0.001)
        assert len(parts) <= 3 and [part["cost"] for part in parts] == sorted(part["cost"] for part in parts)[::-1]
    cells = {(row[0], row[1]): row[4] for row in two["rows"]}
    shown = {(group["id"], part["id"]): part["cost"] for group in two["groups"] for part in group["groups"]}
    assert cells == shown


@pytest.mark.parametrize("group_by", ["region", "sku", "label:team", "label:Team"])
async def test_every_dimension_has_the_same_total(ask: Ask, group_by: str) -> None:
    by_cloud = await ask("cost_breakdown", groupBy="cloud", period="2026-08")
    breakdown = await ask("cost_breakdown", groupBy=group_by, period="2026-08")
    assert breakdown["total"]["all"] == by_cloud["total"]["all"]
    shares = [*(group["sharePercent"] for group in breakdown["groups"]), breakdown["total"]["otherSharePercent"]]
    assert sum(shares) == pytest.approx(100, abs=0.001)


async def test_an_allocation_splits_the_whole_cost(ask: Ask) -> None:
    rows = (await ask("list_allocations"))["allocations"]
    name = next(row["name"] for row in rows if row["allocationType"] == "group")
    breakdown = await ask("cost_breakdown", groupBy=f"allocation:{name}", period="2026-08")
    by_cloud = await ask("cost_breakdown", groupBy="cloud", period="2026-08")
    assert breakdown["total"]["all"] == by_cloud["total"]["all"] and len(breakdown["groups"]) > 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"cloud": "oracle"}, "Clouds with costs: .*amazon-web-services"),
        ({"filters": [{"id": "service_description", "values": ["Amazon EC2"]}]}, "Amazon Elastic Compute Cloud"),
        # The other value has costs, so the answer would not be empty.
        ({"filters": [{"id": "service_description", "values": ["BigQuery", "Amazon EC2"]}]}, "Elastic Compute Cloud"),
        ({"filters": [{"id": "Team", "type": "label", "values": ["data"]}]}, '"team"'),
        ({"filters": [{"id": "team", "type": "label", "values": ["dat"]}]}, '"data"'),
        ({"groupBy": "label:teem"}, "label:team"),
        ({"period": "2030"}, "forecast_spend"),
        ({"period": "last_month", "months": 2}, "months: cannot be combined"),
    ],
)
async def test_what_does_not_exist_is_an_error_that_names_the_nearest(
    ask: Ask, arguments: dict[str, Any], hint: str
) -> None:
    with pytest.raises(ApiError, match=hint) as caught:
        await ask("cost_breakdown", **arguments)
    assert caught.value.kind == "argument"


async def test_a_known_value_without_cost_is_zero_and_says_so(ask: Ask) -> None:
    filters = [
        {"id": "service_description", "values": ["BigQuery"]},
        {"id": "cloud_provider", "values": ["amazon-web-services"]},
    ]
    breakdown = await ask("cost_breakdown", filters=filters, period="last_month")
    assert breakdown["total"]["all"] == 0.0 and breakdown["groups"] == []
    assert breakdown["note"] == "Nothing matches cloud and filters together in this period."


async def test_costs_before_the_data_are_unknown(ask: Ask) -> None:
    early = await ask("cost_breakdown", period="2021-05")
    assert early["total"]["all"] is None and early["note"].startswith("The data begins on ")
    start = early["note"].split()[4].rstrip(":")
    late = await ask("cost_breakdown", period=f"{int(start[:4]) - 1}-12-01/{start[:4]}-12-31")
    assert late["total"]["all"] > 0 and late["note"] == f"The data begins on {start}."


async def test_a_value_that_cannot_be_checked_is_said() -> None:
    def answer(request: Request) -> Any:
        return make_api({}, LINES)(request) if request.body else ApiError("", kind="forbidden", status=403)

    filters = [{"id": "service_description", "values": ["Lambda"]}]
    recorder = Recorder(lambda request: answer(request))
    no_lambda = [line for line in LINES if line[1]["service_description"] == "Lambda"]
    assert no_lambda == []
    breakdown = await run("cost_breakdown", recorder, filters=filters)
    assert breakdown["total"]["all"] == 0.0 and "was not checked" in breakdown["note"]


@pytest.mark.parametrize("second", [ApiError("", kind="timeout"), {"result": {"schema": [], "rows": [[]]}}])
async def test_a_total_that_fails_is_not_known(second: Any) -> None:
    def answer(request: Request) -> Any:
        by_cloud = (request.body or {})["config"]["group"][0]["id"] == "cloud_provider"
        return second if by_cloud else make_api({}, LINES)(request)

    breakdown = (await call("cost_breakdown", Recorder(answer), groupBy="service", months=2))["structuredContent"]
    assert breakdown["total"] == {"shown": 62.62, "other": None, "otherSharePercent": None, "all": None}
    assert breakdown["groups"][0]["sharePercent"] is None
    assert [part["part"] for part in breakdown["failed"]] == ["total"]


@pytest.mark.parametrize(
    "columns", [["x", "y"], ["service_description", "cost"], ["service_description", "year", "month"]]
)
async def test_an_answer_without_the_columns_is_an_error_and_not_zero(columns: list[str]) -> None:
    odd: dict[str, Any] = {"schema": [{"name": name} for name in columns], "rows": [["1", "2", "3"][: len(columns)]]}
    with pytest.raises(ApiError, match="the result has no column") as caught:
        await run("cost_breakdown", Recorder({"result": odd}), groupBy="service")
    assert caught.value.kind == "answer"


def test_months_are_read_in_both_forms() -> None:
    columns = [{"name": "year"}, {"name": "month"}]
    rows = [["2026", "2026-11"], [2025, 2], ["short"]]
    assert row_months({"columns": columns, "rows": rows}) == ["2026-11", "2025-02"]
    assert (
        row_months({"columns": columns, "rows": []}) == [] == row_months({"columns": columns[:1], "rows": [["2026"]]})
    )


COSTS = st.decimals(-(10**6), 10**6, places=6)


@given(
    costs=st.lists(st.tuples(st.sampled_from("abcdef"), COSTS), max_size=30),
    top=st.integers(1, 5),
    currency=st.sampled_from(["USD", "JPY"]),
)
def test_parts_always_sum_to_the_total(costs: list[tuple[str, Decimal]], top: int, currency: str) -> None:
    request = CostRequest(
        Scope(), last_months(1, utc_date(Caller(Recorder()).now)), (find_fixed_group("service"),), top
    )
    rows = [CostRow((name,), (name,), "2026-09", cost) for name, cost in costs]
    total = [CostRow(("aws",), ("aws",), "2026-09", cost) for _, cost in costs]
    breakdown = make_breakdown(request, CostAnswer(rows, total), currency).structured
    places = 0 if currency == "JPY" else 2
    exact = sum((cost for _, cost in costs), Decimal(0))
    assert breakdown["total"]["all"] == amount_as_json(exact, currency)
    parts = [Decimal(repr(group["cost"])) for group in breakdown["groups"]]
    shown, other, everything = (Decimal(repr(breakdown["total"][name])) for name in ("shown", "other", "all"))
    assert sum(parts, Decimal(0)) == shown and shown + other == everything == round(everything, places)
    # Where everything is a credit, the largest one comes first.
    only_credits = all(sum(cost for own, cost in costs if own == name) <= 0 for name, _ in costs)
    assert len(parts) <= top and parts == sorted(parts, reverse=not only_credits)
    if everything:
        shares = [group["sharePercent"] for group in breakdown["groups"]] + [breakdown["total"]["otherSharePercent"]]
        assert sum(round(10 * share) for share in shares) == 1000
