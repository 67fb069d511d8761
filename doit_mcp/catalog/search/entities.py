"""The kinds of objects that search finds and fetch shows, each with an id, a title, a console page and a text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ...api.errors import ApiError
from ...api.timestamps import format_date
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import gather_partial
from ..tables import to_number

SEARCH_PAGE_SIZE = 200
"""Rows of each kind that a search reads; if there are more, it also reads those whose name has the longest word."""

MAX_LINK_CHARACTERS = 2_000
"""Characters of a console link."""


@dataclass(frozen=True, slots=True)
class EntityKind:
    """One kind of object.

    *fetch_many* returns rows, filtered by a word in their names ("" for any); *fetch_by_id* returns a single object.
    *console_path* is its path in the console, for rows without their own link (*link_field*).
    """

    name: str
    keywords: str
    items_key: str
    fetch_many: Callable[[Call, str], Awaitable[JsonObject]]
    fetch_by_id: Callable[[Call, str], Awaitable[JsonObject]]
    title: Callable[[JsonObject], str]
    console_path: str
    link_field: str = ""
    filters_by_name: bool = False
    id_of: Callable[[JsonObject], str] = lambda row: str(row.get("id") or "")

    def url(self, call: Call, row: JsonObject, identifier: str) -> str:
        """Return the object's page in the DoiT console that this server is configured for."""
        own = urlsplit(str(row.get(self.link_field) or "")[:MAX_LINK_CHARACTERS]) if self.link_field else None
        if own is not None and own.scheme in ("http", "https") and own.path.strip("/"):
            return f"{call.console_url}{own.path}{f'?{own.query}' if own.query else ''}"
        place = self.console_path.replace("{id}", quote(identifier, safe=""))
        tenant = call.doit.tenant
        return (
            f"{call.console_url}/customers/{quote(tenant, safe='')}/{place}"
            if tenant
            else f"{call.console_url}/#{place}"
        )


def title_or_id(row: JsonObject, *fields: str, kind: str) -> str:
    """Return the first field that is not empty, otherwise the *kind* and the id."""
    found = next((str(row[name]).strip() for name in fields if row.get(name)), "")
    return found or f"{kind} {row.get('id') or ''}".strip()


def format_amount(amount: Any) -> str:
    """Return an amount as text for users."""
    return f"{to_number(amount):,.2f}"


def _budget_title(row: JsonObject) -> str:
    amount = f"{format_amount(row.get('currentUtilization'))} of {format_amount(row.get('amount'))}"
    risk = {"atRisk": ", at risk", "onTrack": ", on track"}.get(str(row.get("riskStatus")), "")
    return (
        f"Budget: {title_or_id(row, 'budgetName', 'name', kind='budget')} ({amount} {row.get('currency') or ''}{risk})"
    )


def _anomaly_title(row: JsonObject) -> str:
    where = " in ".join(str(row[name]) for name in ("serviceName", "scope") if row.get(name)) or "a service"
    began = str(row.get("startTime") or "")[:10]
    cost, severity = format_amount(row.get("costOfAnomaly")), row.get("severityLevel") or "cost"
    return f"Anomaly: {where}, {severity}, {cost} above expected{f', {began}' if began else ''}"


def _invoice_title(row: JsonObject) -> str:
    amount = f"{format_amount(row.get('totalAmount'))} {row.get('currency') or ''}".strip()
    when = format_date(row.get("invoiceDate"))
    return f"Invoice {row.get('id')}: {amount}, {row.get('status') or 'no status'}{f', {when}' if when else ''}"


def _ticket_title(row: JsonObject) -> str:
    return f"Ticket {row.get('id')}: {title_or_id(row, 'subject', kind='ticket')} ({row.get('status') or 'no status'})"


def _recommendation_title(row: JsonObject) -> str:
    summary = row.get("summary")
    saved = to_number(summary.get("potentialDailySavings")) if isinstance(summary, dict) else 0.0
    worth = f" (saves {format_amount(saved)} USD a day)" if saved > 0 else ""
    return f"Recommendation: {title_or_id(row, 'title', 'key', kind='recommendation')}{worth}"


def _incident_title(row: JsonObject) -> str:
    facts = ", ".join(str(row[name]) for name in ("product", "status") if row.get(name))
    return f"Cloud incident: {title_or_id(row, 'title', kind='incident')}{f' ({facts})' if facts else ''}"


