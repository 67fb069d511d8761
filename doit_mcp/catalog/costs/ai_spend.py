"""AI spend: what AI models cost, by model or provider, with tokens where the bill has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.value_kinds import Label, Members, Money, Percent, Quantity
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..currencies import CurrencyArgument
from ..partial_results import FailedPart, gather_partial, make_failures_member
from ..periods.grammar import PeriodArgument, parse_period
from ..periods.period import utc_date
from ..report_runs.queries import fetch_query
from ..tables import column_names, complete_rows
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, Series, make_series_set
from .ai_models import AI_PROVIDERS, AI_SERVICES, RELATED_SERVICES, count_tokens, find_model, model_key, token_kind
from .amounts import MAX_QUANTITY, ZERO, amount_as_json, round_amount, round_significant, share_percents, to_decimal
from .answers import (
    CostRequest,
    cut_to_data_start,
    explain_empty_answer,
    find_later_start,
    note_members,
    query_rows,
    run_checked,
    with_check_note,
)
from .cost_series import bar_series
from .group_costs import CostRow, rank_groups
from .groups import GroupDimension, find_fixed_group
from .query_config import COST_METRIC, USAGE_METRIC, cost_config
from .scope import CLOUD_DIMENSION, CloudArgument, FiltersArgument, IncludeCreditsArgument, Scope
from .statement import CostStatement, cost_statement

DEFAULT_PERIOD = "this_month"
MILLION = 1_000_000
MAX_EXACT_COUNT = 2**53
"""The largest integer up to which all JSON readers are exact."""
UNIT = GroupDimension("unit", "pricing_unit", "fixed", "pricing_unit")
GROUPS = (find_fixed_group("cloud"), find_fixed_group("service"), find_fixed_group("sku"), UNIT)
SERVICE = find_fixed_group("service")


def _filter_by_part(id_: str, parts: Sequence[str]) -> Filter:
    return {"id": id_, "type": "fixed", "mode": "contains", "values": list(parts), "caseInsensitive": True}


SERVICE_FILTER = _filter_by_part(SERVICE.id, AI_SERVICES)
PROVIDER_FILTER = _filter_by_part(CLOUD_DIMENSION, AI_PROVIDERS)
RELATED_FILTER = _filter_by_part(SERVICE.id, RELATED_SERVICES)
OTHER_SERVICES: Filter = {**SERVICE_FILTER, "inverse": True}
OTHER_PROVIDERS: Filter = {**PROVIDER_FILTER, "inverse": True}


class ModelCost(TypedDict, total=False):
    """The cost of one model of one provider, or of one provider."""

    model: Annotated[str | None, Label]
    provider: str
    cost: Annotated[float, Money]
    sharePercent: Annotated[float | None, Percent]
    tokens: int | None
    inputTokens: int
    cachedTokens: int
    outputTokens: int
    costPerMillionTokens: Annotated[float | None, Quantity]


class UncountedService(TypedDict):
    """The cost of a service for machine learning that is not part of the total."""

    service: Annotated[str | None, Label]
    cost: Annotated[float, Money]


class AiSpend(CostStatement, total=False):
    """What AI models cost."""

    total: Annotated[float | None, Money]
    models: Annotated[
        list[JsonObject],
        "model (null: not a model, or unknown), provider, cost, sharePercent, tokens (null: unknown), "
        "costPerMillionTokens.",
        Members(ModelCost),
    ]
    providers: Annotated[list[JsonObject], "The same by provider, without costPerMillionTokens.", Members(ModelCost)]
    other: Annotated[float | None, "Cost of the rest.", Money]
    notCounted: Annotated[
        list[JsonObject],
        "Services for machine learning that are not in total: service, cost.",
        Members(UncountedService),
    ]
    note: str
    failed: Annotated[list[JsonObject], Members(FailedPart)]


class AiLine(NamedTuple):
    """The cost of one SKU. *tokens* is None if its unit is not tokens; *kind* is input, cached or output."""

    provider: str
    model: str | None
    cost: Decimal
    tokens: Decimal | None = None
    kind: str | None = None


@composed_tool(
    area="reports",
    title="AI spend",
    search_hint="AI, LLM, GenAI cost: models, tokens, OpenAI, Anthropic, Bedrock, Vertex AI",
    slow=True,
    default_list=False,
)
async def ai_spend(
    call: Call,
    *,
    period: PeriodArgument = None,
    groupBy: Literal["model", "provider"] = "model",
    cloud: CloudArgument = None,
    filters: FiltersArgument = None,
    includeCredits: IncludeCreditsArgument = False,
    currency: CurrencyArgument = None,
    topN: Annotated[int, "How many models or providers.", Range(1, 50)] = 10,
) -> Annotated[ResultWithSeries, AiSpend]:
    """Show what AI models cost, by model or provider: Amazon Bedrock, Vertex AI, Azure OpenAI, OpenAI, Anthropic, with
    tokens where the bill has them. Default: this month so far."""
    reported = parse_period(period or DEFAULT_PERIOD, "period", utc_date(call.now))
    scope = Scope.from_arguments(cloud, filters, includeCredits)
    request = CostRequest(scope, reported)
    rows, stated, checked = await run_checked(call, scope, currency, lambda code: _read_rows(call, request, code))
    lines = rows.lines
    members = await run_by_rows(len(lines), make_ai_spend, lines, groupBy, topN, stated)
    members |= _list_uncounted_services(rows.related, stated)
    if not lines:
        # Without AI services, the scope may still have other costs, which say nothing about AI.
        empty = await explain_empty_answer(call, scope, reported, checked)
        members |= (
            {"note": _explain_nothing(scope)} if empty.is_known else {"note": empty.note, "total": None, "other": None}
        )
    else:
        start = await find_later_start(call, reported, min((row.period for row in rows.related), default="unknown"))
        reported = cut_to_data_start(reported, start.day)
        members |= note_members(start.day, reported) | make_failures_member(start.failures)
    statement = cost_statement(reported, stated, scope, {line.provider for line in lines})
    series = ai_series(groupBy, members)
    return ResultWithSeries(with_check_note(members, checked) | statement, make_series_set(statement, [series]))


def ai_series(group_by: str, members: JsonObject) -> Series:
    """Return the models or providers of a result, and other, as bars. A model's bar also names its provider."""
    rows = members["models" if group_by == "model" else "providers"]
    bars = [
        [row["provider"], row["model"] if group_by == "model" else row["provider"], row["cost"], row["sharePercent"]]
        for row in rows
    ]
    return bar_series(f"AI costs by {group_by}", bars, members["other"])


