"""``tools/call`` where it is more than a look-up: names of the former server."""

from __future__ import annotations

from doit_mcp.catalogue.aliases import ALIASES
from doit_mcp.catalogue.selection import Selection
from doit_mcp.server.product import product
from tests.web.serving import serving


async def test_former_names_are_called_but_not_listed() -> None:
    offered = product()(Selection(frozenset({"all"})), False)
    assert not set(ALIASES) & set(offered.tool_named) and set(ALIASES.values()) <= set(offered.tool_named)
    async with serving(changes={"tools": offered.tools}) as site:
        for old, new in ALIASES.items():
            answer = await site.call(old, {"no such argument": 1})
            # Wrong arguments are only told of a tool that was found.
            assert answer.result["isError"] is True and "no such argument" in answer.text, (old, new)
