"""Spellings of the endpoints, of the Host header and of the selection that clients use in practice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from doit_mcp.server.catalog import catalog_factory
from doit_mcp.settings import Settings
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.transports.http.serving import ADMIN, EMPLOYEE, SECRET, Json, Site, next_event, serving

METADATA = "/.well-known/oauth-protected-resource"
SPELLINGS = {
    "/mcp": ("/MCP", "/Mcp", "/mcp/", "//mcp", "/MCP//"),
    "/mcp/readonly": ("/mcp/readonly/", "/MCP/ReadOnly", "/mcp//readonly"),
    "/mcp/x/core": ("/mcp/x/Core/", "/MCP/X/core", "//mcp/x/core"),
    "/mcp/x/core/readonly": ("/mcp/X/CORE/ReadOnly/",),
    "/sse": ("/SSE", "/sse/", "//sse"),
}
SPELLED = [(path, spelling) for path, spellings in SPELLINGS.items() for spelling in spellings]


@pytest.fixture
async def shop() -> AsyncIterator[Site]:
    """The tools of the product."""
    async with serving(make=catalog_factory()) as site:
        yield site


async def raw(site: Site, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Json]:
    """Send a request whose target and headers reach the server unchanged. Return its status and JSON body."""
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    fields = {"Host": f"{host}:{port}", "Content-Length": str(len(body)), "Connection": "close"} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    received_head, _, received = answer.partition(b"\r\n\r\n")
    return int(received_head.split()[1]), json.loads(received or b"{}")


async def listed(site: Site, target: str, **headers: str) -> list[str]:
    """Return the names of the tools that *target* lists."""
    body = json.dumps(site.request("tools/list")).encode()
    status, answer = await raw(
        site, "POST", target, site.headers(**headers) | {"Content-Type": "application/json"}, body
    )
    assert status == 200, (status, answer)
    return [tool["name"] for tool in answer["result"]["tools"]]


@pytest.mark.parametrize(("path", "spelling"), SPELLED)
async def test_every_spelling_of_an_endpoint_is_the_same_resource(shop: Site, path: str, spelling: str) -> None:
    assert await listed(shop, spelling) == await listed(shop, path)


@pytest.mark.parametrize(("path", "spelling"), SPELLED)
async def test_sign_in_works_with_the_spelling_of_the_client(shop: Site, path: str, spelling: str) -> None:
    """Clients compare the resource in the metadata with their own URL, and request a token for it."""
    url = shop.base + spelling
    answer = await shop.http.post(url, data=b"{}", allow_redirects=False)
    assert answer.status == 401
    document = f"{shop.base}{METADATA}{spelling}"
    assert f'resource_metadata="{document}"' in answer.headers["WWW-Authenticate"]
    for location in (document, url.rstrip("/") + METADATA):
        async with shop.http.get(location, allow_redirects=False) as response:
            assert response.status == 200, location
            resource = (await response.json())["resource"]
            assert resource.rstrip("/") == url.rstrip("/") and (location != document or resource == url)
    token = shop.world.identity.mint(ADMIN, resource=url)
    assert (await shop.post(shop.request("ping"), Authorization=f"Bearer {token}")).result == {}


async def test_token_for_a_url_with_a_selection_is_accepted(shop: Site) -> None:
    """Some clients request a token for exactly the URL that they were given."""
    target = "/mcp?toolsets=budgets"
    token = shop.world.identity.mint(ADMIN, resource=shop.base + target)
    assert (await shop.post(shop.request("ping"), path=target, Authorization=f"Bearer {token}")).result == {}


async def test_metadata_is_found_with_a_slash_too_many(site: Site) -> None:
    for target in (f"/{METADATA}/mcp", f"{METADATA}//mcp", f"{METADATA.upper()}/mcp", f"{METADATA}/"):
        status, document = await raw(site, "GET", target, {})
        assert status == 200 and document["resource"].replace("//mcp", "/mcp") in (f"{site.base}/mcp", site.base)


async def test_stream_of_another_spelling_announces_a_working_endpoint(shop: Site) -> None:
    async with shop.http.get(f"{shop.base}/SSE/?Toolsets=Budgets", headers=shop.headers()) as stream:
        _, address = await next_event(stream)
        assert (await shop.post(shop.request("tools/list"), path=address)).status == 202
        _, data = await next_event(stream)
    tools = json.loads(data)["result"]["tools"]
    assert [tool["name"] for tool in tools] == await listed(shop, "/mcp/x/budgets")


@pytest.mark.requirement("O1", "O2", "T8", "T12")
async def test_checks_stay_exact_in_every_spelling(site: Site) -> None:
    for spelling in ("/MCP", "/mcp/", "//mcp", "/SSE/"):
        assert (await raw(site, "POST", spelling, {}))[0] == 401
        assert (await raw(site, "POST", spelling, {"Host": "evil.example"}))[0] == 421
        assert (await raw(site, "POST", spelling, {"Origin": "https://evil.example"}))[0] == 403
        foreign = site.world.identity.mint(ADMIN, resource=f"https://evil.example{spelling}")
        assert (await raw(site, "POST", spelling, {"Authorization": f"Bearer {foreign}"}))[0] == 401
    for elsewhere in ("/Healthz", "/readyz/", "//metrics", "/mcpx", "/x/mcp", "/mcp/x", "/mcp.", "/mcp/../mcp"):
        assert (await raw(site, "POST", elsewhere, site.headers()))[0] == 404, elsewhere


@pytest.mark.requirement("O1", "N24")
async def test_absolute_targets_are_checked_in_every_spelling(site: Site) -> None:
    host = site.base.removeprefix("http://")
    assert (await raw(site, "POST", f"http://{host}//MCP/?readonly=1", {}))[0] == 401
    assert (await raw(site, "POST", "http://evil.example//MCP/", {}))[0] == 421


@pytest.mark.requirement("O1")
@pytest.mark.parametrize(
    ("base", "accepted", "refused"),
    [
        (
            "https://mcp.example.com",
            ("mcp.example.com", "MCP.Example.com:443", "mcp.example.com.", "mcp.example.com.:443"),
            ("mcp.example.com:80", "mcp.example.com:4433", "mcp.example.com..", ".mcp.example.com", "mcp.example.com:"),
        ),
        (
            "http://127.0.0.1:8080",
            ("127.0.0.1:8080", "127.0.0.1.:8080"),
            ("127.0.0.1", "127.0.0.1:80", "127.0.0.1:443", "127.0.0.1:8080."),
        ),
        ("http://[::1]", ("[::1]", "[::1]:80"), ("[::1]:443", "::1")),
    ],
)
async def test_host_with_the_default_port_or_a_final_dot(
    base: str, accepted: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    async with serving(resource_url=base) as site:
        for host in accepted:
            assert (await raw(site, "POST", "/mcp", {"Host": host}))[0] == 401, host
        for host in refused:
            assert (await raw(site, "POST", "/mcp", {"Host": host}))[0] == 421, host


async def test_metrics_are_served_by_the_address_of_a_pod(site: Site) -> None:
    assert (await site.send("GET", "/metrics", {"Host": "10.0.0.7:8080"})).status == 200
    refused = await site.send("GET", "/metrics", {"Host": "10.0.0.7:8080", "Origin": "https://evil.example"})
    assert refused.status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        METADATA,
        f"{METADATA}/mcp",
        f"/sse{METADATA}",
        "/.well-known/openid-configuration",
    ],
)
async def test_head_is_get_without_a_body(site: Site, path: str) -> None:
    # By then, the keys of the identity provider were fetched, so the status of /readyz is settled.
    assert (await site.post(site.request("ping"))).result == {}
    whole, head = await site.send("GET", path, {}), await site.send("HEAD", path, {})
    assert head.status == whole.status and head.text == "" and whole.text
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    preflight = await site.send("OPTIONS", METADATA, {"Origin": "https://chatgpt.com"})
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


async def test_head_of_the_landing_page(site: Site) -> None:
    with bind("127.0.0.1", 0) as bound:
        settings = Settings(
            resource_url=socket_url(bound),
            auth_server_url=site.world.url,
            doit_api_base=site.world.url,
            exchange_secret=SECRET,
        )
        async with serve_app(make_main_app(settings), bound):
            async with site.http.get(settings.resource_url) as whole, site.http.head(settings.resource_url) as head:
                assert head.status == whole.status == 200 and await head.read() == b"" != await whole.read()
                assert head.headers["Content-Security-Policy"] == whole.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/mcp/nonsense", "/mcp/x", "/mcp/readonly/x", "/sse/message", "/sse/x", "/other", "/mcp/x/a/b"]
)
async def test_paths_without_an_endpoint_have_no_metadata(site: Site, path: str) -> None:
    for location in (METADATA + path, path + METADATA):
        answer = await site.send("GET", location, {"Origin": "https://chatgpt.com"})
        assert answer.status == 404 and answer.headers["Access-Control-Allow-Origin"] == "*"


NAMES_NOTHING = ("/mcp/x/nothing", "/mcp/x/core,nothing/readonly", "/mcp?Toolsets=nothing", "/mcp?tools=nothing")


@pytest.mark.parametrize("target", NAMES_NOTHING)
async def test_unknown_names_are_known_before_the_sign_in(shop: Site, target: str) -> None:
    """Their names are public, and a user who signs in for them would only get an error afterwards."""
    path, question, query = target.partition("?")
    for method, location in (("POST", target), ("GET", METADATA + target), ("GET", path + METADATA + question + query)):
        for headers in ({}, {"Authorization": "Bearer a.b.c"}):
            answer = await shop.send(method, location, headers)
            assert answer.status == 404 and "Unknown tool" in answer.text and "'nothing'" in answer.text
            assert "WWW-Authenticate" not in answer.headers and "employees" not in answer.text


async def test_names_of_employees_are_public(shop: Site) -> None:
    for target in ("/mcp/x/employees", "/mcp?tools=search_customers"):
        assert (await shop.send("POST", target, {})).status == 401
        assert (await shop.send("GET", METADATA + target, {})).status == 200
        assert (await shop.post(shop.request("tools/list"), path=target)).status == 404
        assert (await shop.post(shop.request("tools/list"), path=target, user=EMPLOYEE)).status == 200


async def test_every_name_of_loopback_leads_through_the_sign_in(shop: Site) -> None:
    """Clients refuse metadata of another origin than that of the URL that the user typed."""
    port = shop.base.rpartition(":")[2]
    for host in (f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        base = f"http://{host.lower()}"
        for path in ("/mcp", "/mcp/x/budgets", "/SSE/"):
            challenge = (await shop.send("POST", path, {"Host": host})).headers["WWW-Authenticate"]
            assert f'resource_metadata="{base}{METADATA}{path}"' in challenge
            assert (await shop.send("GET", METADATA + path, {"Host": host})).body["resource"] == base + path
            token = shop.world.identity.mint(ADMIN, resource=base + path)
            assert (await shop.post(shop.request("ping"), Authorization=f"Bearer {token}")).result == {}
        own = await shop.send("POST", "/mcp", {"Host": host, "Origin": base})
        assert own.headers["Access-Control-Allow-Origin"] == base
    for host in ("localhost", "localhost:1", f"localhost.evil.example:{port}", f"127.0.0.2:{port}"):
        assert (await shop.send("POST", "/mcp", {"Host": host})).status == 421


@pytest.mark.requirement("O1")
async def test_a_public_server_has_no_loopback_names() -> None:
    async with serving(resource_url="https://mcp.example.com", allowed_hosts=("other.example",)) as site:
        assert (await site.send("POST", "/mcp", {"Host": "localhost"})).status == 421
        challenge = (await site.send("POST", "/mcp", {"Host": "other.example"})).headers["WWW-Authenticate"]
        assert f'resource_metadata="https://mcp.example.com{METADATA}/mcp"' in challenge


@pytest.mark.requirement("A4")
@pytest.mark.parametrize(
    "query",
    [
        "readOnly=true",
        "read_only=true",
        "read-only=1",
        "READONLY",
        "readonly=false&readOnly=true",
        # Copied from HTML, with a blank, and as libraries write repeated names.
        "x=1&amp;readonly=true",
        "%20read%20only=true",
        "readonly[]=true",
    ],
)
async def test_read_only_in_every_spelling(shop: Site, query: str) -> None:
    assert await listed(shop, f"/mcp?{query}") == await listed(shop, "/mcp/readonly")


@pytest.mark.requirement("A4")
@pytest.mark.parametrize(
    "query",
    [
        "Toolsets=budgets,anomalies",
        "toolsets=budgets&toolsets=anomalies",
        "toolset=Budgets&TOOLSETS=anomalies",
        "toolsets=budgets,%20anomalies",
        "toolsets=budgets,+anomalies,",
        "toolsets[]=budgets&toolsets%5B%5D=anomalies",
        "%20toolsets=budgets&amp;toolsets=anomalies",
    ],
)
async def test_toolsets_in_every_spelling(shop: Site, query: str) -> None:
    assert await listed(shop, f"/mcp?{query}") == await listed(shop, "/mcp/x/budgets,anomalies")


@pytest.mark.requirement("A4")
async def test_other_ways_to_select(shop: Site) -> None:
    both = await listed(shop, "/mcp?tools=list_budgets,get_anomalies")
    assert sorted(both) == ["get_anomalies", "list_budgets"]
    assert await listed(shop, "/mcp?Tool=List_Budgets&tools=get_anomalies") == both
    assert await listed(shop, "/mcp/x/budgets,%20anomalies") == await listed(shop, "/mcp/x/budgets,anomalies")
    assert await listed(shop, "/mcp", X_MCP_Toolsets="Budgets, Anomalies") == await listed(
        shop, "/mcp/x/budgets,anomalies"
    )


@pytest.mark.requirement("A4")
async def test_unknown_selections_name_what_exists(shop: Site) -> None:
    unknown = {
        "toolsets=nothing": ("Unknown toolset 'nothing'", "budgets", "core"),
        "toolsets=budgets&toolsets=nothing": ("Unknown toolset 'nothing'", "budgets"),
        "tools=list_budget": ("Unknown tool 'list_budget'", "list_budgets"),
        "tools=qwertyuiop": ("Unknown tool 'qwertyuiop'", "find_operation"),
        "readonly=maybe": ("readonly", "true", "false"),
    }
    for query, words in unknown.items():
        answer = await shop.post(shop.request("tools/list"), path=f"/mcp?{query}")
        assert answer.code == (404, -32600), query
        assert all(word in answer.error["message"] for word in words), answer.error["message"]
        assert len(answer.error["message"]) < 1_500
