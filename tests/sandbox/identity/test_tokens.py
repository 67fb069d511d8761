"""Codes, refresh tokens and revocation: single use, rotation, replay, end of a flow."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from ..conftest import BASE, CALLBACK, Clock, Party, error_of


def claims(answer: dict[str, Any]) -> dict[str, Any]:
    """The claims of the access token in a response."""
    decoded: dict[str, Any] = jwt.decode(answer["access_token"], options={"verify_signature": False})
    return decoded


async def public(party: Party) -> str:
    identifier: str = (await party.register())["client_id"]
    return identifier


async def test_code_is_exchanged_for_valid_tokens(party: Party, clock: Clock) -> None:
    client = await public(party)
    answer = await party.redeem(client, await party.code(client))
    assert answer.headers["Cache-Control"] == "no-store" and answer.content_type == "application/json"
    body = await answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == "mcp:tools mcp:resources offline_access"
    header = jwt.get_unverified_header(body["access_token"])
    assert (header["alg"], header["kid"]) == ("ES256", "mcp-access")
    token_claims = claims(body)
    assert (token_claims["iss"], token_claims["aud"], token_claims["sub"]) == (
        party.url,
        f"{BASE}/mcp",
        "admin@acme.example",
    )
    assert (token_claims["cid"], token_claims["customer_context"]) == (client, "ACmE4x9Zq1")
    assert token_claims["exp"] - token_claims["iat"] == 3600 and token_claims["iat"] == int(clock.now)
    assert token_claims["jti"] and token_claims["flow_id"] and "doit_employee" not in token_claims


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "wrong"}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "ä" * 43}, "invalid_grant"),
        ({"code_verifier": "x" * 1000}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:5002/callback"}, "invalid_grant"),
        ({"resource": f"{BASE}/sse"}, "invalid_target"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
    ],
)
async def test_failed_redemption_leaves_the_code_usable(party: Party, changes: dict[str, str], error: str) -> None:
    client = await public(party)
    code = await party.code(client)
    form = {"code": code, **changes}
    assert await error_of(await party.redeem(client, **form)) == (400, error)
    assert (await party.redeem(client, code)).status == 200


async def test_code_is_bound_to_its_client(party: Party) -> None:
    item, other = await public(party), await public(party)
    code = await party.code(item)
    assert await error_of(await party.redeem(other, code)) == (400, "invalid_grant")
    assert (await party.redeem(item, code)).status == 200


async def test_reused_code_revokes_its_tokens(party: Party) -> None:
    client = await public(party)
    code = await party.code(client)
    first = await (await party.redeem(client, code)).json()
    assert await error_of(await party.redeem(client, code)) == (400, "invalid_grant")
    assert await error_of(await party.refresh(client, first["refresh_token"])) == (400, "invalid_grant")


async def test_code_expires_after_slow_clients_had_time(party: Party, clock: Clock) -> None:
    client = await public(party)
    code, late = await party.code(client), await party.code(client)
    clock.advance(119)
    assert (await party.redeem(client, code)).status == 200
    clock.advance(2)
    assert await error_of(await party.redeem(client, late)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("authorized", "redeemed", "audience"),
    [
        (f"{BASE}/sse", f"{BASE}/sse", f"{BASE}/sse"),
        (f"{BASE}/sse", "", f"{BASE}/sse"),
        (f"{BASE}/", f"{BASE}", f"{BASE}/"),
        (None, f"{BASE}/mcp", f"{BASE}/mcp"),
        (None, "", BASE),
        (f"{BASE}/mcp/readonly", f"{BASE}/mcp/readonly", f"{BASE}/mcp/readonly"),
        (f"{BASE}/MCP", f"{BASE}//mcp/", f"{BASE}/MCP"),
        (f"{BASE}/mcp?toolsets=budgets", f"{BASE}/mcp?toolsets=budgets", f"{BASE}/mcp?toolsets=budgets"),
    ],
)
async def test_resource_becomes_the_audience(
    party: Party, authorized: str | None, redeemed: str, audience: str
) -> None:
    client = await public(party)
    code = await party.code(client, resource=authorized)
    body = await (await party.redeem(client, code, resource=redeemed)).json()
    assert claims(body)["aud"] == audience
    again = await (await party.refresh(client, body["refresh_token"])).json()
    assert claims(again)["aud"] == (audience if authorized else BASE)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("mcp:tools", "mcp:tools"),
        ("offline_access mcp:tools", "mcp:tools offline_access"),
        ("mcp:tools openid profile", "mcp:tools"),
    ],
)
async def test_scopes_are_narrowed_to_known_ones(party: Party, scope: str, granted: str) -> None:
    client = await public(party)
    body = await party.login(client, scope=scope)
    assert body["scope"] == claims(body)["scope"] == granted
    assert ("refresh_token" in body) == ("offline_access" in granted)


async def test_refresh_rotates_both_tokens(party: Party, clock: Clock) -> None:
    client = await public(party)
    first = await party.login(client)
    clock.advance(100)
    answer = await party.refresh(client, first["refresh_token"], resource=f"{BASE}/mcp")
    assert answer.headers["Cache-Control"] == "no-store"
    second = await answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    item, two = claims(first), claims(second)
    assert two["flow_id"] == item["flow_id"] and two["jti"] != item["jti"] and two["exp"] == item["exp"] + 100
    assert (two["sub"], two["aud"], two["scope"]) == (item["sub"], item["aud"], item["scope"])


async def test_refresh_retry_within_a_minute_gets_the_same_tokens(party: Party, clock: Clock) -> None:
    client = await public(party)
    old = (await party.login(client))["refresh_token"]
    first = await (await party.refresh(client, old, resource=f"{BASE}/mcp")).json()
    clock.advance(60)
    second = await (await party.refresh(client, old, resource=f"{BASE}/mcp")).json()
    assert second == {**first, "expires_in": first["expires_in"] - 60}
    # Rotation continues from the repeated response.
    assert (await party.refresh(client, first["refresh_token"])).status == 200


@pytest.mark.parametrize("wish", [{"scope": "mcp:tools"}, {"resource": f"{BASE}/mcp"}])
async def test_refresh_retry_with_other_parameters_is_reuse(party: Party, wish: dict[str, str]) -> None:
    client = await public(party)
    old = (await party.login(client))["refresh_token"]
    first = await (await party.refresh(client, old)).json()
    assert await error_of(await party.refresh(client, old, **wish)) == (400, "invalid_grant")
    assert (await party.refresh(client, first["refresh_token"])).status == 200


async def test_late_refresh_token_reuse_revokes_the_flow(party: Party, clock: Clock) -> None:
    client = await public(party)
    old = (await party.login(client))["refresh_token"]
    new = (await (await party.refresh(client, old)).json())["refresh_token"]
    clock.advance(61)
    assert await error_of(await party.refresh(client, old)) == (400, "invalid_grant")
    assert await error_of(await party.refresh(client, new)) == (400, "invalid_grant")


async def test_flows_end_independently(party: Party, clock: Clock) -> None:
    client = await public(party)
    old, other = [(await party.login(client))["refresh_token"] for _ in range(2)]
    await party.refresh(client, old)
    clock.advance(61)
    await party.refresh(client, old)
    assert (await party.refresh(client, other)).status == 200


async def test_refresh_token_is_bound_to_client_and_lifetime(party: Party, clock: Clock) -> None:
    client, other_client = await public(party), await public(party)
    token = (await party.login(client))["refresh_token"]
    assert await error_of(await party.refresh(other_client, token)) == (400, "invalid_grant")
    assert await error_of(await party.refresh(client, "wrong")) == (400, "invalid_grant")
    assert await error_of(await party.token(grant_type="refresh_token", client_id=client)) == (400, "invalid_request")
    clock.advance(30 * 86_400 - 1)
    token = (await (await party.refresh(client, token)).json())["refresh_token"]
    clock.advance(30 * 86_400 + 1)
    assert await error_of(await party.refresh(client, token)) == (400, "invalid_grant")


async def test_refresh_narrows_but_never_widens_scopes(party: Party) -> None:
    client = await public(party)
    token = (await party.login(client, scope="mcp:tools offline_access"))["refresh_token"]
    for scope in ("mcp:resources", "mcp:tools mcp:resources", "unknown"):
        assert await error_of(await party.refresh(client, token, scope=scope)) == (400, "invalid_scope")
    for resource, error in ((f"{BASE}/sse", "invalid_target"), ("https://x.example", "invalid_target")):
        assert await error_of(await party.refresh(client, token, resource=resource)) == (400, error)
    narrow = await (await party.refresh(client, token, scope="mcp:tools")).json()
    assert claims(narrow)["scope"] == "mcp:tools"
    wide = await (await party.refresh(client, narrow["refresh_token"])).json()
    assert claims(wide)["scope"] == "mcp:tools offline_access"


async def revoke_token(party: Party, client: str, token: str, **more: str) -> int:
    form = {"client_id": client, "token": token, **more}
    return (await party.post("/api/auth/revoke", form)).status


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "nonsense"])
async def test_revoking_a_refresh_token_ends_its_flow(party: Party, hint: str) -> None:
    client = await public(party)
    body = await party.login(client)
    new = await (await party.refresh(client, body["refresh_token"])).json()
    assert await revoke_token(party, client, body["refresh_token"], token_type_hint=hint) == 200
    assert await error_of(await party.refresh(client, new["refresh_token"])) == (400, "invalid_grant")
    # Not even a retry of the lost response restores it.
    assert await error_of(await party.refresh(client, body["refresh_token"])) == (400, "invalid_grant")


async def test_revoking_an_access_token_keeps_the_flow(party: Party) -> None:
    client = await public(party)
    body = await party.login(client)
    assert await revoke_token(party, client, body["access_token"]) == 200
    assert (await party.refresh(client, body["refresh_token"])).status == 200


async def test_revoking_an_unknown_token_succeeds(party: Party) -> None:
    client = await public(party)
    for token in ("unknown", "a.b.c", "x" * 20_000, "W1tbW1tb" * 2_000 + ".e30.x"):
        assert await revoke_token(party, client, token) == 200
    answer = await party.post("/api/auth/revoke", {"client_id": client})
    assert await error_of(answer) == (400, "invalid_request")
    assert await error_of(await party.post("/api/auth/revoke", {"token": "x"})) == (401, "invalid_client")


async def test_clients_cannot_revoke_tokens_of_others(party: Party) -> None:
    client, other_client = await public(party), await public(party)
    body = await party.login(client)
    for token in (body["refresh_token"], body["access_token"]):
        assert await revoke_token(party, other_client, token) == 400
    assert (await party.refresh(client, body["refresh_token"])).status == 200


async def test_token_endpoint_accepts_only_forms(party: Party) -> None:
    url = f"{party.url}/api/auth/token"
    async with party.http.post(url, json={"grant_type": "refresh_token"}) as answer:
        assert await error_of(answer) == (400, "invalid_request")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, expected in (
        (b"grant_type=refresh_token&grant_type=refresh_token", (400, "invalid_request")),
        (b"resource=a&resource=b", (400, "invalid_target")),
        (b"grant_type=\xff", (400, "invalid_request")),
        (b"grant_type=%ff", (400, "invalid_request")),
        (b"&".join(b"a%d=1" % number for number in range(61)), (400, "invalid_request")),
        (b"a=" + b"x" * 70_000, (413, "invalid_request")),
    ):
        async with party.http.post(url, data=body, headers=headers) as answer:
            assert await error_of(answer) == expected, body[:80]


async def test_errors_do_not_echo_the_request(party: Party) -> None:
    name = "%22%0d%0aSet-Cookie:<script>"
    url = f"{party.ask(await public(party))}&{name}=1&{name}=2"
    redirect = party.callback_parameters(await party.get(url), CALLBACK)
    assert redirect["error"] == "invalid_request" and "script" not in redirect["error_description"]
