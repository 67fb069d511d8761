"""The billing lines of the sandbox in SQL, and the figures that the ten questions are about.

The billing lines depend only on the day and the customer, so this process makes the same lines as the sandbox once more
and queries them.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.costs.coverage_rates import RESERVED_RATE

CENT = Decimal("0.01")
MICROS = 1_000_000
SAVED_SHARE = Decimal("0.12")
"""The share of a service that right-sizing saves in the sandbox."""

Figures = dict[str, Any]


class Books:
    """The billing lines of the sandbox's first customer up to *today*, for SQL."""

    def __init__(self, today: date) -> None:
        noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC).timestamp()
        self.today = today
        self.month_start = today.replace(day=1)
        self._database = sqlite3.connect(":memory:")
        Api(clock=lambda: noon).tenant(ACME).ledger.copy_to(self._database)

    def close(self) -> None:
        """Free the memory."""
        self._database.close()

    def cost(self, first: date, last: date, where: str = "1") -> Decimal:
        """The cost of the days from *first* to *last* without promotional credits."""
        return self.costs("''", first, last, where).get("", Decimal("0.00"))

    def costs(self, column: str, first: date, last: date, where: str = "1") -> dict[Any, Decimal]:
        """The cost of the days from *first* to *last* by a column, without promotional credits."""
        rows = self._database.execute(
            f"SELECT {column}, SUM(cost) FROM lines JOIN series USING (series)"
            f" WHERE day BETWEEN ? AND ? AND cost_type <> 'credit' AND {where} GROUP BY 1",
            (first.toordinal(), last.toordinal()),
        )
        return {value: (Decimal(cost) / MICROS).quantize(CENT, ROUND_HALF_UP) for value, cost in rows}

    def commitment_savings(self, first: date, last: date) -> Decimal:
        """What commitments saved on usage that Savings Plans can cover, compared with on-demand rates.

        Lines of covered usage have their on-demand cost; those of reservations only their amortized one. The amortized
        cost of fees is what no usage took up: waste, which savings are net of.
        """
        (savings,) = self._database.execute(
            """
            SELECT SUM(CASE cost_type WHEN 'SavingsPlanCoveredUsage' THEN cost - amortized_cost
                                      WHEN 'DiscountedUsage' THEN amortized_cost / :rate - amortized_cost
                                      ELSE -amortized_cost END)
            FROM lines JOIN series USING (series)
            WHERE day BETWEEN :first AND :last
              AND (cost_type IN ('SavingsPlanRecurringFee', 'RIFee')
                   OR cost_type IN ('SavingsPlanCoveredUsage', 'DiscountedUsage')
                      AND sku_id IN (SELECT sku_id FROM series WHERE cost_type = 'SavingsPlanCoveredUsage'))
            """,
            {"rate": RESERVED_RATE, "first": first.toordinal(), "last": last.toordinal()},
        ).fetchone()
        return (Decimal(savings or 0) / MICROS).quantize(CENT, ROUND_HALF_UP)


def same_days_of_last_month(books: Books) -> tuple[date, date]:
    """As many days at the start of last month as this month has so far."""
    last = books.month_start - timedelta(days=1)
    return last.replace(day=1), min(last, last.replace(day=books.today.day))


def change_of_this_month(books: Books) -> Figures:
    """The cost of this month so far, and of the same days of last month."""
    before = books.cost(*same_days_of_last_month(books))
    after = books.cost(books.month_start, books.today)
    return {"before": before, "after": after, "change": after - before, "sum of causes": after - before}


def largest_service(books: Books) -> Figures:
    """The service that costs most this month."""
    costs = books.costs("service_description", books.month_start, books.today)
    name = max(costs, key=lambda service: costs[service])
    return {"name": name, "cost": costs[name], "total": sum(costs.values())}


def cost_by_team(books: Books) -> Figures:
    """The cost of each team last month; the cost without a team is that of null."""
    first, last = last_month(books)
    return {str(team): cost for team, cost in books.costs("label_team", first, last).items()}


def last_month(books: Books) -> tuple[date, date]:
    """The first and last day of last month."""
    last = books.month_start - timedelta(days=1)
    return last.replace(day=1), last


def used_budgets(books: Books) -> Figures:
    """What the budgets of the sandbox have used of this month."""
    scopes = {
        "All clouds": "1",
        "Amazon Web Services": "cloud_provider = 'amazon-web-services'",
        "Google Cloud": "cloud_provider = 'google-cloud'",
        "Microsoft Azure": "cloud_provider = 'microsoft-azure'",
        "Production": "label_env = 'production'",
    }
    return {name: books.cost(books.month_start, books.today, where) for name, where in scopes.items()}


def unlabeled_cost(books: Books) -> Figures:
    """The cost of last month, and how much of it has no team."""
    first, last = last_month(books)
    total, gap = books.cost(first, last), books.cost(first, last, "label_team IS NULL")
    return {"total": total, "gap": gap, "percent": f"{100 * gap / total:.1f}"}


def open_anomalies_by_sql(books: Books) -> Figures:
    """The cost of BigQuery in the project whose cost jumped three days ago."""
    since = books.today - timedelta(days=3)
    where = "project_name = 'Acme analytics' AND service_description = 'BigQuery'"
    cost = books.cost(since, books.today, where)
    return {f"BigQuery in Acme analytics since {since.isoformat()}": cost}


def commitment_savings(books: Books) -> Figures:
    """The savings of AWS commitments in the last 30 whole days."""
    yesterday = books.today - timedelta(days=1)
    return {"savings": books.commitment_savings(yesterday - timedelta(days=29), yesterday)}


def ai_costs(books: Books) -> Figures:
    """The cost of this month of the services that bill models."""
    services = "('Amazon Bedrock', 'Vertex AI', 'Foundry Models')"
    where = f"service_description IN {services} OR service_description LIKE '%(Amazon Bedrock Edition)'"
    return {"total": books.cost(books.month_start, books.today, f"({where})")}


def right_sizing(books: Books) -> Figures:
    """Twelve percent of the most expensive service of each cloud, by day to the cent, and then by month."""
    first = books.today - timedelta(days=29)
    figures: Figures = {}
    for cloud in books.costs("cloud_provider", first, books.today):
        costs = books.costs("service_description", first, books.today, f"cloud_provider = '{cloud}'")
        service = max(costs, key=lambda name: costs[name])
        daily = (costs[service] * SAVED_SHARE / 30).quantize(CENT, ROUND_HALF_UP)
        figures[f"Right-size {service}"] = (daily * 365 / 12).quantize(CENT, ROUND_HALF_UP)
    return figures
