"""A user in a real browser signs in, sees which client requests access, allows or denies it, and is sent back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import jwt
import pytest
from aiohttp import web

from doit_mcp.sandbox.accounts import GLOBEX, USERS
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import NODE, environment, find_browser, run

ARTIFACTS = NODE.parent / "artifacts"
VERIFIER = "a-verifier-that-is-long-enough-for-pkce-0123456789"
ADMIN, _, _, EMPLOYEE, *_others = USERS
STATE = "the state of this request"
# With an icon of its own, the browser requests none.
CLOSE = '<title>Client</title><link rel="icon" href="data:,"><p>You may close this window.'


@dataclass
class Client:
    """A client listening at its redirect URI, with the queries it received there."""

    callback: str
    id: str = ""
    returned: list[dict[str, str]] = field(default_factory=list)

    def request(self, sandbox: Sandbox) -> str:
        """Return the authorization URL that it opens in the browser."""
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.callback,
            "scope": "mcp:tools offline_access",
            "state": STATE,
            "resource": sandbox.mcp,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{sandbox.services}/sign-in/oauth?{urlencode(query)}"

    def token_form(self, code: str) -> dict[str, str]:
        """Return the form that exchanges *code* for tokens."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
            "client_id": self.id,
            "code_verifier": VERIFIER,
        }


@asynccontextmanager
async def waiting(sandbox: Sandbox, name: str = "Cost Companion") -> AsyncIterator[Client]:
    """Register a client called *name* and serve its redirect URI."""
    returned: list[dict[str, str]] = []

    async def back(request: web.Request) -> web.Response:
        returned.append(dict(request.query))
        return web.Response(text=CLOSE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/callback", back)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = Client(f"http://127.0.0.1:{runner.addresses[0][1]}/callback", returned=returned)
        metadata = {
            "client_name": name,
            "redirect_uris": [client.callback],
            "token_endpoint_auth_method": "none",
        }
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{sandbox.services}/api/auth/register", json=metadata) as answer:
                client.id = (await answer.json())["client_id"]
        yield client
    finally:
        await runner.cleanup()


async def act(
    home: Path,
    url: str,
    steps: Sequence[Mapping[str, Any]],
    *,
    scheme: str = "light",
    width: int = 1280,
    complaint: str = "",
) -> dict[str, Any]:
    """Return what the browser showed after *steps*. Fails on failed requests and unexpected console messages."""
    browser = find_browser()
    ARTIFACTS.mkdir(exist_ok=True)
    order = {"browser": browser, "url": url, "width": width, "height": 900, "scheme": scheme, "steps": steps}
    finished = await run(["node", str(NODE / "consent.mjs"), json.dumps(order)], env=environment(home))
    assert finished.status == 0, str(finished)
    result: dict[str, Any] = json.loads(finished.out)
    unexpected = [line for line in result["console"] if not complaint or complaint not in line]
    assert (unexpected, result["failed"]) == ([], []), result
    assert result["overflow"] <= 0, result
    return result


def shot(name: str) -> dict[str, Any]:
    return {"shoot": str(ARTIFACTS / f"{name}.png")}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_signs_in_and_allows(
    sandbox_asking: Sandbox, node: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    async with waiting(sandbox_asking) as client:
        steps: list[dict[str, Any]] = [
            {"expect": "Sample users: choose one, no password needed"},
            shot(f"sign-in-{scheme}-{width}"),
            {"fill": "Email address", "with": ADMIN.email},
            {"fill": "Password", "with": ADMIN.password},
            {"press": "Sign in", "exact": True},
            {"expect": "Cost Companion"},
            {"expect": "Acme Rockets"},
            shot(f"consent-{scheme}-{width}"),
            {"press": "Allow access"},
            {"reach": client.callback},
        ]
        await act(tmp_path, client.request(sandbox_asking), steps, scheme=scheme, width=width)
        (returned,) = client.returned
    assert returned["state"] == STATE and returned["iss"] == sandbox_asking.services
    form = {**client.token_form(returned["code"]), "resource": sandbox_asking.mcp}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{sandbox_asking.services}/api/auth/token", data=form) as answer:
            assert answer.status == 200, await answer.text()
            tokens = await answer.json()
        ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
        async with http.post(sandbox_asking.mcp, json=ping, headers=headers) as answer:
            assert answer.status == 200 and (await answer.json())["result"]["tools"]


async def test_denies(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    async with waiting(sandbox_asking) as client:
        steps = [{"press": ADMIN.name}, {"expect": "Allow access?"}, {"press": "Deny"}, {"reach": client.callback}]
        await act(tmp_path, client.request(sandbox_asking), steps)
        (returned,) = client.returned
    assert returned["error"] == "access_denied" and returned["state"] == STATE and "code" not in returned
    assert returned["iss"] == sandbox_asking.services


async def test_wrong_password_stays_on_the_page(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    async with waiting(sandbox_asking) as client:
        steps: list[dict[str, Any]] = [
            {"fill": "Email address", "with": ADMIN.email},
            {"fill": "Password", "with": "not it"},
            {"press": "Sign in", "exact": True},
            {"expect": "or password is incorrect"},
        ]
        await act(tmp_path, client.request(sandbox_asking), steps, complaint="status of 403")
        assert client.returned == []


async def test_employee_chooses_the_customer(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    async with waiting(sandbox_asking) as client:
        steps: list[dict[str, Any]] = [
            {"press": EMPLOYEE.name},
            {"expect": "Allow access?"},
            {"choose": "Customer", "option": GLOBEX.id},
            shot("consent-employee"),
            {"press": "Allow access"},
            {"reach": client.callback},
        ]
        await act(tmp_path, client.request(sandbox_asking), steps, width=390)
        (returned,) = client.returned
        form = client.token_form(returned["code"])
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{sandbox_asking.services}/api/auth/token", data=form) as answer:
            claims = jwt.decode((await answer.json())["access_token"], options={"verify_signature": False})
    assert (claims["customer_context"], claims["doit_employee"]) == (GLOBEX.id, True)


async def test_switches_account(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    async with waiting(sandbox_asking) as client:
        steps: list[dict[str, Any]] = [
            {"press": ADMIN.name},
            {"press": "Use another account"},
            {"press": USERS[1].name},
            {"expect": USERS[1].email},
        ]
        result = await act(tmp_path, client.request(sandbox_asking), steps)
    assert ADMIN.email not in result["text"]


async def test_hostile_client_name_is_only_text(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    """No script runs, and the browser logs nothing, not even a blocked violation of its policy."""
    name = "</strong><script>document.title='owned'</script><img src=x onerror=alert(1)>"
    async with waiting(sandbox_asking, name) as client:
        steps = [{"press": ADMIN.name}, {"expect": "Allow access?"}, shot("consent-hostile")]
        result = await act(tmp_path, client.request(sandbox_asking), steps, width=390)
    assert name in result["text"] and result["title"] == "Allow access \u00b7 DoiT sandbox"


async def test_request_of_an_unknown_client_is_an_error_page(
    sandbox_asking: Sandbox, node: Path, tmp_path: Path
) -> None:
    url = f"{sandbox_asking.services}/sign-in/oauth?client_id=nobody"
    steps = [{"expect": "Unknown application"}, shot("unknown-application")]
    await act(tmp_path, url, steps, scheme="dark", complaint="status of 400")
