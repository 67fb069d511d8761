"""A source: a list of the DoiT API that events come from, and how it is polled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from ..api import Doit
from ..api.pagination import parse_page
from ..protocol.jsonrpc import JsonObject
from .new_items import NewItem, Reading
from .payload_texts import clean_identifier

MAX_ROWS = 300
"""Rows of a page that are read, whatever the API returns."""


@dataclass(frozen=True, slots=True)
class View:
    """What a poll needs to know: the time in epoch seconds, and the console page of the customer, for links."""

    now: float
    console: str


@dataclass(frozen=True, slots=True)
class Source:
    """A list of the API: how a page is read, the items and the id of a row, and how many pages a poll reads."""

    read: Callable[..., Awaitable[JsonObject]]
    rows_key: str
    read_items: Callable[[JsonObject, View], Iterator[NewItem]]
    max_pages: int = 1
    id_of: Callable[[JsonObject], str] = lambda row: clean_identifier(row.get("id"))

    async def poll(
        self, make_api: Callable[[], Doit], view: View, before_page: Callable[[], Awaitable[None]]
    ) -> Reading:
        """Return what the list shows now. Raise ApiError, and what *before_page* raises."""
        items: list[NewItem] = []
        ids: set[str] = set()
        is_complete, token = True, ""
        for _ in range(self.max_pages):
            await before_page()
            # The deadline of a client begins when it is created, and must not pass while the request waits for its turn.
            doit = make_api()
            page = parse_page(await self.read(doit, **({"pageToken": token} if token else {})), self.rows_key)
            items += (item for row in page.rows[:MAX_ROWS] for item in self.read_items(row, view))
            ids |= {self.id_of(row) for row in page.rows[:MAX_ROWS]}
            is_complete = is_complete and len(page.rows) <= MAX_ROWS
            if not page.next_token:
                return Reading(items, frozenset(ids) if is_complete else None)
            if page.next_token == token:
                break
            token = page.next_token
        return Reading(items)
