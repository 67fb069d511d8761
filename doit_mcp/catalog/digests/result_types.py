"""Result types of the weekly digest."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..comparisons.causes import ChangeCauses
from ..costs.statement import CostStatement
from ..partial_results import FailedPart
from ..periods.period import PeriodStatement
from ..savings.result_types import Overlap


class WeekSpend(TypedDict, total=False):
    """The cost of the seven days (period), and of the seven before (comparedWith)."""

    week: Annotated[float | None, Money]
    weekBefore: Annotated[float | None, Money]
    change: Annotated[float | None, Money]
    changePercent: Annotated[float | None, Percent]


class WeekDriver(TypedDict, total=False):
    """One value's part in the change."""

    id: Annotated[str | None, Label]
    name: Annotated[str | None, Label]
    week: Annotated[float, Money]
    weekBefore: Annotated[float, Money]
    change: Annotated[float, Money]
    status: str


class WeekDrivers(TypedDict):
    """The drivers by one dimension, and the change of everything else."""

    by: Annotated[str, Label]
    rows: Annotated[list[JsonObject], Members(WeekDriver)]
    otherChange: Annotated[float, Money]


class NewAnomaly(TypedDict, total=False):
    """An anomaly that began on or after the first of the seven days."""

    id: str
    service: Annotated[str | None, Label]
    project: Annotated[str | None, Label]
    started: Annotated[str, Day]
    costAboveExpected: Annotated[float, Money]
    severity: str
    open: bool
    owner: Annotated[str | None, Label]


class NewAnomalies(TypedDict, total=False):
    """The new anomalies, and how many that began earlier are still open. A count is null if not all rows were read."""

    since: Annotated[str, Day]
    count: int | None
    costAboveExpected: Annotated[float | None, Money]
    currency: Annotated[str, CurrencyCode]
    basis: str
    openFromBefore: int | None
    rows: Annotated[list[JsonObject], Members(NewAnomaly)]


RiskyBudget = TypedDict(
    "RiskyBudget",
    {
        "id": str,
        "name": Annotated[str, Label],
        "status": str,
        "on": Annotated[str | None, Day],
        "spent": Annotated[float | None, Money],
        "amount": Annotated[float | None, Money],
        "percentUsed": Annotated[float | None, Percent],
        "expected": Annotated[float | None, Money],
        "currency": Annotated[str, CurrencyCode],
        "from": Annotated[str | None, Day],
        "to": Annotated[str | None, Day],
    },
    total=False,
)
"""A budget that is exceeded or at risk, with its period."""


class RiskyBudgets(TypedDict, total=False):
    """The budgets that are exceeded or at risk."""

    checked: int
    basis: str
    count: int | None
    rows: Annotated[list[JsonObject], Members(RiskyBudget)]


class DigestSaving(TypedDict, total=False):
    """One way to save, unused commitment or shortfall."""

    id: str
    title: Annotated[str, Label]
    amount: Annotated[float, Money]
    currency: Annotated[str, CurrencyCode]
    periodEnds: Annotated[str, Day]


class DigestOverlap(Overlap, total=False):
    """A purchase and recommendations whose savings partly overlap. Rows may leave some out, and *more* counts further
    ones."""

    more: int


class DigestSavings(TypedDict, total=False):
    """What could be saved per month, is unused per month, and is owed once. The lists do not add up, and the
    savings of rows in overlaps are partly the same."""

    basis: str
    count: int | None
    rows: Annotated[list[JsonObject], Members(DigestSaving)]
    overlaps: Annotated[list[JsonObject], Members(DigestOverlap)]
    overlapCount: int
    unused: Annotated[list[JsonObject], Members(DigestSaving)]
    unusedCount: int | None
    shortfalls: Annotated[list[JsonObject], Members(DigestSaving)]
    shortfallCount: int | None
    unknown: list[str]
    unknownCount: int


class DueInvoice(TypedDict, total=False):
    """An invoice to pay."""

    id: str
    platform: str
    status: str
    due: Annotated[str | None, Day]
    balance: Annotated[float | None, Money]
    currency: Annotated[str, CurrencyCode]


class DueInvoices(TypedDict, total=False):
    """Invoices that are past due, or due soon."""

    dueBy: Annotated[str, Day]
    basis: str
    count: int | None
    rows: Annotated[list[JsonObject], Members(DueInvoice)]


class OpenTicket(TypedDict, total=False):
    """A ticket that is not solved."""

    id: str
    subject: Annotated[str, Label]
    status: str
    severity: str
    updated: Annotated[str | None, Day]


class OpenTickets(TypedDict, total=False):
    """Tickets that are not solved: those that wait for the customer (pending) first."""

    count: int | None
    waitingForYou: int | None
    rows: Annotated[list[JsonObject], Members(OpenTicket)]


class DigestCustomer(TypedDict):
    """The customer that an employee acts for. *domain* is null if it could not be read."""

    id: str | None
    domain: str | None


class Digest(CostStatement, total=False):
    """The seven days. Parts that could not be read are in failed; they are unknown, not zero."""

    customer: Annotated[JsonObject, "Only for DoiT employees.", Members(DigestCustomer)]
    comparedWith: Annotated[JsonObject, "The seven days before period.", Members(PeriodStatement)]
    spend: Annotated[
        JsonObject, "week: cost of period; weekBefore: of comparedWith. All days are final.", Members(WeekSpend)
    ]
    causes: Annotated[JsonObject, "Parts of the change that are not zero.", Members(ChangeCauses)]
    drivers: Annotated[list[JsonObject], "By service and project; each adds up to change.", Members(WeekDrivers)]
    anomalies: Annotated[JsonObject, "Begun on or after since.", Members(NewAnomalies)]
    budgets: Annotated[JsonObject, "Exceeded or at risk; on: the day.", Members(RiskyBudgets)]
    savings: Annotated[
        JsonObject, "rows, unused: per month; shortfalls: once. Do not add up overlaps.", Members(DigestSavings)
    ]
    invoices: Annotated[JsonObject, "Past due, or due by dueBy.", Members(DueInvoices)]
    tickets: Annotated[JsonObject, "Not solved; pending ones wait for you.", Members(OpenTickets)]
    failed: Annotated[list[JsonObject], "Not read, so unknown.", Members(FailedPart)]
    note: str
