"""Completion of prompt arguments and of variables in resource URIs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...api.pagination import LARGE_PAGE_SIZE, parse_page
from ...api.report_config import PROVIDER_ALIASES
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_by_rows
from ..call import Call
from ..periods.period import month_of, utc_date
from ..search.entities import ENTITY_KINDS_BY_NAME
from .prompt import Completer

TICKET_STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
SEVERITIES = ("information", "warning", "critical")
CLOUDS = tuple(PROVIDER_ALIASES)
DIMENSION_TYPES = (
    *("datetime", "fixed", "optional", "label", "tag", "project_label", "system_label"),
    *("attribution", "attribution_group", "allocation", "allocation_rule", "gke", "gke_label"),
)
MAX_MONTHS = 13
MAX_ROWS = 10_000
"""Maximum rows of an API response that are searched."""
MAX_VALUE_CHARACTERS = 1_000
"""Maximum characters of a suggested value, and of a name that is searched."""

Rows = Sequence[JsonObject]


def match_values(values: Iterable[Any], typed: str) -> list[str]:
    """Return the values that start with the typed text, then those that contain it; distinct and case-insensitive."""
    folded = typed.strip().casefold()
    prefixed: dict[str, None] = {}
    containing: dict[str, None] = {}
    for value in values:
        text = str(value) if isinstance(value, str | int | float) else ""
        if text and len(text) <= MAX_VALUE_CHARACTERS:
            position = text.casefold().find(folded)
            if position == 0:
                prefixed[text] = None
            elif position > 0:
                containing[text] = None
    return [*prefixed, *containing]


async def _match_rows(rows: Rows, match: Callable[[Rows], list[str]]) -> list[str]:
    """Return the values that *match* finds in *rows*; runs in a thread if there are many rows."""
    rows = rows[:MAX_ROWS]
    return await run_by_rows(len(rows), match, rows)


def values_completer(*values: str) -> Completer:
    """Return a completer with fixed values."""

    async def complete(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
        return match_values(values, typed)

    return complete


async def complete_month(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with recent months as YYYY-MM, newest first."""
    months, period = [], month_of(utc_date(call.now))
    for _ in range(MAX_MONTHS):
        months.append(period.first.isoformat()[:7])
        period = period.previous_period()
    return match_values(months, typed)


async def complete_platform(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with the platforms of support tickets."""
    response = await call.doit.platforms.list_platforms()
    return await _match_rows(parse_page(response, "platforms").rows, lambda rows: match_values(_row_ids(rows), typed))


async def complete_product(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with the products of support tickets, limited to the selected platform if there is one."""
    response = await call.doit.products.list_products(platform=arguments.get("platform") or None)
    return await _match_rows(parse_page(response, "products").rows, lambda rows: match_values(_row_ids(rows), typed))


def _row_ids(rows: Rows) -> Iterable[Any]:
    return (row.get("id") or row.get("name") for row in rows)


async def complete_flow_id(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with ids of the customer's CloudFlows, matched by id or name."""

    def find(rows: Rows) -> list[str]:
        return _match_ids_and_names(((str(row.get("id") or ""), str(row.get("name") or "")) for row in rows), typed)

    return await _match_rows(
        parse_page(await call.doit.cloudflow.list_cloudflows(maxResults=LARGE_PAGE_SIZE), "items").rows, find
    )


def entity_id_completer(kind_name: str) -> Completer:
    """Return a completer with the ids of one kind of object, matched by id or title."""
    kind = ENTITY_KINDS_BY_NAME[kind_name]

    async def complete(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
        def find(rows: Rows) -> list[str]:
            today = utc_date(call.now)
            return _match_ids_and_names(((kind.id_of(row), kind.title(row, today)) for row in rows), typed)

        return await _match_rows((await kind.fetch_page(call.doit)).rows, find)

    return complete


def _match_ids_and_names(pairs: Iterable[tuple[str, str]], typed: str) -> list[str]:
    """Return the ids that match the typed text, then those whose name contains it."""
    short = [(identifier, name) for identifier, name in pairs if identifier and len(identifier) <= MAX_VALUE_CHARACTERS]
    by_id = match_values((identifier for identifier, _ in short), typed)
    folded = typed.strip().casefold()
    by_name = [identifier for identifier, name in short if folded in name[:MAX_VALUE_CHARACTERS].casefold()]
    return list(dict.fromkeys([*by_id, *by_name]))


async def complete_budget_name(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with budget names."""
    response = await call.doit.budgets.list_budgets(maxResults=LARGE_PAGE_SIZE)
    rows = parse_page(response, "budgets").rows
    return await _match_rows(rows, lambda rows: match_values((row.get("budgetName") for row in rows), typed))


async def complete_dimension_id(call: Call, typed: str, arguments: Mapping[str, str]) -> list[str]:
    """Complete with dimension ids, limited to the selected type if there is one."""
    dimension_type = arguments.get("type")
    type_filter = f"type:{dimension_type}" if dimension_type in DIMENSION_TYPES else None
    response = await call.doit.dimensions.list_dimensions(maxResults=LARGE_PAGE_SIZE, filter=type_filter)
    rows = parse_page(response, "dimensions").rows
    return await _match_rows(rows, lambda rows: match_values((row.get("id") for row in rows), typed))
