"""Values that complete an argument of a prompt or a variable of a resource's address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..doit.pages import LARGE, page_of
from ..protocol.jsonrpc import JsonObject
from .call import Call
from .kinds import KIND_NAMED
from .periods import month_of, today_of
from .prompts import Complete

TICKET_STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
SEVERITIES = ("information", "warning", "critical")
CLOUDS = ("amazon-web-services", "google-cloud", "microsoft-azure")
DIMENSION_TYPES = (
    *("datetime", "fixed", "optional", "label", "tag", "project_label", "system_label"),
    *("attribution", "attribution_group", "allocation", "allocation_rule", "gke", "gke_label"),
)
MONTHS = 13


def matching(values: Iterable[Any], typed: str) -> list[str]:
    """The values that go on from what was typed, then those that hold it; each once, in any case."""
    wanted = typed.strip().casefold()
    texts = list(dict.fromkeys(str(value) for value in values if value is not None and value != ""))
    begin = [text for text in texts if text.casefold().startswith(wanted)]
    return begin + [text for text in texts if wanted in text.casefold() and text not in begin]


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
    return matching(_ids(answer, "platforms"), typed)


async def product(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Products that tickets can be about: of the platform that is settled, if one is."""
    answer = await call.doit.products.list_products(platform=settled.get("platform") or None)
    return matching(_ids(answer, "products"), typed)


def _ids(answer: JsonObject, items: str) -> list[Any]:
    return [row.get("id") or row.get("name") for row in page_of(answer, items).rows]


async def flow(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Ids of the customer's CloudFlows; what was typed may also be a part of a flow's name."""
    rows = page_of(await call.doit.cloudflow.list_cloudflows(maxResults=LARGE), "items").rows
    return _by_name(((str(row.get("id") or ""), str(row.get("name") or "")) for row in rows), typed)


def thing(kind_name: str) -> Complete:
    """Completes with ids of one kind of thing; what was typed may also be a part of its title."""
    kind = KIND_NAMED[kind_name]

    async def complete(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
        rows = page_of(await kind.many(call, ""), kind.items).rows
        return _by_name(((kind.id_of(row), kind.title(row)) for row in rows), typed)

    return complete


def _by_name(pairs: Iterable[tuple[str, str]], typed: str) -> list[str]:
    known = [(identifier, name) for identifier, name in pairs if identifier]
    by_id = matching((identifier for identifier, _ in known), typed)
    named = [identifier for identifier, name in known if typed.strip().casefold() in name.casefold()]
    return list(dict.fromkeys([*by_id, *named]))


async def budget_name(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Names of budgets."""
    answer = await call.doit.budgets.list_budgets(maxResults=LARGE)
    return matching((row.get("budgetName") for row in page_of(answer, "budgets").rows), typed)


async def dimension_id(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
    """Ids of dimensions: of the type that is settled, if one is."""
    kind = settled.get("type")
    known = f"type:{kind}" if kind in DIMENSION_TYPES else None
    answer = await call.doit.dimensions.list_dimensions(maxResults=LARGE, filter=known)
    return matching((row.get("id") for row in page_of(answer, "dimensions").rows), typed)
