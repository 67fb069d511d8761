"""The tools search and fetch, in the form that OpenAI specifies for research products."""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict

import orjson

from ...api.markers import IDENTIFIER
from ...api.value_kinds import Verbatim
from ...protocol.json_schema import Length, short_json
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..partial_results import PartialResults, describe_error, gather_partial
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from ..tools.sanitize import sanitize_json
from ..tools.tool import ContentResult, ToolError
from .documents import document_text, format_value
from .entities import ENTITY_KINDS, ENTITY_KINDS_BY_NAME, EntityKind
from .ranking import Score, query_words, row_text, score, top_matches
from .texts import TEXT_KINDS, TEXTS_BY_ID, Text, find_texts, matches_title

TIMEOUT_SECONDS = 8.0
MAX_RESULTS = 20
MAX_RESULTS_PER_KIND = 8
MAX_TITLE_CHARACTERS = 200
MAX_ID_CHARACTERS = 600
"""Maximum number of characters of an id that fetch accepts."""
MAX_ROWS_PER_KIND = 10_000
"""Maximum number of rows of one kind that are ranked."""
MAX_INLINE_ROWS, MAX_INLINE_BYTES = 250, 128 << 10
"""Maximum rows and bytes to process in the event loop, which takes a few milliseconds. More go to a thread."""
FAILED_PARTS_KEY = "doit/failedParts"
KIND_NAMES = ", ".join([*(kind.name for kind in ENTITY_KINDS), *TEXT_KINDS])


class SearchResult(TypedDict):
    """An object that was found."""

    id: str
    title: str
    url: str


class SearchResults(TypedDict):
    """The matching objects, best first."""

    results: list[SearchResult]


class Document(TypedDict, total=False):
    """One object as text."""

    id: Required[str]
    title: Required[str]
    text: Required[str]
    url: Required[str]
    metadata: Annotated[JsonObject, "Its properties, all as text.", Verbatim]


@composed_tool(
    area="search",
    search_hint="Search reports, budgets, anomalies, invoices, tickets and more",
    default_list=True,
    discovery_list=True,
    slow=False,
)
async def search(
    call: Call, *, query: Annotated[str, "Keywords: names, numbers, kinds of objects.", Length(maximum=1000)]
) -> Annotated[ContentResult, SearchResults]:
    """Search the customer's reports, budgets, anomalies, invoices, support tickets, allocations, recommendations and
    cloud incidents, and guides to methods, by keywords. Returns ids for fetch. For cost amounts, use cost_breakdown or
    run_query."""
    words = query_words(query)
    longest = max(words, key=len, default="")
    searches = {kind.name: _search_kind(call, kind, words, longest) for kind in ENTITY_KINDS}
    parts = (await gather_partial(searches, TIMEOUT_SECONDS)).raise_if_all_failed()
    found = top_matches([hit for hits in parts.results.values() for hit in hits], MAX_RESULTS)
    texts = find_texts(words) or ([] if found else find_texts(words, is_only_result=True))
    named = [text for text in texts if matches_title(text, words)]
    # A skill that the query names comes first; others come after the customer's objects.
    others = [text for text in texts if text not in named]
    results = [*_text_results(call, named), *found[: MAX_RESULTS - len(texts)], *_text_results(call, others)]
    return _json_content({"results": results}, _make_failures_meta(parts))


def _text_results(call: Call, texts: list[Text]) -> list[JsonObject]:
    return [text.search_result(f"{call.console_url}/") for text in texts]


async def _search_kind(
    call: Call, kind: EntityKind, words: list[str], longest_word: str
) -> list[tuple[Score, JsonObject]]:
    """Return the best objects of one kind with their scores."""
    page = await kind.fetch_page(call.doit)
    rows = page.rows
    if kind.filters_by_name and page.next_token and longest_word:
        matches = await kind.fetch_page(call.doit, longest_word)
        ids = {kind.id_of(row) for row in rows}
        rows = rows + [row for row in matches.rows if kind.id_of(row) not in ids]
    if len(rows) <= MAX_INLINE_ROWS:
        return _rank_rows(call, kind, words, rows)
    return await run_in_thread(_rank_rows, call, kind, words, rows[:MAX_ROWS_PER_KIND])


