"""Checks the scope of a budget or alert before it is written: it must match costs, and the result states them.

The API accepts a scope that matches nothing, but such a budget or alert never fires.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

import orjson

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.nearest import MAX_LISTED_VALUES, find_nearest, make_unknown_value
from ...api.report_config import Metric
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import amount_as_json, sum_amounts
from ..costs.groups import FIXED_DIMENSIONS
from ..costs.query_config import COST_METRIC, cost_config
from ..costs.scope import Scope, check_values, read_filters
from ..currencies import run_in_currency
from ..known_names import Allocation, read_allocations
from ..partial_results import describe_error, gather_partial
from ..periods.period import ONE_DAY, Period, ReportedPeriod, month_of, subtract_months, utc_date
from ..tables import column_names, complete_rows, row_months
from ..tools.series import structured_content, with_structured
from ..tools.tool import ContentResult, Tool, ToolResult

MATCH_MONTHS = 13
"""Months, including the current one, in which a scope must match costs."""
SEARCHED_PERIOD = f"last_{MATCH_MONTHS - 1}_months"
MAX_HINT_CHARACTERS = 600
"""Maximum characters of the arguments that an error suggests."""
CHECK_SECONDS = 20.0
"""Time limit of the check, which leaves enough for the write."""
LIMIT_FIELDS = frozenset(
    ("amount", "currency", "metric", "usePrevSpend", "growthPerPeriod", "seasonalAmounts", "timeInterval", "alert")
)
"""Fields of budgets and alerts whose change makes the cost of an unchanged scope worth knowing."""
SCOPE_FIELDS = ("scopes", "scope", "attributions")
BILLING = "billing"
GROUP_NAMES = MappingProxyType({("fixed", identifier): name for name, identifier in FIXED_DIMENSIONS.items()})
"""What cost_breakdown calls the dimensions that it groups by."""


@dataclass(frozen=True, slots=True)
class WrittenScope:
    """The scope of a budget or an alert: *filters*, or the ids of *allocations* in the older form."""

    argument: str
    filters: tuple[Filter, ...] = ()
    allocations: tuple[str, ...] = ()
    allocations_argument: str = ""
    metric: Metric = field(default_factory=lambda: COST_METRIC)
    currency: str | None = None
    data_source: str = BILLING

    @property
    def is_everything(self) -> bool:
        """Whether the scope is all costs."""
        return not self.filters and not self.allocations

    @property
    def scope(self) -> Scope:
        """The scope of a query for the same costs."""
        rule: Filter = {"id": "attribution", "type": "attribution", "mode": "is", "values": list(self.allocations)}
        filters = self.filters or ((rule,) if self.allocations else ())
        return Scope.from_arguments(filters=[{"mode": "is", **condition} for condition in filters])


def budget_scope(budget: Mapping[str, Any]) -> WrittenScope:
    """Return the scope in the fields of a budget. Raise ApiError if the API returned one that cannot be read."""
    metric: Metric = COST_METRIC
    if budget.get("metric") == "amortized_cost":
        metric = {"type": "extended", "value": "amortized_cost"}
    return WrittenScope(
        "scopes",
        read_filters(budget.get("scopes"), "scopes"),
        _read_ids(budget.get("scope"), "scope"),
        "scope",
        metric,
        budget.get("currency"),
    )


def alert_scope(alert: Mapping[str, Any]) -> WrittenScope:
    """Return the scope in the fields of an alert. Usage and savings have no currency, so for them the cost is used.

    Raise ApiError if the API returned one that cannot be read.
    """
    # Arguments call it alert, and the API config.
    config = alert.get("alert") or alert.get("config") or {}
    metric = config.get("metric") or {}
    is_amount = metric.get("type") == "extended" and str(metric.get("value")).endswith("cost")
    return WrittenScope(
        "alert.scopes",
        read_filters(config.get("scopes"), "alert.scopes"),
        _read_ids(config.get("attributions"), "alert.attributions"),
        "alert.attributions",
        cast(Metric, metric) if is_amount else COST_METRIC,
        config.get("currency"),
        config.get("dataSource") or BILLING,
    )


def _read_ids(value: Any, source: str) -> tuple[str, ...]:
    ids = value or ()
    if not isinstance(ids, list | tuple) or not all(isinstance(identifier, str) for identifier in ids):
        raise ApiError(f"{source} of the response cannot be read", kind="answer")
    return tuple(ids)


def with_scope_check(tool: Tool) -> Tool:
    """Make a *tool* that writes a budget or alert refuse a scope without costs, and state what the scope cost."""
    kind = tool.facts.get("has_cost_scope")
    if kind is None:
        return tool
    read_scope = budget_scope if kind == "budget" else alert_scope

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        written, states_scope = read_scope(arguments), _has_any_field(kind, arguments, SCOPE_FIELDS)
        keeps_scope = not states_scope and "id" in arguments
        if keeps_scope and not arguments.keys() & LIMIT_FIELDS:
            return await tool.run(call, arguments)
        try:
            if "id" in arguments:
                current = await _read_current(call, kind, str(arguments["id"]))
                written = read_scope(_with_changes(kind, current, arguments))
            statement = await check_written_scope(call, written, must_match=not keeps_scope)
        except ApiError as error:
            if error.kind in ("argument", "credential"):
                raise
            # Only the statement is missing; the write itself reports what is wrong with the object.
            statement = {"cost": None, "note": f"unknown: {describe_error(error)}"}
        result = await tool.run(call, arguments)
        if isinstance(result, ContentResult):
            return result
        return with_structured(result, {**structured_content(result), "scopeLastMonth": statement})

    return replace(tool, run=run)


def _select_scoped_fields(kind: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields that have the scope: those of a budget, or of the configuration of an alert."""
    return fields if kind == "budget" else fields.get("alert") or fields.get("config") or {}


