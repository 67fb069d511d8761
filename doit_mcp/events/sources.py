"""Sources: the lists of the DoiT API that events come from, and the items in each row.

A poll reads the newest page of a list, or the first pages of a list that the API does not sort by what is new, with the
permission of the subscriber.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ..api import Doit
from ..api.errors import ApiError
from ..protocol.jsonrpc import JsonObject
from .event_types import EVENT_TYPES
from .new_items import NewItem, parse_epoch_seconds, period_start
from .payload_texts import clean_identifier, clean_link, fit_payload
from .source import Source, View

PAGE_SIZE = 100
MAX_PAGES = 5
"""Pages of a list whose news can be on any of them."""
EXPIRY_NOTICE_SECONDS = 30 * 86_400
FAILED_RUNS = ("failed", "completed-with-errors")


def _make_payload(**members: Any) -> JsonObject:
    """Return a payload without members that are unknown."""
    return {name: value for name, value in members.items() if value is not None and value != ""}


def _make_item(name: str, occurred_at: float, data: JsonObject) -> NewItem:
    return EVENT_TYPES[name].make_item(occurred_at, fit_payload(EVENT_TYPES[name].payload, data))


def _make_link(view: View, page: str, id: str, separator: str = "/") -> str:
    """Return the link to an item: *page* of the console, with *id* in its path or after #.

    Where the console takes the page itself after #, as without a customer, there is no place for another #.
    """
    if separator == "#" and "#" in view.console:
        return view.console + page
    return f"{view.console}{page}{separator}{quote(id, safe='')}"


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _read_number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _anomaly_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, started = clean_identifier(row.get("id")), parse_epoch_seconds(row.get("startTime"))
    if not id:
        return
    data = _make_payload(
        id=id,
        cloud=row.get("platform"),
        service=row.get("serviceName"),
        scope=row.get("scope"),
        severity=row.get("severityLevel"),
        amount=_read_number(row.get("costOfAnomaly")),
        currency="USD",
        attribution=row.get("attribution"),
        startTime=row.get("startTime"),
        url=_make_link(view, "anomalies", id),
    )
    yield _make_item("anomaly.detected", started or view.now, data)
    ended = row.get("endTime")
    if ended or row.get("status") == "inactive":
        yield _make_item(
            "anomaly.resolved", parse_epoch_seconds(ended) or view.now, data | _make_payload(endTime=ended)
        )


def _budget_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, amount, spent = (
        clean_identifier(row.get("id")),
        _read_number(row.get("amount")),
        _read_number(row.get("currentUtilization")),
    )
    if not id:
        return
    interval = str(row.get("timeInterval") or "")
    is_fixed = bool(row.get("endPeriod"))
    start = str(row.get("startPeriod") or "")[:10] if is_fixed else period_start(interval, view.now)
    data = _make_payload(
        id=id,
        budgetId=id,
        name=row.get("budgetName"),
        amount=amount,
        spent=spent,
        currency=row.get("currency"),
        interval="fixed" if is_fixed else interval,
        periodStart=start,
        url=clean_link(row.get("url")),
    )
    thresholds = row.get("alertThresholds")
    for alert in filter(_is_object, thresholds[:20]) if isinstance(thresholds, list) else ():
        percentage, limit = _read_number(alert.get("percentage")), _read_number(alert.get("amount"))
        if percentage is not None and limit is not None and spent is not None and spent >= limit > 0:
            reached = data | _make_payload(threshold=percentage, thresholdAmount=limit)
            yield _make_item("budget.threshold_reached", view.now, reached)
    if row.get("riskStatus") == "atRisk":
        yield _make_item("budget.forecast_exceeded", view.now, data)


def _alert_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, fired = clean_identifier(row.get("id")), row.get("lastAlerted")
    if id and (at := parse_epoch_seconds(fired)):
        url = _make_link(view, "analytics/alerts", id)
        yield _make_item("alert.fired", at, _make_payload(id=id, name=row.get("name"), firedAt=fired, url=url))


def _invoice_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    if id := clean_identifier(row.get("id")):
        data = _make_payload(
            id=id,
            cloud=row.get("platform"),
            amount=_read_number(row.get("totalAmount")),
            currency=row.get("currency"),
            status=row.get("status"),
            invoiceDate=row.get("invoiceDateFormatted"),
            dueDate=row.get("dueDateFormatted"),
            url=clean_link(row.get("url")),
        )
        yield _make_item("invoice.issued", parse_epoch_seconds(row.get("invoiceDateFormatted")) or view.now, data)


def _ticket_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, updated = clean_identifier(row.get("id")), row.get("updateTime")
    if id and (at := parse_epoch_seconds(updated)):
        data = _make_payload(
            id=id,
            subject=row.get("subject"),
            status=row.get("status"),
            severity=row.get("severity"),
            updateTime=updated,
            url=clean_link(row.get("urlUI")),
        )
        yield _make_item("ticket.updated", at, data)


def _incident_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id = clean_identifier(row.get("id"))
    if id and row.get("status") == "active":
        created = row.get("createTime")
        at = _read_number(created)
        if at is not None:
            created = datetime.fromtimestamp(min(at, 4e12) / 1000, UTC).isoformat(timespec="seconds")
        data = _make_payload(
            id=id,
            cloud=row.get("platform"),
            product=row.get("product"),
            title=row.get("title"),
            createTime=created,
            url=_make_link(view, "known-issues", id, "#"),
        )
        yield _make_item("incident.opened", parse_epoch_seconds(created) or view.now, data)


def _insight_id(row: JsonObject) -> str:
    source, key = row.get("source") or "", clean_identifier(row.get("key"))
    return clean_identifier(f"{source}/{key}") if key and isinstance(source, str) else ""


def _insight_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id = _insight_id(row)
    if not id or row.get("displayStatus", "actionable") != "actionable":
        return
    summary, categories = row.get("summary"), row.get("categories")
    savings = _read_number(summary.get("potentialDailySavings")) if isinstance(summary, dict) else None
    data = _make_payload(
        id=id,
        title=row.get("title"),
        category=categories[0] if isinstance(categories, list) and categories else None,
        cloud=row.get("cloudProvider"),
        dailySavings=savings,
        currency=None if savings is None else "USD",
        url=_make_link(view, "insights", id, "#"),
    )
    yield _make_item("insight.new", view.now, data)


def _commitment_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, ends = clean_identifier(row.get("id")), row.get("endDate")
    at = parse_epoch_seconds(ends)
    if id and at is not None and view.now < at <= view.now + EXPIRY_NOTICE_SECONDS:
        data = _make_payload(
            id=id,
            name=row.get("name"),
            cloud=row.get("cloudProvider"),
            endDate=ends,
            amount=_read_number(row.get("totalCommitmentValue")),
            attained=_read_number(row.get("totalCurrentAttainment")),
            currency=row.get("currency"),
            url=_make_link(view, "commitments", id, "#"),
        )
        yield _make_item("commitment.expiring", view.now, data)


def _flow_items(row: JsonObject, view: View) -> Iterator[NewItem]:
    id, ran, status = clean_identifier(row.get("id")), row.get("lastExecutedTime"), row.get("lastExecutionStatus")
    at = parse_epoch_seconds(ran)
    if id and at is not None and status in FAILED_RUNS:
        # The API shows the page of a run in this folder.
        url = _make_link(view, "cloudflow/history", id, "#")
        yield _make_item(
            "cloudflow.run_failed", at, _make_payload(id=id, name=row.get("name"), status=status, runTime=ran, url=url)
        )


SOURCES: Mapping[str, Source] = {
    "anomalies": Source(lambda doit: doit.anomalies.get_anomalies(maxResults=PAGE_SIZE), "anomalies", _anomaly_items),
    "budgets": Source(
        lambda doit, **page: doit.budgets.list_budgets(maxResults=PAGE_SIZE, **page),
        "budgets",
        _budget_items,
        MAX_PAGES,
    ),
    "alerts": Source(
        lambda doit: doit.alerts.list_alerts(maxResults=PAGE_SIZE, sortBy="lastAlerted", sortOrder="desc"),
        "alerts",
        _alert_items,
    ),
    "invoices": Source(lambda doit: doit.invoices.list_invoices(maxResults=PAGE_SIZE), "invoices", _invoice_items),
    "tickets": Source(lambda doit: doit.tickets.list_tickets(maxResults=PAGE_SIZE), "tickets", _ticket_items),
    "incidents": Source(
        lambda doit: doit.cloud_incidents.get_cloud_incidents(maxResults=PAGE_SIZE),
        "incidents",
        _incident_items,
    ),
    "insights": Source(
        lambda doit, **page: doit.insights.list_optimization_recommendations(maxResults=PAGE_SIZE, **page),
        "results",
        _insight_items,
        MAX_PAGES,
        _insight_id,
    ),
    "commitments": Source(
        lambda doit, **page: doit.commitments.list_commitments(
            maxResults=PAGE_SIZE, sortBy="endDate", sortOrder="asc", **page
        ),
        "commitments",
        _commitment_items,
        MAX_PAGES,
    ),
    "flows": Source(
        lambda doit, **page: doit.cloudflow.list_cloudflows(maxResults=PAGE_SIZE, **page),
        "items",
        _flow_items,
        MAX_PAGES,
    ),
}
"""By the name in :class:`~.event_types.EventType`. A poll takes one request for each page."""


async def is_readable(source: str, doit: Doit) -> bool:
    """Return whether the user of *doit* may read *source* now. Raise ApiError for other failures."""
    try:
        await SOURCES[source].read(doit)
    except ApiError as error:
        if error.kind == "forbidden":
            return False
        raise
    return True
