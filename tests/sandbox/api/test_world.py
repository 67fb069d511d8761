"""What the billing lines contain: changing prices, late days, credits that run out, launches, commitments, models."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from functools import cache
from typing import Any

import pytest

from doit_mcp.sandbox.api.costs.activity import SETTLING_DAYS
from doit_mcp.sandbox.api.costs.anomalies import detect_anomalies
from doit_mcp.sandbox.api.costs.calendar_days import add_months, start_of
from doit_mcp.sandbox.api.costs.estates import ACME_ESTATE, ESTATES
from doit_mcp.sandbox.api.costs.ledger import Ledger
from doit_mcp.sandbox.api.costs.query_engine import run_plan
from doit_mcp.sandbox.api.costs.query_plan import make_plan

# The middle and the ends of months, a leap day, and the first day of a year.
DAYS = [date(2026, 11, 28), date(2026, 12, 1), date(2027, 1, 1), date(2028, 2, 29)]
TODAY = DAYS[0].toordinal()
LINES = " FROM lines JOIN series USING (series) WHERE "


@cache
def ledger(today: int = TODAY) -> Ledger:
    """The billing lines of Acme, which tests only read."""
    return Ledger(ACME_ESTATE, seed=7, today=today)


@pytest.fixture
def copy() -> Iterator[sqlite3.Connection]:
    """A copy of the lines, for SQL."""
    with closing(sqlite3.connect(":memory:")) as database:
        ledger().copy_to(database)
        yield database


def column(database: sqlite3.Connection, query: str, *values: Any) -> list[Any]:
    """The first column of a query."""
    return [row[0] for row in database.execute(query, values)]


def test_spend_is_plausible_and_spread_over_many_services(copy: sqlite3.Connection) -> None:
    months = column(
        copy, "SELECT SUM(cost) / 1e6 FROM lines JOIN days ON day_start = day GROUP BY month_start ORDER BY month_start"
    )
    assert len(months) == 14 and all(45_000 < cost < 85_000 for cost in months[:-1])
    assert column(copy, "SELECT COUNT(DISTINCT service_id) FROM series") > [25]
    assert column(copy, "SELECT COUNT(DISTINCT sku_id) FROM series") > [60]
    top = column(copy, "SELECT SUM(cost)" + LINES + "cost > 0 GROUP BY service_id ORDER BY 1 DESC")
    assert 0.05 < sum(top[10:]) / sum(top) < 0.4, "what is beyond a top ten matters"


@pytest.mark.parametrize("sku", ["BoxUsage:m6i.xlarge", "TimedStorage-ByteHrs", "3362-E469-6BEF", "D4s-v5"])
def test_unit_prices_change_and_aws_writes_them_into_descriptions(copy: sqlite3.Connection, sku: str) -> None:
    rows = copy.execute(
        "SELECT month_start, SUM(cost) * 1.0 / SUM(usage), GROUP_CONCAT(DISTINCT sku_description)"
        " FROM lines JOIN series USING (series) JOIN days ON day_start = day"
        " WHERE sku_id = ? AND cost_type IN ('Usage', 'regular') AND usage > 0 GROUP BY month_start ORDER BY month_start",
        (sku,),
    ).fetchall()
    prices = [price for _, price, _ in rows]
    changes = [later / before for before, later in zip(prices, prices[1:]) if abs(later / before - 1) > 0.02]
    (change,) = changes
    assert 0.9 < change < 1.1
    descriptions = {text for _, _, text in rows}
    assert len(descriptions) == (2 if next(iter(descriptions)).startswith("$") else 1)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_latest_days_are_incomplete_and_settle(today: date) -> None:
    lines = Ledger(ACME_ESTATE, seed=7, today=today.toordinal())
    before = lines.daily()
    lines.extend(today.toordinal() + SETTLING_DAYS)
    after = lines.daily()
    last = today.toordinal()
    shares = [before[day] / after[day] for day in range(last - SETTLING_DAYS + 1, last + 1)]
    assert all(share < 1 for share in shares) and shares == sorted(shares, reverse=True)
    settled = range(lines.first, last - SETTLING_DAYS + 1)
    assert all(before[day] == after[day] for day in settled)


def test_marketplace_lines_arrive_late(copy: sqlite3.Connection) -> None:
    last = column(copy, "SELECT MAX(day)" + LINES + "service_description IN ('Datadog Pro', 'MongoDB Atlas')")
    assert last == [TODAY - 2]


def test_credits_run_out(copy: sqlite3.Connection) -> None:
    ends = dict(
        copy.execute("SELECT credit || ' ' || cloud_provider, MAX(day)" + LINES + "cost_type = 'credit' GROUP BY 1")
    )
    month = start_of("month", TODAY)
    assert ends == {
        "Growth programme amazon-web-services": add_months(month, -1) + 16,
        "Migration incentive google-cloud": month + 10,
        "Growth programme microsoft-azure": TODAY,
    }


def test_projects_and_services_come_and_go(copy: sqlite3.Connection) -> None:
    month = start_of("month", TODAY)
    spans = {
        row[0]: row[1:]
        for row in copy.execute("SELECT project_name, MIN(day), MAX(day)" + LINES + "cost_type <> 'credit' GROUP BY 1")
    }
    assert spans["acme-mobile"] == (add_months(month, -2) + 11, TODAY)
    assert spans["Acme legacy ETL"] == (ledger().first, add_months(month, -1) + 18)
    assert column(copy, "SELECT MIN(day)" + LINES + "service_description = 'Amazon SageMaker'") == [month + 1]


def test_lines_have_all_kinds_of_costs(copy: sqlite3.Connection) -> None:
    kinds = {
        cloud: set(column(copy, "SELECT DISTINCT cost_type FROM series WHERE cloud_provider = ?", cloud))
        for cloud in column(copy, "SELECT DISTINCT cloud_provider FROM series")
    }
    plans = {"SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee", "DiscountedUsage", "RIFee"}
    assert kinds == {
        "amazon-web-services": {"Usage", "Tax", "Fee", "Refund", "credit", *plans},
        "google-cloud": {"regular", "tax", "credit"},
        "microsoft-azure": {"Usage", "credit"},
    }
    assert column(copy, "SELECT SUM(cost)" + LINES + "cost_type = 'Refund'")[0] < 0
    for word in ("NAT Gateway", "Data Transfer", "data transfer out", "Support", "Marketplace"):
        assert column(copy, "SELECT SUM(cost)" + LINES + "sku_description LIKE ?", f"%{word}%")[0] > 0, word


def test_savings_plans_move_costs_but_not_their_total(copy: sqlite3.Connection) -> None:
    for commitment, skus in (
        ("Compute", ("BoxUsage:m6i.xlarge", "Lambda-GB-Second")),
        ("Database", ("InstanceUsage:db.r7g.large",)),
    ):
        rows = copy.execute(
            "SELECT day, SUM(cost), SUM(amortized_cost), SUM(CASE cost_type WHEN 'SavingsPlanRecurringFee' THEN cost END)"
            + LINES
            + f"cost_type LIKE 'SavingsPlan%' AND (service_id = ? OR sku_id IN ({', '.join('?' * len(skus))})) GROUP BY day",
            (f"{commitment}SavingsPlans", *skus),
        ).fetchall()
        assert len(rows) == TODAY - ledger().first + 1
        assert all(cost == amortized == fee > 0 for _, cost, amortized, fee in rows)
    rates = copy.execute(
        "SELECT sku_id, SUM(amortized_cost) * 1.0 / SUM(cost)"
        + LINES
        + "cost_type = 'SavingsPlanCoveredUsage' GROUP BY 1"
    ).fetchall()
    # AWS sells one-year plans without upfront payment at about these rates.
    published = {"BoxUsage:m6i.xlarge": 0.73, "Lambda-GB-Second": 0.88, "InstanceUsage:db.r7g.large": 0.8}
    # The price of m6i rises on the bill, not in the plan.
    assert dict(rates) == pytest.approx(published, abs=0.025)
    unused = column(
        copy, "SELECT SUM(amortized_cost) * 1.0 / SUM(cost)" + LINES + "cost_type = 'SavingsPlanRecurringFee'"
    )
    assert 0 < unused[0] < 0.3


def test_fees_of_reservations_are_amortized_over_the_usage_they_cover(copy: sqlite3.Connection) -> None:
    month = add_months(start_of("month", TODAY), -3)
    query = (
        "SELECT SUM(cost), SUM(amortized_cost)" + LINES + "cost_type IN ('RIFee', 'DiscountedUsage') AND service_id = ?"
    )
    query += " AND day BETWEEN ? AND ?"
    ((cost, amortized),) = copy.execute(query, ("AmazonEC2", month, add_months(month, 1) - 1))
    assert cost > 0 and abs(cost - amortized) < 0.02 * cost
    # An upfront fee is paid on one day, and amortized over a year.
    ((paid, day),) = copy.execute(
        "SELECT SUM(cost), MAX(day)" + LINES + "sku_id = 'HeavyUsage:ra3.xlplus' AND cost > 0"
    )
    spread = column(
        copy, "SELECT SUM(amortized_cost)" + LINES + "sku_id = 'Node:ra3.xlplus' AND cost_type = 'DiscountedUsage'"
    )
    assert 0.95 < spread[0] / (paid * (TODAY - day - 1) / 365) < 1.05


def test_clusters_are_split_by_namespace(copy: sqlite3.Connection) -> None:
    for kind in ("eks", "gke"):
        shares = dict(
            copy.execute(f"SELECT {kind}_namespace, SUM(cost)" + LINES + f"{kind}_cluster IS NOT NULL GROUP BY 1")
        )
        assert len(shares) == 4 and "kube-system" in shares and min(shares.values()) > 0


def test_ai_models_are_billed_by_tokens(copy: sqlite3.Connection) -> None:
    rows = copy.execute(
        "SELECT cloud_provider, sku_description, SUM(cost) * 1.0 / SUM(usage)"
        + LINES
        + "pricing_unit LIKE '%tokens' GROUP BY 1, 2"
    ).fetchall()
    assert {row[0] for row in rows} == {"amazon-web-services", "google-cloud", "microsoft-azure"}
    for model in ("Nova Pro", "Claude Sonnet 4.5", "Gemini 2.5 Pro", "Gemini 2.5 Flash", "gpt-4o"):
        inputs, outputs = (
            [price for _, text, price in rows if model in text and word in text.lower()] for word in ("inp", "outp")
        )
        assert min(inputs) < min(outputs), model


def test_labeled_projects_have_unlabeled_resources(copy: sqlite3.Connection) -> None:
    rows = copy.execute(
        "SELECT project_name, SUM(CASE WHEN label_team IS NULL THEN cost ELSE 0 END) * 1.0 / SUM(cost)"
        + LINES
        + "cost_type IN ('Usage', 'regular') GROUP BY 1"
    )
    shares = dict(rows)
    assert shares.pop("acme-sandbox") == 1 and all(0.02 < share < 0.3 for share in shares.values())
    teams = column(copy, "SELECT DISTINCT label_team FROM series WHERE project_name = 'acme-production'")
    assert {"platform", "data", "ai", None} == set(teams)


@pytest.mark.parametrize("today", DAYS, ids=str)
@pytest.mark.parametrize("customer", ESTATES)
def test_anomalies_are_the_incidents(customer: str, today: date) -> None:
    lines = Ledger(ESTATES[customer], seed=7, today=today.toordinal())
    found = {(item.first, item.last) for item in detect_anomalies(lines)}
    assert found == {(jump.first, jump.last) for jump in lines.jumps}
    assert min(last for _, last in found) < today.toordinal() - SETTLING_DAYS, "one of them has ended"
    lines.close()


def test_naive_forecasts_miss() -> None:
    """A run rate from what was known on the tenth day misses the month by several percent."""
    errors = []
    for back in range(1, 9):
        start = add_months(start_of("month", TODAY), -back)
        seen = Ledger(ACME_ESTATE, seed=7, today=start + 9)
        known = seen.cost(start, start + 9)
        seen.extend(add_months(start, 1) + SETTLING_DAYS)
        days = add_months(start, 1) - start
        errors.append(abs(known * days / 10 / seen.cost(start, start + days - 1) - 1))
        seen.close()
    assert sum(error > 0.04 for error in errors) >= 4 and max(errors) > 0.08


@pytest.mark.parametrize("metric", ["orders", "customers"])
def test_business_metrics_are_reached_through_datahub(copy: sqlite3.Connection, metric: str) -> None:
    config: dict[str, Any] = {
        "dataSource": "billing-datahub",
        "metrics": [{"type": "extended", "value": metric}],
        "timeInterval": "month",
        "timeRange": {"mode": "last", "amount": 3, "unit": "month"},
    }
    rows = run_plan(make_plan(config, TODAY), ledger())["rows"]
    query = "SELECT year, month, SUM(units) / 1000000 FROM events JOIN days ON day_start = day WHERE metric = ? AND day >= ? AND day < ?"
    month = start_of("month", TODAY)
    expected = copy.execute(query + " GROUP BY 1, 2 ORDER BY 1, 2", (metric, add_months(month, -3), month)).fetchall()
    assert [tuple(row[:3]) for row in rows] == expected and len(expected) == 3 and expected[0][2] > 50_000


def test_costs_and_metrics_of_one_query() -> None:
    metrics = [{"type": "basic", "value": "cost"}, {"type": "extended", "value": "orders"}]
    config: dict[str, Any] = {"dataSource": "billing-datahub", "metrics": metrics, "timeInterval": "day"}
    config["timeRange"] = {"mode": "last", "amount": 5, "unit": "day"}
    (*_, last) = run_plan(make_plan(config, TODAY), ledger())["rows"]
    assert last[3] == ledger().cost(TODAY - 1, TODAY - 1) / 1e6 and last[4] > 1000
    by_cloud = config | {"group": [{"type": "fixed", "id": "cloud_provider"}], "timeInterval": "month"}
    rows = {row[0]: row[-3:-1] for row in run_plan(make_plan(by_cloud, TODAY), ledger())["rows"]}
    assert rows["Orders"][0] == 0 < rows["Orders"][1] and rows["google-cloud"][1] == 0 < rows["google-cloud"][0]
    filters = [{"type": "fixed", "id": "cloud_provider", "values": ["google-cloud"]}]
    assert all(row[4] == 0 for row in run_plan(make_plan(config | {"filters": filters}, TODAY), ledger())["rows"])


def test_amortized_cost_spreads_upfront_fees() -> None:
    metrics = [{"type": "basic", "value": "cost"}, {"type": "extended", "value": "amortized_cost"}]
    config: dict[str, Any] = {"metrics": metrics, "timeInterval": "month"}
    config["timeRange"] = {"mode": "last", "amount": 12, "unit": "month"}
    rows = run_plan(make_plan(config, TODAY), ledger())["rows"]
    bought = next(row for row in rows if row[2] - row[3] > 1000)
    month = add_months(start_of("month", TODAY), -5)
    assert (bought[0], bought[1]) == (f"{date.fromordinal(month):%Y}", f"{date.fromordinal(month):%m}")
