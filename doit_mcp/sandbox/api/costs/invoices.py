"""Invoices: one per complete month and cloud, the sum of its billing lines and credits."""

from __future__ import annotations

from dataclasses import dataclass

from .calendar_days import add_periods, start_of
from .estate_types import AWS, AZURE, GOOGLE
from .ledger import Ledger, Selection

DUE_DAYS = 30
# Days from the invoice to the payment; the last one is late.
PAYMENT_DAYS = {AWS: 21, GOOGLE: 27, AZURE: 41}


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A project's service for the month; *cost* is in micro-dollars, negative for a credit."""

    description: str
    project: str
    credit: bool
    cost: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """The cost of a cloud in the month that starts on day *month*, issued on the first day after it."""

    platform: str
    month: int
    lines: tuple[InvoiceLine, ...]

    @property
    def issue_day(self) -> int:
        """The invoice date."""
        return add_periods("month", self.month, 1)

    @property
    def due_day(self) -> int:
        """The due date."""
        return self.issue_day + DUE_DAYS

    def status(self, today: int) -> str:
        """OPEN, PAST DUE or PAID on a day."""
        if today >= self.issue_day + PAYMENT_DAYS[self.platform]:
            return "PAID"
        return "OPEN" if today <= self.due_day else "PAST DUE"


def make_invoices(ledger: Ledger) -> list[Invoice]:
    """The invoices of all complete months of a ledger, oldest first."""
    columns = ("month_start", "cloud_provider", "service_description", "project_name", "cost_type", "sku_description")
    end = start_of("month", ledger.last) - 1
    lines: dict[tuple[int, str], list[InvoiceLine]] = {}
    totals: dict[tuple[int, str, str, str, bool], int] = {}
    for row in ledger.sums(columns, ledger.first, end, Selection(credits=True)):
        month, platform, service, project, kind, sku, cost = row[:7]
        credit = kind == "credit"
        key = (int(month or 0), str(platform), str(sku if credit else service), str(project), credit)
        totals[key] = totals.get(key, 0) + int(cost or 0)
    for (month_start, cloud, description, project_name, is_credit), total in totals.items():
        lines.setdefault((month_start, cloud), []).append(InvoiceLine(description, project_name, is_credit, total))
    return [Invoice(cloud, month_start, tuple(found)) for (month_start, cloud), found in sorted(lines.items())]