def _explain_nothing(scope: Scope) -> str:
    if scope.is_limited:
        return "None of the matching costs are of AI models."
    return "No service that sells AI models had a cost in this period."


def _list_uncounted_services(rows: Iterable[CostRow], currency: str) -> JsonObject:
    """Return the member with the services outside the total, the most expensive first; empty without any."""
    groups = [group for group in rank_groups(rows) if round_amount(group.cost, currency)]
    listed = [{"service": group.name, "cost": amount_as_json(group.cost, currency)} for group in groups]
    return {"notCounted": listed} if listed else {}


class AiRows(NamedTuple):
    """The cost of AI SKUs, and of *related* services."""

    lines: list[AiLine]
    related: list[CostRow]


async def _read_rows(call: Call, request: CostRequest, currency: str) -> AiRows:
    """Return the cost of each AI SKU: of AI services in any cloud, and of clouds that sell nothing but AI."""
    related = _add_filters(request, RELATED_FILTER, OTHER_SERVICES, OTHER_PROVIDERS)
    parts = await gather_partial(
        {
            "services": _query_lines(call, _add_filters(request, SERVICE_FILTER), currency),
            "providers": _query_lines(call, _add_filters(request, PROVIDER_FILTER, OTHER_SERVICES), currency),
            "related": query_rows(call, related, (SERVICE,), currency),
        }
    )
    parts.require()
    return AiRows([*parts.results["services"], *parts.results["providers"]], parts.results["related"])


