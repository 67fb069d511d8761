"""What needs someone: new anomalies, budgets at risk, savings, invoices to pay and open tickets.

Each function returns one member of the digest, with all of its rows in order, and the unread parts. It raises ApiError.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ...api.areas.anomalies import CURRENCY as ANOMALY_CURRENCY
from ...api.pagination import LARGE_PAGE_SIZE, iterate_pages, parse_page
from ...protocol.jsonrpc import JsonObject
from ..anomalies.linked_anomalies import keep_one_per_spike
from ..anomalies.owners import fetch_ownership
from ..anomalies.tools import is_open
from ..budgets.breaches import OwnForecast, find_breaches, order_breaches
from ..call import Call
from ..commitments.aws import PER_MONTH
from ..costs.amounts import amount_as_json, sum_amounts, to_decimal
from ..costs.scope import Scope
from ..partial_results import FailedPart
from ..periods.period import ONE_DAY
from ..savings.opportunities import summarize_savings
from .short_text import shorten_text

Section = tuple[JsonObject, Sequence[FailedPart]]

MAX_ROWS = 3
"""Maximum number of rows of each list that the digest shows."""
MAX_UNKNOWN_CHARACTERS = 120
MAX_INVOICE_PAGES = 3
MAX_TICKETS = 100
DUE_DAYS = 14
"""Number of days within which an open invoice must be due to be in the digest."""
BASIS_ANOMALIES = "above the expected range; of linked anomalies, the most expensive one"
BASIS_BUDGETS = "spent: so far; expected: DoiT's forecast for the end of the period"
BASIS_INVOICES = "balance: unpaid, with credits and tax"
UNKNOWN_WASTE = "unused"
"""The beginning of sentences about unused commitments without an amount."""
SHORTFALLS = "commitment"
"""The part with the shortfalls."""
WAITING = "pending"
"""The status of tickets that wait for the customer's reply."""
OPEN_STATUSES = (WAITING, "new", "open", "hold")
SEVERITIES = ("urgent", "high", "normal", "low")


async def read_anomalies(call: Call, since: date) -> Section:
    """Return the anomalies that began on or after *since*, the most expensive first."""
    newest = await call.doit.anomalies.get_anomalies(maxResults=LARGE_PAGE_SIZE, sortBy="startTime", sortOrder="desc")
    page = parse_page(newest, "anomalies")
    spikes = keep_one_per_spike(page.rows)
    new = sorted(
        (row for row in spikes if _read_day(row.get("startTime")) >= since.isoformat()),
        key=lambda row: (-to_decimal(row.get("costOfAnomaly")), str(row.get("id"))),
    )
    ownership = await fetch_ownership(call, new[:MAX_ROWS])
    failures = list(ownership.failures)
    if page.next_token:
        failures.append({"part": "earlier anomalies", "why": f"only the newest {len(page.rows)} are read"})
    rows = [
        {
            "id": f"anomaly:{row.get('id')}",
            "service": shorten_text(row.get("serviceName")),
            "project": shorten_text(ownership.project_of(row)["name"]),
            "started": _read_day(row.get("startTime")),
            "costAboveExpected": amount_as_json(to_decimal(row.get("costOfAnomaly")), ANOMALY_CURRENCY),
            "severity": str(row.get("severityLevel") or "unknown"),
            "open": is_open(row),
            "owner": shorten_text((ownership.owner_of(row) or {}).get("name")),
        }
        for row in new[:MAX_ROWS]
    ]
    total = amount_as_json(sum_amounts(row.get("costOfAnomaly") for row in new), ANOMALY_CURRENCY)
    open_before = sum(map(is_open, spikes)) - sum(map(is_open, new))
    # Unread rows are older than those that were read.
    has_all_new = not page.next_token or len(new) < len(spikes)
    return {
        "since": since.isoformat(),
        "count": len(new) if has_all_new else None,
        "costAboveExpected": total if has_all_new else None,
        "currency": ANOMALY_CURRENCY,
        "basis": BASIS_ANOMALIES,
        "openFromBefore": None if page.next_token else open_before,
        "rows": rows,
    }, failures


async def read_budgets(call: Call) -> Section:
    """Return the budgets that are exceeded or at risk, as forecast_spend orders them."""
    checked = await find_breaches(call, Scope())
    breaches = order_breaches(checked.budgets, OwnForecast(Scope(), "", {}))
    rows = [
        {
            "id": f"budget:{row['id']}",
            "name": shorten_text(row["name"]),
            "status": row["status"],
            "on": row["exceededOn"] or row["breaksOn"],
            **{name: row[name] for name in ("spent", "amount", "percentUsed", "expected", "currency")},
            **{name: (row["period"] or {}).get(name) for name in ("from", "to")},
        }
        for row in breaches
    ]
    return {"checked": checked.count, "basis": BASIS_BUDGETS, "count": len(rows), "rows": rows}, checked.failures


