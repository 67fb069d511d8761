"""Cost answers: the queries of a tool, run in the right currency, with checked values and notes about missing data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar

from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import run_in_currency
from ..partial_results import FailedPart, gather_partial
from ..periods.period import Period, ReportedPeriod
from ..report_runs.queries import fetch_query
from .checked_values import NOT_CHECKED, CheckedValues, find_variants, list_filtered_cost_types
from .data_start import DataStart, fetch_data_start, read_data_start
from .group_costs import CostRow, read_cost_rows
from .groups import GroupDimension, find_fixed_group
from .query_config import QueryInterval, cost_config
from .scope import Scope, check_values
from .statement import settling_note

T = TypeVar("T")

MAX_RANKED_GROUPS = 25
"""Number of groups to query: the maximum that can be shown, so that shares do not depend on how many are shown."""
CLOUD_GROUP = find_fixed_group("cloud")
UNCHECKED = CheckedValues()
CREDITS_NOTE = "Promotional credits are excluded; pass includeCredits: true to see them."


@dataclass(frozen=True, slots=True)
class CostRequest:
    """Which costs to query: *scope* and *period*, split by *groups* (*top* values of each are shown) and *interval*."""

    scope: Scope
    period: ReportedPeriod
    groups: tuple[GroupDimension, ...] = ()
    top: int | None = None
    interval: QueryInterval = "month"

    @property
    def is_by_cloud(self) -> bool:
        """Whether the groups are those of the total, so that one query has both."""
        return self.groups == (CLOUD_GROUP,)


@dataclass(frozen=True, slots=True)
class CostAnswer:
    """The rows by group, and those of the total by cloud; None if that failed, with the *failures*.

    *data_start* is the first day of the data if the period begins before it.
    """

    groups: list[CostRow]
    total: list[CostRow] | None
    failures: list[FailedPart] = field(default_factory=list)
    data_start: date | None = None

    @property
    def clouds(self) -> list[str]:
        """The clouds with costs."""
        return sorted({str(row.ids[0]) for row in self.total or () if row.ids[0] is not None})

    @property
    def first_period(self) -> str | None:
        """The first period with costs."""
        return min((row.period for row in self.total or self.groups), default=None)


async def query_costs(call: Call, request: CostRequest, currency: str) -> CostAnswer:
    """Return the costs by group and in total. Raise ApiError unless only the total failed."""
    work = {"total": query_rows(call, request, (CLOUD_GROUP,), currency)}
    if request.groups and not request.is_by_cloud:
        work["groups"] = query_rows(call, request, request.groups, currency, MAX_RANKED_GROUPS)
    parts = await gather_partial(work)
    main = "groups" if "groups" in work else "total"
    parts.require(main)
    return CostAnswer(parts.results[main] if request.groups else [], parts.results.get("total"), parts.failures)


async def query_rows(
    call: Call,
    request: CostRequest,
    groups: tuple[GroupDimension, ...],
    currency: str,
    limit: int | None = None,
    period: Period | None = None,
) -> list[CostRow]:
    """Return the costs by *groups*, in the request's period or another *period*. Raise ApiError."""
    config = cost_config(
        request.scope,
        period or request.period.elapsed,
        currency,
        interval=request.interval,
        groups=groups,
        limit=limit,
    )
    answer = await fetch_query(call, config)
    return await run_by_rows(len(answer["rows"]), read_cost_rows, answer, groups, request.interval)


async def run_checked(
    call: Call, scope: Scope, requested_currency: str | None, work: Callable[[str], Coroutine[Any, Any, T]]
) -> tuple[T, str, CheckedValues]:
    """Return the result of *work* and its currency, while the values of filters with several ones are checked.

    An empty answer does not show that one of several values is unknown. Raise ApiError.
    """
    scope.check_case()
    parts: dict[str, Awaitable[Any]] = {"answer": run_in_currency(call, requested_currency, work)}
    if scope.has_partly_checked_values:
        parts["values"] = check_values(call, scope)
    if cost_types := list_filtered_cost_types(scope):
        parts["variants"] = find_variants(call, cost_types)
    done = await gather_partial(parts)
    done.require("values")
    if (refusal := done.errors.get("answer")) is not None:
        if refusal.kind == "refused" and scope.is_limited:
            # The API refuses unknown dimensions without naming the ones that exist.
            await check_values(call, scope)
        raise refusal
    result: tuple[T, str] = done.results["answer"]
    # The answer is correct even without the variants.
    return *result, CheckedValues(done.results.get("values"), done.results.get("variants", ()))


