"""search and fetch: the two tools that research products call (OpenAI's contract, checked to the letter)."""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict

import orjson

from ...api.pagination import Page, page_of
from ...protocol.json_schema import Length, shown
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from ..call import Call
from ..partial_results import Parts, together, why
from ..tools.sanitize import visible
from ..tools.tool import Content, ToolError
from .documents import document, readable
from .entities import KIND_NAMED, KINDS, Kind
from .ranking import Fit, best, fit, text_of, words_of

SECONDS = 8.0
MOST = 20
MOST_OF_KIND = 8
MOST_TITLE = 200
MAX_ID = 600
"""Characters of an id that fetch takes."""
MAX_ROWS = 10_000
"""Rows of one kind that are looked at."""
MAX_ROWS_IN_PLACE, MAX_IN_PLACE_BYTES = 250, 128 << 10
"""What takes a few milliseconds; more is done in a thread."""
FAILED = "doit/failedParts"
KIND_NAMES = ", ".join(kind.name for kind in KINDS)


class Hit(TypedDict):
    """Something that was found."""

    id: str
    title: str
    url: str


class Hits(TypedDict):
    """What was found, the best first."""

    results: list[Hit]


class Document(TypedDict, total=False):
    """One thing as text."""

    id: Required[str]
    title: Required[str]
    text: Required[str]
    url: Required[str]
    metadata: Annotated[JsonObject, "Facts about it, all as text."]


async def search(
    call: Call, *, query: Annotated[str, "A few words; names, numbers, kinds of things.", Length(maximum=1000)]
) -> Annotated[Content, Hits]:
    """Search the customer's reports, budgets, anomalies, invoices, support tickets, allocations, recommendations and
    cloud incidents by words. Gives ids for fetch. For amounts of cost ask cost_breakdown or run_query instead."""
    words = words_of(query)
    longest = max(words, key=len, default="")
    work = {kind.name: _found(call, kind, words, longest) for kind in KINDS}
    parts = (await together(work, SECONDS)).or_raise()
    found = best([hit for hits in parts.found.values() for hit in hits], MOST)
    return _content({"results": found}, _failed(parts))


async def _found(call: Call, kind: Kind, words: list[str], longest: str) -> list[tuple[Fit, JsonObject]]:
    """The best things of one kind with their scores."""
    page = page_of(await kind.many(call, ""), kind.items)
    rows = page.rows
    if kind.by_name and page.token and longest:
        more: Page = page_of(await kind.many(call, longest), kind.items)
        known = {kind.id_of(row) for row in rows}
        rows = rows + [row for row in more.rows if kind.id_of(row) not in known]
    if len(rows) <= MAX_ROWS_IN_PLACE:
        return _best(call, kind, words, rows)
    return await in_thread(_best, call, kind, words, rows[:MAX_ROWS])


def _best(call: Call, kind: Kind, words: list[str], rows: list[JsonObject]) -> list[tuple[Fit, JsonObject]]:
    found = []
    for row in rows:
        identifier, title = kind.id_of(row), kind.title(row)
        worth = fit(words, title, kind.words, text_of(row))
        if worth.points > 0 and 0 < len(identifier) < MAX_ID - len(kind.name):
            found.append((worth, row, identifier, title[:MOST_TITLE]))
    kept = sorted(found, key=lambda one: -one[0].points)[:MOST_OF_KIND]
    return [
        (worth, {"id": f"{kind.name}:{identifier}", "title": title, "url": kind.url(call, row, identifier)})
        for worth, row, identifier, title in kept
    ]


def _failed(parts: Parts) -> JsonObject | None:
    """What could not be searched; areas that the user may not see are none of that."""
    failed = {name: why(error) for name, error in parts.failed.items() if error.kind != "forbidden"}
    return {FAILED: failed} if failed else None


async def fetch(
    call: Call, *, id: Annotated[str, "An id that search gave, such as budget:abc.", Length(1, MAX_ID)]
) -> Annotated[Content, Document]:
    """Show one thing that search found, as text with its link into the DoiT console."""
    name, _, identifier = id.partition(":")
    kind = KIND_NAMED.get(name)
    if kind is None or not identifier:
        raise ToolError(f"id: {shown(id)} is none that search gives: kind:id, where kind is one of {KIND_NAMES}")
    parts = await together({"it": kind.one(call, identifier)}, SECONDS)
    for error in parts.failed.values():
        raise error
    row: JsonObject = parts.found["it"]
    if len(orjson.dumps(row)) <= MAX_IN_PLACE_BYTES:
        return _document(call, kind, identifier, row)
    return await in_thread(_document, call, kind, identifier, row)


def _document(call: Call, kind: Kind, identifier: str, row: JsonObject) -> Content:
    title = kind.title({"id": identifier, **row})[:MOST_TITLE]
    found: JsonObject = {"id": f"{kind.name}:{identifier}", "title": title, "text": document(title, row)}
    found["url"] = kind.url(call, row, identifier)
    found["metadata"] = {"kind": kind.name, **_facts(row)}
    return _content(found, None)


FACTS = ("status", "severity", "severityLevel", "platform", "product", "currency", "owner", "createTime", "updateTime")


def _facts(row: JsonObject) -> dict[str, str]:
    facts = {name: row.get(name) for name in FACTS}
    known = {name: value for name, value in facts.items() if isinstance(value, str | int | float) and value}
    return {name: readable(name, value)[:200] for name, value in known.items()}


def _content(result: JsonObject, meta: JsonObject | None) -> Content:
    """Exactly one text block, whose text is the JSON of the structured content."""
    text = visible(orjson.dumps(result).decode())
    structured: Any = orjson.loads(text)
    return Content([{"type": "text", "text": text}], structured, meta=meta)
