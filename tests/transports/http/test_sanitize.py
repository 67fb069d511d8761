"""Text of the API contains no invisible characters on any path to a client, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.sandbox.accounts import Grant
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import LATEST_STATEFUL, Json, serving
from tests.transports.http.streaming import open_stream

HIDDEN = "\u200b\u202e\u2060\U000e0041\x1b\x7f"
BUDGET: Json = {"id": f"b{HIDDEN}1", "name": f"Data{HIDDEN} team", "budgetName": f"Data{HIDDEN} team", "amount": 1}
EVENTS: list[Json] = [
    {"conversationId": "c1"},
    {"answer": json.dumps({"toolStart": f"Reading{HIDDEN} costs"})},
    {"answer": f"You spent{HIDDEN} $1."},
]


@dataclass
class Api:
    """Budgets and Ava, with invisible characters in all texts."""

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        """Register the operations that these tests use."""

        async def budgets(request: web.Request) -> web.Response:
            if request.query.get("nameContains") == "twice":
                return web.json_response({"budgets": [{**BUDGET, "budgetName": f"twice{HIDDEN}{n}"} for n in range(2)]})
            return web.json_response({"budgets": [BUDGET]})

        async def budget(request: web.Request) -> web.Response:
            return web.json_response(BUDGET)

        async def ava(request: web.Request) -> web.Response:
            text = "".join(f"data: {json.dumps(event)}\n\n" for event in EVENTS)
            return web.Response(text=text, content_type="text/event-stream")

        async def refused(request: web.Request) -> web.Response:
            return web.json_response({"error": f"not{HIDDEN} this one"}, status=400)

        app.router.add_get("/analytics/v1/budgets", budgets)
        app.router.add_post("/ava/v1/ask", ava)
        app.router.add_patch("/analytics/v1/budgets/{id}", refused)
        app.router.add_get("/analytics/v1/budgets/{id}", budget)


def shows_nothing_hidden(found: Any) -> bool:
    if isinstance(found, dict | list):
        return all(shows_nothing_hidden(part) for part in (found.values() if isinstance(found, dict) else found))
    return not set(str(found)) & set(HIDDEN)


@pytest.mark.requirement("N24")
async def test_n24_completion_values_are_visible() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        params: Json = {"ref": {"type": "ref/resource", "uri": "doit://budgets/{id}"}}
        result = await site.send_stateless(
            "completion/complete", params | {"argument": {"name": "id", "value": "data"}}
        )
        assert result.result["completion"]["values"] == ["b1"]


@pytest.mark.requirement("N24")
async def test_n24_assistant_steps_are_visible_in_progress_and_result() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        session = await site.initialize()
        params: Json = {"name": "ask_ava_streaming", "arguments": {"question": "?"}, "_meta": {"progressToken": "p"}}
        async with open_stream(
            site, site.request("tools/call", params), site.headers(**session.head), LATEST_STATEFUL
        ) as stream:
            notification = await stream.until("notifications/progress")
            assert notification["params"]["message"] == "Reading costs"
            result = (await stream.until(""))["result"]
        assert result["structuredContent"]["steps"] == ["Reading costs"] and shows_nothing_hidden(result)


@pytest.mark.requirement("N24")
async def test_n24_errors_elicitations_and_documents_are_visible() -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        twice = await site.call("get_budget", {"name": "twice"})
        assert twice.result["isError"] is True and "objects match" in twice.result["content"][0]["text"]
        refused = await site.call("update_budget", {"id": "b1", "amount": 2})
        assert "this one" in refused.result["content"][0]["text"]
        ask: Json = {"elicitation": {"form": {}}}
        question = await site.call("delete_budget", {"id": "b1"}, clientCapabilities=ask)
        assert "name: Data team" in question.result["inputRequests"]["confirm"]["params"]["message"]
        document = await site.send_stateless("resources/read", {"uri": "doit://budgets/b1"})
        assert "Data team" in document.result["contents"][0]["text"]
        for answer in (twice, refused, question, document):
            assert shows_nothing_hidden(answer.result)


def test_check_detects_invisible_text() -> None:
    assert not shows_nothing_hidden(BUDGET) and shows_nothing_hidden({"name": "Data team"})
