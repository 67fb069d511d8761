"""Billing explainers: AWS charges of a month, DoiT's invoice, and the differences between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..responses import JsonObject
from .calendar_days import add_periods
from .catalog import AWS
from .catalog_types import MICROS_PER_CENT
from .ledger import Ledger, Selection

COLUMNS = ("cloud_provider", "billing_account_id", "project_id", "service_description", "cost_type")
USAGE, DISCOUNT, CREDIT = "Usage", "DoiT discount", "Credit"


@dataclass(frozen=True, slots=True)
class Charge:
    """A project's service for the month, in micro-dollars: *cost* is after *savings*; credits are negative."""

    payer: str
    project: str
    service: str
    credit: bool
    cost: int
    savings: int


def charges(ledger: Ledger, month: int) -> list[Charge]:
    """The totals of AWS billing lines for the month that starts on day *month*."""
    rows = ledger.sums(COLUMNS, month, add_periods("month", month, 1) - 1, Selection(credits=True))
    return [
        Charge(str(row[1]), str(row[2]), str(row[3]), row[4] == "credit", int(row[5] or 0), int(row[7] or 0))
        for row in rows
        if row[0] == AWS
    ]


def explain_charges(charges: Iterable[Charge]) -> JsonObject:
    """``{summary, service, account}`` (BillingExplainer)."""
    every = list(charges)
    usage = [item for item in every if not item.credit]
    return {
        "summary": {
            "aws": _summary(every, ours=False),
            "doit": _summary(every, ours=True),
            "awsWithoutDoit": _summary(every, ours=False),
        },
        "service": {
            name: _compare(item for item in usage if item.service == name)
            for name in _distinct_values(usage, "service")
        },
        "account": {
            name: _compare(item for item in usage if item.project == name)
            for name in _distinct_values(usage, "project")
        },
    }


def money(micro: int) -> JsonObject:
    """A whole number of cents as text (BillingExplainerMoney)."""
    cents = micro // MICROS_PER_CENT
    sign = "-" if cents < 0 else ""
    return {"amount": f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}", "currency": "USD"}


def _distinct_values(found: Iterable[Charge], field: str) -> list[str]:
    return sorted({str(getattr(item, field)) for item in found})


def _summary(found: Iterable[Charge], *, ours: bool) -> JsonObject:
    every = list(found)
    list_price = sum(item.cost + item.savings for item in every if not item.credit)
    saved = sum(item.savings for item in every if not item.credit) if ours else 0
    credit = sum(item.cost for item in every if item.credit)
    nothing: list[JsonObject] = []
    return {
        "serviceCharges": [{"costType": USAGE, "cost": money(list_price)}],
        "discounts": [{"costType": DISCOUNT, "cost": money(-saved)}] if saved else nothing,
        "tax": nothing,
        "supportCharges": {"cost": money(0), "details": nothing},
        "credits": [{"costType": CREDIT, "cost": money(credit)}] if credit else nothing,
        "savings": nothing,
        "otherCharges": nothing,
        "refunds": nothing,
        "total": money(list_price - saved + credit),
    }


def _compare(found: Iterable[Charge]) -> JsonObject:
    every = list(found)
    list_price, saved = sum(item.cost + item.savings for item in every), sum(item.savings for item in every)
    ours = {USAGE: money(list_price)} | ({DISCOUNT: money(-saved)} if saved else {})
    return {"doit": ours, "aws": {USAGE: money(list_price)}}