def _add_filters(request: CostRequest, *filters: Filter) -> CostRequest:
    return replace(request, scope=replace(request.scope, filters=(*request.scope.filters, *filters)))


async def _query_lines(call: Call, request: CostRequest, currency: str) -> list[AiLine]:
    config = cost_config(
        request.scope,
        request.period.elapsed,
        currency,
        interval="year",
        groups=GROUPS,
        metrics=(COST_METRIC, USAGE_METRIC),
    )
    answer = await fetch_query(call, config)
    return await run_by_rows(len(answer["rows"]), read_ai_lines, answer)


def read_ai_lines(answer: JsonObject) -> list[AiLine]:
    """Return the lines of a query's answer. Raise ApiError if it lacks columns."""
    rows, names = complete_rows(answer), column_names(answer)
    wanted = [*(group.column for group in GROUPS), "cost", "usage"]
    if rows and (missing := [name for name in wanted if name not in names]):
        raise ApiError(f"the result has no column {missing[0]}", kind="answer")
    places = [names.index(name) for name in wanted] if rows else []
    return [parse_line(*(row[place] for place in places)) for row in rows]


def parse_line(provider: Any, service: Any, sku: Any, unit: Any, cost: Any, usage: Any) -> AiLine:
    """Return the line of a row: the model and the tokens follow from the texts of its SKU, service and unit."""
    tokens = count_tokens(to_decimal(usage, MAX_QUANTITY), str(unit or ""))
    return AiLine(
        str(provider or ""),
        find_model(str(sku or ""), str(service or "")),
        to_decimal(cost),
        tokens,
        token_kind(str(sku or "")) if tokens is not None else None,
    )


def make_ai_spend(lines: Iterable[AiLine], group_by: str, top: int, currency: str) -> JsonObject:
    """Return the amounts as the tool result shows them; models (or providers) and other add up to total."""
    groups: dict[tuple[str | None, str], list[AiLine]] = {}
    for line in lines:
        key = model_key(line.model) if line.model and group_by == "model" else None
        groups.setdefault((key, line.provider), []).append(line)
    costs = {key: sum((line.cost for line in own), ZERO) for key, own in groups.items()}
    ranked = sorted(groups, key=lambda key: (-costs[key], key[0] is None, str(key)))[:top]
    total = round_amount(sum(costs.values(), ZERO), currency)
    shown = [round_amount(costs[key], currency) for key in ranked]
    other = total - sum(shown, ZERO)
    rows = [
        {
            **({"model": groups[key][0].model} if group_by == "model" else {}),
            "provider": key[1],
            "cost": amount_as_json(cost, currency),
            "sharePercent": share,
            **_token_members(groups[key], has_price=group_by == "model"),
        }
        for key, cost, share in zip(ranked, shown, share_percents([*shown, other]))
    ]
    return {
        "total": amount_as_json(total, currency),
        "models" if group_by == "model" else "providers": rows,
        "other": amount_as_json(other, currency),
    }


def _token_members(lines: Sequence[AiLine], *, has_price: bool) -> JsonObject:
    """Return the tokens of *lines*, by kind if all lines state it, and the price of a million of them.

    *has_price* is false for a provider, whose mean says little, because embeddings have many cheap tokens.
    """
    measured = [line for line in lines if line.tokens is not None]
    tokens = sum((line.tokens or ZERO for line in measured), ZERO)
    if not tokens:
        return {"tokens": None}
    members: JsonObject = {"tokens": _count_as_json(tokens)}
    if all(line.kind for line in measured):
        for kind in sorted({str(line.kind) for line in measured}):
            own = sum((line.tokens or ZERO for line in measured if line.kind == kind), ZERO)
            members[f"{kind}Tokens"] = _count_as_json(own)
    if not has_price:
        return members
    cost = sum((line.cost for line in measured), ZERO)
    return members | {"costPerMillionTokens": round_significant(cost / tokens * MILLION)}


def _count_as_json(tokens: Decimal) -> float:
    """Return a whole number, as a float where JSON has no exact integers."""
    count = round(tokens)
    return count if abs(count) <= MAX_EXACT_COUNT else float(count)
