"""Handshake or envelope: how an answer is sealed and which HTTP status an error has."""

from __future__ import annotations

from typing import Any, Protocol

from .jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, JsonObject

# The codes that JSON-RPC and the specification assign; others are an application's own.
RESERVED_CODES = range(-32768, -31999)
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"


class Era(Protocol):
    """What differs between the two ways of introducing oneself."""

    stateless: bool

    def complete_result(self, result: JsonObject, server_info: JsonObject) -> JsonObject:
        """The result as this era sends it."""

    def http_status(self, code: int) -> int:
        """The HTTP status of an error of a well-formed request, as long as nothing was sent."""


class StatefulEra:
    """Settled once by ``initialize``; results go out as they are, errors travel with status 200."""

    stateless = False

    def complete_result(self, result: JsonObject, server_info: JsonObject) -> JsonObject:
        return result

    def http_status(self, code: int) -> int:
        return 400 if code in (PARSE_ERROR, INVALID_REQUEST) else 200


class StatelessEra:
    """Said anew with every request, in ``_meta``; every result says whether it is complete, and who answered."""

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
