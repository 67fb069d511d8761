"""The view over HTTP: how tools name it, how clients read it, and what clients without views get."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from doit_mcp.catalog.views.document import view_html, view_uri
from doit_mcp.protocol.revisions import STATEFUL_REVISIONS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import META, STATELESS_REVISION, Json, Site, serving

REVISIONS = [*STATEFUL_REVISIONS, STATELESS_REVISION]
DOMAIN = "https://charts.example"
UI: Json = {"csp": {}, "prefersBorder": True, "domain": DOMAIN}
HOST: Json = {"extensions": {f"{META}ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
FORMER_URI = f"ui://doit/costs-{hashlib.sha256(b'former').hexdigest()[:8]}.html"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=catalog_factory(view_domain=DOMAIN), api=Api()) as site:
        yield site


async def ask(site: Site, revision: str, method: str, params: Json, capabilities: Json) -> Json:
    """Return the result of a request of a client with *capabilities*."""
    if revision == STATELESS_REVISION:
        return (await site.send_stateless(method, params, clientCapabilities=capabilities)).result
    return (await (await site.initialize(revision, **capabilities)).ask(method, params)).result


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("capabilities", [HOST, {}], ids=["host", "text only"])
async def test_the_view_is_read_in_every_revision(site: Site, revision: str, capabilities: Json) -> None:
    result = await ask(site, revision, "resources/read", {"uri": view_uri()}, capabilities)
    (content,) = result["contents"]
    assert content["uri"] == view_uri() and content["mimeType"] == "text/html;profile=mcp-app"
    assert content["text"] == view_html()
    assert content.get("_meta", {}).get("ui") == (UI if revision >= "2025-06-18" else None)
    assert result.get("resultType") == ("complete" if revision == STATELESS_REVISION else None)


async def test_the_uris_of_other_versions_return_this_one(site: Site) -> None:
    current = await ask(site, STATELESS_REVISION, "resources/read", {"uri": view_uri()}, {})
    former = await ask(site, STATELESS_REVISION, "resources/read", {"uri": FORMER_URI}, {})
    assert former["contents"][0] == current["contents"][0] | {"uri": FORMER_URI}
    # Bytes under the URI of other bytes must not be kept.
    assert current["ttlMs"] > former["ttlMs"] == 0


@pytest.mark.parametrize("name", ["costs-", "costs-0123ABCD", "costs-0123abcd0", "other"])
async def test_other_uris_are_unknown(site: Site, name: str) -> None:
    answer = await site.send_stateless("resources/read", {"uri": f"ui://doit/{name}.html"})
    assert answer.error["message"] == "Resource not found"


@pytest.mark.parametrize("revision", REVISIONS)
async def test_lists_name_the_view_to_hosts_only(site: Site, revision: str) -> None:
    def is_view(entry: Json) -> bool:
        return bool(entry["uri"].startswith("ui://"))

    shown = (await ask(site, revision, "resources/list", {}, HOST))["resources"]
    hidden = (await ask(site, revision, "resources/list", {}, {}))["resources"]
    (entry,) = filter(is_view, shown)
    assert [each for each in shown if not is_view(each)] == hidden
    assert entry["uri"] == view_uri() and entry["mimeType"] == "text/html;profile=mcp-app"
    assert entry["size"] == len(view_html().encode())
    assert entry.get("_meta", {}).get("ui") == (UI if revision >= "2025-06-18" else None)
    templates = (await ask(site, revision, "resources/templates/list", {}, HOST))["resourceTemplates"]
    assert not any("ui://" in template["uriTemplate"] for template in templates)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_tools_name_the_view_wherever_they_have_metadata(site: Site, revision: str) -> None:
    listed = {tool["name"]: tool for tool in (await ask(site, revision, "tools/list", {}, {}))["tools"]}
    meta = listed["cost_breakdown"].get("_meta", {})
    expected = {"resourceUri": view_uri(), "visibility": ["model", "app"]} if revision >= "2025-06-18" else None
    assert meta.get("ui") == expected
    assert (meta.get("ui/resourceUri") == meta.get("openai/outputTemplate") == view_uri()) is (expected is not None)


async def test_every_path_names_and_reads_the_view(site: Site) -> None:
    for path in ("/mcp", "/mcp/x/all", "/mcp/x/reports"):
        page = (await site.send_stateless("tools/list", {}, path=path)).result
        tool = next(tool for tool in page["tools"] if tool["name"] == "cost_trend")
        uri = tool["_meta"]["ui"]["resourceUri"]
        answer = await site.send_stateless("resources/read", {"uri": uri}, path=path)
        assert answer.result["contents"][0]["text"] == view_html()


async def test_the_extension_is_declared_where_extensions_are(site: Site) -> None:
    result = (await site.send_stateless("server/discover", {})).result
    assert result["capabilities"]["extensions"][f"{META}ui"] == {}
    assert f"{META}ui" not in (await site.initialize(**HOST)).welcome["capabilities"]["extensions"]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_results_name_their_tool_for_the_view_only(site: Site, revision: str) -> None:
    async def call(name: str, arguments: Json, capabilities: Json) -> Json:
        return await ask(site, revision, "tools/call", {"name": name, "arguments": arguments}, capabilities)

    week = {"period": "last_7_days"}
    result, plain = await call("cost_breakdown", week, HOST), await call("cost_breakdown", week, {})
    assert result["_meta"]["doit/view"] == {"tool": "cost_breakdown"}
    assert result["_meta"]["doit/series"]["series"]
    assert result["content"] == plain["content"] and len(result["content"]) == 1
    assert result.get("structuredContent") == plain.get("structuredContent")
    assert "doit/" not in result["content"][0]["text"]
    assert "doit/view" not in (await call("list_invoices", {}, HOST)).get("_meta", {})
    failed = await call("cost_breakdown", {"period": "yesteryear"}, HOST)
    assert failed["isError"] is True and "doit/view" not in failed.get("_meta", {})


async def test_a_tool_without_series_names_itself(site: Site) -> None:
    answer = await site.call("get_anomalies")
    assert answer.result["_meta"]["doit/view"] == {"tool": "get_anomalies"}
