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
from scripts.token_counts import CountTokens, make_tokenizer
from tests.e2e.launch import running_sandbox

DEFAULT_DAY = "2026-11-28"
MAX_CALLS = 2
MAX_TOKENS = 2_000
CENT = Decimal("0.01")
MICROS = 1_000_000
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
