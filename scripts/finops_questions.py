"""Ten questions of FinOps practitioners, asked over HTTP in the sandbox; each figure is compared with SQL.

The sandbox runs as a process. Its billing lines depend only on the day and the customer, so this process makes the same
lines once more and queries them.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.costs.coverage_rates import RESERVED_RATE
from scripts.token_counts import CountTokens, make_tokenizer
from tests.e2e.launch import running_sandbox

DEFAULT_DAY = "2026-11-28"
MAX_CALLS = 2
MAX_TOKENS = 2_000
CENT = Decimal("0.01")
MICROS = 1_000_000
SAVED_SHARE = Decimal("0.12")
"""The share of a service that right-sizing saves in the sandbox."""
ADMIN = "admin@acme.example"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

Answer = Any
Figures = dict[str, Any]


def cents(amount: float) -> Decimal:
    """An amount in whole cents."""
    return Decimal(str(amount)).quantize(CENT, ROUND_HALF_UP)


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


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the calls that answer it, the figures in the answers, and the same figures by SQL."""

    text: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    figures: Callable[[Sequence[Answer]], Figures]
    expected: Callable[[Books], Figures]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question was answered; *differences* are (figure, answer, SQL)."""

    question: Question
    calls: int
    tokens: int
    seconds: float
    differences: tuple[tuple[str, Any, Any], ...]

    @property
    def passed(self) -> bool:
        """Whether the figures are right, and few calls and tokens were enough."""
        return not self.differences and self.calls <= MAX_CALLS and self.tokens <= MAX_TOKENS


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


def open_anomalies(answers: Sequence[Answer]) -> Figures:
    """The open anomalies: their owner's place, the day of their start, and the cost of their days."""
    return {
        f"{row['serviceName']} in {row['scope']} since {row['startTime'][:10]}": cents(row["actualCost"])
        for row in answers[0]["anomalies"]
        if row["status"] == "active"
    }


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


QUESTIONS = (
    Question(
        "Why did the bill change this month?",
        (("explain_cost_change", {"period": "this_month", "by": ["service", "sku"], "top": 3}),),
        lambda answers: {
            **{name: cents(answers[0]["total"][name]) for name in ("before", "after", "change")},
            "sum of causes": sum(map(cents, answers[0]["causes"].values())),
        },
        change_of_this_month,
    ),
    Question(
        "What is the largest cost driver this month?",
        (("cost_breakdown", {"groupBy": "service", "period": "this_month", "topN": 5}),),
        lambda answers: {
            "name": answers[0]["groups"][0]["name"],
            "cost": cents(answers[0]["groups"][0]["cost"]),
            "total": cents(answers[0]["total"]["all"]),
        },
        largest_service,
    ),
    Question(
        "Which budgets will break?",
        (("list_budgets", {}),),
        lambda answers: {row["budgetName"]: cents(row["currentUtilization"]) for row in answers[0]["budgets"]},
        used_budgets,
    ),
    Question(
        "Which anomalies are open, and who owns them?",
        (("get_anomalies", {}),),
        open_anomalies,
        open_anomalies_by_sql,
    ),
    Question(
        "How much will we have spent by the end of the month?",
        (("forecast_spend", {}),),
        lambda answers: {
            "spent": cents(answers[0]["month"]["spent"]),
            "expected less ahead": cents(answers[0]["month"]["expected"]) - cents(answers[0]["month"]["ahead"]),
        },
        lambda books: dict.fromkeys(("spent", "expected less ahead"), books.cost(books.month_start, books.today)),
    ),
    Question(
        "What do commitments save, and what is still on demand?",
        (("commitment_summary", {"cloud": "aws"}),),
        lambda answers: {"savings": cents(answers[0]["clouds"][0]["savings30d"])},
        commitment_savings,
    ),
    Question(
        "Where can we save?",
        (("get_savings_summary", {"top": 5}),),
        lambda answers: {
            row["title"]: cents(row["amount"]) for row in answers[0]["save"] if row["kind"] == "recommendation"
        },
        right_sizing,
    ),
    Question(
        "What did each team cost last month?",
        (("cost_breakdown", {"groupBy": "label:team", "period": "last_month", "topN": 25}),),
        lambda answers: {str(group["id"]): cents(group["cost"]) for group in answers[0]["groups"]},
        cost_by_team,
    ),
    Question(
        "What share of cost has no team label?",
        (("allocation_coverage", {"by": "label:team"}),),
        lambda answers: {
            "total": cents(answers[0]["total"]),
            "gap": cents(answers[0]["gap"]),
            "percent": f"{answers[0]['gapPercent']:.1f}",
        },
        unlabeled_cost,
    ),
    Question(
        "What do AI models cost?",
        (("ai_spend", {"period": "this_month"}),),
        lambda answers: {"total": cents(answers[0]["total"])},
        ai_costs,
    ),
)


