"""A simulation of ChatGPT's connector: discovery, account linking, and MCP requests as ChatGPT sends them.

It has three HTTP clients, each with its own user agent: the prober, the OAuth client and the MCP client. The user's
browser connects them. Nothing here knows our server, and refusals are returned as responses for the tests to check.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from tests.e2e.sign_in import follow, parameters

PROBER = "Python/3.14 aiohttp/3.13.5"
CONNECTOR = "openai-connectors-oauth/1.0"
LISTER = "openai-mcp/1.0.0"
CALLER = "openai-mcp/1.0.0 (Codex)"
STATELESS_REVISION, LATEST_STATEFUL = "2026-07-28", "2025-11-25"
PUBLISHED = "https://chatgpt.com/oauth/client.json"
SHARED_REDIRECT = "https://chatgpt.com/connector_platform_oauth_redirect"
OWN_REDIRECT = "https://chatgpt.com/connector/oauth/kQ3vXw81"
WIDGETS = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
CAPABILITIES = WIDGETS | {"experimental": {"openai/visibility": {"enabled": True}}}
CLIENT = {"name": "openai-mcp", "version": "1.0.0"}
SESSION, SUBJECT = "v1/chat-7b0a4c52", "v1/person-55c0de"
HINTS = {
    "openai/locale": "de-DE",
    "openai/userAgent": "ChatGPT/1.2026.301 (Mac OS X 15.7; arm64)",
    "openai/userLocation": {
        "city": "Hamburg",
        "region": "HH",
        "country": "DE",
        "timezone": "Europe/Berlin",
        "latitude": "53.55",
        "longitude": "9.99",
    },
    "openai/subject": SUBJECT,
    "openai/session": SESSION,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response: *body* is its JSON value or the last message of a stream, *events* are all messages."""

    status: int
    headers: Mapping[str, str]
    body: Any
    events: tuple[Any, ...] = ()

    @property
    def challenge(self) -> dict[str, str]:
        """Return the parameters of the Bearer challenge; empty without one."""
        scheme, _, rest = self.headers.get("WWW-Authenticate", "").partition(" ")
        return dict(re.findall(r'([a-z_]+)="([^"]*)"', rest)) if scheme == "Bearer" else {}

    @property
    def result(self) -> Any:
        """Return the result of the JSON-RPC response. Raises RuntimeError if it has none."""
        if self.status != 200 or "result" not in self.body:
            raise RuntimeError(f"{self.status}: {self.body}")
        return self.body["result"]


@dataclass(frozen=True, slots=True)
class Registration:
    """The connector's registration at the identity provider; *secret* only for a confidential client."""

    client_id: str
    redirect_uri: str
    secret: str | None = field(default=None, repr=False)

    @property
    def form(self) -> dict[str, str]:
        """Return the client authentication for a form: the client id alone, or client_secret_post."""
        return {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {})


@dataclass(frozen=True, slots=True)
class Discovered:
    """The discovered metadata: the *resource* to request, and the identity provider's document."""

    resource: str
    scope: str
    issuer: str
    server: Mapping[str, Any]


async def read(response: aiohttp.ClientResponse) -> Answer:
    """Read *response* to its end. Raises ValueError for a body that is neither JSON nor an event stream of JSON."""
    text = await response.text()
    if response.content_type == "text/event-stream":
        data = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
        events = tuple(json.loads(item) for item in data)
        return Answer(response.status, response.headers.copy(), events[-1] if events else None, events)
    return Answer(response.status, response.headers.copy(), json.loads(text) if text else None)


async def get(http: aiohttp.ClientSession, url: str) -> Answer:
    """Fetch a document as the prober, without following redirects."""
    headers = {"User-Agent": PROBER, "Accept": "application/json"}
    async with http.get(url, headers=headers, allow_redirects=False) as response:
        return await read(response)


async def probe(http: aiohttp.ClientSession, mcp: str) -> Answer:
    """Send the first request to a new server, without a token."""
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": initialize_params()}
    headers = {"User-Agent": PROBER, "Accept": "application/json, text/event-stream"}
    async with http.post(mcp, json=body, headers=headers) as response:
        return await read(response)


async def discover(http: aiohttp.ClientSession, document: str, scope: str) -> Discovered:
    """Read the identity provider's metadata named by a protected-resource *document*; also probe the OpenID address."""
    resource = (await get(http, document)).body
    issuer = resource["authorization_servers"][0]
    server = await get(http, f"{issuer}/.well-known/oauth-authorization-server")
    openid = await get(http, f"{issuer}/.well-known/openid-configuration")
    if openid.status not in (200, 404):
        raise RuntimeError(f"the OpenID probe got {openid.status}: {openid.body}")
    scopes = dict.fromkeys([*scope.split(), *({"offline_access"} & set(resource["scopes_supported"]))])
    return Discovered(resource["resource"], " ".join(scopes), issuer, server.body)


def published(found: Discovered) -> Registration:
    """Return the registration by metadata document, which requires an issuer that supports it and RFC 9207."""
    needed = ("client_id_metadata_document_supported", "authorization_response_iss_parameter_supported")
    if not all(found.server.get(name) is True for name in needed):
        raise RuntimeError(f"the stable client id needs {needed}: {found.server}")
    return Registration(PUBLISHED, SHARED_REDIRECT)


