"""Allocation coverage: what share of cost has a label, tag or allocation, and who owns the largest costs without."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.nearest import MAX_LISTED_VALUES, find_nearest
from ...api.value_kinds import Label, Members, Money, Percent
from ...protocol.json_schema import Length, Range, short_json
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, gather_partial, make_failures_member
from ..periods.grammar import PeriodArgument, parse_period
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, make_series_set
from .amounts import ZERO, amount_as_json, percent_as_json, round_amount, share_percents
from .answers import (
    CLOUD_GROUP,
    CostRequest,
    cut_to_data_start,
    explain_empty_answer,
    find_later_start,
    note_members,
    query_rows,
    run_checked,
    with_check_note,
)
from .checked_values import CheckedValues
from .coverage_series import coverage_series
from .group_costs import CostRow, total_cost
from .groups import GroupDimension, fetch_labels, find_fixed_group, resolve_group
from .scope import CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement, cost_statement

DEFAULT_PERIOD = "last_month"
ALLOCATION = "attribution_group"
KINDS = ("label", "tag", "allocation")
PROJECT, SERVICE = find_fixed_group("project"), find_fixed_group("service")
COST_TYPE = GroupDimension("costType", "cost_type", "fixed", "cost_type")
FEE_TYPES = frozenset(
    (
        *("fee", "rifee", "savingsplanrecurringfee", "savingsplanupfrontfee", "tax", "refund", "credit"),
        *("adjustment", "rounding_error", "edpdiscount", "bundleddiscount", "solutionproviderprogramdiscount"),
    )
)
"""Cost types, in lowercase, of lines that do not belong to a resource and therefore cannot have a label."""
NOT_AVAILABLE = re.compile(r"\[.* N/A\]")
"""How the API writes a missing value in some results."""
AMOUNTS = ("total", "covered", "gap", "other")
DEFAULT_REST = "Unallocated"
"""The name of costs that no rule matches, if the group of allocations does not name them."""


class ProjectName(TypedDict):
    """A project, account or subscription."""

    id: str | None
    name: Annotated[str | None, Label]


class UncoveredCost(TypedDict):
    """The cost of one service in one project that has no label or allocation."""

    project: Annotated[JsonObject, Members(ProjectName)]
    service: Annotated[str | None, Label]
    cost: Annotated[float, Money]
    sharePercent: Annotated[float | None, Percent]
    likely: Annotated[str | None, Label]


class AllocationCoverage(CostStatement, total=False):
    """The cost with and without a label, tag or allocation."""

    by: str
    total: Annotated[float | None, Money]
    covered: Annotated[float | None, Money]
    gap: Annotated[float | None, "Cost without it.", Money]
    gapPercent: Annotated[float | None, "Share of total.", Percent]
    fees: Annotated[float, "Part of gap that no label can cover, only allocations: fees, tax, refunds.", Money]
    owners: Annotated[
        list[JsonObject],
        "Largest parts of gap: project, service, cost, sharePercent; likely: the value of most covered cost there.",
        Members(UncoveredCost),
    ]
    other: Annotated[float | None, "Rest of gap.", Money]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


@dataclass(frozen=True, slots=True)
class CoverageRows:
    """Costs by value and project, and those without a value by project, service and type; *rest* is their name."""

    by_project: Sequence[CostRow]
    uncovered: Sequence[CostRow] | None
    rest: str | None
    failures: Sequence[FailedPart] = ()

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.by_project) + len(self.uncovered or ())

    def is_covered(self, value: Any) -> bool:
        """Return whether a value of the dimension means that the cost has one."""
        text = str(value or "")
        return bool(text) and text != self.rest and not NOT_AVAILABLE.fullmatch(text)


@composed_tool(
    area="allocations",
    search_hint="Untagged, unlabeled, unallocated cost, tag compliance",
    slow=True,
    default_list=False,
)
async def allocation_coverage(
    call: Call,
    *,
    by: Annotated[str, "label:KEY, tag:KEY or allocation:NAME.", Length(1, 300)],
    period: PeriodArgument = None,
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    currency: CurrencyArgument = None,
    topN: Annotated[int, "How many owners.", Range(1, 25)] = 10,
) -> Annotated[ResultWithSeries, AllocationCoverage]:
    """Show how much cost has a label, tag or allocation, what the gap costs, and who owns the largest part of it.
    Default: last month."""
    reported = parse_period(period or DEFAULT_PERIOD, "period", utc_date(call.now))
    scope = Scope.from_arguments(cloud, filters, includeCredits)
    dimension = await _resolve(call, by)
    request = CostRequest(scope, reported)
    rows, stated, checked = await run_checked(
        call, scope, currency, lambda code: _read_rows(call, request, dimension, code)
    )
    missing = await _find_missing(call, request, rows, checked)
    clouds = {str(row.ids[2]) for row in rows.by_project}
    amounts = await run_by_rows(rows.count, make_coverage, rows, topN, stated) | missing.members
    statement = cost_statement(cut_to_data_start(reported, missing.data_start), stated, scope, clouds)
    return ResultWithSeries(
        {"by": dimension.argument, **amounts, **statement}, make_series_set(statement, coverage_series(amounts))
    )


class MissingDays(NamedTuple):
    """The *members* that say what is missing, and the first day of the data if the period begins before it."""

    members: JsonObject
    data_start: date | None = None


async def _find_missing(call: Call, request: CostRequest, rows: CoverageRows, checked: CheckedValues) -> MissingDays:
    """Return what is missing; without any data, all amounts are unknown."""
    if not rows.by_project:
        empty = await explain_empty_answer(call, request.scope, request.period, checked)
        unknown = {} if empty.is_known else dict.fromkeys(AMOUNTS)
        return MissingDays({"note": empty.note, **unknown, **make_failures_member(rows.failures)})
    start = await find_later_start(call, request.period, min(row.period for row in rows.by_project))
    note = with_check_note(note_members(start.day, request.period), checked)
    return MissingDays(note | make_failures_member([*rows.failures, *start.failures]), start.day)


async def _resolve(call: Call, by: str) -> GroupDimension:
    """Return the dimension that *by* names; the key of a label is enough. Raise ApiError with the nearest names."""
    kind, _, key = by.partition(":")
    if key.strip() and kind.strip().casefold() in KINDS:
        return await resolve_group(call, by, "by")
    keys: dict[str, list[str]] = {}
    for type_, key in await fetch_labels(call):
        keys.setdefault(key, []).append(f"{'tag' if type_ == 'tag' else 'label'}:{key}")
    equal = [name for key, names in keys.items() if key.casefold() == by.strip().casefold() for name in names]
    if len(set(equal)) == 1:
        return await resolve_group(call, equal[0], "by")
    similar = equal or [name for key in await find_nearest(by, keys) for name in keys[key]]
    listed = ", ".join(map(short_json, list(dict.fromkeys(similar))[:MAX_LISTED_VALUES]))
    hint = f" Did you mean {listed}?" if listed else " list_dimensions lists labels and tags."
    raise ApiError(f"by: {short_json(by)} is not label:KEY, tag:KEY or allocation:NAME.{hint}", kind="argument")


async def _read_rows(call: Call, request: CostRequest, dimension: GroupDimension, currency: str) -> CoverageRows:
    """Return the costs with and without the dimension. Raise ApiError unless only the services are missing."""
    work: dict[str, Awaitable[Any]] = {
        "costs": query_rows(call, request, (dimension, PROJECT, CLOUD_GROUP), currency),
        "services": _query_services(call, request, dimension, currency),
    }
    if dimension.type == ALLOCATION:
        work["allocation"] = call.doit.allocations.get_allocation(id=dimension.id)
    parts = await gather_partial(work)
    parts.require("costs", "allocation")
    rest = None
    if dimension.type == ALLOCATION:
        rest = str(parts.results["allocation"].get("unallocatedCosts") or DEFAULT_REST)
    rows = CoverageRows(parts.results["costs"], parts.results.get("services"), rest, parts.failures)
    return await run_by_rows(rows.count, _keep_uncovered, rows) if dimension.type == ALLOCATION else rows


def _keep_uncovered(rows: CoverageRows) -> CoverageRows:
    """Return *rows* with only those costs by service that have no value, without the column of the value."""
    if rows.uncovered is None:
        return rows
    return replace(
        rows,
        uncovered=[
            replace(row, ids=row.ids[1:], names=row.names[1:])
            for row in rows.uncovered
            if not rows.is_covered(row.ids[0])
        ],
    )


async def _query_services(call: Call, request: CostRequest, dimension: GroupDimension, currency: str) -> list[CostRow]:
    """Return the cost without a value by project, service and type; for allocations, that of all values, by value."""
    if dimension.type == ALLOCATION:
        return await query_rows(call, request, (dimension, PROJECT, SERVICE, COST_TYPE), currency)
    missing: Filter = {"id": dimension.id, "type": dimension.type, "values": [], "includeNull": True}
    narrowed = replace(request.scope, filters=(*request.scope.filters, missing))
    return await query_rows(call, replace(request, scope=narrowed), (PROJECT, SERVICE, COST_TYPE), currency)


def make_coverage(rows: CoverageRows, top: int, currency: str) -> JsonObject:
    """Return the amounts as the tool result shows them: covered and gap add up to total, owners and other to gap."""
    total = round_amount(total_cost(rows.by_project), currency)
    missing = [row for row in rows.by_project if not rows.is_covered(row.ids[0])]
    gap = round_amount(total_cost(missing), currency)
    # If the services are unknown, owners are projects only.
    by_service = rows.uncovered if rows.uncovered is not None else [_without_service(row) for row in missing]
    owners, other = _rank_owners(by_service, gap, top, currency)
    likely = guess_values(rows)
    shares = share_percents([*(cost for _, cost in owners), other]) if gap else [None] * len(owners)
    return {
        "total": amount_as_json(total, currency),
        "covered": amount_as_json(total - gap, currency),
        "gap": amount_as_json(gap, currency),
        "gapPercent": percent_as_json(gap / total) if total > 0 else None,
        **_make_fees_member(rows, currency),
        "owners": [
            {
                "project": {"id": row.ids[0], "name": row.names[0]},
                "service": row.ids[1],
                "cost": amount_as_json(cost, currency),
                "sharePercent": share,
                "likely": likely.get(row.ids[0]),
            }
            for (row, cost), share in zip(owners, shares)
        ],
        "other": amount_as_json(other, currency),
    }


def _make_fees_member(rows: CoverageRows, currency: str) -> JsonObject:
    """Return the member with the fees; empty if the cost types are unknown."""
    typed = [row for row in rows.uncovered or () if len(row.ids) > 2]
    fees = [row for row in typed if str(row.ids[2]).casefold() in FEE_TYPES]
    return {"fees": amount_as_json(total_cost(fees), currency)} if typed else {}


def _without_service(row: CostRow) -> CostRow:
    return replace(row, ids=(row.ids[1], None), names=(row.names[1], None))


def _rank_owners(
    rows: Sequence[CostRow], gap: Decimal, top: int, currency: str
) -> tuple[list[tuple[CostRow, Decimal]], Decimal]:
    """Return the *top* combinations of project and service with their rounded cost, and the rest of the *gap*."""
    first: dict[tuple[Any, ...], CostRow] = {}
    costs: dict[tuple[Any, ...], Decimal] = {}
    for row in rows:
        place = row.ids[:2]
        first.setdefault(place, row)
        costs[place] = costs.get(place, ZERO) + row.cost
    ranked = sorted((key for key, cost in costs.items() if cost > 0), key=lambda key: (-costs[key], str(key)))[:top]
    owners = [(first[key], round_amount(costs[key], currency)) for key in ranked]
    return owners, gap - sum((cost for _, cost in owners), ZERO)


def guess_values(rows: CoverageRows) -> dict[Any, str]:
    """Return the value that most of the covered cost of a project has, by the project's id."""
    costs: dict[Any, dict[str, Decimal]] = {}
    for row in rows.by_project:
        if rows.is_covered(row.ids[0]):
            of_project = costs.setdefault(row.ids[1], {})
            of_project[str(row.ids[0])] = of_project.get(str(row.ids[0]), ZERO) + row.cost
    found: dict[Any, str] = {}
    for project, of_project in costs.items():
        value, cost = max(of_project.items(), key=lambda item: (item[1], item[0]))
        if 2 * cost > sum(of_project.values(), ZERO):
            found[project] = value
    return found
