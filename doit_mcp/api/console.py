"""DoiT's console: the one thing that employees ask it and not the API. It knows no tenant: it is about all of them."""

from typing import Any, TypedDict, Unpack

from ..protocol.json_schema import JsonObject
from .operation import Area, post


class Search(TypedDict, total=False):
    """What to look for; *filters* may be empty."""

    filters: JsonObject
    pageSize: int
    pageToken: str


class Console(Area):
    """Customers of DoiT: search, for employees."""

    @post("/api/customers/v1/customers/search", read_only=True, items="customers")
    async def _search(self, **search: Unpack[Search]) -> JsonObject: ...

    async def search_customers(
        self, filters: JsonObject, pageSize: int | None = None, pageToken: str | None = None
    ) -> JsonObject:
        """A page of the customers that fit the filters. Raises ApiError, kind "forbidden" for who is no employee."""
        page: dict[str, Any] = {"pageSize": pageSize, "pageToken": pageToken}
        return await self._search(filters=filters, **{name: value for name, value in page.items() if value is not None})