class McpSession:
    """Calls tools without a session: each request stands alone."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http, self._url, self._headers = http, url, HEADERS | {"Authorization": f"Bearer {token}"}

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The CallToolResult. Raises RuntimeError if the call fails."""
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }
        async with self._http.post(self._url, data=orjson.dumps(message), headers=self._headers) as response:
            body = orjson.loads(await response.read())
        result: dict[str, Any] = body.get("result", {"isError": True, "content": body})
        if result.get("isError"):
            raise RuntimeError(f"{tool} failed: {result['content']}")
        return result


async def ask(question: Question, session: McpSession, books: Books, count: CountTokens) -> Outcome:
    """Ask one question and compare the figures of the answer with SQL."""
    begun, results = time.perf_counter(), []
    for tool, arguments in question.calls:
        results.append(await session.call(tool, arguments))
    seconds = time.perf_counter() - begun
    tokens = sum(count(block["text"]) for result in results for block in result["content"])
    answered = question.figures([orjson.loads(result["content"][0]["text"]) for result in results])
    expected = question.expected(books)
    differences = tuple(
        (name, answered.get(name), expected.get(name))
        for name in {**answered, **expected}
        if answered.get(name) != expected.get(name)
    )
    return Outcome(question, len(results), tokens, seconds, differences)


async def ask_all(today: date, count: CountTokens) -> list[Outcome]:
    """Ask every question of a sandbox whose day is *today*."""
    with tempfile.TemporaryDirectory() as directory, closing(Books(today)) as books:
        with running_sandbox(Path(directory), "--today", today.isoformat()) as sandbox:
            async with aiohttp.ClientSession() as http:
                session = McpSession(http, f"{sandbox.base}/mcp/x/all", sandbox.api_tokens[ADMIN])
                return [await ask(question, session, books, count) for question in QUESTIONS]


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print a line for each question, and the figures that differ."""
    for number, outcome in enumerate(outcomes, 1):
        verdict = "ok  " if outcome.passed else "FAIL"
        print(
            f"{number:2}  {verdict}  {outcome.calls} call{'s' if outcome.calls > 1 else ' '}  {outcome.tokens:5,} tokens"
            f"  {outcome.seconds:6.3f} s  {outcome.question.text}"
        )
        for name, answered, expected in outcome.differences:
            print(f"      {name}: the answer says {answered}, SQL says {expected}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the questions and print the outcomes; exit status 1 if an answer is wrong or too long."""
    parser = argparse.ArgumentParser(
        prog="scripts/finops10",
        description="Ask ten questions of FinOps practitioners over HTTP in the sandbox, and check each figure by SQL.",
    )
    parser.add_argument(
        "--today", default=DEFAULT_DAY, type=date.fromisoformat, help=f"the sandbox's date (default: {DEFAULT_DAY})"
    )
    options = parser.parse_args(arguments)
    outcomes = asyncio.run(ask_all(options.today, make_tokenizer()))
    print_outcomes(outcomes)
    failed = sum(not outcome.passed for outcome in outcomes)
    print(
        f"{len(outcomes) - failed} of {len(outcomes)} questions: right to the cent, within {MAX_CALLS} calls and"
        f" {MAX_TOKENS:,} tokens"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
