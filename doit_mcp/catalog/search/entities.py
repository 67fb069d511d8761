"""What search finds and fetch shows: kinds of things with an id, a title, a page in DoiT's console and a text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ...api.errors import ApiError
from ...api.timestamps import day
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import together
from ..tables import number

PAGE = 200
"""Rows of each kind that a search reads; where there are more, those whose name has the longest word as well."""

MAX_LINK = 2_000
"""Characters of a link into the console."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. *many* gives rows, for a word that names should contain ("" for any); *one* a single thing by its id.

    *section* is its place in the console, for things whose row has no link of its own (*link*).
    """

    name: str
    words: str
    items: str
    many: Callable[[Call, str], Awaitable[JsonObject]]
    one: Callable[[Call, str], Awaitable[JsonObject]]
    title: Callable[[JsonObject], str]
    section: str
    link: str = ""
    by_name: bool = False
    id_of: Callable[[JsonObject], str] = lambda row: str(row.get("id") or "")

    def url(self, call: Call, row: JsonObject, identifier: str) -> str:
        """The page in DoiT's console, on the console that this server belongs to."""
        own = urlsplit(str(row.get(self.link) or "")[:MAX_LINK]) if self.link else None
        if own is not None and own.scheme in ("http", "https") and own.path.strip("/"):
            return f"{call.console}{own.path}{f'?{own.query}' if own.query else ''}"
        place = self.section.replace("{id}", quote(identifier, safe=""))
        tenant = call.doit.tenant
        return f"{call.console}/customers/{quote(tenant, safe='')}/{place}" if tenant else f"{call.console}/#{place}"


def titled(row: JsonObject, *names: str, of: str) -> str:
    """The first of the fields that says something, else the *of* and its id."""
    found = next((str(row[name]).strip() for name in names if row.get(name)), "")
    return found or f"{of} {row.get('id') or ''}".strip()


def written(amount: Any) -> str:
    """An amount for people."""
    return f"{number(amount):,.2f}"


def _budget(row: JsonObject) -> str:
    amount = f"{written(row.get('currentUtilization'))} of {written(row.get('amount'))}"
    risk = {"atRisk": ", at risk", "onTrack": ", on track"}.get(str(row.get("riskStatus")), "")
    return f"Budget: {titled(row, 'budgetName', 'name', of='budget')} ({amount} {row.get('currency') or ''}{risk})"


def _anomaly(row: JsonObject) -> str:
    where = " in ".join(str(row[name]) for name in ("serviceName", "scope") if row.get(name)) or "a service"
    began = str(row.get("startTime") or "")[:10]
    cost, severity = written(row.get("costOfAnomaly")), row.get("severityLevel") or "cost"
    return f"Anomaly: {where}, {severity}, {cost} above expected{f', {began}' if began else ''}"


def _invoice(row: JsonObject) -> str:
    amount = f"{written(row.get('totalAmount'))} {row.get('currency') or ''}".strip()
    when = day(row.get("invoiceDate"))
    return f"Invoice {row.get('id')}: {amount}, {row.get('status') or 'no status'}{f', {when}' if when else ''}"


def _ticket(row: JsonObject) -> str:
    return f"Ticket {row.get('id')}: {titled(row, 'subject', of='ticket')} ({row.get('status') or 'no status'})"


def _recommendation(row: JsonObject) -> str:
    summary = row.get("summary")
    saved = number(summary.get("potentialDailySavings")) if isinstance(summary, dict) else 0.0
    worth = f" (saves {written(saved)} USD a day)" if saved > 0 else ""
    return f"Recommendation: {titled(row, 'title', 'key', of='recommendation')}{worth}"


def _incident(row: JsonObject) -> str:
    facts = ", ".join(str(row[name]) for name in ("product", "status") if row.get(name))
    return f"Cloud incident: {titled(row, 'title', of='incident')}{f' ({facts})' if facts else ''}"