def _has_any_field(kind: str, arguments: JsonObject, names: Collection[str]) -> bool:
    """Return whether the arguments have one of these fields, even with an empty value, which means all costs."""
    return not _select_scoped_fields(kind, arguments).keys().isdisjoint(names)


def _with_changes(kind: str, current: JsonObject, arguments: JsonObject) -> JsonObject:
    """Return a budget or alert with the changes of a write. A scope in either form replaces the current one."""
    dropped = SCOPE_FIELDS if _has_any_field(kind, arguments, SCOPE_FIELDS) else ()
    before, changes = (_select_scoped_fields(kind, fields) for fields in (current, arguments))
    changed = {**{name: value for name, value in before.items() if name not in dropped}, **changes}
    return changed if kind == "budget" else {"config": changed}


async def _read_current(call: Call, kind: str, identifier: str) -> JsonObject:
    if kind == "budget":
        return await call.doit.budgets.get_budget(id=identifier)
    return await call.doit.alerts.get_alert(id=identifier)


async def check_written_scope(call: Call, written: WrittenScope, *, must_match: bool) -> JsonObject:
    """Return what a scope cost last month (ScopeCost). Raise ApiError if it *must_match* costs but does not."""
    if written.data_source != BILLING:
        return {"cost": None, "note": f"unknown: costs of the data source {written.data_source} are not checked"}
    today = utc_date(call.now)
    last_month = month_of(today.replace(day=1) - ONE_DAY)
    searched = Period(subtract_months(today, MATCH_MONTHS - 1), today)

    async def fetch_cost(currency: str) -> JsonObject:
        config = cost_config(written.scope, searched, currency, metrics=(written.metric,))
        return await call.doit.reports.run_query(config=config)

    work: dict[str, Any] = {"cost": run_in_currency(call, written.currency, fetch_cost)}
    if must_match and written.filters:
        work["values"] = check_values(call, written.scope, written.argument)
    elif must_match and written.allocations:
        work["values"] = check_allocation_ids(call, written.allocations, written.allocations_argument)
    parts = await gather_partial(work, CHECK_SECONDS)
    # An unknown value is a better explanation than that nothing matches.
    for name in ("values", "cost"):
        if (error := parts.errors.get(name)) is not None and (name == "cost" or error.kind == "argument"):
            raise error
    answer, currency = parts.results["cost"]
    rows = complete_rows(answer)
    if must_match and not rows and not written.is_everything:
        raise ApiError(
            f"{written.argument if written.filters else written.allocations_argument}: no costs since {searched.first}"
            f" match all of its parts, so it would never alert. {_narrowing_hint(written)}",
            kind="argument",
        )
    statement = _state_costs(answer, ReportedPeriod(last_month, today), currency, written.metric)
    if "values" in parts.errors or parts.results.get("values") is False:
        statement.setdefault(
            "note",
            f"not every value of {written.argument if written.filters else written.allocations_argument} could be checked",
        )
    return statement