async def _fetch_insight(call: Call, identifier: str) -> JsonObject:
    source, _, key = identifier.partition("/")
    if not source or not key:
        raise ApiError("id: must have the form recommendation:source/key", kind="argument")
    return await call.doit.insights.get_insight(source=source, key=key)


async def _fetch_ticket(call: Call, identifier: str) -> JsonObject:
    """Return a ticket with its comments, if they are available."""
    if not (identifier.isascii() and identifier.isdecimal() and 0 < len(identifier) < 16 and int(identifier)):
        raise ApiError("id: must be ticket: and a number", kind="missing")
    work: dict[str, Awaitable[JsonObject]] = {
        "ticket": call.doit.tickets.get_ticket(id=int(identifier)),
        "comments": call.doit.tickets.list_ticket_comments(ticketId=int(identifier)),
    }
    parts = await gather_partial(work)
    if "ticket" in parts.errors:
        raise parts.errors["ticket"]
    ticket: JsonObject = parts.results["ticket"]
    said = parts.results.get("comments", {}).get("comments")
    return {**ticket, "comments": said} if said else ticket


async def _list_tickets(call: Call, word: str) -> JsonObject:
    return await call.doit.tickets.list_tickets(maxResults=100)


def _name_filter(word: str) -> dict[str, Any]:
    return {"maxResults": SEARCH_PAGE_SIZE} | ({"nameContains": word} if word else {})


ENTITY_KINDS = (
    EntityKind(
        "report",
        "report analytics",
        "reports",
        lambda call, word: call.doit.reports.list_reports(**_name_filter(word)),
        lambda call, id: call.doit.reports.get_report_results(id=id),
        lambda row: f"Report: {title_or_id(row, 'reportName', kind='report')}",
        "analytics/reports/{id}",
        "urlUI",
        filters_by_name=True,
    ),
    EntityKind(
        "budget",
        "budget limit",
        "budgets",
        lambda call, word: call.doit.budgets.list_budgets(**_name_filter(word)),
        lambda call, id: call.doit.budgets.get_budget(id=id),
        _budget_title,
        "analytics/budgets/{id}",
        "url",
        filters_by_name=True,
    ),
    EntityKind(
        "anomaly",
        "anomaly spike unusual cost",
        "anomalies",
        lambda call, word: call.doit.anomalies.get_anomalies(maxResults=SEARCH_PAGE_SIZE),
        lambda call, id: call.doit.anomalies.get_anomaly(id=id),
        _anomaly_title,
        "anomalies/{id}",
    ),
    EntityKind(
        "invoice",
        "invoice bill payment",
        "invoices",
        lambda call, word: call.doit.invoices.list_invoices(maxResults=SEARCH_PAGE_SIZE),
        lambda call, id: call.doit.invoices.get_invoice(id=id),
        _invoice_title,
        "invoices/{id}",
        "url",
    ),
    EntityKind(
        "ticket",
        "ticket support case request",
        "tickets",
        _list_tickets,
        _fetch_ticket,
        _ticket_title,
        "support/tickets/{id}",
        "urlUI",
    ),
    EntityKind(
        "allocation",
        "allocation team",
        "allocations",
        lambda call, word: call.doit.allocations.list_allocations(**_name_filter(word)),
        lambda call, id: call.doit.allocations.get_allocation(id=id),
        lambda row: f"Allocation: {title_or_id(row, 'name', kind='allocation')}",
        "analytics/allocations/{id}",
        "urlUI",
        filters_by_name=True,
    ),
    EntityKind(
        "recommendation",
        "recommendation insight savings optimization",
        "results",
        lambda call, word: call.doit.insights.list_optimization_recommendations(maxResults=SEARCH_PAGE_SIZE),
        _fetch_insight,
        _recommendation_title,
        "insights#{id}",
        id_of=lambda row: f"{row['source']}/{row['key']}" if row.get("source") and row.get("key") else "",
    ),
    EntityKind(
        "incident",
        "incident outage known issue cloud",
        "incidents",
        lambda call, word: call.doit.cloud_incidents.get_cloud_incidents(maxResults=SEARCH_PAGE_SIZE),
        lambda call, id: call.doit.cloud_incidents.get_cloud_incident(id=id),
        _incident_title,
        "known-issues#{id}",
    ),
)
ENTITY_KINDS_BY_NAME = {kind.name: kind for kind in ENTITY_KINDS}
