"""The product's own prompts, documents and results, through the server, on every revision."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from doit_mcp.api import Doit
from doit_mcp.catalog.stores.result_store import MemoryResultStore
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.protocol.jsonrpc import Request
from doit_mcp.protocol.request_metadata import Caller
from doit_mcp.protocol.revisions import REVISIONS, Revision
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.dispatcher import dispatch_request
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.server.request_context import RequestContext, Services
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.server.tasks import MemoryTasks
from tests.api.recorder import Recorder

EACH = pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision.name)
SCHEMA = [{"name": "sku", "type": "string"}, {"name": "cost", "type": "float"}]
LARGE = {"schema": SCHEMA, "rows": [[f"a long name of a SKU, number {n}", float(n)] for n in range(1000)]}
RESULTS = MemoryResultStore()


class Refused(Exception):
    """The response is an error with this message."""


class Nowhere:
    """A channel that must not be used."""

    async def send(self, data: bytes) -> None:
        raise AssertionError(data)

    async def release(self) -> None:
        """Do nothing: there is no connection."""


def ask(revision: Revision, *answers: Any, owner: str = "somebody") -> Any:
    """Return a function that sends requests to the product's server as *owner*, over an API with these responses."""
    hub = NotificationHub()
    shared = Services(
        hub, StateSigner(b"k" * 32), MemoryTasks(hub), "https://console.example", RESULTS, lambda: 1_790_000_000.0
    )
    offer = catalog_factory()(Selection(), False)
    doit = Doit.for_sender(Recorder(*answers))
    context = RequestContext(offer, Caller(revision), owner, lambda *_: doit, Nowhere(), shared)

    async def send(method: str, **params: Any) -> Any:
        answered = orjson.loads((await dispatch_request(context, Request(1, method, params)))[1])
        if "error" in answered:
            raise Refused(answered["error"]["message"])
        return answered["result"]

    return send


@EACH
async def test_prompts_are_listed_and_require_their_arguments(revision: Revision) -> None:
    send = ask(revision)
    names = [prompt["name"] for prompt in (await send("prompts/list"))["prompts"]]
    assert len(names) == 21 and "cloud_overview" in names
    result = await send("prompts/get", name="search_expert_inquiries", arguments={"keyword": "quota"})
    assert result["messages"][0]["content"]["text"].endswith("\n\nkeyword: quota")
    with pytest.raises(Refused, match="keyword: is required"):
        await send("prompts/get", name="search_expert_inquiries", arguments={})


@EACH
async def test_resources_are_listed_and_read(revision: Revision) -> None:
    send = ask(revision, {"id": "b1", "name": "Data"})
    assert {resource["uri"] for resource in (await send("resources/list"))["resources"]} >= {"doit://guide/queries"}
    templates = (await send("resources/templates/list"))["resourceTemplates"]
    assert "doit://budgets/{id}" in {template["uriTemplate"] for template in templates}
    (content,) = (await send("resources/read", uri="doit://budgets/b1"))["contents"]
    assert orjson.loads(content["text"])["console"] == "https://console.example/#analytics/budgets/b1"
    with pytest.raises(Refused, match="not found"):
        await send("resources/read", uri="doit://budgets/..")


@pytest.mark.parametrize("revision", REVISIONS[1:], ids=lambda revision: revision.name)
async def test_arguments_and_uris_are_completed(revision: Revision) -> None:
    send = ask(revision, {"budgets": [{"id": "b1", "budgetName": "Data"}]})
    of_prompt = {"type": "ref/prompt", "name": "month_end_review"}
    result = await send("completion/complete", ref=of_prompt, argument={"name": "month", "value": "2026-0"})
    assert result["completion"]["values"][0] == "2026-09"
    of_address = {"type": "ref/resource", "uri": "doit://budgets/{id}"}
    result = await send("completion/complete", ref=of_address, argument={"name": "id", "value": "dat"})
    assert result["completion"]["values"] == ["b1"]


@pytest.mark.requirement("C3")
@EACH
async def test_result_handle_works_for_its_owner_only(revision: Revision) -> None:
    send = ask(revision, {"result": LARGE})
    first = orjson.loads((await send("tools/call", name="run_query", arguments={"config": {}}))["content"][0]["text"])
    call = {"name": "query_result", "arguments": {"handle": first["handle"], "top": 1}}
    again = orjson.loads((await ask(revision)("tools/call", **call))["content"][0]["text"])
    assert again["rowCount"] == 1000 and again["total"] == {"cost": 499500.0}
    foreign = await ask(revision, owner="another")("tools/call", **call)
    assert foreign["isError"] is True and "does not exist or has expired" in foreign["content"][0]["text"]


@EACH
async def test_search_text_and_structured_content_agree(revision: Revision) -> None:
    send = ask(revision, {"budgets": [{"id": "b1", "budgetName": "Data"}]})
    result = await send("tools/call", name="search", arguments={"query": "data"})
    assert [block["type"] for block in result["content"]] == ["text"]
    content = orjson.loads(result["content"][0]["text"])
    assert [hit["id"] for hit in content["results"]] == ["budget:b1"]
    assert result.get("structuredContent", content) == content
    assert ("structuredContent" in result) == revision.supports("structured")


def test_first_512_characters_explain_how_to_start_and_find_more() -> None:
    """Some clients read only these; every tool that they name exists."""
    offer = catalog_factory()(Selection(), False)
    first = offer.instructions[:512]
    for word in ("costs", "budgets", "anomalies", "invoices", "get_cloud_overview", "find_operation", "call_operation"):
        assert word in first
    assert len(offer.instructions) <= 1_500
    listed = {tool.name for tool in offer.tools}
    named = set(re.findall(r"[a-z]+(?:_[a-z]+)+", offer.instructions))
    assert named <= listed


def test_equal_catalogs_share_one_index() -> None:
    offers = catalog_factory()
    finders = {
        chosen: offers(chosen, False).tools_by_name["find_operation"]
        for chosen in (Selection(), Selection(frozenset({"labels"})), Selection(readonly=True))
    }
    usual, labels, reading = finders.values()
    assert usual is labels and usual is not reading


@pytest.mark.parametrize("toolset", ["core", "all", "discovery", "labels"])
def test_every_tool_runs_on_every_endpoint(toolset: str) -> None:
    offer = catalog_factory()(Selection(frozenset({toolset})), False)
    everything = catalog_factory()(Selection(frozenset({"all"})), False)
    assert offer.tools_by_name.keys() == everything.tools_by_name.keys() and not everything.unlisted_tools
