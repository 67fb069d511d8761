"""Pagination: iterates over pages and rows of a list, or searches them, within limits."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple

from ..protocol.json_schema import JsonObject, short_json
from .errors import ApiError
from .nearest import nearest_values
from .operation import operation_of

MAX_PAGES = 4
"""Default maximum of pages per call."""
MAX_SEARCHED_PAGES = 3
"""Maximum pages that are searched for a name."""
LARGE_PAGE_SIZE = 200
"""Rows per page for lists that code reads, not a model."""
MAX_LISTED_MATCHES = 5
NAME_FILTER = "nameContains"

RowFilter = Callable[[JsonObject], bool]


class Page(NamedTuple):
    """Rows of a list, and the token of the next page, "" on the last."""

    rows: list[JsonObject]
    next_token: str
    response: JsonObject
    """The unchanged response."""


async def iterate_pages(
    method: Callable[..., Any], *, max_pages: int = MAX_PAGES, token: str = "", **arguments: Any
) -> AsyncGenerator[Page, None]:
    """Yield up to *max_pages* pages of a list *method* with ``items``, starting at *token*. Raises ApiError."""
    for _ in range(max_pages):
        page_arguments = {**arguments, "pageToken": token} if token else arguments
        page = parse_page(await method(**page_arguments), operation_of(method).items)
        yield page
        # A repeated token would loop forever.
        if not page.next_token or page.next_token == token:
            return
        token = page.next_token


def parse_page(response: Any, items: str) -> Page:
    """Return the page in a response; without rows if the API sends null or no list."""
    fields = response if isinstance(response, dict) else {}
    values = fields.get(items)
    rows = [row for row in values if isinstance(row, dict)] if isinstance(values, list) else []
    return Page(rows, str(fields.get("pageToken") or ""), fields)


async def iterate_rows(
    method: Callable[..., Any], *, max_pages: int = MAX_PAGES, **arguments: Any
) -> AsyncGenerator[JsonObject, None]:
    """Yield the rows of a list across pages. Raises ApiError if there are more than *max_pages* pages."""
    page = None
    async for page in iterate_pages(method, max_pages=max_pages, **arguments):
        for row in page.rows:
            yield row
    if page is not None and page.next_token:
        raise ApiError("there are too many rows to search; use a filter", kind="argument")


def text_filter(field: str, text: str | None) -> RowFilter | None:
    """Return a filter for rows whose *field* contains *text*, ignoring case; None if *text* is empty."""
    folded_text = (text or "").strip().casefold()
    return (lambda row: folded_text in str(row.get(field) or "").casefold()) if folded_text else None


async def search_pages(
    method: Callable[..., Any],
    row_filter: RowFilter | None,
    *,
    row_count: int,
    max_page_size: int,
    token: str | None,
    **arguments: Any,
) -> JsonObject:
    """Return the rows of a list that pass *row_filter*, from as many pages as it takes to find *row_count* of them.

    Reads at most MAX_PAGES pages of *max_page_size* rows, starting at *token*. The result has the form of a page, and
    its pageToken continues after the last page that was read. Without a filter, returns one page of *row_count* rows.
    """
    items = operation_of(method).items
    rows: list[JsonObject] = []
    response: JsonObject = {}
    async for page in iterate_pages(
        method,
        max_pages=MAX_PAGES if row_filter else 1,
        token=token or "",
        maxResults=max_page_size if row_filter else row_count,
        **arguments,
    ):
        response = page.response
        rows += filter(row_filter, page.rows) if row_filter else page.rows
        if len(rows) >= row_count:
            break
    return {**response, items: rows} | ({"rowCount": len(rows)} if row_filter else {})


async def find_id(name: str, method: Callable[..., Any], field: str, **arguments: Any) -> str:
    """Return the id of the object whose *field* equals *name*, ignoring case, or else contains it.

    Raises ApiError that names the objects with similar names, or the matching ones if there are several.
    """
    matches = text_filter(field, name)
    if matches is None:
        raise ApiError("id or name is required", kind="argument")
    similar = [
        row
        async for row in iterate_rows(method, max_pages=MAX_SEARCHED_PAGES, maxResults=LARGE_PAGE_SIZE, **arguments)
        if matches(row)
    ]
    folded_name = name.strip().casefold()
    equal = [row for row in similar if str(row[field]).strip().casefold() == folded_name]
    rows = equal or similar
    if not rows:
        raise await _unknown_name_error(name, method, field, arguments)
    if len(rows) > 1:
        names = ", ".join(
            f"{short_json(row[field])} (id {short_json(row.get('id'))})" for row in rows[:MAX_LISTED_MATCHES]
        )
        raise ApiError(f"name: {len(rows)} objects match {short_json(name)}: {names}; pass the id", kind="argument")
    return str(rows[0].get("id") or "")


async def _unknown_name_error(name: str, method: Callable[..., Any], field: str, arguments: JsonObject) -> ApiError:
    """Return the error for a *name* that no object has, with similar names."""
    argument = "name" if field.casefold().endswith("name") else field
    items = operation_of(method).items
    hint = await suggest_names(name, method, field, **arguments)
    return ApiError(
        f"{argument}: no {items.removesuffix('s')} has the {argument} {short_json(name)}. {hint}", kind="argument"
    )


async def suggest_names(name: str, method: Callable[..., Any], field: str, **arguments: Any) -> str:
    """Return a sentence with the names in a list that are similar to *name*, or its first ones. Raise ApiError."""
    # The list of similar names must not be narrowed to names that contain this one.
    others = {key: value for key, value in arguments.items() if key != NAME_FILTER}
    pages = iterate_pages(method, max_pages=MAX_SEARCHED_PAGES, maxResults=LARGE_PAGE_SIZE, **others)
    names = sorted({str(row[field]) for row in [row async for page in pages for row in page.rows] if row.get(field)})
    items = operation_of(method).items
    if similar := ", ".join(map(short_json, nearest_values(name, names))):
        return f"Did you mean {similar}?"
    listed = ", ".join(map(short_json, names[:MAX_LISTED_MATCHES]))
    return f"{items.capitalize()}: {listed}" if listed else f"There are no {items}"
