"""Authorization endpoint: error pages, error redirects, and codes."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from yarl import URL

from ..conftest import BASE, CALLBACK, Fields, Party


async def error_page(party: Party, url: str) -> str:
    """The text of an error page, without a redirect."""
    answer = await party.get(url)
    assert answer.status == 400 and answer.content_type == "text/html"
    assert "Location" not in answer.headers
    return await answer.text()


@pytest.mark.parametrize(
    "client_id",
    [
        None,
        "nobody",
        "https://nothing.example/client.json",
        "http://nothing.example/client.json",
        "https://nothing.example",
        "https://a@b.example/c",
        "https://b.example/../c",
        "https://b.example/c#d",
        "https://b.example/" + "c" * 3000,
    ],
)
async def test_unknown_client_gets_an_error_page(party: Party, client_id: str | None) -> None:
    url = party.ask(client_id or "x") if client_id else party.ask("x").replace("client_id=x&", "")
    assert "Unknown application" in await error_page(party, url)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1:5001/callback/",
        "http://127.0.0.1:5001/callback?more=1",
        "http://127.0.0.1:5001/callback#f",
        "http://127.0.0.1:5001@evil.example/callback",
        "http://127.0.0.1.evil.example:5001/callback",
        "http://127.0.0.2:5001/callback",
        "http://localhost:5001/callback",
        "https://127.0.0.1:5001/callback",
        "http://127.0.0.1:5001/Callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:5001\\@evil.example/callback",
        "http://127.0.0.1:5001/callback\r\nX: y",
        "javascript:alert(1)//callback",
    ],
)
async def test_unregistered_redirect_uri_gets_an_error_page(party: Party, redirect_uri: str) -> None:
    client = await party.register()
    page = await error_page(party, party.ask(client["client_id"], redirect_uri=redirect_uri))
    assert "Unknown redirect address" in page


async def test_only_loopback_ports_may_vary(party: Party) -> None:
    uris = ["http://localhost/cb", "http://[::1]:1/cb", "https://app.example/cb", "cursor://anysphere.cursor-mcp/cb"]
    client = (await party.register(redirect_uris=uris))["client_id"]
    for right in ("http://localhost:61234/cb", "http://[::1]:7/cb", "http://localhost/cb", *uris):
        assert (await party.get(party.ask(client, redirect_uri=right))).status == 200
    for wrong in ("https://app.example:444/cb", "https://app.example:443/cb", "cursor://anysphere.cursor-mcp:1/cb"):
        await error_page(party, party.ask(client, redirect_uri=wrong))


async def test_single_redirect_uri_is_the_default(party: Party) -> None:
    item = (await party.register())["client_id"]
    two = (await party.register(redirect_uris=[CALLBACK, "https://app.example/cb"]))["client_id"]
    code = await party.code(item, redirect_uri=None)
    assert (await party.redeem(item, code, redirect_uri="")).status == 200
    assert "Missing redirect address" in await error_page(party, party.ask(two, redirect_uri=None))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://x.example"}, "request_uri_not_supported"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "=" * 43}, "invalid_request"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"resource": f"{BASE}/api"}, "invalid_target"),
        ({"resource": f"{BASE}.evil.example/mcp"}, "invalid_target"),
        ({"resource": f"{BASE}/mcpx"}, "invalid_target"),
        ({"resource": f"{BASE}/mcp/../admin"}, "invalid_target"),
        ({"resource": f"{BASE}/mcp/.."}, "invalid_target"),
        ({"resource": f"{BASE}/mcp?x=y"}, "invalid_target"),
        ({"resource": f"{BASE}/mcp#x"}, "invalid_target"),
        ({"resource": f"{BASE}//evil.example/mcp"}, "invalid_target"),
    ],
)
async def test_other_errors_redirect_to_the_client(party: Party, changes: dict[str, str], error: str) -> None:
    client = await party.register()
    answer = await party.get(party.ask(client["client_id"], **changes))
    assert answer.status == 302
    redirect = party.callback_parameters(answer)
    assert set(redirect) == {"error", "error_description", "state", "iss"}
    assert (redirect["error"], redirect["state"], redirect["iss"]) == (error, "a state", party.url)


@pytest.mark.parametrize(
    ("again", "error"), [("resource=https://mcp.doit.com", "invalid_target"), ("scope=x&scope=y", "invalid_request")]
)
async def test_repeated_parameters_are_rejected(party: Party, again: str, error: str) -> None:
    client = await party.register()
    answer = await party.get(f"{party.ask(client['client_id'])}&{again}")
    assert party.callback_parameters(answer)["error"] == error


async def test_repeated_state_is_not_echoed(party: Party) -> None:
    client = await party.register()
    redirect = party.callback_parameters(await party.get(f"{party.ask(client['client_id'])}&state=other"))
    assert redirect["error"] == "invalid_request" and "state" not in redirect


@pytest.mark.parametrize("again", ["client_id=x", f"redirect_uri={CALLBACK}", "&".join("abcdefgh" * 9), "x=%ff"])
async def test_untrusted_requests_get_an_error_page(party: Party, again: str) -> None:
    client = await party.register()
    await error_page(party, f"{party.ask(client['client_id'])}&{again}")


@pytest.mark.parametrize(
    "resource",
    [None, BASE, f"{BASE}/", f"{BASE}/mcp", f"{BASE}/sse", f"{BASE}/mcp/readonly", f"{BASE}/mcp/x/a,b/readonly"],
)
async def test_server_resources_are_known(party: Party, resource: str | None) -> None:
    client = await party.register()
    assert (await party.get(party.ask(client["client_id"], resource=resource))).status == 200


async def test_refused_resources_are_explained(party: Party) -> None:
    client = await party.register()
    party.world.identity.check_resources_with(lambda target: "No such endpoint." if "nothing" in target else "")
    for resource, reason in (
        (f"{BASE}/mcp?x=1", "query parameters toolsets, tools and readonly"),
        (f"{BASE}/mcp/x/nothing", "No such endpoint."),
        (f"{BASE}/mcp?Toolsets=nothing", "No such endpoint."),
    ):
        redirect = party.callback_parameters(await party.get(party.ask(client["client_id"], resource=resource)))
        assert redirect["error"] == "invalid_target" and reason in redirect["error_description"]
    assert (await party.get(party.ask(client["client_id"], resource=f"{BASE}/mcp?read_only=true"))).status == 200


async def test_response_extends_the_redirect_uris_query(party: Party) -> None:
    uri = "https://app.example/cb?tenant=a%20b"
    client = (await party.register(redirect_uris=[uri]))["client_id"]
    page = await party.sign_in(party.ask(client, redirect_uri=uri), "admin@acme.example")
    answer = await party.post("/sign-in/consent", {"transaction": page.inputs["transaction"], "decision": "allow"})
    assert answer.headers["Location"].startswith("https://app.example/cb?tenant=a%20b&code=")


async def test_private_schemes_are_preserved(party: Party) -> None:
    uri = "com.example.app:///done"
    client = (await party.register(redirect_uris=[uri]))["client_id"]
    answer = await party.get(party.ask(client, redirect_uri=uri, scope="nothing"))
    assert answer.headers["Location"].startswith("com.example.app:///done?error=invalid_scope&")


async def test_repeated_request_changes_nothing(party: Party) -> None:
    client = (await party.register())["client_id"]
    url = party.ask(client)
    first, second = await party.get(url), await party.get(url)
    assert (first.status, second.status) == (200, 200)
    assert "code" in await party.decide(await party.sign_in(url, "admin@acme.example"))


async def test_success_has_code_state_and_issuer(party: Party) -> None:
    client = (await party.register())["client_id"]
    redirect = await party.decide(await party.sign_in(party.ask(client, state="ü&=/ +%"), "admin@acme.example"))
    assert set(redirect) == {"code", "state", "iss"}
    assert (redirect["state"], redirect["iss"]) == ("ü&=/ +%", party.url)


async def test_state_is_optional(party: Party) -> None:
    client = (await party.register())["client_id"]
    redirect = await party.decide(await party.sign_in(party.ask(client, state=None), "admin@acme.example"))
    assert set(redirect) == {"code", "iss"}


@pytest.mark.parametrize("decision", ["deny", "", "ALLOW"])
async def test_declining_is_access_denied(party: Party, decision: str) -> None:
    client = (await party.register())["client_id"]
    redirect = await party.decide(await party.sign_in(party.ask(client), "admin@acme.example"), decision)
    assert set(redirect) == {"error", "error_description", "state", "iss"}
    assert redirect["error"] == "access_denied"


async def test_prompt_none_with_a_session_still_requires_consent(party: Party) -> None:
    client = (await party.register())["client_id"]
    await party.sign_in(party.ask(client), "admin@acme.example")
    answer = await party.get(party.ask(client, prompt="none"))
    assert party.callback_parameters(answer)["error"] == "consent_required"


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
async def test_prompt_login_asks_again_once(party: Party, prompt: str) -> None:
    client = (await party.register())["client_id"]
    await party.sign_in(party.ask(client), "admin@acme.example")
    page = await party.sign_in(party.ask(client, prompt=prompt), "viewer@acme.example")
    assert "code" in await party.decide(page)


async def test_auto_approval_needs_no_page_or_cookie(party: Party) -> None:
    client = (await party.register())["client_id"]
    party.world.identity.auto_approve = "viewer@acme.example"
    answer = await party.get(party.ask(client))
    assert answer.status == 302
    again = await party.get(party.ask(client))
    item, other = party.callback_parameters(answer)["code"], party.callback_parameters(again)["code"]
    assert item != other
    token = await (await party.redeem(client, item)).json()
    claims = party.world.identity.signing.read_claims(token["access_token"]) or {}
    assert claims["sub"] == "viewer@acme.example"
    assert (await party.redeem(client, other)).status == 200
    # The request is still validated.
    await error_page(party, party.ask(client, redirect_uri="https://evil.example/"))
    redirect = dict(parse_qsl(urlsplit((await party.get(party.ask(client, scope="x"))).headers["Location"]).query))
    assert redirect["error"] == "invalid_scope"


@pytest.mark.parametrize("state", ["%41", "a%0d%0ab", "a\r\nSet-Cookie: b=c", "a+b c", "\u00fc\U0001f600", "x" * 2000])
async def test_state_is_preserved_through_every_page(party: Party, state: str) -> None:
    client = (await party.register())["client_id"]
    page = await party.sign_in(party.ask(client, state=state), "admin@acme.example")
    assert (await party.decide(page))["state"] == state
    assert party.callback_parameters(await party.get(party.ask(client, state=state, scope="x")))["state"] == state


async def test_long_request_is_preserved(party: Party) -> None:
    """Sign-in returns to the same request: an encoded copy could be too long for a request line."""
    client = (await party.register())["client_id"]
    state = "/:@" * 2200
    login_url = f"{party.ask(client, state=None)}&prompt=login&state={state}"
    url = URL(login_url, encoded=True)
    page = Fields(await (await party.get(url)).text())
    form = {"transaction": page.inputs["transaction"], "user": "admin@acme.example"}
    signed = await party.post("/sign-in/user", form)
    next_url = party.url + signed.headers["Location"]
    assert next_url == login_url.replace("&prompt=login", "")
    assert "Allow access?" in await (await party.get(URL(next_url, encoded=True))).text()


@pytest.mark.parametrize("query", ["client_id=%ff", "client_id=%ED%A0%80", "client_id=%00", ""])
async def test_invalid_text_gets_an_error_page(party: Party, query: str) -> None:
    answer = await party.get(URL(f"{party.url}/sign-in/oauth?{query}", encoded=True))
    assert (answer.status, answer.content_type) == (400, "text/html")