async def _insight(call: Call, identifier: str) -> JsonObject:
    source, _, key = identifier.partition("/")
    if not source or not key:
        raise ApiError("id: a recommendation's is recommendation:source/key", kind="argument")
    return await call.doit.insights.get_insight(source=source, key=key)


async def _ticket_read(call: Call, identifier: str) -> JsonObject:
    """A ticket, and what was said about it where that can be had."""
    if not (identifier.isascii() and identifier.isdecimal() and 0 < len(identifier) < 16 and int(identifier)):
        raise ApiError("id: a ticket's is a number", kind="missing")
    work: dict[str, Awaitable[JsonObject]] = {
        "ticket": call.doit.tickets.get_ticket(id=int(identifier)),
        "comments": call.doit.tickets.list_ticket_comments(ticketId=int(identifier)),
    }
    parts = await together(work)
    if "ticket" in parts.failed:
        raise parts.failed["ticket"]
    ticket: JsonObject = parts.found["ticket"]
    said = parts.found.get("comments", {}).get("comments")
    return {**ticket, "comments": said} if said else ticket


async def _tickets(call: Call, word: str) -> JsonObject:
    return await call.doit.tickets.list_tickets(maxResults=100)


def _named(word: str) -> dict[str, Any]:
    return {"maxResults": PAGE} | ({"nameContains": word} if word else {})


KINDS = (
    Kind(
        "report",
        "report analytics",
        "reports",
        lambda call, word: call.doit.reports.list_reports(**_named(word)),
        lambda call, id: call.doit.reports.get_report_results(id=id),
        lambda row: f"Report: {titled(row, 'reportName', of='report')}",
        "analytics/reports/{id}",
        "urlUI",
        by_name=True,
    ),
    Kind(
        "budget",
        "budget limit",
        "budgets",
        lambda call, word: call.doit.budgets.list_budgets(**_named(word)),
        lambda call, id: call.doit.budgets.get_budget(id=id),
        _budget,
        "analytics/budgets/{id}",
        "url",
        by_name=True,
    ),
    Kind(
        "anomaly",
        "anomaly spike unusual cost",
        "anomalies",
        lambda call, word: call.doit.anomalies.get_anomalies(maxResults=PAGE),
        lambda call, id: call.doit.anomalies.get_anomaly(id=id),
        _anomaly,
        "anomalies/{id}",
    ),
    Kind(
        "invoice",
        "invoice bill payment",
        "invoices",
        lambda call, word: call.doit.invoices.list_invoices(maxResults=PAGE),
        lambda call, id: call.doit.invoices.get_invoice(id=id),
        _invoice,
        "invoices/{id}",
        "url",
    ),
    Kind(
        "ticket",
        "ticket support case request",
        "tickets",
        _tickets,
        _ticket_read,
        _ticket,
        "support/tickets/{id}",
        "urlUI",
    ),
    Kind(
        "allocation",
        "allocation team",
        "allocations",
        lambda call, word: call.doit.allocations.list_allocations(**_named(word)),
        lambda call, id: call.doit.allocations.get_allocation(id=id),
        lambda row: f"Allocation: {titled(row, 'name', of='allocation')}",
        "analytics/allocations/{id}",
        "urlUI",
        by_name=True,
    ),
    Kind(
        "recommendation",
        "recommendation insight savings optimization",
        "results",
        lambda call, word: call.doit.insights.list_optimization_recommendations(maxResults=PAGE),
        _insight,
        _recommendation,
        "insights#{id}",
        id_of=lambda row: f"{row['source']}/{row['key']}" if row.get("source") and row.get("key") else "",
    ),
    Kind(
        "incident",
        "incident outage known issue cloud",
        "incidents",
        lambda call, word: call.doit.cloud_incidents.get_cloud_incidents(maxResults=PAGE),
        lambda call, id: call.doit.cloud_incidents.get_cloud_incident(id=id),
        _incident,
        "known-issues#{id}",
    ),
)
KIND_NAMED = {kind.name: kind for kind in KINDS}
