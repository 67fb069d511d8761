"""Savings, commitments and allocation coverage on the first of a month, the first of a year, and 29 February."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api

from ..caller import TOOLS, Caller
from ..conftest import Ask

DAYS = (date(2026, 11, 28), date(2026, 12, 1), date(2027, 1, 1), date(2028, 2, 29))


def noon(day: date) -> float:
    """Return noon of a day in epoch seconds."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module", params=DAYS, ids=str)
def today(request: pytest.FixtureRequest) -> date:
    """The day on which the sandbox runs."""
    day: date = request.param
    return day


@pytest.fixture(scope="module")
def witness(today: date) -> Api:
    """The sandbox's API on that day."""
    return Api(clock=lambda: noon(today))


@pytest.fixture
def ask(make_caller: Callable[[], Caller], today: date) -> Ask:
    """Return a function that calls a tool on that day and returns its result."""

    async def call(name: str, /, **arguments: Any) -> Any:
        caller = make_caller()
        caller.now = noon(today)
        found: Any = await TOOLS[name].run(caller, TOOLS[name].coerce_arguments(arguments))
        result = structured_content(found)
        assert TOOLS[name].result_problems(result) == []
        return result

    return call


async def test_shortfalls_are_those_of_the_running_contract_year(ask: Ask, today: date) -> None:
    savings, summary = await ask("get_savings_summary", top=50), await ask("commitment_summary")
    running = {cloud["shortfall"]["id"]: cloud["shortfall"] for cloud in summary["clouds"]}
    assert len(running) == 3 and all(
        item["periodStarts"] <= today.isoformat() <= item["periodEnds"] for item in running.values()
    )
    at_stake = {row["id"]: (row["amount"], row["periodEnds"]) for row in savings["at_stake"] if "periodEnds" in row}
    assert at_stake == {key: (item["amount"], item["periodEnds"]) for key, item in running.items() if item["amount"]}
    assert savings["asOf"] == today.isoformat()


async def test_coverage_is_about_the_30_days_before_today(ask: Ask, today: date) -> None:
    period = (await ask("commitment_summary", cloud="aws"))["period"]
    first, last = today - timedelta(days=30), today - timedelta(days=1)
    assert (period["from"], period["to"], period["days"]) == (first.isoformat(), last.isoformat(), 30)
    assert period["complete"] is False, "costs of the last days are still arriving"


async def test_gap_of_last_month_matches_the_billing_lines(ask: Ask, witness: Api, today: date) -> None:
    found = await ask("allocation_coverage", by="label:team")
    last = today.replace(day=1) - timedelta(days=1)
    assert (found["period"]["from"], found["period"]["to"]) == (last.replace(day=1).isoformat(), last.isoformat())
    sums = witness.tenant(ACME).ledger.sums(("label_team",), last.replace(day=1).toordinal(), last.toordinal())
    costs = {team: Decimal(int(cost or 0)) / 1_000_000 for team, cost, *_ in sums}
    assert Decimal(str(found["gap"])) == round(costs[None], 2) > 0
    assert Decimal(str(found["total"])) == round(sum(costs.values()), 2)


async def test_one_day_has_a_gap_too(ask: Ask, today: date) -> None:
    found = await ask("allocation_coverage", by="label:team", period="today")
    assert (found["period"]["days"], found["period"]["complete"], found["period"]["finalThrough"]) == (1, False, None)
    assert found["period"]["from"] == today.isoformat() and found["gap"] > 0
