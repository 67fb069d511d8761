"""Pages of the identity provider, and their security headers and checks."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from doit_mcp.sandbox.accounts import ACME, CUSTOMERS, GLOBEX, USERS
from doit_mcp.sandbox.identity import IdentityProvider

from ..conftest import BASE, CALLBACK, SECRET, Clock, Fields, Party, Web

ADMIN = "admin@acme.example"
CHALLENGE = f"code_challenge_method=S256&code_challenge={'x' * 43}"


async def consent_text(party: Party, client_id: str, email: str = ADMIN, **changes: str | None) -> str:
    await party.sign_in(party.ask(client_id, **changes), email)
    return await (await party.get(party.ask(client_id, **changes))).text()


async def test_sign_in_page_lists_the_test_users(party: Party) -> None:
    client = await party.register()
    answer = await party.get(party.ask(client["client_id"]))
    page = Fields(await answer.text())
    assert [value for name, value in page.buttons if name == "user"] == [user.email for user in USERS]
    assert {"email", "password", "transaction"} <= set(page.inputs)
    for user in USERS:
        assert user.password not in await answer.text() and user.api_token not in await answer.text()


async def test_password_signs_in(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = Fields(await (await party.get(party.ask(client))).text())
    form = {"transaction": page.inputs["transaction"], "email": " Admin@ACME.example", "password": "acme-admin"}
    answer = await party.post("/sign-in/user", form)
    assert answer.status == 303
    cookies = answer.headers.getall("Set-Cookie")
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    redirect = await party.decide(Fields(await (await party.get(party.url + answer.headers["Location"])).text()))
    assert redirect["code"]


@pytest.mark.parametrize(
    "credentials",
    [
        {"email": ADMIN, "password": "wrong"},
        {"email": "nobody@acme.example", "password": "acme-admin"},
        {"email": ADMIN},
        {},
        {"user": "nobody@acme.example"},
    ],
)
async def test_wrong_credentials_show_the_page_again(party: Party, credentials: dict[str, str]) -> None:
    client = (await party.register())["client_id"]
    page = Fields(await (await party.get(party.ask(client))).text())
    answer = await party.post("/sign-in/user", {"transaction": page.inputs["transaction"], **credentials})
    assert answer.status == 403
    text = await answer.text()
    assert 'role="alert"' in text
    again = Fields(text)
    assert again.inputs["email"] == credentials.get("email", "")
    right = await party.post("/sign-in/user", {"transaction": again.inputs["transaction"], "user": ADMIN})
    assert right.status == 303


async def test_pages_have_security_headers(party: Party) -> None:
    client = (await party.register())["client_id"]
    for url in (party.ask(client), party.ask("nobody")):
        headers = (await party.get(url)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("redirect_uri", "sources"),
    [
        ("https://app.example/cb", "'self' https:"),
        (CALLBACK, "'self' https: http://127.0.0.1:* http://localhost:*"),
        ("http://[::1]:5/cb", "'self' https: http:"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "'self' https: cursor:"),
    ],
)
async def test_form_action_allows_the_client_redirect(party: Party, redirect_uri: str, sources: str) -> None:
    client = (await party.register(redirect_uris=[redirect_uri]))["client_id"]
    await party.sign_in(party.ask(client, redirect_uri=redirect_uri), ADMIN)
    answer = await party.get(party.ask(client, redirect_uri=redirect_uri))
    assert answer.headers["Content-Security-Policy"].endswith(f"form-action {sources}")


async def test_consent_shows_user_customer_scope_and_client(party: Party) -> None:
    client = (await party.register(client_name="Cost Helper"))["client_id"]
    text = await consent_text(party, client, scope="mcp:tools offline_access")
    for word in ("Cost Helper", "Acme billing admin", ADMIN, ACME.name, "this computer (127.0.0.1:5001)"):
        assert word in text
    assert "it is not verified" in text
    assert "Any program on your device" in text
    assert "Stay connected" in text and "offers as documents" not in text
    assert ">Allow access</button>" in text and ">Deny</button>" in text


async def test_consent_says_what_this_user_can_do(party: Party) -> None:
    client = (await party.register())["client_id"]
    admin = await consent_text(party, client, scope="mcp:tools")
    assert "<li>View costs, budgets, reports, alerts, anomalies, invoices, contracts, tickets and users</li>" in admin
    assert "<li>Change budgets, reports, alerts, anomalies, contracts, tickets and users</li>" in admin
    assert "does not allow it" not in admin

    party.http.cookie_jar.clear()
    viewer = await consent_text(party, client, "viewer@acme.example", scope="mcp:tools")
    assert "<li>View costs, budgets, reports, alerts, anomalies, tickets and users</li>" in viewer
    assert "<li>Change" not in viewer
    assert "Your role does not allow it to view invoices or contracts, or to change anything." in viewer


@pytest.mark.parametrize(
    ("query", "status", "who"),
    [
        ("client_id=nobody", 400, "ask the developer of the application"),
        ("", 400, "ask the developer of the application"),
        ("client_id={client}&redirect_uri=https://elsewhere.example/", 400, "The developer of the application must"),
    ],
)
async def test_error_pages_say_who_must_act_and_lead_back(
    party: Party, caplog: pytest.LogCaptureFixture, query: str, status: int, who: str
) -> None:
    caplog.set_level("INFO")
    client = (await party.register())["client_id"]
    answer = await party.get(f"{party.url}/sign-in/oauth?{query.format(client=client)}")
    text = await answer.text()
    assert answer.status == status and who in text
    assert f'href="{BASE}/"' in text
    reference = answer.headers["X-MCP-Trace-Id"]
    assert f"<code>{reference}</code>" in text
    assert [record for record in caplog.records if getattr(record, "trace", "") == reference]


async def test_expired_form_says_how_to_start_again(party: Party) -> None:
    text = await (await party.get(f"{party.url}/sign-in/consent")).text()
    assert "start the sign-in again" in text and f'href="{BASE}/"' in text


async def test_consent_recognizes_hosts_of_supported_clients(party: Party) -> None:
    uri = "https://chatgpt.com/connector_platform_oauth_redirect"
    text = await consent_text(party, "https://chatgpt.com/oauth/client.json", redirect_uri=uri)
    assert "ChatGPT" in text and "Published by chatgpt.com" in text
    assert '<p class="destination">chatgpt.com</p>' in text
    assert 'class="warning"' not in text


async def test_consent_warns_about_unknown_hosts(party: Party) -> None:
    uri = "https://evil.example/cb"
    client = (await party.register(redirect_uris=[uri], client_name="ChatGPT"))["client_id"]
    text = await consent_text(party, client, redirect_uri=uri)
    assert "DoiT does not know evil.example" in text


async def test_consent_warns_about_documented_clients_on_loopback(party: Party) -> None:
    client, uri = "https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:4711/callback"
    text = await consent_text(party, client, redirect_uri=uri)
    assert "Claude Code" in text and "does not prove it" in text and "localhost:4711" in text


async def test_consent_trusts_a_document_about_its_own_host(party: Party, documents: Web) -> None:
    client, uri = "https://app.example/client.json", "https://app.example/cb"
    documents.put(client, {"client_id": client, "client_name": "App", "redirect_uris": [uri, CALLBACK]})
    assert 'class="warning"' not in await consent_text(party, client, redirect_uri=uri)
    # A user who is not signed in yet.
    party.http.cookie_jar.clear()
    text = await consent_text(party, client)
    assert "Any program on your device" in text and "does not prove it" not in text


async def test_consent_names_the_application_of_a_scheme(party: Party) -> None:
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    client = (await party.register(redirect_uris=[uri]))["client_id"]
    assert "the application for cursor: links on this device" in await consent_text(party, client, redirect_uri=uri)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('" onload="x', "&quot; onload=&quot;x"),
        ("Good\u202eTPGtahC", "Good TPGtahC"),
        ("$client ${action}", "$client ${action}"),
        ("x" * 500, "<strong>" + "x" * 80 + "</strong>"),
        ("\u200b\n", "Unnamed application"),
    ],
)
async def test_client_names_are_escaped(party: Party, name: str, expected: str) -> None:
    client = (await party.register(client_name=name))["client_id"]
    text = await (await party.get(party.ask(client))).text()
    assert expected in text and "<script" not in text and "\u202e" not in text


async def test_employees_choose_the_customer(party: Party) -> None:
    client = (await party.register())["client_id"]
    url = party.ask(client)
    page = await party.sign_in(url, "employee@doit.example")
    assert page.options == [*(customer.id for customer in CUSTOMERS), ""]
    for customer in page.options:
        redirect = await party.decide(Fields(await (await party.get(url)).text()), customer=customer)
        token = await (await party.redeem(client, redirect["code"])).json()
        claims = party.world.identity.signing.read_claims(token["access_token"]) or {}
        assert (claims["customer_context"], claims["doit_employee"]) == (customer, True)


async def test_employees_cannot_choose_a_missing_customer(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), "employee@doit.example")
    form = {"transaction": page.inputs["transaction"], "decision": "allow", "customer": "Nobody"}
    answer = await party.post("/sign-in/consent", form)
    assert (answer.status, answer.content_type) == (400, "text/html")


async def test_form_cannot_change_the_customer_of_other_users(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ADMIN)
    assert page.options == []
    redirect = await party.decide(page, customer=GLOBEX.id)
    token = await (await party.redeem(client, redirect["code"])).json()
    claims = party.world.identity.signing.read_claims(token["access_token"]) or {}
    assert claims["customer_context"] == ACME.id and "doit_employee" not in claims


async def test_switches_account(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ADMIN)
    answer = await party.post("/sign-in/out", {"transaction": page.inputs["transaction"]})
    assert answer.status == 303
    assert (
        "Sample users: choose one, no password needed"
        in await (await party.get(party.url + answer.headers["Location"])).text()
    )


async def test_consent_of_a_different_user_is_rejected(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ADMIN)
    await party.sign_in(party.ask(client, prompt="login"), "admin@globex.example")
    form = {"transaction": page.inputs["transaction"], "decision": "allow"}
    answer = await party.post("/sign-in/consent", form)
    assert answer.headers["Location"].startswith("/sign-in/oauth?")


async def test_forms_of_other_browsers_are_rejected(party: Party) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ADMIN)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        attacker = Party(party.world, http)
        theirs = Fields(await (await attacker.get(attacker.ask(client))).text()).inputs["transaction"]
        form = {"transaction": page.inputs["transaction"], "decision": "allow"}
        assert (await attacker.post("/sign-in/consent", form)).status == 400
    # An attacker's page makes the victim's browser post the attacker's own transaction.
    for path in ("/sign-in/consent", "/sign-in/user", "/sign-in/out"):
        answer = await party.post(path, {"transaction": theirs, "decision": "allow", "user": ADMIN})
        assert answer.status == 400 and "Location" not in answer.headers


@pytest.mark.parametrize("transaction", ["", "x", "x.y", ".", "eyJ.", "ä.ä", "bnVsbA==.00"])
async def test_forged_transactions_are_rejected(party: Party, transaction: str) -> None:
    client = (await party.register())["client_id"]
    await party.sign_in(party.ask(client), ADMIN)
    answer = await party.post("/sign-in/consent", {"transaction": transaction, "decision": "allow"})
    assert answer.status == 400 and "expired" in await answer.text()


async def test_transaction_is_bound_to_its_step(party: Party) -> None:
    client = (await party.register())["client_id"]
    start = Fields(await (await party.get(party.ask(client))).text()).inputs["transaction"]
    page = await party.sign_in(party.ask(client), ADMIN)
    assert (await party.post("/sign-in/consent", {"transaction": start, "decision": "allow"})).status == 400
    assert (await party.post("/sign-in/user", {**page.inputs, "user": ADMIN})).status == 400


async def test_transaction_lasts_long_enough_but_expires(party: Party, clock: Clock) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client), ADMIN)
    clock.advance(29 * 60)
    assert "code" in await party.decide(page)
    clock.advance(2 * 60)
    assert (await party.post("/sign-in/consent", {**page.inputs, "decision": "allow"})).status == 400


async def test_session_expires(party: Party, clock: Clock) -> None:
    client = (await party.register())["client_id"]
    await party.sign_in(party.ask(client), ADMIN)
    clock.advance(8 * 3600 + 1)
    assert "Sample users: choose one, no password needed" in await (await party.get(party.ask(client))).text()


@pytest.mark.parametrize("path", ["/sign-in/user", "/sign-in/consent", "/sign-in/out"])
async def test_invalid_visits_get_an_error_page(party: Party, path: str) -> None:
    assert (await party.get(party.url + path)).status == 400
    async with party.http.post(party.url + path, json={"transaction": "x"}) as answer:
        assert (answer.status, answer.content_type) == (400, "text/html")
    async with party.http.post(party.url + path, data={"x": "y" * 70_000}) as answer:
        assert (answer.status, answer.content_type) == (413, "text/html")


async def test_cookies_are_limited_to_the_pages_and_http_only(party: Party) -> None:
    client = (await party.register())["client_id"]
    await party.sign_in(party.ask(client), ADMIN)
    cookies = {cookie.key: cookie for cookie in party.http.cookie_jar}
    assert set(cookies) == {"sandbox_session", "sandbox_browser"}
    for cookie in cookies.values():
        assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/sign-in", "Lax", True)
        # Not secure, because loopback uses plain http.
        assert not cookie["secure"] and len(cookie.value) >= 43


async def test_cookies_of_an_https_issuer_are_secure(documents: Web) -> None:
    identity = IdentityProvider("https://idp.example", BASE, SECRET, resolver=documents, auto_approve=None)
    app = web.Application()
    identity.register(app)
    async with TestClient(TestServer(app)) as http:
        metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        client = (await (await http.post("/api/auth/register", json=metadata)).json())["client_id"]
        answer = await http.get(f"/sign-in/oauth?client_id={client}&response_type=code&{CHALLENGE}")
        assert answer.status == 200 and answer.cookies["sandbox_browser"]["secure"]


@pytest.mark.parametrize("planted", ["short", "x" * 65, "x" * 40 + '"', "\u00fc" * 40])
async def test_invalid_cookies_are_replaced(party: Party, planted: str) -> None:
    client = (await party.register())["client_id"]
    answer = await party.http.get(party.ask(client), headers={"Cookie": f"sandbox_browser={planted}"})
    assert answer.status == 200 and answer.cookies["sandbox_browser"].value not in ("", planted)


def test_attacker_cannot_approve_for_the_user() -> None:
    with pytest.raises(ValueError, match="nobody@acme.example"):
        IdentityProvider("https://idp.example", BASE, SECRET, auto_approve="nobody@acme.example")
