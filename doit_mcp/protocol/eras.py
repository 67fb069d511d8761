"""Stateful and stateless requests: how each completes a result and maps errors to HTTP status codes."""

from __future__ import annotations

from typing import Any, Protocol

from .jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, JsonObject

# Codes reserved by JSON-RPC and MCP; all others belong to applications.
RESERVED_CODES = range(-32768, -31999)
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"


class Era(Protocol):
    """What differs between stateful and stateless requests."""

    stateless: bool

    def complete_result(self, result: JsonObject, server_info: JsonObject) -> JsonObject:
        """Return *result* with the members that this era adds."""

    def http_status(self, code: int) -> int:
        """Return the HTTP status for an error code, for a response whose head has not been sent."""


class StatefulEra:
    """Clients send ``initialize`` once. Results are sent unchanged; most errors have status 200."""

    stateless = False

    def complete_result(self, result: JsonObject, server_info: JsonObject) -> JsonObject:
        return result

    def http_status(self, code: int) -> int:
        return 400 if code in (PARSE_ERROR, INVALID_REQUEST) else 200


class StatelessEra:
    """Each request has client information in ``_meta``. Results name the server and state whether they are complete."""

    stateless = True

    def complete_result(self, result: JsonObject, server_info: JsonObject) -> JsonObject:
        meta: dict[str, Any] = {SERVER_INFO_KEY: server_info, **result.get("_meta", {})}
        return {"resultType": "complete", **result, "_meta": meta}

    def http_status(self, code: int) -> int:
        if code == METHOD_NOT_FOUND:
            return 404
        return 400 if code in RESERVED_CODES and code != INTERNAL_ERROR else 200


STATEFUL = StatefulEra()
STATELESS = StatelessEra()