def _rank_rows(
    call: Call, kind: EntityKind, words: list[str], rows: list[JsonObject]
) -> list[tuple[Score, JsonObject]]:
    matches = []
    today = utc_date(call.now)
    for row in rows:
        identifier, title = kind.id_of(row), kind.title(row, today)
        row_score = score(words, title, kind.keywords, row_text(row))
        if row_score.points > 0 and 0 < len(identifier) < MAX_ID_CHARACTERS - len(kind.name):
            matches.append((row_score, row, identifier, title[:MAX_TITLE_CHARACTERS]))
    best = sorted(matches, key=lambda match: -match[0].points)[:MAX_RESULTS_PER_KIND]
    return [
        (row_score, {"id": f"{kind.name}:{identifier}", "title": title, "url": kind.url(call, row, identifier)})
        for row_score, row, identifier, title in best
    ]


def _make_failures_meta(parts: PartialResults) -> JsonObject | None:
    """Return the kinds that could not be searched, except those that the user may not see."""
    failed = {name: describe_error(error) for name, error in parts.errors.items() if error.kind != "forbidden"}
    return {FAILED_PARTS_KEY: failed} if failed else None


@composed_tool(
    area="search",
    search_hint="Read one search result, with its link",
    default_list=True,
    discovery_list=True,
    slow=False,
)
async def fetch(
    call: Call,
    *,
    id: Annotated[str, "Id from search, e.g. budget:abc or guide:queries.", Length(1, MAX_ID_CHARACTERS), IDENTIFIER],
) -> Annotated[ContentResult, Document]:
    """Fetch one search result as text, with its link to the DoiT console."""
    if (text := TEXTS_BY_ID.get(id)) is not None:
        return _json_content(text.document(f"{call.console_url}/"), None)
    name, _, identifier = id.partition(":")
    kind = ENTITY_KINDS_BY_NAME.get(name)
    if name in TEXT_KINDS:
        raise ToolError(f"id: {short_json(id)} is unknown. Available: {', '.join(TEXTS_BY_ID)}")
    if kind is None or not identifier:
        raise ToolError(
            f"id: {short_json(id)} must be an id from search, in the form kind:id, where kind is one of {KIND_NAMES}"
        )
    parts = await gather_partial({kind.name: kind.fetch_by_id(call.doit, identifier)}, TIMEOUT_SECONDS)
    parts.require()
    row: JsonObject = parts.results[kind.name]
    if len(orjson.dumps(row)) <= MAX_INLINE_BYTES:
        return _make_document(call, kind, identifier, row)
    return await run_in_thread(_make_document, call, kind, identifier, row)


def _make_document(call: Call, kind: EntityKind, identifier: str, row: JsonObject) -> ContentResult:
    title = kind.title({"id": identifier, **row}, utc_date(call.now))[:MAX_TITLE_CHARACTERS]
    document: JsonObject = {"id": f"{kind.name}:{identifier}", "title": title, "text": document_text(title, row)}
    document["url"] = kind.url(call, row, identifier)
    document["metadata"] = {"kind": kind.name, **_document_metadata(row)}
    return _json_content(document, None)


METADATA_FIELDS = (
    "status",
    "severity",
    "severityLevel",
    "platform",
    "product",
    "currency",
    "owner",
    "createTime",
    "updateTime",
)


def _document_metadata(row: JsonObject) -> dict[str, str]:
    fields = {name: row.get(name) for name in METADATA_FIELDS}
    return {
        name: format_value(name, value)[:200]
        for name, value in fields.items()
        if isinstance(value, str | int | float) and value
    }


def _json_content(result: JsonObject, meta: JsonObject | None) -> ContentResult:
    """Return a result with exactly one text block: the JSON of its structured content."""
    text = sanitize_json(orjson.dumps(result).decode())
    structured: Any = orjson.loads(text)
    return ContentResult([{"type": "text", "text": text}], structured, meta=meta)
