"""``tools/call`` where it is more than a look-up: names of the former server."""

from __future__ import annotations

import pytest

from doit_mcp.catalogue.aliases import ALIASES
from doit_mcp.catalogue.selection import Selection
from doit_mcp.server import tools
from doit_mcp.server.byte_cache import ByteCache
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


async def test_n4_lists_that_clients_select_have_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each choice of tools is another list; all that are kept together stay within the bound, and the usual one."""
    pages = ByteCache(tools.MAX_PAGES_BYTES)
    monkeypatch.setattr(tools, "_pages", pages)
    named = sorted(product()(Selection(frozenset({"all"})), False).tool_named)
    async with serving(make=product()) as site:
        for name in named[:40]:
            path = f"/mcp/x/all?tools={name}"
            assert len((await site.modern("tools/list", {}, path=path)).result["tools"]) > 100
            await site.modern("tools/list", {})
            assert 0 < pages.bytes <= tools.MAX_PAGES_BYTES
    assert 2 < len(pages) < 40


def test_n4_the_least_recently_used_bytes_go_first() -> None:
    cache = ByteCache(10)
    for key, value in (("a", b"aaaa"), ("b", b"bbbb")):
        cache.put(key, value)
    assert cache.get("a") == b"aaaa"
    cache.put("c", b"cccc")
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.bytes) == (b"aaaa", None, b"cccc", 8)
    cache.put("d", b"d" * 11)
    assert cache.bytes == 0 == len(cache)
