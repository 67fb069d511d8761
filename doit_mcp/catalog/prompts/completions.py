"""Values that complete an argument of a prompt or a variable of a resource's address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...api.pagination import LARGE, page_of
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from ..call import Call
from ..periods import month_of, today_of
from ..search.entities import KIND_NAMED
from .prompt import Complete

TICKET_STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
SEVERITIES = ("information", "warning", "critical")
CLOUDS = ("amazon-web-services", "google-cloud", "microsoft-azure")
DIMENSION_TYPES = (
    *("datetime", "fixed", "optional", "label", "tag", "project_label", "system_label"),
    *("attribution", "attribution_group", "allocation", "allocation_rule", "gke", "gke_label"),
)
MONTHS = 13
MAX_ROWS = 10_000
"""Rows of an answer that are looked at."""
MAX_ROWS_IN_PLACE = 500
"""Rows that take about a millisecond."""
MAX_CHARACTERS = 1_000
"""Of a value that is suggested, and of a name that is searched."""

Rows = Sequence[JsonObject]


def matching(values: Iterable[Any], typed: str) -> list[str]:
    """The values that go on from what was typed, then those that hold it; each once, in any case."""
    wanted = typed.strip().casefold()
    begin: dict[str, None] = {}
    contain: dict[str, None] = {}
    for value in values:
        text = str(value) if isinstance(value, str | int | float) else ""
        if text and len(text) <= MAX_CHARACTERS:
            place = text.casefold().find(wanted)
            if place == 0:
                begin[text] = None
            elif place > 0:
                contain[text] = None
    return [*begin, *contain]


async def _found(rows: Rows, find: Callable[[Rows], list[str]]) -> list[str]:
    """What *find* finds in *rows*, in a thread where there are many."""
    rows = rows[:MAX_ROWS]
    return find(rows) if len(rows) <= MAX_ROWS_IN_PLACE else await in_thread(find, rows)


def of(*values: str) -> Complete:
    """Completes with fixed values."""

    async def complete(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
        return matching(values, typed)

    return complete


async def month(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """The last months, the newest first, as YYYY-MM."""
    found, period = [], month_of(today_of(call.now))
    for _ in range(MONTHS):
        found.append(period.first.isoformat()[:7])
        period = period.before()
    return matching(found, typed)


async def platform(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Platforms that tickets can be about."""
    answer = await call.doit.platforms.list_platforms()
    return await _found(page_of(answer, "platforms").rows, lambda rows: matching(_ids(rows), typed))


async def product(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Products that tickets can be about: of the platform that is settled, if one is."""
    answer = await call.doit.products.list_products(platform=settled.get("platform") or None)
    return await _found(page_of(answer, "products").rows, lambda rows: matching(_ids(rows), typed))


def _ids(rows: Rows) -> Iterable[Any]:
    return (row.get("id") or row.get("name") for row in rows)


async def flow(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Ids of the customer's CloudFlows; what was typed may also be a part of a flow's name."""

    def find(rows: Rows) -> list[str]:
        return _by_name(((str(row.get("id") or ""), str(row.get("name") or "")) for row in rows), typed)

    return await _found(page_of(await call.doit.cloudflow.list_cloudflows(maxResults=LARGE), "items").rows, find)


def thing(kind_name: str) -> Complete:
    """Completes with ids of one kind of thing; what was typed may also be a part of its title."""
    kind = KIND_NAMED[kind_name]

    async def complete(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
        def find(rows: Rows) -> list[str]:
            return _by_name(((kind.id_of(row), kind.title(row)) for row in rows), typed)

        return await _found(page_of(await kind.many(call, ""), kind.items).rows, find)

    return complete


def _by_name(pairs: Iterable[tuple[str, str]], typed: str) -> list[str]:
    known = [(identifier, name) for identifier, name in pairs if identifier and len(identifier) <= MAX_CHARACTERS]
    by_id = matching((identifier for identifier, _ in known), typed)
    wanted = typed.strip().casefold()
    named = [identifier for identifier, name in known if wanted in name[:MAX_CHARACTERS].casefold()]
    return list(dict.fromkeys([*by_id, *named]))


async def budget_name(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Names of budgets."""
    answer = await call.doit.budgets.list_budgets(maxResults=LARGE)
    rows = page_of(answer, "budgets").rows
    return await _found(rows, lambda rows: matching((row.get("budgetName") for row in rows), typed))


async def dimension_id(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Ids of dimensions: of the type that is settled, if one is."""
    kind = settled.get("type")
    known = f"type:{kind}" if kind in DIMENSION_TYPES else None
    answer = await call.doit.dimensions.list_dimensions(maxResults=LARGE, filter=known)
    rows = page_of(answer, "dimensions").rows
    return await _found(rows, lambda rows: matching((row.get("id") for row in rows), typed))
