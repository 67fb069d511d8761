"""The page /check: what it shows without a token, and to users with different permissions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools.permissions import find_refused_tools, read_permissions
from doit_mcp.sandbox.accounts import USERS, User
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.redis_state.redis_server import redis_server
from tests.transports.http.serving import ADMIN, EMPLOYEE, VIEWER, Json, Site, serving

ANALYST = next(user for user in USERS if not user.can_connect)
TYRELL = next(user for user in USERS if user.email == "admin@tyrell.example")


@pytest.fixture
async def product() -> AsyncIterator[tuple[Site, Api]]:
    """The product's own catalog with the sandbox's API."""
    api = Api()
    async with serving(api=api, make=catalog_factory()) as site:
        yield site, api


async def check(site: Site, user: User) -> Json:
    answer = await site.send("GET", "/check", site.headers(user) | {"Accept": "application/json"})
    assert answer.status == 200, answer
    document: Json = json.loads(answer.text)
    return document


def statuses(document: Json) -> dict[str, str]:
    return {item["check"]: item["status"] for item in document["checks"]}


async def test_without_a_token_it_shows_only_the_state_of_the_process(product: tuple[Site, Api]) -> None:
    """It sends no request upstream, and the public host is the only one in it."""
    site, api = product
    # Until the keys are loaded.
    assert (await site.post(site.request("ping"))).status == 200
    before = dict(site.world.identity.request_counts)
    answers = [await site.send("GET", "/check", {"Accept": kind}) for kind in ("application/json", "text/html", "*/*")]
    assert [answer.status for answer in answers] == [200] * 3
    assert not api.calls and dict(site.world.identity.request_counts) == before
    document = json.loads(answers[0].text)
    assert set(document) == {"hint", "checks"}
    assert statuses(document) == {
        "public-url": "warn",
        "accepting": "ok",
        "sign-in": "ok",
        "api": "ok",
        "sessions": "ok",
    }
    internal = site.world.url.removeprefix("http://")
    assert not any(internal in answer.text for answer in answers)
    assert answers[1].headers["Content-Type"].startswith("text/html") and "<h1>" in answers[1].text
    assert "<b>Warning</b>" in answers[1].text and "The server accepts requests." in answers[1].text
    assert "The lists of refused tools are incomplete" in answers[1].text and "$DOIT_API_KEY" in answers[1].text
    assert "default-src 'none'" in answers[1].headers["Content-Security-Policy"]
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in answers)


async def test_redis_that_failed_is_shown_without_its_address() -> None:
    with redis_server() as redis:
        async with serving(redis_url=redis.url) as site:
            await site.initialize()
            redis.kill()
            request = site.request(
                "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
            )
            await site.post(request)
            answer = await site.send("GET", "/check", {})
    assert statuses(json.loads(answer.text))["sessions"] == "fail" and str(redis.folder) not in answer.text


async def test_refused_token_leads_to_the_metadata_of_the_endpoint(product: tuple[Site, Api]) -> None:
    site, _ = product
    answer = await site.send("GET", "/check", {"Authorization": "Bearer nonsense"})
    assert answer.status == 401
    page = await site.send("GET", "/check", {"Authorization": "Bearer nonsense", "Accept": "text/html"})
    assert page.status == 401 and "does not accept this token" in page.text and "MCP clients" not in page.text
    assert f'"{site.base}/.well-known/oauth-protected-resource/mcp"' in answer.headers["WWW-Authenticate"]


async def test_admin_may_use_all_tools(product: tuple[Site, Api]) -> None:
    document = await check(product[0], ADMIN)
    assert document["user"]["email"] == ADMIN.email and document["user"]["domain"] == "acme.example"
    assert document["user"]["customer"] == ADMIN.customer and document["user"]["role"] == "Billing admin"
    assert document["refusedTools"] == [] and "UsersManager" in document["user"]["permissions"]
    assert statuses(document)["account"] == "ok"
    assert {item["tool"] for item in document["uncertainTools"]} >= {"list_contracts"}


async def test_tools_that_are_predicted_to_be_refused_are_refused(product: tuple[Site, Api]) -> None:
    site, _ = product
    document = await check(site, VIEWER)
    refused = {item["tool"]: item["permission"] for item in document["refusedTools"]}
    assert refused["create_custom_theme"] == "Cloud Analytics Admin" and "resend_invite" in refused
    for name, arguments in (("get_customer", {"customerId": VIEWER.customer}), ("list_contract_templates", {})):
        assert name in refused
        answer = await site.call(name, arguments, user=VIEWER, path="/mcp/x/all")
        text = answer.result["content"][0]["text"]
        assert answer.result["isError"] and f"requires the permission {refused[name]}" in text


async def test_api_token_and_html(product: tuple[Site, Api]) -> None:
    site, _ = product
    headers = {"Authorization": f"Bearer {ANALYST.api_token}", "Accept": "text/html"}
    text = (await site.send("GET", "/check", headers)).text
    assert "The lists of refused tools are incomplete" in text and "The user lacks the permission" in text
    assert "Billing Profiles Admin" in text and ANALYST.email in text and ANALYST.api_token not in text
    # Readable, not JSON. An API token does not contain the customer's id.
    assert (
        "<li><b>Domain</b> acme.example</li>" in text
        and "Customer id" not in text
        and "{" not in text.split("</style>")[1]
    )


async def test_customer_without_api_access(product: tuple[Site, Api]) -> None:
    document = await check(product[0], TYRELL)
    assert statuses(document)["account"] == "fail" and document["user"]["customer"] == TYRELL.customer
    assert "plan does not include DoiT API access" in document["checks"][-1]["seen"]
    assert document["checks"][-1]["advice"] == "Until this is solved, the API refuses every tool."


async def test_permissions_of_employees_are_unknown(product: tuple[Site, Api]) -> None:
    document = await check(product[0], EMPLOYEE)
    assert document["refusedTools"] == [] and document["user"]["permissions"] == []
    assert "create_custom_theme" in {item["tool"] for item in document["uncertainTools"]}


async def test_account_is_cached(product: tuple[Site, Api]) -> None:
    site, api = product
    headers = {"Authorization": f"Bearer {ADMIN.api_token}"}
    await site.send("GET", "/check", headers)
    count = len(api.calls)
    assert count > 0
    for _ in range(5):
        assert (await site.send("GET", "/check", headers)).status == 200
    assert len(api.calls) == count


async def test_counts_as_a_call_of_the_user() -> None:
    api = Api()
    async with serving(api=api, make=catalog_factory(), calls_per_principal=1) as site:
        # Longer than the test; it ends with the server.
        api.latency = 3600.0
        call = asyncio.create_task(site.call("list_budgets"))
        while not api.calls:
            await asyncio.sleep(0.01)
        answer = await site.send("GET", "/check", site.headers(ADMIN))
        call.cancel()
    assert answer.status == 429 and "Retry-After" in answer.headers and len(api.calls) == 1


def test_malformed_permissions_are_ignored() -> None:
    assert read_permissions({}) == read_permissions({"permissions": "Settings"}) == frozenset()
    assert read_permissions({"permissions": ["Settings", 1, None, "x" * 5000]}) == {"Settings", "x" * 200}
    assert len(read_permissions({"permissions": [str(number) for number in range(10_000)]})) == 500


def test_every_permission_is_named() -> None:
    refused, uncertain = find_refused_tools(all_tools(), {"Nothing"})
    assert len(refused) >= 15 and all(item["permission"] for item in refused + uncertain)


async def test_api_token_of_a_customer_without_api_access_is_refused_with_the_reason(product: tuple[Site, Api]) -> None:
    """Also from the cache of refused tokens."""
    site, _ = product
    for path in ("/mcp", "/check"):
        answer = await site.send("GET", path, {"Authorization": f"Bearer {TYRELL.api_token}"})
        assert answer.status == 401 and "plan needs DoiT API access" in answer.body["error_description"]
    unknown = await site.send("GET", "/check", {"Authorization": "Bearer nonsense"})
    assert "plan" not in unknown.body["error_description"]
