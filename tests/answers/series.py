"""Reads the series of a result as a view does: from _meta, by the names of series and the roles of columns."""

from __future__ import annotations

from typing import Any

import orjson

from doit_mcp.catalog.tools.series import LIMITS, SERIES_META_KEY

from .world import World


class Pictured:
    """The structured content of a call, and its series."""

    def __init__(self, result: Any) -> None:
        assert not result.get("isError"), result
        self.answer = result["structuredContent"]
        self.set = result["_meta"][SERIES_META_KEY]
        assert len(orjson.dumps(self.set)) <= LIMITS.max_bytes
        assert sum(len(one["rows"]) * len(one["columns"]) for one in self.set["series"]) <= LIMITS.max_cells
        assert all(len(row) == len(one["columns"]) for one in self.set["series"] for row in one["rows"])
        text = result["content"][0]["text"]
        assert orjson.loads(text) == self.answer and SERIES_META_KEY not in text

    def series(self, name: str) -> Any:
        """Return the series with this name."""
        return next(one for one in self.set["series"] if one["name"] == name)

    def column(self, name: str, role: str, id: str | None = None) -> list[Any]:
        """Return the cells of a column of a series."""
        series = self.series(name)
        at = next(
            index for index, one in enumerate(series["columns"]) if (one["role"], one.get("id", id)) == (role, id)
        )
        return [row[at] for row in series["rows"]]


async def picture(world: World, name: str, /, **arguments: Any) -> Pictured:
    """Return the result of a call that must succeed."""
    return Pictured(await world.call(name, arguments))