async def read_savings(call: Call) -> Section:
    """Return the largest savings and their overlaps, unused commitments and shortfalls, without anomalies."""
    summary, _ = await summarize_savings(call, LARGE_PAGE_SIZE)
    counts, unknown, failures = summary["counts"], summary.get("unknown", []), summary.get("failed", ())
    owed = [row for row in summary["at_stake"] if row["kind"] == "commitment"]
    section: JsonObject = {
        "basis": f"rows and unused: {PER_MONTH}; shortfalls: once, by periodEnds",
        "count": counts["save"],
        "rows": _saving_rows(summary["save"]),
        "overlaps": summary["overlaps"],
        "unusedCount": None if any(one.startswith(UNKNOWN_WASTE) for one in unknown) else counts["waste"],
        "unused": _saving_rows(summary["waste"]),
        "shortfallCount": None if any(one["part"] == SHORTFALLS for one in failures) else len(owed),
        "shortfalls": _saving_rows(owed),
    }
    section |= {"unknown": [shorten_text(one, MAX_UNKNOWN_CHARACTERS) for one in unknown[:MAX_ROWS]]} if unknown else {}
    section |= {"unknownCount": len(unknown)} if len(unknown) > MAX_ROWS else {}
    return section, failures


def _saving_rows(rows: Sequence[JsonObject]) -> list[JsonObject]:
    return [
        {
            "id": row["id"],
            "title": shorten_text(row["title"]),
            "amount": row["amount"],
            "currency": row["currency"],
            **({"periodEnds": row["periodEnds"]} if "periodEnds" in row else {}),
        }
        for row in rows
    ]


async def read_invoices(call: Call, today: date) -> Section:
    """Return the invoices that are past due or due within DUE_DAYS, the earliest first."""
    pages = iterate_pages(call.doit.invoices.list_invoices, max_pages=MAX_INVOICE_PAGES, maxResults=LARGE_PAGE_SIZE)
    found: list[JsonObject] = []
    token = ""
    async for page in pages:
        found += page.rows
        token = page.next_token
    due_by = (today + DUE_DAYS * ONE_DAY).isoformat()
    due = [row for row in found if _is_due(row, due_by)]
    rows = [
        {
            "id": f"invoice:{row.get('id')}",
            "platform": str(row.get("platform") or "unknown"),
            "status": str(row["status"]),
            "due": _read_day(row.get("dueDateFormatted")) or None,
            "balance": row.get("balanceAmount"),
            "currency": str(row.get("currency") or "unknown"),
        }
        for row in sorted(due, key=lambda row: (_read_day(row.get("dueDateFormatted")), str(row.get("id"))))
    ]
    unread: FailedPart = {"part": "earlier invoices", "why": f"only the newest {len(found)} are read"}
    count = None if token else len(rows)
    section = {"dueBy": due_by, "basis": BASIS_INVOICES, "count": count, "rows": rows}
    return section, [unread] if token else []


def _is_due(invoice: JsonObject, due_by: str) -> bool:
    status = str(invoice.get("status")).upper()
    return status == "PAST DUE" or (status == "OPEN" and _read_day(invoice.get("dueDateFormatted")) <= due_by)


async def read_tickets(call: Call) -> Section:
    """Return the tickets that are not solved: those that wait for the customer first, then by severity."""
    page = parse_page(await call.doit.tickets.list_tickets(maxResults=MAX_TICKETS), "tickets")
    unsolved = sorted(
        (row for row in page.rows if row.get("status") in OPEN_STATUSES),
        key=lambda row: (row["status"] != WAITING, _rank(row.get("severity")), str(row.get("id"))),
    )
    rows = [
        {
            "id": f"ticket:{row.get('id')}",
            "subject": shorten_text(row.get("subject")),
            "status": row["status"],
            "severity": str(row.get("severity") or "unknown"),
            "updated": _read_day(row.get("updateTime")) or None,
        }
        for row in unsolved
    ]
    waiting = sum(row["status"] == WAITING for row in unsolved)
    unread: FailedPart = {"part": "earlier tickets", "why": f"only the newest {len(page.rows)} are read"}
    counts = {"count": len(rows), "waitingForYou": waiting}
    section = {**(dict.fromkeys(counts) if page.next_token else counts), "rows": rows}
    return section, [unread] if page.next_token else []


def _rank(severity: Any) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _read_day(text: Any) -> str:
    """Return the day of an ISO date or time; "" without one."""
    return str(text or "")[:10]
