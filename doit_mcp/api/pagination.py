"""Pagination: iterates over pages and rows of a list, or finds an object by name, within limits."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from ..protocol.json_schema import JsonObject, short_json
from .errors import ApiError
from .operation import operation_of

MAX_PAGES = 4
"""Default maximum of pages per call."""
MAX_SEARCHED_PAGES = 3
"""Maximum pages that are searched for a name."""
LARGE_PAGE_SIZE = 200
"""Rows per page for lists that code reads, not a model."""
MAX_LISTED_MATCHES = 5


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and the token of the next page, "" on the last."""

    rows: list[JsonObject]
    next_token: str
    answer: JsonObject
    """The unchanged response."""


async def iterate_pages(
    method: Callable[..., Any], *, max_pages: int = MAX_PAGES, token: str = "", **arguments: Any
) -> AsyncGenerator[Page, None]:
    """Yield up to *max_pages* pages of a list *method* with ``items``, starting at *token*. Raises ApiError."""
    for _ in range(max_pages):
        given = {**arguments, "pageToken": token} if token else arguments
        page = parse_page(await method(**given), operation_of(method).items)
        yield page
        # A repeated token would loop forever.
        if not page.next_token or page.next_token == token:
            return
        token = page.next_token


def parse_page(answer: Any, items: str) -> Page:
    """Return the page in a response; without rows if the API sends null or no list."""
    whole = answer if isinstance(answer, dict) else {}
    found = whole.get(items)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return Page(rows, str(whole.get("pageToken") or ""), whole)


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


async def find_id(name: str, method: Callable[..., Any], field: str, **arguments: Any) -> str:
    """Return the id of the object whose *field* equals *name*, ignoring case, or else contains it.

    Raises ApiError: "missing" without a match, "argument" for several.
    """
    wanted = name.strip().casefold()
    if not wanted:
        raise ApiError("id or name is required", kind="argument")
    like = [
        row
        async for row in iterate_rows(method, max_pages=MAX_SEARCHED_PAGES, maxResults=LARGE_PAGE_SIZE, **arguments)
        if wanted in str(row.get(field) or "").casefold()
    ]
    same = [row for row in like if str(row[field]).strip().casefold() == wanted]
    found = same or like
    if not found:
        raise ApiError(f"no object has the name {short_json(name)}", kind="missing")
    if len(found) > 1:
        names = ", ".join(
            f"{short_json(row[field])} (id {short_json(row.get('id'))})" for row in found[:MAX_LISTED_MATCHES]
        )
        raise ApiError(f"name: {len(found)} objects match {short_json(name)}: {names}; pass the id", kind="argument")
    return str(found[0].get("id") or "")
