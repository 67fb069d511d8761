"""Fixtures for tests of the sandbox: a controllable clock, a sandbox without an API, and a client with a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from doit_mcp.sandbox.accounts import Grant
from doit_mcp.sandbox.identity import FetchError
from doit_mcp.sandbox.server import SandboxServer, run_sandbox

BASE = "https://mcp.doit.com"
SECRET = "a-secret-of-the-exchange-with-enough-bytes"
CALLBACK = "http://127.0.0.1:5001/callback"


class Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class NoApi:
    """An API with a single path, which returns the grant of the bearer token."""

    def register(self, app: web.Application, lookup: Callable[[str], Grant | None]) -> None:
        async def whoami(request: web.Request) -> web.Response:
            grant = lookup(request.headers.get("Authorization", "").removeprefix("Bearer "))
            if grant is None:
                raise web.HTTPUnauthorized
            return web.json_response({"email": grant.user.email, "customer": grant.customer})

        async def broken(request: web.Request) -> web.Response:
            raise RuntimeError("a bug")

        app.router.add_get("/whoami", whoami)
        app.router.add_get("/broken", broken)


class Web:
    """A document resolver with a table of documents by URL."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []

    def put(self, url: str, document: object) -> None:
        self.pages[url] = json.dumps(document).encode()

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise FetchError("there is nothing there")
        return self.pages[url]


class Fields(HTMLParser):
    """Inputs, buttons and form targets of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inputs: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self.actions: list[str] = []
        self.options: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.inputs[values.get("name", "")] = values.get("value", "")
        elif tag == "button":
            self.buttons.append((values.get("name", ""), values.get("value", "")))
        elif tag == "form":
            self.actions.append(values["action"])
        elif tag == "option":
            self.options.append(values["value"])


class Party:
    """A client and its user's browser, which use the sandbox over HTTP only."""

    def __init__(self, world: SandboxServer, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.url = world.url
        self.http = http
        self.verifier = secrets.token_urlsafe(48)

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    async def register(self, **metadata: Any) -> dict[str, Any]:
        """Register a client dynamically, public by default."""
        body = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "client_name": "Tester", **metadata}
        async with self.http.post(f"{self.url}/api/auth/register", json=body) as response:
            assert response.status == 201, await response.text()
            state: dict[str, Any] = await response.json()
            return state

    def ask(self, client_id: str, **changes: str | None) -> str:
        """The URL of an authorization request; None removes a parameter."""
        parameters = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "state": "a state",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            "resource": f"{BASE}/mcp",
            **changes,
        }
        query = {name: value for name, value in parameters.items() if value is not None}
        return f"{self.url}/sign-in/oauth?{urlencode(query)}"

    async def get(self, url: str | URL) -> aiohttp.ClientResponse:
        """A complete response, without following redirects."""
        async with self.http.get(url, allow_redirects=False) as response:
            await response.read()
            return response

    async def post(self, path: str, data: dict[str, str], **options: Any) -> aiohttp.ClientResponse:
        """The complete response to a form."""
        async with self.http.post(self.url + path, data=data, allow_redirects=False, **options) as response:
            await response.read()
            return response

    async def sign_in(self, url: str, email: str) -> Fields:
        """Sign in by selecting a built-in user; returns the consent page, at once if already signed in."""
        page = Fields(await (await self.get(url)).text())
        if "/sign-in/consent" in page.actions:
            return page
        form = {"transaction": page.inputs["transaction"], "user": email}
        signed = await self.post("/sign-in/user", form)
        assert signed.status == 303, await signed.text()
        return Fields(await (await self.get(self.url + signed.headers["Location"])).text())

    async def decide(self, page: Fields, decision: str = "allow", **more: str) -> dict[str, str]:
        """The parameters of the client's callback after the decision on a consent page."""
        form = {"transaction": page.inputs["transaction"], "decision": decision, **more}
        answer = await self.post("/sign-in/consent", form)
        assert answer.status == 303, await answer.text()
        return self.callback_parameters(answer)

    def callback_parameters(self, answer: aiohttp.ClientResponse, callback: str = CALLBACK) -> dict[str, str]:
        """The parameters of the redirect to the callback."""
        location = answer.headers["Location"]
        assert location.startswith(f"{callback}?"), location
        parameters = parse_qs(urlsplit(location).query, strict_parsing=True)
        assert all(len(values) == 1 for values in parameters.values())
        return dict(parse_qsl(urlsplit(location).query))

    async def code(self, client_id: str, email: str = "admin@acme.example", **changes: str | None) -> str:
        """An authorization code, after sign-in and consent."""
        page = await self.sign_in(self.ask(client_id, **changes), email)
        return (await self.decide(page))["code"]

    async def token(self, **form: str) -> aiohttp.ClientResponse:
        """The response of the token endpoint."""
        return await self.post("/api/auth/token", form)

    async def redeem(self, client_id: str, code: str, **changes: str) -> aiohttp.ClientResponse:
        """The response to the exchange of a code."""
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.token(**{name: value for name, value in form.items() if value})

    async def login(self, client_id: str, email: str = "admin@acme.example", **changes: str | None) -> dict[str, Any]:
        """The token response of a complete login."""
        answer = await self.redeem(client_id, await self.code(client_id, email, **changes))
        assert answer.status == 200, await answer.text()
        body: dict[str, Any] = await answer.json()
        return body

    async def refresh(self, client_id: str, token: str, **more: str) -> aiohttp.ClientResponse:
        """The response to a refresh token."""
        return await self.token(grant_type="refresh_token", client_id=client_id, refresh_token=token, **more)


async def error_of(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """Status and code of an OAuth error response, after validating its shape."""
    body = await response.json()
    assert set(body) == {"error", "error_description"} and body["error_description"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return response.status, body["error"]


@pytest.fixture
def clock() -> Clock:
    """A clock for one test."""
    return Clock()


@pytest.fixture
def documents() -> Web:
    """The client metadata documents that can be fetched."""
    return Web()


@pytest.fixture
async def sandbox(clock: Clock, documents: Web) -> AsyncIterator[SandboxServer]:
    """A sandbox with an identity provider and a minimal API."""
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, resolver=documents, api=NoApi()) as sandbox:
        yield sandbox


@pytest.fixture
async def party(sandbox: SandboxServer) -> AsyncIterator[Party]:
    """A client with a browser without cookies."""
    # The sandbox has no host name, so the cookie jar must accept IP addresses.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Party(sandbox, http)
