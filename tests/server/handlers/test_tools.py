"""``tools/call`` and ``tools/list`` beyond a look-up: names of the previous server, and cached lists."""

from __future__ import annotations

import gc
from itertools import combinations, islice

import pytest

from doit_mcp.catalog.toolsets import Selection
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME
from doit_mcp.server.byte_cache import ENTRY_BYTES, ByteCache
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.handlers import tools
from doit_mcp.server.request_context import Catalog
from tests.transports.http.serving import serving
from tests.work_counter import count_work

MAX_LINES_PER_LIST = 60_000
"""Lines of Python that select tools and write their list, which takes about a millisecond."""


async def test_former_names_can_be_called_but_are_not_listed() -> None:
    offered = catalog_factory()(Selection(frozenset({"all"})), False)
    former = {alias: tool.name for tool in offered.tools if (alias := tool.facts.get("alias"))}
    assert former["id_of_asset"] == "update_asset" and not former.keys() & offered.tools_by_name.keys()
    async with serving(changes={"tools": offered.tools}) as site:
        for old, new in former.items():
            answer = await site.call(old, {"no such argument": 1})
            # Argument errors are reported only for a tool that exists.
            assert answer.result["isError"] is True and "no such argument" in answer.text, (old, new)


@pytest.mark.requirement("N4")
async def test_n4_cached_lists_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each selection of tools has its own list; all cached lists together stay within the limit, as does the default
    one."""
    pages = ByteCache(tools.MAX_PAGE_CACHE_BYTES)
    monkeypatch.setattr(tools, "_page_cache", pages)
    named = sorted(catalog_factory()(Selection(frozenset({"all"})), False).tools_by_name)
    async with serving(make=catalog_factory()) as site:
        for name in named[:40]:
            path = f"/mcp/x/all?tools={name}"
            assert len((await site.send_stateless("tools/list", {}, path=path)).result["tools"]) > 100
            await site.send_stateless("tools/list", {})
            assert 0 < pages.size_bytes <= tools.MAX_PAGE_CACHE_BYTES
    assert 2 < len(pages) < 40


@pytest.mark.requirement("N4")
def test_n4_cached_list_keeps_nothing_else() -> None:
    """Clients can create one for each set of tools: 10,000 selections used to keep 99 MB, of which 8 MB were
    counted."""
    make, revision = catalog_factory(), REVISIONS_BY_NAME["2025-11-25"]
    names = sorted(tool.name for tool in make(Selection(frozenset({"all"})), False).tools)

    def list_tools(first: int, count: int) -> None:
        for chosen in islice(combinations(names, 2), first, first + count):
            tools._cached_page(make(Selection(tools=frozenset(chosen)), False), revision, 0)

    list_tools(0, 50)
    gc.collect()
    before = sum(isinstance(item, Catalog) for item in gc.get_objects())
    _, work = count_work(list_tools, 50, 200)
    assert work.lines < 200 * MAX_LINES_PER_LIST
    gc.collect()
    assert sum(isinstance(item, Catalog) for item in gc.get_objects()) <= before


@pytest.mark.requirement("N4")
def test_n4_least_recently_used_lists_are_evicted_first() -> None:
    cache = ByteCache(10 + 2 * ENTRY_BYTES)
    for key, value in (("a", b"aaaa"), ("b", b"bbbb")):
        cache.put(key, value)
    assert cache.get("a") == b"aaaa"
    cache.put("c", b"cccc")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"aaaa", None, b"cccc")
    assert cache.size_bytes == 8 + 2 * ENTRY_BYTES
    cache.put("d", b"d" * (11 + ENTRY_BYTES))
    assert cache.size_bytes == 0 == len(cache)
