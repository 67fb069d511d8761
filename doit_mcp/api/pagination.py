"""Following page tokens: every page, every row, or the one thing that has a name. Bounded."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from ..protocol.json_schema import JsonObject, shown
from .errors import ApiError
from .operation import operation_of

MOST = 4
"""Pages that one call reads by itself, if it says nothing else."""
MOST_SEARCHED = 3
"""Pages that are searched for a name; the answer it was for is one request more."""
LARGE = 200
"""Rows of a page where our code reads them, not a model."""
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a list, and the token of the next page ("" on the last)."""

    rows: list[JsonObject]
    token: str
    whole: JsonObject
    """The answer as it came."""


async def pages(
    method: Callable[..., Any], *, most: int = MOST, token: str = "", **arguments: Any
) -> AsyncGenerator[Page, None]:
    """The pages of a list *method* that declares ``items``, from *token* on; *most* of them. Raises ApiError."""
    for _ in range(most):
        given = {**arguments, "pageToken": token} if token else arguments
        page = page_of(await method(**given), operation_of(method).items)
        yield page
        # A token that comes again would lead round in a circle.
        if not page.token or page.token == token:
            return
        token = page.token


def page_of(answer: Any, items: str) -> Page:
    """The page in an answer; without rows where the API sends null or nothing."""
    whole = answer if isinstance(answer, dict) else {}
    found = whole.get(items)
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return Page(rows, str(whole.get("pageToken") or ""), whole)


async def every(method: Callable[..., Any], *, most: int = MOST, **arguments: Any) -> AsyncGenerator[JsonObject, None]:
    """The rows of a list, page after page. Raises ApiError if *most* pages do not hold all of them."""
    page = None
    async for page in pages(method, most=most, **arguments):
        for row in page.rows:
            yield row
    if page is not None and page.token:
        raise ApiError("there is too much to read through; use a filter", kind="argument")


async def id_of(name: str, method: Callable[..., Any], field: str, **arguments: Any) -> str:
    """The id of what is called *name* in a list, its *field* compared without case: the same, or else holding it.

    Raises ApiError: "missing" if there is none, "argument" if there are several.
    """
    wanted = name.strip().casefold()
    if not wanted:
        raise ApiError("id or name: one of them is needed", kind="argument")
    like = [
        row
        async for row in every(method, most=MOST_SEARCHED, maxResults=LARGE, **arguments)
        if wanted in str(row.get(field) or "").casefold()
    ]
    same = [row for row in like if str(row[field]).strip().casefold() == wanted]
    found = same or like
    if not found:
        raise ApiError(f"nothing is named {shown(name)}", kind="missing")
    if len(found) > 1:
        names = ", ".join(f"{shown(row[field])} (id {shown(row.get('id'))})" for row in found[:MOST_NAMED])
        raise ApiError(f"name: {len(found)} are named like {shown(name)}: {names}; give the id", kind="argument")
    return str(found[0].get("id") or "")
