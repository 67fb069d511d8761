"""The kinds of API objects that search finds and fetch shows: how to list, read, title and link them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ...api import Doit
from ...api.areas.anomalies import CURRENCY as ANOMALY_CURRENCY
from ...api.errors import ApiError
from ...api.pagination import Page, parse_page
from ...api.timestamps import format_date
from ...protocol.jsonrpc import JsonObject
from ..budgets.status import find_status, with_rounded_amounts
from ..call import Call
from ..console_links import CONSOLE_PATHS, console_link
from ..costs.amounts import ZERO, round_amount, to_decimal
from ..partial_results import gather_partial
from ..savings.recommendations import CURRENCY as SAVINGS_CURRENCY
from ..savings.recommendations import monthly_savings

SEARCH_PAGE_SIZE = 200
"""Number of rows of each kind that a search reads. If there are more, it also reads rows whose name contains a word."""


@dataclass(frozen=True, slots=True)
class EntityKind:
    """One kind of object.

    *list_method* returns the list method of an area; *filters_by_name* means that it has the argument nameContains.
    *title* describes a row on a day. *console_path* is the path of an object in the console, for rows that have no link
    (*link_field*).
    """

    name: str
    keywords: str
    items_key: str
    list_method: Callable[[Doit], Callable[..., Awaitable[JsonObject]]]
    fetch_by_id: Callable[[Doit, str], Awaitable[JsonObject]]
    title: Callable[[JsonObject, date], str]
    console_path: str
    link_field: str = ""
    filters_by_name: bool = False
    id_of: Callable[[JsonObject], str] = lambda row: str(row.get("id") or "")

    async def fetch_page(self, doit: Doit, name_part: str = "") -> Page:
        """Return the first page of the list, of objects whose name contains *name_part* if it can be filtered."""
        arguments: JsonObject = {"maxResults": SEARCH_PAGE_SIZE}
        if name_part and self.filters_by_name:
            arguments["nameContains"] = name_part
        return parse_page(await self.list_method(doit)(**arguments), self.items_key)

    def url(self, call: Call, row: JsonObject, identifier: str) -> str:
        """Return the object's page in the DoiT console that this server is configured for."""
        link = row.get(self.link_field) if self.link_field else ""
        return console_link(call, self.console_path, identifier, link)


def title_or_id(row: JsonObject, *fields: str, kind: str) -> str:
    """Return the first field that is not empty, otherwise the *kind* and the id."""
    text = next((str(row[name]).strip() for name in fields if row.get(name)), "")
    return text or f"{kind} {row.get('id') or ''}".strip()


def format_amount(amount: Any, currency: str = "USD") -> str:
    """Return an amount, a cell of the API or a Decimal, with the decimals of its currency and thousands separators."""
    exact = amount if isinstance(amount, Decimal) else to_decimal(amount)
    return f"{round_amount(exact, currency):,}"


def _budget_title(row: JsonObject, today: date) -> str:
    currency = str(row.get("currency") or "")
    found = find_status(row, {}, today) if "budgetName" in row else find_status({}, row, today)
    amount = format_amount(row.get("currentUtilization"), currency)
    limit = "" if found.limit is None else f" of {format_amount(found.limit, currency)}"
    used = f"{amount}{limit} {currency}" if limit else f"{amount} {currency} used"
    known = "" if found.status == "unknown" else f", {found.status.replace('_', ' ')}"
    state = known if found.begins is None else f", begins {found.begins.isoformat()}"
    return f"Budget: {title_or_id(row, 'budgetName', 'name', kind='budget')} ({used}{state})"


def _anomaly_title(row: JsonObject, today: date) -> str:
    scope = row.get("entityName") or row.get("scope")
    source = " in ".join(str(part) for part in (row.get("serviceName"), scope) if part) or "a service"
    start = str(row.get("startTime") or "")[:10]
    cost, severity = format_amount(row.get("costOfAnomaly")), row.get("severityLevel") or "cost"
    return f"Anomaly: {source}, {severity}, {cost} {ANOMALY_CURRENCY} above expected{f', {start}' if start else ''}"


def _invoice_title(row: JsonObject, today: date) -> str:
    currency = str(row.get("currency") or "")
    amount = f"{format_amount(row.get('totalAmount'), currency)} {currency}".strip()
    issued = format_date(row.get("invoiceDate"))
    return f"Invoice {row.get('id')}: {amount}, {row.get('status') or 'no status'}{f', {issued}' if issued else ''}"


def _ticket_title(row: JsonObject, today: date) -> str:
    return f"Ticket {row.get('id')}: {title_or_id(row, 'subject', kind='ticket')} ({row.get('status') or 'no status'})"


def _recommendation_title(row: JsonObject, today: date) -> str:
    summary = row.get("summary")
    daily = to_decimal(summary.get("potentialDailySavings")) if isinstance(summary, dict) else ZERO
    suffix = f" (saves {format_amount(monthly_savings(daily))} {SAVINGS_CURRENCY} a month)" if daily > 0 else ""
    return f"Recommendation: {title_or_id(row, 'title', 'key', kind='recommendation')}{suffix}"


