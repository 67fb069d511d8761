"""Checks of what clients see under the public URL: address, metadata, challenge, CORS and private paths."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..settings.host_names import LOOPBACK_HOSTS
from .findings import Finding
from .observations import Observation, Reply, describe

ENDPOINTS = ("/mcp", "/sse")
WELL_KNOWN = "/.well-known/oauth-protected-resource"
METADATA_PATHS = {
    WELL_KNOWN: "",
    **{WELL_KNOWN + path: path for path in ENDPOINTS},
    **{path + WELL_KNOWN: path for path in ENDPOINTS},
}
"""The paths of the protected resource metadata, with the path of the resource that each describes."""
WEB_CLIENTS = {"ChatGPT": "https://chatgpt.com", "Claude": "https://claude.ai"}
REQUESTED_HEADERS = "authorization, content-type, mcp-protocol-version, mcp-session-id"
CHALLENGE_URL = re.compile(r'resource_metadata="([^"]*)"')
FORWARD_PATHS = "Forward /mcp, /sse and every path below /.well-known to the server unchanged, without redirects."


def check_public_url(base: str, addresses: Sequence[str] | None) -> Finding:
    """Check that clients on the internet can reach *base*, whose host resolves to *addresses*; None if unknown.

    Only URLs of loopback addresses may use plain HTTP (:func:`doit_mcp.settings.parsers.parse_url`).
    """
    parts = urlsplit(base)
    if parts.hostname in LOOPBACK_HOSTS:
        return Finding(
            "public-url",
            "warn",
            f"{base} is this computer",
            "Only clients on this computer can connect. For ChatGPT and Claude on the web, serve a public HTTPS URL.",
        )
    if addresses is not None and not addresses:
        advice = "Check the spelling of the URL, and create a public DNS record for its name."
        return Finding("public-url", "fail", f"{parts.hostname} does not resolve", advice)
    if addresses is not None and not any(ip_address(address.partition("%")[0]).is_global for address in addresses):
        return Finding(
            "public-url",
            "warn",
            f"{parts.hostname} resolves to {', '.join(addresses)} here, which is not public",
            "ChatGPT and Claude on the web connect from the internet: check the name's public DNS record.",
        )
    return Finding("public-url", "ok", base)


def check_server(reply: Observation) -> Finding:
    """Check the response to ``GET /healthz``."""
    body = reply.json_object() if isinstance(reply, Reply) else None
    if isinstance(reply, Reply) and reply.status == 200 and body is not None and body.get("status") == "ok":
        return Finding("server", "ok", "the server responds under this URL")
    advice = "Check the DNS record, the certificate, the firewall, and that the proxy forwards to a running server."
    if isinstance(reply, Reply) and reply.status == 421:
        advice = "Forward the Host header unchanged, and set MCP_RESOURCE_URL to the public URL."
    return Finding("server", "fail", describe(reply), advice)


def check_metadata(base: str, replies: Mapping[str, Observation]) -> list[Finding]:
    """Check the protected resource metadata (RFC 9728). *replies* are the responses by path."""
    findings = [
        finding
        for path, resource in METADATA_PATHS.items()
        if (finding := _check_document(base, resource, replies[path]))
    ]
    return findings or [Finding("metadata", "ok", f"all {len(METADATA_PATHS)} forms name {base}")]


def _check_document(base: str, resource: str, reply: Observation) -> Finding | None:
    document = reply.json_object() if isinstance(reply, Reply) and reply.status == 200 else None
    if document is None:
        problem = " (not a JSON object)" if isinstance(reply, Reply) and reply.status == 200 else ""
        return Finding("metadata", "fail", describe(reply) + problem, FORWARD_PATHS)
    if document.get("resource") != base + resource:
        seen = f"{reply.url} names the resource {document.get('resource')!r} instead of {base + resource!r}"
        return Finding("metadata", "fail", seen, f"Set MCP_RESOURCE_URL to {base} and restart the server.")
    if not list_authorization_servers(reply):
        advice = "Set AUTH_SERVER_URL to the identity provider."
        return Finding("metadata", "fail", f"{reply.url} contains no authorization server", advice)
    return None


def list_authorization_servers(reply: Observation) -> list[str]:
    """Return the issuers in protected resource metadata."""
    document = reply.json_object() if isinstance(reply, Reply) else None
    servers = document.get("authorization_servers") if document is not None else None
    return [server for server in servers if isinstance(server, str)] if isinstance(servers, list) else []


def check_challenge(base: str, reply: Observation) -> Finding:
    """Check the response to a request without a token: 401 with a challenge that leads clients to sign in (RFC 6750)."""
    if not isinstance(reply, Reply) or reply.status != 401:
        advice = (
            "Forward requests to /mcp to the server; no other login may come first (bot protection, SSO, basic auth)."
        )
        return Finding("challenge", "fail", f"{describe(reply)} without a token, instead of 401", advice)
    match = CHALLENGE_URL.search(reply.headers.get("www-authenticate", ""))
    if match is None:
        advice = "Forward the WWW-Authenticate header of the server; without it, clients do not find the sign-in."
        return Finding("challenge", "fail", "401 without a resource_metadata URL in WWW-Authenticate", advice)
    if match[1] != f"{base}{WELL_KNOWN}/mcp":
        advice = f"Set MCP_RESOURCE_URL to {base} and restart the server."
        return Finding("challenge", "fail", f"the challenge leads to {match[1]}", advice)
    return Finding("challenge", "ok", "401 leads clients to the metadata")


def check_cors(origin: str, client: str, preflight: Observation, response: Observation) -> Finding:
    """Check CORS for *origin*: the *preflight* of a POST to /mcp, and the *response* to a request without a token."""
    name = f"cors-{client.lower()}"
    advice = (
        f"Add {origin} to DOIT_MCP_ALLOWED_ORIGINS, and let the server respond to OPTIONS: the proxy must not add, remove"
        " or answer CORS headers itself."
    )
    for reply, kind in ((preflight, "the preflight"), (response, "a response")):
        if not isinstance(reply, Reply):
            return Finding(name, "fail", describe(reply), advice)
        allowed = reply.headers.get("access-control-allow-origin", "")
        if allowed not in (origin, "*"):
            return Finding(name, "fail", f"{kind} (status {reply.status}) does not allow {origin}", advice)
    allowed_headers = _split_header(preflight, "access-control-allow-headers")
    missing = [word for word in REQUESTED_HEADERS.split(", ") if word not in allowed_headers]
    if missing:
        return Finding(name, "fail", f"the preflight does not allow the headers {', '.join(missing)}", advice)
    if "www-authenticate" not in _split_header(response, "access-control-expose-headers"):
        return Finding(name, "fail", "responses do not expose WWW-Authenticate", advice)
    return Finding(name, "ok", f"{origin} may call the server")


def _split_header(reply: Observation, header: str) -> list[str]:
    value = reply.headers.get(header, "") if isinstance(reply, Reply) else ""
    return [word.strip().lower() for word in value.split(",")]


def check_private_paths(base: str, reply: Observation) -> Finding:
    """Check that ``/metrics`` is not public."""
    if isinstance(reply, Reply) and reply.status == 200 and b"doit_mcp_" in reply.body:
        if urlsplit(base).hostname in LOOPBACK_HOSTS:
            return Finding("private-paths", "ok", "/metrics is readable only from this computer")
        advice = "Let the proxy respond with 404 to /metrics, and scrape the server directly."
        return Finding("private-paths", "warn", f"{base}/metrics is public", advice)
    return Finding("private-paths", "ok", "/metrics is not public")
