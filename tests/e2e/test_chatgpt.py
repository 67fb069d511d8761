"""ChatGPT, simulated: every observed way to link an account, then calls, refreshes and disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from tests.e2e import chatgpt
from tests.e2e.answers import ExpectedResults, check_results, check_tools, read_structured, read_user
from tests.e2e.chatgpt import Answer, Discovered, Registration
from tests.e2e.launch import Sandbox

SCOPES = {"mcp:tools", "mcp:resources", "offline_access"}


@dataclass(frozen=True, slots=True)
class Link:
    """A linked plugin: everything needed to call, refresh and disconnect."""

    http: aiohttp.ClientSession
    mcp: str
    found: Discovered
    registration: Registration
    access: str
    refresh: str
    lifetime: int

    async def refreshed(self) -> Link:
        """Return the link with refreshed tokens."""
        answer = await chatgpt.refresh(self.http, self.found, self.registration, self.refresh)
        assert answer.status == 200, answer
        return replace(self, access=answer.body["access_token"], refresh=answer.body["refresh_token"])

    async def call(self, name: str, arguments: dict[str, Any]) -> Answer:
        """Send tools/call in the newest revision."""
        params = {"name": name, "arguments": arguments}
        return await chatgpt.send_stateless(self.http, self.mcp, self.access, "tools/call", params)


async def link_account(http: aiohttp.ClientSession, mcp: str, *, dynamic: bool = False, document: str = "") -> Link:
    """Link as ChatGPT does: probe, read the documents, register unless published, authorize, redeem."""
    refused = await chatgpt.probe(http, mcp)
    assert refused.status == 401 and refused.challenge["error"] == "invalid_token", refused
    where = document or refused.challenge["resource_metadata"]
    metadata = await chatgpt.discover(http, where, refused.challenge["scope"])
    registration = await chatgpt.register(http, metadata) if dynamic else chatgpt.published(metadata)
    code, verifier = await chatgpt.authorize(metadata, registration)
    answer = await chatgpt.redeem(http, metadata, registration, code, verifier)
    assert answer.status == 200, answer
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.body
    assert body["token_type"].lower() == "bearer" and SCOPES >= set(body["scope"].split()) >= {"mcp:tools"}
    return Link(http, mcp, metadata, registration, body["access_token"], body["refresh_token"], body["expires_in"])


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def check_json(answer: Answer, *statuses: int) -> None:
    """Check for JSON with one of *statuses*, which discovery parsers need."""
    assert answer.status in statuses, answer
    assert answer.headers["Content-Type"].startswith("application/json") and isinstance(answer.body, dict)


@pytest.mark.parametrize("path", ["mcp", "sse"])
async def test_challenge_links_to_the_metadata_of_its_path(
    sandbox: Sandbox, http: aiohttp.ClientSession, path: str
) -> None:
    url: str = getattr(sandbox, path)
    refused = await chatgpt.probe(http, url)
    assert refused.status == 401
    check_json(refused, 401)
    assert refused.challenge["resource_metadata"] == chatgpt.well_known(url)[0]
    assert refused.challenge["error"] == "invalid_token"
    assert refused.challenge["scope"] == "mcp:tools offline_access"


@pytest.mark.parametrize("path", ["mcp", "sse"])
async def test_resource_metadata_at_every_location(sandbox: Sandbox, http: aiohttp.ClientSession, path: str) -> None:
    url: str = getattr(sandbox, path)
    for address in chatgpt.well_known(url):
        answer = await chatgpt.get(http, address)
        check_json(answer, 200)
        at_root = address == f"{sandbox.base}/.well-known/oauth-protected-resource"
        assert answer.body["resource"] == (sandbox.base if at_root else url)
        assert answer.body["authorization_servers"] == [sandbox.services]
        assert set(answer.body["scopes_supported"]) == SCOPES
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
async def test_provider_metadata_is_json_at_every_location(
    sandbox: Sandbox, http: aiohttp.ClientSession, name: str
) -> None:
    issuer = await chatgpt.get(http, f"{sandbox.services}/.well-known/{name}")
    check_json(issuer, 200)
    assert issuer.body["issuer"] == sandbox.services
    for address in (f"/.well-known/{name}", f"/.well-known/{name}/mcp", f"/mcp/.well-known/{name}"):
        answer = await chatgpt.get(http, sandbox.base + address)
        check_json(answer, 200, 404)
        assert answer.status == 404 or answer.body["issuer"] == sandbox.services


async def test_provider_metadata_offers_what_the_connector_needs(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    document = (await chatgpt.get(http, f"{sandbox.services}/.well-known/oauth-authorization-server")).body
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]
    assert {"authorization_code", "refresh_token"} <= set(document["grant_types_supported"])
    assert {"none", "client_secret_post", "client_secret_basic"} <= set(
        document["token_endpoint_auth_methods_supported"]
    )
    assert set(document["scopes_supported"]) >= SCOPES
    for name in ("client_id_metadata_document_supported", "authorization_response_iss_parameter_supported"):
        assert document[name] is True
    for name in ("authorization", "token", "registration", "revocation"):
        assert document[f"{name}_endpoint"].startswith(f"{sandbox.services}/")


@pytest.mark.parametrize("dynamic", [False, True], ids=["published", "registered"])
async def test_discovers_lists_and_calls(
    sandbox: Sandbox, expected: ExpectedResults, http: aiohttp.ClientSession, dynamic: bool
) -> None:
    link = await link_account(http, sandbox.mcp, dynamic=dynamic)
    assert link.lifetime >= 3600 and bool(link.registration.secret) == dynamic
    answer = await chatgpt.send_stateless(http, sandbox.mcp, link.access, "server/discover")
    assert answer.body["id"] == "openai-mcp-discover" and "Mcp-Session-Id" not in answer.headers
    assert chatgpt.STATELESS_REVISION in answer.result["supportedVersions"] and "tools" in answer.result["capabilities"]
    assert answer.result["resultType"] == "complete" and answer.result["ttlMs"] >= 0
    assert answer.result["cacheScope"] in ("public", "private") and answer.result["instructions"][:512].strip()
    listed = (await chatgpt.send_stateless(http, sandbox.mcp, link.access, "tools/list")).result
    assert listed["resultType"] == "complete" and "nextCursor" not in listed
    check_tools(listed["tools"])
    results = {name: (await link.call(name, arguments)).result for name, arguments in expected.calls.items()}
    assert all(result["resultType"] == "complete" for result in results.values())
    check_results(results, expected)


async def test_falls_back_to_initialize_without_a_session(
    sandbox: Sandbox, expected: ExpectedResults, http: aiohttp.ClientSession
) -> None:
    link = await link_account(http, sandbox.mcp)
    opened = await chatgpt.send_stateful(http, sandbox.mcp, link.access, "initialize", chatgpt.initialize_params())
    assert opened.result["protocolVersion"] == chatgpt.LATEST_STATEFUL and opened.result["serverInfo"]["name"]
    noted = await chatgpt.send_stateful(http, sandbox.mcp, link.access, "notifications/initialized")
    assert (noted.status, noted.body) == (202, None)
    listed = (await chatgpt.send_stateful(http, sandbox.mcp, link.access, "tools/list")).result
    check_tools(listed["tools"])
    assert "resultType" not in listed and "ttlMs" not in listed
    results = {}
    for name, arguments in expected.calls.items():
        params = {"name": name, "arguments": arguments}
        results[name] = (await chatgpt.send_stateful(http, sandbox.mcp, link.access, "tools/call", params)).result
    check_results(results, expected)


@pytest.mark.parametrize("form", [0, 1, 2], ids=["inserted", "root", "appended"])
@pytest.mark.parametrize("path", ["mcp", "sse"])
async def test_links_of_every_metadata_location(
    sandbox: Sandbox, expected: ExpectedResults, http: aiohttp.ClientSession, path: str, form: int
) -> None:
    url: str = getattr(sandbox, path)
    link = await link_account(http, url, document=chatgpt.well_known(url)[form])
    assert read_user((await link.call("validate_user", {})).result) == expected.user


async def test_invalid_arguments_are_explained_to_the_model(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    link = await link_account(http, sandbox.mcp)
    for arguments, words in (
        ({"topN": 0, "months": 99}, ("topN", "months", "24")),
        ({"groupBy": "colour"}, ("groupBy", "service", "label:KEY")),
    ):
        result = (await link.call("cost_breakdown", arguments)).result
        assert result["isError"] is True and "structuredContent" not in result
        assert all(word in result["content"][0]["text"] for word in words)


async def test_deletes_a_budget_in_two_visible_steps(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    link = await link_account(http, sandbox.mcp)

    async def call(name: str, /, **arguments: Any) -> dict[str, Any]:
        result = (await link.call(name, arguments)).result
        assert not result.get("isError"), result
        content: dict[str, Any] = result["structuredContent"]
        return content

    budget = {"name": "Of the assistant", "amount": 100, "currency": "USD", "type": "recurring"}
    made = await call(
        "call_operation", name="create_budget", input={**budget, "timeInterval": "month", "startPeriod": "2026-01-01"}
    )
    deletion = {"name": "delete_budget", "input": {"id": made["id"]}}
    # One step is not enough, however often the model repeats it.
    prepared, repeated = await call("call_operation", **deletion), await call("call_operation", **deletion)
    assert prepared["status"] == repeated["status"] == "approval_required"
    assert prepared["change"]["object"]["name"] == budget["name"] and not prepared["change"]["irreversible"]
    assert (await call("get_budget", id=made["id"]))["name"] == budget["name"]
    refused = (await link.call("confirm_action", {"approvalToken": prepared["approvalToken"][::-1]})).result
    assert refused["isError"] and "Nothing was changed" in refused["content"][0]["text"]
    deleted = await call("confirm_action", approvalToken=prepared["approvalToken"])
    assert deleted["deleted"] and (await link.call("get_budget", {"id": made["id"]})).result["isError"]
    listed = (await chatgpt.send_stateless(http, sandbox.mcp, link.access, "tools/list")).result["tools"]
    (confirm,) = [tool for tool in listed if tool["name"] == "confirm_action"]
    assert confirm["annotations"]["destructiveHint"] and not confirm["annotations"]["readOnlyHint"]


async def test_refreshes_with_the_resource(
    sandbox: Sandbox, expected: ExpectedResults, http: aiohttp.ClientSession
) -> None:
    for dynamic in (False, True):
        first = await link_account(http, sandbox.mcp, dynamic=dynamic)
        second = await first.refreshed()
        assert second.access != first.access and second.refresh != first.refresh
        assert read_user((await second.call("validate_user", {})).result) == expected.user
        assert read_user((await first.call("validate_user", {})).result) == expected.user


async def test_refresh_with_a_wrong_secret_is_invalid_client(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    link = await link_account(http, sandbox.mcp, dynamic=True)
    other = replace(link.registration, secret="not-the-secret")
    answer = await chatgpt.refresh(http, link.found, other, link.refresh)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert (await link.refreshed()).access


async def test_token_expires_during_use(sandbox_brief: Sandbox, http: aiohttp.ClientSession) -> None:
    link = await link_account(http, sandbox_brief.mcp)
    user = read_structured((await link.call("validate_user", {})).result)
    # Without an end, the test would reach the timeout of the suite.
    while (answer := await link.call("validate_user", {})).status == 200:
        await asyncio.sleep(0.1)
    assert answer.status == 401 and answer.challenge["error"] == "invalid_token"
    assert answer.challenge["resource_metadata"] == chatgpt.well_known(sandbox_brief.mcp)[0]
    again = await link.refreshed()
    assert read_structured((await again.call("validate_user", {})).result) == user


async def test_revoked_refresh_token_is_rejected(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    link = await link_account(http, sandbox.mcp)
    revoked = await chatgpt.revoke(http, link.found, link.registration, link.refresh)
    assert revoked.status == 200
    answer = await chatgpt.refresh(http, link.found, link.registration, link.refresh)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


@pytest.mark.requirement("N19")
async def test_n19_revoked_sign_in_leads_to_a_new_sign_in(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    """The result makes ChatGPT show its sign-in, later requests get 401, and a new sign-in works."""
    link = await link_account(http, sandbox.mcp)
    assert read_structured((await link.call("validate_user", {})).result)
    assert (await chatgpt.revoke(http, link.found, link.registration, link.refresh)).status == 200
    refused = await link.call("validate_user", {})
    assert refused.status == 200 and refused.result["isError"]
    (challenge,) = refused.result["_meta"]["mcp/www_authenticate"]
    listing = await chatgpt.send_stateless(http, sandbox.mcp, link.access, "tools/list")
    assert listing.status == 401 and listing.headers["WWW-Authenticate"] == challenge
    assert listing.challenge["error"] == "invalid_token" and listing.challenge["error_description"]
    again = await link_account(http, sandbox.mcp)
    assert read_structured((await again.call("validate_user", {})).result)
    assert (await link.call("validate_user", {})).status == 401


async def test_code_works_once_and_only_with_its_verifier(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    metadata = await chatgpt.discover(http, chatgpt.well_known(sandbox.mcp)[0], "mcp:tools")
    registration = chatgpt.published(metadata)
    code, verifier = await chatgpt.authorize(metadata, registration)
    wrong = await chatgpt.redeem(http, metadata, registration, code, "x" * 43)
    assert (wrong.status, wrong.body["error"]) == (400, "invalid_grant")
    code, verifier = await chatgpt.authorize(metadata, registration)
    assert (await chatgpt.redeem(http, metadata, registration, code, verifier)).status == 200
    twice = await chatgpt.redeem(http, metadata, registration, code, verifier)
    assert (twice.status, twice.body["error"]) == (400, "invalid_grant")


async def test_token_of_another_resource_is_rejected(
    sandbox: Sandbox, sandbox_brief: Sandbox, http: aiohttp.ClientSession
) -> None:
    link = await link_account(http, sandbox_brief.mcp)
    answer = await chatgpt.send_stateless(http, sandbox.mcp, link.access, "tools/list")
    assert answer.status == 401 and answer.challenge["error"] == "invalid_token"
