"""Selection of tools by path, query and headers, and errors while a catalog is made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from doit_mcp.catalog.toolsets import Selection
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.request_context import Catalog
from tests.transports.http.serving import EMPLOYEE, Site, next_event, serving


@pytest.fixture
async def shop() -> AsyncIterator[Site]:
    """The tools of the product."""
    async with serving(make=catalog_factory()) as site:
        yield site


async def list_tools(site: Site, path: str = "/mcp", headers: dict[str, str] | None = None) -> dict[str, bool]:
    """Return the names of the listed tools, and whether each is read-only."""
    answer = await site.send_stateless("tools/list", path=path, headers=headers)
    assert answer.status == 200, answer
    return {tool["name"]: tool["annotations"]["readOnlyHint"] for tool in answer.result["tools"]}


async def test_header_path_and_query_are_equivalent(shop: Site) -> None:
    by_path = await list_tools(shop, "/mcp/x/budgets,anomalies")
    assert by_path and by_path == await list_tools(shop, "/mcp?toolsets=anomalies,budgets")
    assert by_path == await list_tools(shop, headers={"X-MCP-Toolsets": " budgets , anomalies "})
    assert by_path == await list_tools(shop, "/mcp/x/budgets%2Canomalies")
    assert by_path.keys() != (await list_tools(shop)).keys() < (await list_tools(shop, "/mcp/x/all")).keys()


@pytest.mark.requirement("A4")
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/mcp/readonly", {}),
        ("/mcp?readonly=true", {}),
        ("/mcp", {"X-MCP-Readonly": "1"}),
    ],
)
async def test_read_only(shop: Site, path: str, headers: dict[str, str]) -> None:
    """Write tools are neither listed nor callable by name."""
    tools = await list_tools(shop, path, headers)
    everything = await list_tools(shop)
    assert tools and all(tools.values()) and not all(everything.values())
    writer = next(name for name, reads in everything.items() if not reads)
    answer = await shop.send_stateless("tools/call", {"name": writer, "arguments": {}}, path=path, headers=headers)
    assert answer.code == (400, -32602)


@pytest.mark.requirement("A4")
@pytest.mark.parametrize("query", ["?readonly=true", "?toolsets=budgets,anomalies&readonly=1", ""])
async def test_stream_selection_applies_to_its_posts(shop: Site, query: str) -> None:
    """The endpoint that HTTP+SSE announces selects the same tools as the URL of the stream."""
    async with shop.http.get(f"{shop.base}/sse{query}", headers=shop.headers()) as stream:
        _, address = await next_event(stream)
        assert (await shop.post(shop.request("tools/list"), path=address)).status == 202
        _, data = await next_event(stream)
    tools = json.loads(data)["result"]["tools"]
    read_only = {tool["name"]: tool["annotations"]["readOnlyHint"] for tool in tools}
    assert read_only == await list_tools(shop, f"/mcp{query}") and all(read_only.values()) == bool(query)


@pytest.mark.requirement("A4")
async def test_header_narrows_and_never_widens(shop: Site) -> None:
    """The selection of the URL still applies."""
    readonly = await list_tools(shop, "/mcp/x/budgets/readonly")
    for headers in ({"X-MCP-Toolsets": "all"}, {"X-MCP-Readonly": "false"}, {"X-MCP-Readonly": "0"}):
        assert await list_tools(shop, "/mcp/x/budgets/readonly", headers) == readonly


async def test_single_tools(shop: Site) -> None:
    assert list(await list_tools(shop, "/mcp?tools=list_budgets")) == ["list_budgets"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/mcp/x/nothing", 404),
        ("/mcp/x/budgets,nothing", 404),
        ("/mcp?toolsets=nothing", 404),
        ("/mcp?toolsets=" + ",".join(f"t{number}" for number in range(61)), 400),
        ("/mcp?tools=" + ",".join(f"t{number}" for number in range(61)), 400),
    ],
)
async def test_unknown_selections(shop: Site, path: str, status: int) -> None:
    """The response is an error with an explanation instead of an empty list."""
    answer = await shop.post(shop.request("tools/list"), path=path)
    assert answer.code == (status, -32600) and len(answer.error["message"]) > 20


async def test_catalogs_are_built_once_and_bounded() -> None:
    """Catalogs are cached, and the least recently used ones are dropped."""
    selections: list[tuple[Selection, bool]] = []
    offers = catalog_factory()

    def make(selection: Selection, employee: bool) -> Catalog:
        selections.append((selection, employee))
        return offers(Selection(), employee)

    async with serving(make=make) as site:
        for number in [*range(130), 129, 0]:
            assert (await site.post(site.request("ping"), path=f"/mcp?tools=t{number}")).result == {}
        assert len(selections) == 131
        assert (await site.post(site.request("ping"), user=EMPLOYEE)).result == {}
        assert selections[-1][1] is True


@pytest.mark.requirement("F6", "G4")
async def test_internal_error_has_no_details() -> None:
    """500 with a reference for the operator, without details of the exception."""

    def make(selection: Selection, employee: bool) -> Catalog:
        raise RuntimeError("a secret that nobody may see")

    async with serving(make=make) as site:
        answer = await site.post(site.request("ping"))
        assert answer.code == (500, -32603) and "secret" not in answer.text
        assert answer.headers["X-MCP-Trace-Id"] in answer.error["message"]
        assert (await site.send("GET", "/healthz", {})).status == 200
