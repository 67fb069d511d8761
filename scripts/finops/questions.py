"""The ten questions: the calls that answer them, and where the figures are in the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .books import (
    CENT,
    Books,
    Figures,
    ai_costs,
    change_of_this_month,
    commitment_savings,
    cost_by_team,
    largest_service,
    open_anomalies_by_sql,
    right_sizing,
    unlabeled_cost,
    used_budgets,
)

Answer = Any


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the calls that answer it, the figures in the answers, and the same figures by SQL."""

    text: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    figures: Callable[[Sequence[Answer]], Figures]
    expected: Callable[[Books], Figures]


def cents(amount: float) -> Decimal:
    """An amount in whole cents."""
    return Decimal(str(amount)).quantize(CENT, ROUND_HALF_UP)


def open_anomalies(answers: Sequence[Answer]) -> Figures:
    """The open anomalies: their owner's place, the day of their start, and the cost of their days."""
    return {
        f"{row['serviceName']} in {row['scope']} since {row['startTime'][:10]}": cents(row["actualCost"])
        for row in answers[0]["anomalies"]
        if row["status"] == "active"
    }


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
        (("get_savings_summary", {"top": 6}),),
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
