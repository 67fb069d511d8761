"""Requests in the canonical spelling of their path, so that routing and all checks see only that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from ...protocol.endpoint_urls import MCP_PATH, MESSAGES_PATH, canonical_path

# The path as the client spelled it, if that is not its canonical spelling.
CLIENT_PATH: web.RequestKey[str] = web.RequestKey("client_path")

RequestFactory = Callable[..., Any]


def with_canonical_path(make_request: RequestFactory) -> RequestFactory:
    """Return a factory of requests like *make_request*, whose paths have their canonical spelling."""

    def make(message: RawRequestMessage, *rest: Any) -> Any:
        # Fast path for most requests.
        if message.path == MCP_PATH:
            return make_request(message, *rest)
        path = message.url.raw_path
        canonical = path if path == MESSAGES_PATH else canonical_path(path)
        if canonical == path:
            return make_request(message, *rest)
        request = make_request(_replace_path(message, path, canonical), *rest)
        request[CLIENT_PATH] = path
        return request

    return make


def client_path(request: web.Request) -> str:
    """Return the path of *request* as the client spelled it, percent-encoded."""
    return request.get(CLIENT_PATH) or request.rel_url.raw_path


def _replace_path(message: RawRequestMessage, path: str, canonical: str) -> RawRequestMessage:
    url = message.url.with_path(canonical, encoded=True, keep_query=True)
    # A target that begins with a host is kept: the host is checked.
    target = canonical + message.path.removeprefix(path) if message.path.startswith("/") else message.path
    replaced: RawRequestMessage = message._replace(path=target, url=url)
    return replaced