def with_check_note(result: JsonObject, checked: CheckedValues) -> JsonObject:
    """Return the *result* of a tool with the notes about the values of its filters, if there are any."""
    note = str(result.get("note") or "")
    added = [text for text in checked.notes if text not in note]
    return {**result, "note": " ".join([note, *added]).lstrip()} if added else result


class EmptyAnswer(NamedTuple):
    """Why an answer has no costs. *is_known* is false if there is no data, so that the cost is unknown, not zero."""

    note: str
    is_known: bool = True


async def explain_empty_answer(
    call: Call, scope: Scope, period: ReportedPeriod, checked: CheckedValues = UNCHECKED
) -> EmptyAnswer:
    """Return why an answer has no costs. Raise ApiError for values of *scope* that are not in the data.

    *checked* is the third result of run_checked.
    """
    work: dict[str, Awaitable[Any]] = {"start": fetch_data_start(call)}
    if checked.exist is None:
        work["checked"] = check_values(call, scope)
    parts = await gather_partial(work)
    parts.require("checked")
    if "start" in parts.errors:
        return EmptyAnswer("No cost was found. The first day of the data could not be read.", is_known=False)
    start: date | None = parts.results["start"]
    if start is None:
        return EmptyAnswer("The customer has no cost data yet.", is_known=False)
    if period.elapsed.last < start:
        return EmptyAnswer(f"The data begins on {start.isoformat()}: earlier costs are unknown.", is_known=False)
    reason = _explain_no_data(scope, is_checked=bool(parts.results.get("checked", checked.exist)))
    if reason == CREDITS_NOTE:
        return EmptyAnswer(reason, is_known=False)
    return EmptyAnswer(" ".join(filter(None, (reason, settling_note(period)))))


def _explain_no_data(scope: Scope, *, is_checked: bool) -> str:
    """Return why nothing in the data matches *scope*. *is_checked* is whether its values are known to exist."""
    if not scope.is_limited:
        return "Nothing had a cost in this period."
    if scope.is_of_left_out_credits:
        return CREDITS_NOTE
    if not is_checked:
        return f"Nothing that matches had a cost in this period. {NOT_CHECKED}"
    if scope.has_several_conditions:
        # Each value exists, but not necessarily together with the others.
        return "Nothing matches cloud and filters together in this period."
    return "The values of cloud and filters exist in the data, but had no cost in this period."


async def find_later_start(call: Call, period: ReportedPeriod, first_period: str | None) -> DataStart:
    """Return the first day of the data if the period begins before it; no day if it does not, or if that is not known.

    *first_period* is the first month or day with costs.
    """
    if first_period is None or period.elapsed.first.isoformat().startswith(first_period):
        return DataStart()
    start = await read_data_start(call)
    # A start after the period would contradict its costs.
    if start.day is not None and period.elapsed.first < start.day <= period.elapsed.last:
        return start
    return replace(start, day=None)


async def with_note(
    call: Call, request: CostRequest, answer: CostAnswer, checked: CheckedValues = UNCHECKED
) -> tuple[CostAnswer, JsonObject]:
    """Return *answer* and the member *note* about missing or provisional costs; without any, it is empty.

    The total of an answer without data is unknown. Raise ApiError.
    """
    if not answer.groups and not answer.total:
        empty = await explain_empty_answer(call, request.scope, request.period, checked)
        known = answer if empty.is_known else replace(answer, total=None)
        return known, with_check_note({"note": empty.note}, checked)
    start = await find_later_start(call, request.period, answer.first_period)
    answer = replace(answer, data_start=start.day, failures=[*answer.failures, *start.failures])
    return answer, with_check_note(note_members(start.day, request.period, case_note(answer.groups)), checked)


def case_note(rows: Iterable[CostRow]) -> str | None:
    """Return which groups differ only in case, as those of different clouds can; None if none do."""
    variants: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        for level, value in enumerate(row.ids):
            if isinstance(value, str):
                variants.setdefault((level, value.casefold()), set()).add(value)
    several = [" and ".join(map(short_json, sorted(own))) for own in variants.values() if len(own) > 1]
    return f"These differ only in case: {', '.join(several)}. A filter needs both values." if several else None


def note_members(start: date | None, period: ReportedPeriod, *more: str | None) -> JsonObject:
    """Return the member *note*: the first day of the data if the period begins earlier, provisional costs, *more*."""
    notes = [f"The data begins on {start.isoformat()}."] if start is not None else []
    notes += filter(None, more)
    if (settling := settling_note(period)) is not None:
        notes.append(settling)
    return {"note": " ".join(notes)} if notes else {}


def cut_to_data_start(period: ReportedPeriod, start: date | None) -> ReportedPeriod:
    """Return *period* from the first day of the data, if it begins earlier."""
    return period if start is None else replace(period, whole=replace(period.whole, first=start))
