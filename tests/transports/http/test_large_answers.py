"""API responses of several megabytes never block the event loop.

The tests measure CPU time of the event loop's thread between two ticks of the loop. The limit allows for slow machines
and for the API, which runs in the same loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from threading import current_thread
from typing import Any

import orjson
import pytest
from aiohttp import web

from doit_mcp.catalog.costs import overview
from doit_mcp.catalog.costs.group_costs import CostRow
from doit_mcp.catalog.costs.overview import SECTION_DIMENSIONS
from doit_mcp.sandbox.accounts import Grant
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import Json, Site, serving
from tests.work_counter import MAX_LINES_PER_TURN, count_loop_lines

ROWS, QUERY_ROWS = 10_500, 20_000
TEMPLATE = "doit://budgets/{id}"


def row(number: int) -> Json:
    names = {name: f"cost {name} {number}" for name in ("name", "budgetName", "reportName", "title", "subject")}
    return {"id": f"id{number}", **names, "description": "x" * 60, "owner": "a@b.c", "createTime": 1_700_000_000_000}


def table(groups: tuple[str, ...]) -> bytes:
    names = (*groups, "year", "month")
    columns = [*({"name": name, "type": "string"} for name in names), {"name": "cost", "type": "float"}]
    rows = [
        [*(f"{group} {number % 700}" for group in groups), "2026", "09", float(number)] for number in range(QUERY_ROWS)
    ]
    return orjson.dumps({"result": {"schema": columns, "rows": rows, "cacheHit": False}})


class LargeApi:
    """Answers every list and query with many rows, and everything else with one long text."""

    def __init__(self) -> None:
        self.rows = orjson.dumps([row(number) for number in range(ROWS)])
        # Searching for invisible characters in them takes long.
        sections = (
            tuple(group["id"] for dimension in dimensions for group in dimension.as_groups)
            for dimensions in SECTION_DIMENSIONS.values()
        )
        self.tables = {groups: table(groups) for groups in sections}
        self.thing = orjson.dumps({"id": "id5", "name": "one", "description": "\n" * 2_400_000 + "\x01"})

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        for area in ("analytics", "anomalies", "billing", "support", "insights", "core"):
            app.router.add_route("*", f"/{area}/{{path:.*}}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            body = self.tables[tuple(group["id"] for group in (await request.json())["config"]["group"])]
        elif name.startswith("id"):
            body = self.thing
        else:
            items = {"v1": "anomalies", "cloudincidents": "incidents"}.get(name, name)
            body = b'{"pageToken":"","rowCount":%d,"%s":%s}' % (ROWS, items.encode(), self.rows)
        return web.Response(body=body, content_type="application/json")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(make=catalog_factory(), api=LargeApi()) as server:
        yield server


@pytest.mark.requirement("N2")
@pytest.mark.parametrize(
    ("method", "params"),
    [
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": TEMPLATE}, "argument": {"name": "id", "value": "id"}},
        ),
        ("tools/call", {"name": "search", "arguments": {"query": "cost report number title subject budget"}}),
        ("tools/call", {"name": "fetch", "arguments": {"id": "budget:id5"}}),
        ("resources/read", {"uri": "doit://budgets/id5"}),
        ("tools/call", {"name": "get_cloud_overview", "arguments": {}}),
    ],
    ids=["completion", "search", "fetch", "read", "overview"],
)
async def test_n2_large_api_response_does_not_block_the_event_loop(site: Site, method: str, params: Json) -> None:
    with count_loop_lines() as lines:
        answer = await site.send_stateless(method, params)
    check(method, params, answer.body)
    assert lines.longest < MAX_LINES_PER_TURN


def check(method: str, params: Json, body: Any) -> None:
    """Check the response; a document that is too long for a resource is an error."""
    if params.get("uri"):
        assert "error" in body
        return
    result = body["result"]
    if method == "completion/complete":
        completion = result["completion"]
        assert len(completion["values"]) == 100 and completion["values"][0] == "id0" and completion["hasMore"]
        assert completion["total"] == 10_000
        return
    assert not result.get("isError"), result
    content = result["structuredContent"]
    match params["name"]:
        case "search":
            assert len(content["results"]) == 20
        case "fetch":
            assert content["id"] == "budget:id5" and content["title"].startswith("Budget: one")
        case "get_cloud_overview":
            assert (
                len(content["costByCloud"]["rows"]) <= 700 and content["totalCost"] == QUERY_ROWS * (QUERY_ROWS - 1) / 2
            )


@pytest.mark.requirement("N2")
async def test_n2_large_overview_queries_are_summed_in_the_thread(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def summed(answer: Json, section: str) -> list[CostRow]:
        threads.append(current_thread().name)
        ids = ("x",) * len(SECTION_DIMENSIONS[section])
        return [CostRow(ids, ids, "", Decimal(1))]

    monkeypatch.setattr(overview, "sum_by_groups", summed)
    await site.send_stateless("tools/call", {"name": "get_cloud_overview", "arguments": {}})
    assert threads == ["heavy"] * len(SECTION_DIMENSIONS)
