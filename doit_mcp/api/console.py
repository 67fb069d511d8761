"""The API of the DoiT console: customer search for DoiT employees. Its requests have no tenant."""

from typing import TypedDict, Unpack

from ..protocol.json_schema import JsonObject
from .operation import Area, post


class CustomerSearch(TypedDict, total=False):
    """A search request; *filters* may be empty."""

    filters: JsonObject
    pageSize: int
    pageToken: str


class Console(Area):
    """Customer search for DoiT employees."""

    @post("/api/customers/v1/customers/search", read_only=True, items="customers")
    async def _search(self, **search: Unpack[CustomerSearch]) -> JsonObject: ...

    async def search_customers(
        self, filters: JsonObject, pageSize: int | None = None, pageToken: str | None = None
    ) -> JsonObject:
        """Return a page of matching customers. Raises ApiError, kind "forbidden" for users who are not employees."""
        search: CustomerSearch = {"filters": filters}
        if pageSize is not None:
            search["pageSize"] = pageSize
        if pageToken is not None:
            search["pageToken"] = pageToken
        return await self._search(**search)
