"""The tools get_anomalies and get_anomaly: anomalies with names beside ids, their state and their owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, TypedDict

from ...api.areas.anomalies import (
    CURRENCY,
    PAGE_SIZE,
    AnomalyCount,
    AnomalyDetails,
    AnomalyFilter,
    AnomalyPage,
    AnomalyRow,
    AnomalySort,
    StartedSince,
    StartedUntil,
    WithNotifications,
)
from ...api.errors import ApiError
from ...api.pagination import LARGE_PAGE_SIZE, parse_page, search_pages
from ...api.parameters import ConsoleLink, Id, PageToken, SortOrder
from ...api.value_kinds import CurrencyCode, Label, Members, Percent
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..console_links import CONSOLE_PATHS, console_link
from ..costs.amounts import amount_as_json, sum_amounts
from ..partial_results import FailedParts, describe_error, gather_partial, make_failures_member
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries
from .anomaly_series import fetch_anomaly_series
from .filter_terms import explain_no_match, with_full_names
from .linked_anomalies import note_linked_anomalies
from .owners import Ownership, add_labeled_costs, fetch_names, fetch_ownership

TOTALS = ("totalCount", "totalCountExact", "anomalySummary")
"""Members of a page with the totals of all pages."""


class NamedObject(TypedDict, total=False):
    """An object with its name; null if it is unknown."""

    id: str | None
    name: Annotated[str | None, Label]


class Owner(TypedDict, total=False):
    """Who owns the costs of an anomaly, and how that is known."""

    name: Annotated[str, Label]
    basis: str
    sharePercent: Annotated[float, Percent]


class OwnedAnomaly(TypedDict, total=False):
    """Members that results add to an anomaly."""

    open: bool
    project: Annotated[JsonObject, "id, name.", Members(NamedObject)]
    account: Annotated[JsonObject, "Billing account: id, name if known.", Members(NamedObject)]
    owner: Annotated[JsonObject | None, "Owner of the costs: name, basis. Null: unknown.", Members(Owner)]


class OwnedAnomalyRow(AnomalyRow, OwnedAnomaly, total=False):
    """An anomaly in a list."""


class OwnedAnomalyPage(AnomalyPage, total=False):
    """A page of anomalies."""

    anomalies: Annotated[
        list[JsonObject],
        "Each with id, open, owner (name, basis; null: unknown), project and account (id, name), platform, serviceName, "
        "severityLevel, startTime, endTime, costOfAnomaly (above expected), actualCost, expectedMaxCost, top3SKUs, "
        "resourceData, allocations, monitorLevel, linkedAnomalies (about the same spike), acknowledged.",
        Members(OwnedAnomalyRow),
    ]
    openCount: Annotated[int, "Open ones in this result."]
    note: Annotated[str, "Why nothing matches, or what not to add up."]
    currency: Annotated[str, CurrencyCode]
    failed: FailedParts


class OwnedAnomalyDetails(AnomalyDetails, OwnedAnomaly, total=False):
    """One anomaly."""

    url: ConsoleLink
    currency: Annotated[str, CurrencyCode]
    failed: FailedParts


@composed_tool(
    area="anomalies",
    search_hint="Cost anomalies, unusual spending, spikes, open anomalies, who owns them",
    rows_key="anomalies",
    default_list=True,
    slow=False,
    view=True,
)
async def get_anomalies(
    call: Call,
    *,
    onlyOpen: Annotated[bool, "Only anomalies that are still open."] = False,
    maxResults: AnomalyCount = None,
    pageToken: PageToken = None,
    filter: AnomalyFilter = None,
    sortBy: AnomalySort = None,
    sortOrder: SortOrder = None,
    minCreationTime: StartedSince = None,
    maxCreationTime: StartedUntil = None,
    includeNotifications: WithNotifications = None,
) -> Annotated[ResultWithSeries, OwnedAnomalyPage]:
    """List cost anomalies, newest first: unexpected spending with its size, severity and causes, whether it is open and
    who owns it. An empty list does not prove normal spending: detection depends on the customer's sensitivity
    setting."""
    wanted = with_full_names(filter)
    page = await search_pages(
        call.doit.anomalies.get_anomalies,
        is_open if onlyOpen else None,
        row_count=maxResults or PAGE_SIZE,
        max_page_size=LARGE_PAGE_SIZE,
        token=pageToken,
        filter=wanted,
        sortBy=sortBy,
        sortOrder=sortOrder,
        minCreationTime=minCreationTime,
        maxCreationTime=maxCreationTime,
        includeNotifications=includeNotifications,
    )
    rows = parse_page(page, "anomalies").rows
    if wanted and not rows and not page.get("totalCount") and not pageToken:
        note = await explain_empty_list(call, wanted)
        empty = {**without_totals(page), "anomalies": [], "openCount": 0, "currency": CURRENCY, "note": note}
        return ResultWithSeries(empty, {"series": []})
    ownership = await fetch_ownership(call, rows)
    found = {
        **(with_totals_of(page, rows, is_whole=not pageToken) if onlyOpen else page),
        "anomalies": [describe_anomaly(row, ownership) for row in rows],
        "openCount": sum(map(is_open, rows)),
        "currency": CURRENCY,
        **({"note": note} if (note := note_linked_anomalies(rows)) else {}),
        **make_failures_member(ownership.failures),
    }
    return ResultWithSeries(found, {"asOf": utc_date(call.now).isoformat(), "series": []})


@composed_tool(
    area="anomalies",
    search_hint="One cost anomaly: causes, SKUs, resources, owner",
    default_list=False,
    slow=False,
    view=True,
)
async def get_anomaly(call: Call, *, id: Id) -> Annotated[ResultWithSeries, OwnedAnomalyDetails]:
    """Show one cost anomaly: when and where it happened, how far cost exceeded the expected range, which SKUs and
    resources caused it, whether it is open, and who owns it."""
    anomaly = await call.doit.anomalies.get_anomaly(id=id)
    known = await fetch_names(call, [anomaly])
    parts = await gather_partial(
        {
            "owners": add_labeled_costs(call, [anomaly], known),
            "series": fetch_anomaly_series(call, anomaly, known.project_of(anomaly)["id"], CURRENCY),
        }
    )
    parts.require()
    ownership: Ownership = parts.results["owners"]
    url = console_link(call, CONSOLE_PATHS["anomalies"], id)
    described = describe_anomaly(anomaly, ownership)
    result = {**described, "currency": CURRENCY, "url": url, **make_failures_member(ownership.failures)}
    return ResultWithSeries(result, parts.results["series"])


async def explain_empty_list(call: Call, wanted: str) -> str:
    """Return why no anomaly matches the filter *wanted*."""
    try:
        everything = await call.doit.anomalies.get_anomalies(maxResults=LARGE_PAGE_SIZE)
    except ApiError as error:
        if error.kind == "credential":
            raise
        return f"Nothing matches the filter. The values that would match are unknown: {describe_error(error)}."
    page = parse_page(everything, "anomalies")
    return explain_no_match(wanted, page.rows, is_complete=not page.next_token)


def without_totals(page: JsonObject) -> JsonObject:
    """Return a page without the totals that the API counts."""
    return {name: value for name, value in page.items() if name not in TOTALS}


def with_totals_of(page: JsonObject, rows: Sequence[JsonObject], *, is_whole: bool) -> JsonObject:
    """Return a page with the totals of the *rows* that are shown; without totals unless these are all rows.

    The API counts closed anomalies too.
    """
    plain = without_totals(page)
    if not is_whole or page.get("pageToken"):
        return plain
    severities = Counter(str(row.get("severityLevel")) for row in rows)
    counted = page.get("anomalySummary", {}).get("countBySeverity") or {}
    summary = {
        "countBySeverity": {**dict.fromkeys(counted, 0), **severities},
        "totalCostOfAnomaly": amount_as_json(sum_amounts(row.get("costOfAnomaly") for row in rows), CURRENCY),
    }
    return {**plain, "totalCount": len(rows), "anomalySummary": summary}


def is_open(anomaly: JsonObject) -> bool:
    """Return whether an anomaly is ongoing; without a known status, whether it has no end time."""
    status = anomaly.get("status")
    return status == "active" if status in ("active", "inactive") else not anomaly.get("endTime")


def describe_anomaly(anomaly: JsonObject, ownership: Ownership) -> JsonObject:
    """Return an anomaly with its owner, and with names beside ids."""
    account = anomaly.get("billingAccount") or None
    return {
        **anomaly,
        "open": is_open(anomaly),
        "owner": ownership.owner_of(anomaly),
        "project": ownership.project_of(anomaly),
        "account": {"id": account, **({"name": name} if (name := ownership.names.get(str(account))) else {})},
    }
