"""Billing explainers: AWS charges of a month, DoiT's invoice, and the differences between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..responses import JsonObject
from .calendar_days import add_periods
from .estate_types import AWS, MICROS_PER_CENT
from .ledger import Ledger, Selection

COLUMNS = ("cloud_provider", "billing_account_id", "project_id", "service_description", "cost_type")
USAGE, DISCOUNT, CREDIT = "Usage", "DoiT discount", "Credit"
SUPPORT_SERVICES = "AWS Support"  # how their names begin
# The kinds of lines in each part of a summary; support and credits have their own.
USAGE_KINDS = ("Usage", "SavingsPlanCoveredUsage", "DiscountedUsage")
PARTS = {
    "tax": ("Tax",),
    "savings": ("SavingsPlanNegation",),
    "otherCharges": ("SavingsPlanRecurringFee", "RIFee", "Fee"),
    "refunds": ("Refund",),
}


@dataclass(frozen=True, slots=True)
class Charge:
    """A project's service for the month, in micro-dollars: *cost* is after *savings*; *kind* is the cost type."""

    payer: str
    project: str
    service: str
    kind: str
    cost: int
    savings: int

    @property
    def credit(self) -> bool:
        """Whether it is a promotional credit, which is negative."""
        return self.kind == "credit"

    @property
    def support(self) -> bool:
        """Whether it is for AWS Support."""
        return self.service.startswith(SUPPORT_SERVICES)


def sum_charges(ledger: Ledger, month: int) -> list[Charge]:
    """The totals of AWS billing lines for the month that starts on day *month*."""
    rows = ledger.sums(COLUMNS, month, add_periods("month", month, 1) - 1, Selection(credits=True))
    return [
        Charge(str(row[1]), str(row[2]), str(row[3]), str(row[4]), int(row[5] or 0), int(row[7] or 0))
        for row in rows
        if row[0] == AWS
    ]


def explain_charges(charges: Iterable[Charge]) -> JsonObject:
    """``{summary, service, account}`` (BillingExplainer)."""
    every = list(charges)
    billed = [item for item in every if not item.credit]
    return {
        "summary": {
            "aws": _summarize(every, ours=False),
            "doit": _summarize(every, ours=True),
            "awsWithoutDoit": _summarize(every, ours=False),
        },
        "service": {
            name: _compare(item for item in billed if item.service == name)
            for name in _distinct_values(billed, "service")
        },
        "account": {
            name: _compare(item for item in billed if item.project == name)
            for name in _distinct_values(billed, "project")
        },
    }


def format_money(micro: int) -> JsonObject:
    """A whole number of cents as text (BillingExplainerMoney)."""
    cents = micro // MICROS_PER_CENT
    sign = "-" if cents < 0 else ""
    return {"amount": f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}", "currency": "USD"}


def _distinct_values(found: Iterable[Charge], field: str) -> list[str]:
    return sorted({str(getattr(item, field)) for item in found})


def _summarize(found: Iterable[Charge], *, ours: bool) -> JsonObject:
    every = list(found)
    list_price = sum(item.cost + item.savings for item in every if item.kind in USAGE_KINDS)
    saved = sum(item.savings for item in every) if ours else 0
    credit = sum(item.cost for item in every if item.credit)
    support = sum(item.cost for item in every if item.support)
    parts = {
        name: [(kind, sum(item.cost for item in every if item.kind == kind and not item.support)) for kind in kinds]
        for name, kinds in PARTS.items()
    }
    others = sum(cost for items in parts.values() for _, cost in items)
    nothing: list[JsonObject] = []
    return {
        "serviceCharges": [{"costType": USAGE, "cost": format_money(list_price)}],
        "discounts": [{"costType": DISCOUNT, "cost": format_money(-saved)}] if saved else nothing,
        "supportCharges": {"cost": format_money(support), "details": nothing},
        "credits": [{"costType": CREDIT, "cost": format_money(credit)}] if credit else nothing,
        **{
            name: [{"costType": kind, "cost": format_money(cost)} for kind, cost in items if cost]
            for name, items in parts.items()
        },
        "total": format_money(list_price - saved + support + others + credit),
    }


def _compare(found: Iterable[Charge]) -> JsonObject:
    every = list(found)
    kinds: dict[str, int] = {}
    for item in every:
        kind = USAGE if item.kind in USAGE_KINDS else item.kind
        kinds[kind] = kinds.get(kind, 0) + item.cost + item.savings
    listed = {kind: format_money(cost) for kind, cost in kinds.items()}
    saved = sum(item.savings for item in every)
    return {"doit": listed | ({DISCOUNT: format_money(-saved)} if saved else {}), "aws": listed}