def _incident_title(row: JsonObject, today: date) -> str:
    details = ", ".join(str(row[name]) for name in ("product", "status") if row.get(name))
    return f"Cloud incident: {title_or_id(row, 'title', kind='incident')}{f' ({details})' if details else ''}"


async def _fetch_budget(doit: Doit, identifier: str) -> JsonObject:
    return with_rounded_amounts(await doit.budgets.get_budget(id=identifier))


async def _fetch_anomaly(doit: Doit, identifier: str) -> JsonObject:
    return {**await doit.anomalies.get_anomaly(id=identifier), "currency": ANOMALY_CURRENCY}


async def _fetch_insight(doit: Doit, identifier: str) -> JsonObject:
    source, _, key = identifier.partition("/")
    if not source or not key:
        raise ApiError("id: must have the form recommendation:source/key", kind="argument")
    return {**await doit.insights.get_insight(source=source, key=key), "currency": SAVINGS_CURRENCY}


async def _fetch_ticket(doit: Doit, identifier: str) -> JsonObject:
    """Return a ticket with its comments, if they are available."""
    if not (identifier.isascii() and identifier.isdecimal() and 0 < len(identifier) < 16 and int(identifier)):
        raise ApiError("id: must be ticket: and a number", kind="missing")
    requests: dict[str, Awaitable[JsonObject]] = {
        "ticket": doit.tickets.get_ticket(id=int(identifier)),
        "comments": doit.tickets.list_ticket_comments(ticketId=int(identifier)),
    }
    parts = await gather_partial(requests)
    parts.require("ticket")
    ticket: JsonObject = parts.results["ticket"]
    comments = parts.results.get("comments", {}).get("comments")
    return {**ticket, "comments": comments} if comments else ticket


ENTITY_KINDS = (
    EntityKind(
        name="report",
        keywords="report analytics",
        items_key="reports",
        list_method=lambda doit: doit.reports.list_reports,
        filters_by_name=True,
        fetch_by_id=lambda doit, id: doit.reports.get_report_results(id=id),
        title=lambda row, today: f"Report: {title_or_id(row, 'reportName', kind='report')}",
        console_path=CONSOLE_PATHS["reports"],
        link_field="urlUI",
    ),
    EntityKind(
        name="budget",
        keywords="budget limit",
        items_key="budgets",
        list_method=lambda doit: doit.budgets.list_budgets,
        filters_by_name=True,
        fetch_by_id=_fetch_budget,
        title=_budget_title,
        console_path=CONSOLE_PATHS["budgets"],
        link_field="url",
    ),
    EntityKind(
        name="anomaly",
        keywords="anomaly spike unusual cost",
        items_key="anomalies",
        list_method=lambda doit: doit.anomalies.get_anomalies,
        fetch_by_id=_fetch_anomaly,
        title=_anomaly_title,
        console_path=CONSOLE_PATHS["anomalies"],
    ),
    EntityKind(
        name="invoice",
        keywords="invoice bill payment",
        items_key="invoices",
        list_method=lambda doit: doit.invoices.list_invoices,
        fetch_by_id=lambda doit, id: doit.invoices.get_invoice(id=id),
        title=_invoice_title,
        console_path=CONSOLE_PATHS["invoices"],
        link_field="url",
    ),
    EntityKind(
        name="ticket",
        keywords="ticket support case request",
        items_key="tickets",
        list_method=lambda doit: doit.tickets.list_tickets,
        fetch_by_id=_fetch_ticket,
        title=_ticket_title,
        console_path=CONSOLE_PATHS["tickets"],
        link_field="urlUI",
    ),
    EntityKind(
        name="allocation",
        keywords="allocation team",
        items_key="allocations",
        list_method=lambda doit: doit.allocations.list_allocations,
        filters_by_name=True,
        fetch_by_id=lambda doit, id: doit.allocations.get_allocation(id=id),
        title=lambda row, today: f"Allocation: {title_or_id(row, 'name', kind='allocation')}",
        console_path=CONSOLE_PATHS["allocations"],
        link_field="urlUI",
    ),
    EntityKind(
        name="recommendation",
        keywords="recommendation insight savings optimization",
        items_key="results",
        list_method=lambda doit: doit.insights.list_optimization_recommendations,
        fetch_by_id=_fetch_insight,
        title=_recommendation_title,
        console_path="insights#{id}",
        id_of=lambda row: f"{row['source']}/{row['key']}" if row.get("source") and row.get("key") else "",
    ),
    EntityKind(
        name="incident",
        keywords="incident outage known issue cloud",
        items_key="incidents",
        list_method=lambda doit: doit.cloud_incidents.get_cloud_incidents,
        fetch_by_id=lambda doit, id: doit.cloud_incidents.get_cloud_incident(id=id),
        title=_incident_title,
        console_path="known-issues#{id}",
    ),
)
ENTITY_KINDS_BY_NAME = {kind.name: kind for kind in ENTITY_KINDS}