async def register(http: aiohttp.ClientSession, found: Discovered) -> Registration:
    """Register the connector dynamically as a confidential client."""
    body = {
        "client_name": "ChatGPT",
        "application_type": "native",
        "redirect_uris": [OWN_REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    }
    async with http.post(found.server["registration_endpoint"], json=body, headers={"User-Agent": PROBER}) as response:
        answer = await read(response)
    if answer.status != 201:
        raise RuntimeError(f"registration: {answer.status} {answer.body}")
    return Registration(answer.body["client_id"], OWN_REDIRECT, answer.body["client_secret"])


async def authorize(found: Discovered, registration: Registration) -> tuple[str, str]:
    """Send the user's browser to the identity provider and back; return the code and its verifier.

    Raises RuntimeError if state or issuer do not match.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": registration.redirect_uri,
        "scope": found.scope,
        "state": state,
        "resource": found.resource,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = f"{found.server['authorization_endpoint']}?{urlencode(query)}"
    back = parameters(await follow(address, registration.redirect_uri))
    if (back.get("state"), back.get("iss")) != (state, found.issuer) or "code" not in back:
        raise RuntimeError(f"state or issuer differ: {back}")
    return back["code"], verifier


async def post_form(http: aiohttp.ClientSession, url: str, form: Mapping[str, str]) -> Answer:
    """Post a form to the token or revocation endpoint."""
    async with http.post(url, data=form, headers={"User-Agent": CONNECTOR, "Accept": "application/json"}) as response:
        return await read(response)


async def redeem(
    http: aiohttp.ClientSession, found: Discovered, registration: Registration, code: str, verifier: str
) -> Answer:
    """Exchange *code* for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": registration.redirect_uri,
        "code_verifier": verifier,
        "resource": found.resource,
    }
    return await post_form(http, found.server["token_endpoint"], form | registration.form)


async def refresh(http: aiohttp.ClientSession, found: Discovered, registration: Registration, token: str) -> Answer:
    """Exchange a refresh token for new tokens."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "resource": found.resource}
    return await post_form(http, found.server["token_endpoint"], form | registration.form)


async def revoke(http: aiohttp.ClientSession, found: Discovered, registration: Registration, token: str) -> Answer:
    """Revoke the refresh token, as a disconnected plugin does."""
    form = {"token": token, "token_type_hint": "refresh_token"}
    return await post_form(http, found.server["revocation_endpoint"], form | registration.form)


def initialize_params() -> dict[str, Any]:
    """Return the parameters of initialize."""
    return {"protocolVersion": LATEST_STATEFUL, "capabilities": CAPABILITIES, "clientInfo": CLIENT}


def request_metadata() -> dict[str, Any]:
    """Return the ``_meta`` of a 2026-07-28 request."""
    return HINTS | {
        "io.modelcontextprotocol/protocolVersion": STATELESS_REVISION,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
    }


async def ask(
    http: aiohttp.ClientSession, mcp: str, token: str, message: Mapping[str, Any], headers: Mapping[str, str]
) -> Answer:
    """POST one MCP message with *token*, the headers ChatGPT always sends, and *headers*."""
    always = {
        "User-Agent": CALLER if message["method"] == "tools/call" else LISTER,
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
    }
    conversation = {"X-OpenAI-Session": SESSION, "X-OpenAI-Subject": SUBJECT}
    capabilities = always | (conversation if message["method"] == "tools/call" else {}) | dict(headers)
    async with http.post(mcp, json={"jsonrpc": "2.0", **message}, headers=capabilities) as response:
        return await read(response)


async def send_stateless(
    http: aiohttp.ClientSession, mcp: str, token: str, method: str, params: Mapping[str, Any] | None = None
) -> Answer:
    """Send a 2026-07-28 request: no initialize, no session, and all metadata in each request."""
    name = {"Mcp-Name": params["name"]} if params and "name" in params else {}
    identifier: str | int = "openai-mcp-discover" if method == "server/discover" else secrets.randbelow(1 << 31)
    message = {"id": identifier, "method": method, "params": {**(params or {}), "_meta": request_metadata()}}
    return await ask(
        http, mcp, token, message, {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": method} | name
    )


async def send_stateful(
    http: aiohttp.ClientSession, mcp: str, token: str, method: str, params: Mapping[str, Any] | None = None
) -> Answer:
    """Send a 2025-11-25 message. ChatGPT never sends back a session id."""
    message: dict[str, Any] = {"method": method, "params": {**(params or {})}}
    if method == "tools/call":
        message["params"]["_meta"] = HINTS
    if not method.startswith("notifications/"):
        message["id"] = secrets.randbelow(1 << 31)
    headers = {} if method == "initialize" else {"MCP-Protocol-Version": LATEST_STATEFUL}
    return await ask(http, mcp, token, message, headers)


def well_known(mcp: str) -> tuple[str, str, str]:
    """Return where ChatGPT was observed to look for the protected-resource document: inserted, root, appended."""
    parts = urlsplit(mcp)
    base, name = f"{parts.scheme}://{parts.netloc}", "/.well-known/oauth-protected-resource"
    return base + name + parts.path, base + name, mcp + name
