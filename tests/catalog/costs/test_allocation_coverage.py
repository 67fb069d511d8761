"""Allocation coverage: amounts that add up, owners of what is missing, and figures that match the billing lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs.allocation_coverage import CoverageRows, guess_values, make_coverage
from doit_mcp.catalog.costs.group_costs import CostRow
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder

from ..caller import call
from ..conftest import Ask

CENT = Decimal("0.01")


def row(*ids: str | None, cost: str) -> CostRow:
    return CostRow(ids, ids, "2026-08", Decimal(cost))


AMOUNT = st.decimals("-50", "5000", places=6)
VALUE = st.sampled_from([None, "", "[team N/A]", "platform", "data"])


@given(st.lists(st.tuples(VALUE, st.sampled_from("pqr"), AMOUNT), max_size=30), st.integers(1, 4))
def test_parts_add_up_to_the_cent(lines: list[tuple[str | None, str, Decimal]], top: int) -> None:
    rows = CoverageRows(
        [CostRow((value, project, "aws"), (value, project, "aws"), "2026-08", cost) for value, project, cost in lines],
        None,
        None,
    )
    found = make_coverage(rows, top, "USD")
    amounts = {name: Decimal(str(found[name])) for name in ("total", "covered", "gap", "other")}
    assert amounts["covered"] + amounts["gap"] == amounts["total"]
    assert sum((Decimal(str(owner["cost"])) for owner in found["owners"]), amounts["other"]) == amounts["gap"]
    exact = sum((cost for value, _, cost in lines if value not in ("platform", "data")), Decimal(0))
    assert abs(amounts["gap"] - exact) <= CENT / 2
    assert len(found["owners"]) <= top and (found["gapPercent"] is None) == (amounts["total"] <= 0)


def test_likely_value_is_that_of_most_covered_cost_of_the_project() -> None:
    by_project = [
        row("platform", "p", "aws", cost="60"),
        row("data", "p", "aws", cost="40"),
        row(None, "p", "aws", cost="500"),
        row("platform", "q", "aws", cost="50"),
        row("data", "q", "aws", cost="50"),
        row("No team", "r", "aws", cost="5"),
    ]
    assert guess_values(CoverageRows(by_project, None, "No team")) == {"p": "platform"}
    found = make_coverage(CoverageRows(by_project, [row("p", "EC2", cost="500")], None), 5, "USD")
    assert found["owners"][0]["likely"] == "platform" and found["owners"][0]["service"] == "EC2"


def test_rounding_follows_the_currency() -> None:
    rows = CoverageRows([row(None, "p", "aws", cost="1000.5"), row("x", "p", "aws", cost="999.4")], None, None)
    found = make_coverage(rows, 5, "JPY")
    assert (found["total"], found["gap"], found["covered"]) == (2000.0, 1001.0, 999.0)


def answering(request: Request) -> Any:
    """An API without the costs by service."""
    if request.path.endswith("dimensions"):
        return {
            "dimensions": [
                {"id": "team", "type": "label"},
                {"id": "team", "type": "tag"},
                {"id": "env", "type": "label"},
            ]
        }
    config = (request.body or {})["config"]
    names = [*(group["id"] for group in config["group"]), "year", "month", "cost"]
    if config.get("filters"):
        return ApiError("", kind="timeout")
    rows = [
        [None, "p", "Project", "amazon-web-services", "2026", "08", 10.0],
        ["x", "p", "Project", "amazon-web-services", "2026", "08", 30.0],
    ]
    return {"result": {"schema": [{"name": name, "type": "string"} for name in names], "rows": rows}}


async def test_owners_are_projects_if_services_cannot_be_read() -> None:
    found = (await call("allocation_coverage", Recorder(answering), by="env"))["structuredContent"]
    assert (found["gap"], found["gapPercent"]) == (10.0, 25.0)
    assert found["owners"] == [
        {"project": {"id": "p", "name": "Project"}, "service": None, "cost": 10.0, "sharePercent": 100.0, "likely": "x"}
    ]
    assert found["failed"] == [{"part": "services", "why": "the request timed out"}]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("team", 'Did you mean "label:team", "tag:team"'),
        ("teem", 'Did you mean "label:team", "tag:team"'),
        ("service", "list_dimensions"),
        ("service:EC2", "list_dimensions"),
        ("label:Owner", 'Available: "label:env", "label:team", "tag:team"|Did you mean'),
        ("label:", "label:KEY, tag:KEY or allocation:NAME"),
    ],
)
async def test_errors_name_the_nearest_labels(by: str, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        await call("allocation_coverage", Recorder(answering), by=by)


def sum_billed(api: Api, column: str, first: str, last: str) -> dict[tuple[Any, ...], Decimal]:
    """Return the cost of each value, project and service in dollars."""
    days = (date.fromisoformat(day).toordinal() for day in (first, last))
    sums = api.tenant(ACME).ledger.sums((column, "project_id", "service_description"), *days)
    return {tuple(sum_[:3]): Decimal(int(sum_[3] or 0)) / 1_000_000 for sum_ in sums}


@pytest.mark.parametrize(
    ("by", "column"), [("label:team", "label_team"), ("label:env", "label_env"), ("allocation:Teams", "label_team")]
)
async def test_gap_and_owners_match_the_billing_lines(ask: Ask, witness: Api, by: str, column: str) -> None:
    found = await ask("allocation_coverage", by=by, period="2026-08", topN=3)
    lines = sum_billed(witness, column, "2026-08-01", "2026-08-31")
    gap = {key[1:]: cost for key, cost in lines.items() if key[0] is None}
    assert Decimal(str(found["total"])) == round(sum(lines.values()), 2)
    assert Decimal(str(found["gap"])) == round(sum(gap.values()), 2) > 0
    assert found["gapPercent"] == round(100 * float(sum(gap.values()) / sum(lines.values())), 1)
    largest = sorted(gap, key=lambda key: -gap[key])[:3]
    assert [(owner["project"]["id"], owner["service"]) for owner in found["owners"]] == largest
    assert [Decimal(str(owner["cost"])) for owner in found["owners"]] == [round(gap[key], 2) for key in largest]
    assert all(owner["project"]["name"] for owner in found["owners"])


@pytest.mark.parametrize("by", ["label:team", "allocation:Teams"])
async def test_fees_are_the_part_of_the_gap_that_labels_cannot_cover(ask: Ask, witness: Api, by: str) -> None:
    found = await ask("allocation_coverage", by=by, period="2026-08")
    days = (date(2026, 8, 1).toordinal(), date(2026, 8, 31).toordinal())
    sums = witness.tenant(ACME).ledger.sums(("label_team", "cost_type"), *days)
    no_resource = ("Fee", "RIFee", "SavingsPlanRecurringFee", "Tax", "tax", "Refund")
    fees = sum(int(cost or 0) for team, kind, cost, *_ in sums if team is None and kind in no_resource)
    assert Decimal(str(found["fees"])) == round(Decimal(fees) / 1_000_000, 2) > 0
    assert found["fees"] < found["gap"]


async def test_default_is_last_month_and_filters_apply(ask: Ask, witness: Api) -> None:
    filters = [{"id": "cloud_provider", "type": "fixed", "values": ["amazon-web-services"]}]
    found = await ask("allocation_coverage", by="Team", filters=filters)
    assert (found["period"]["from"], found["period"]["to"]) == ("2026-08-01", "2026-08-31")
    assert found["by"] == "label:team" and found["basis"]["timeZones"] == {"amazon-web-services": "UTC"}
    assert found["total"] == (await ask("allocation_coverage", by="team", cloud="aws", period="2026-08"))["total"]
    with pytest.raises(ApiError, match="oracle"):
        await ask("allocation_coverage", by="team", cloud="oracle")


async def test_period_before_the_data_is_unknown_and_not_zero(ask: Ask) -> None:
    found = await ask("allocation_coverage", by="team", period="2024-01")
    assert found["total"] is None and found["gap"] is None and "data begins" in found["note"]


async def test_unknown_allocation_names_the_groups(ask: Ask) -> None:
    with pytest.raises(ApiError, match="Teams"):
        await ask("allocation_coverage", by="allocation:Tems")