def _state_costs(answer: JsonObject, period: ReportedPeriod, currency: str, metric: Metric) -> JsonObject:
    names = column_names(answer)
    month = period.whole.first.isoformat()[: len("2026-01")]
    at = names.index(metric["value"]) if metric["value"] in names else len(names) - 1
    cells = [
        row[at] for row, at_month in zip(complete_rows(answer), row_months(answer), strict=False) if at_month == month
    ]
    return {
        "cost": amount_as_json(sum_amounts(cells), currency),
        "currency": currency,
        "metric": metric["value"],
        "period": period.as_json,
        **({} if cells else {"note": "nothing matched in that month"}),
    }


def _narrowing_hint(written: WrittenScope) -> str:
    """Return a call that shows what a scope without costs could match instead."""
    if not written.filters:
        return "Change it: get_allocation shows what an allocation selects"
    for at, condition in enumerate(written.filters):
        group = GROUP_NAMES.get((condition["type"], condition["id"]))
        others = [*written.filters[:at], *written.filters[at + 1 :]]
        if group is None or not others:
            continue
        arguments = orjson.dumps({"filters": others, "groupBy": group, "period": SEARCHED_PERIOD}).decode()
        if len(arguments) <= MAX_HINT_CHARACTERS:
            return f"See what the other parts have in common with a {group}: cost_breakdown {arguments}"
    arguments = short_json({name: written.filters[0][name] for name in ("type", "id")})
    return f"Change or remove a part: get_dimension {arguments} lists the values of the first"


async def check_allocation_ids(call: Call, allocations: Sequence[str], argument: str) -> bool:
    """Raise ApiError for an id that no single allocation has; it names ids that can be passed instead.

    Return whether all could be checked.
    """
    known = await read_allocations(call)
    names = {row.id: row.name for row in known.rows if not row.is_group}
    for wanted in allocations:
        if wanted in names:
            continue
        if (group := known.find(wanted, is_group=True)) is not None:
            raise await _group_error(call, group, argument, wanted)
        if known.complete:
            raise await _unknown_allocation_error(names, argument, wanted)
    return all(wanted in names for wanted in allocations)


async def _group_error(call: Call, group: Allocation, argument: str, wanted: str) -> ApiError:
    """Return the error for the id of a *group* of allocations in place of the id of one allocation."""
    details = await call.doit.allocations.get_allocation(id=group.id)
    rules = details.get("rules")
    members = {
        str(rule["id"]): str(rule.get("name"))
        for rule in (rules if isinstance(rules, list) else ())
        if isinstance(rule, dict) and rule.get("id")
    }
    problem = f"{argument}: {short_json(wanted)} is a group; {argument} takes ids of single allocations"
    return ApiError(f"{problem}. Allocations of the group: {list_ids(members)}", kind="argument")


async def _unknown_allocation_error(names: Mapping[str, str], argument: str, wanted: str) -> ApiError:
    ids = {**{name: identifier for identifier, name in names.items()}, **{value: value for value in names}}
    similar = list(dict.fromkeys(ids[value] for value in await find_nearest(wanted, ids)))
    if not similar:
        return await make_unknown_value(argument, "allocation", wanted, list(names))
    suggested = list_ids({identifier: names[identifier] for identifier in similar})
    problem = f"{argument}: unknown allocation id {short_json(wanted)}"
    return ApiError(f"{problem}. Did you mean {suggested}?", kind="argument")


def list_ids(names: Mapping[str, str]) -> str:
    """Return ids as they can be passed, each followed by its name."""
    return (
        ", ".join(
            f"{short_json(identifier)} ({short_json(name)})"
            for identifier, name in [*names.items()][:MAX_LISTED_VALUES]
        )
        or "unknown"
    )
