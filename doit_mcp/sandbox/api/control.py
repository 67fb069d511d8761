"""The sandbox's own paths: faults and latency at run time, and the last calls. For this machine only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableSequence
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any, Protocol

import jsonschema_rs
import orjson
from aiohttp import web

from .answers import JsonObject, Refusal, answer, bad
from .faults import Call, Fault

Answering = Callable[[web.Request], Awaitable[web.Response]]
FAULTS = 100
_FAULT = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "path_prefix": {"type": "string", "maxLength": 1000},
        "kind": {
            "anyOf": [
                {"type": "integer", "minimum": 400, "maximum": 599},
                {"enum": ["hang", "garbage", "reset", "truncated", "huge"]},
            ]
        },
        "times": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "retry_after": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 100}, {"type": "null"}]},
        "rate": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "additionalProperties": False,
}
BODY = jsonschema_rs.validator_for(
    {
        "type": "object",
        "properties": {
            "latency": {"type": "number", "minimum": 0, "maximum": 300},
            "faults": {"type": "array", "maxItems": FAULTS, "items": _FAULT},
        },
        "additionalProperties": False,
    }
)


class Controlled(Protocol):
    """What can be steered."""

    faults: list[Fault]
    latency: float

    @property
    def calls(self) -> MutableSequence[Call]:
        """The last requests, oldest first."""


def register(app: web.Application, api: Controlled) -> None:
    """Add GET, PUT (replaces all) and DELETE /sandbox/faults, and GET and DELETE /sandbox/calls."""

    async def faults(request: web.Request) -> web.Response:
        if request.method == "PUT":
            await _replace(request, api)
        elif request.method == "DELETE":
            api.faults.clear()
            api.latency = 0.0
        return answer({"latency": api.latency, "faults": [asdict(fault) for fault in api.faults]})

    async def calls(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            api.calls.clear()
        return answer({"calls": _shown(api.calls)})

    for method in ("GET", "PUT", "DELETE"):
        app.router.add_route(method, "/sandbox/faults", _here(faults))
    for method in ("GET", "DELETE"):
        app.router.add_route(method, "/sandbox/calls", _here(calls))


def _here(handler: Answering) -> Answering:
    """The handler, for requests of this machine that mean it: by address, and by name (DNS rebinding)."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            if not (_loopback(request.remote) and _loopback(request.url.host)):
                raise Refusal(403, "this is for clients on the sandbox's own machine")
            return await handler(request)
        except Refusal as refusal:
            return answer({"error": refusal.message}, refusal.status)

    return guarded


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _replace(request: web.Request, api: Controlled) -> None:
    try:
        wanted: dict[str, Any] = orjson.loads(await request.read())
    except ValueError:
        raise bad("the body is not JSON") from None
    problems = [f"{'.'.join(map(str, one.instance_path)) or 'body'}: {one.message}" for one in BODY.iter_errors(wanted)]
    if problems:
        raise bad("; ".join(problems[:10]))
    api.latency = float(wanted.get("latency", 0.0))
    api.faults[:] = [Fault(**{"path_prefix": "/", **one}) for one in wanted.get("faults", [])]


def _shown(calls: Iterable[Call]) -> list[JsonObject]:
    # Never the bearer itself: its hash tells callers apart.
    return [
        {
            "method": call.method,
            "path": call.path,
            "tenant": call.tenant,
            "bearer_hash": call.bearer_hash if call.bearer else "",
            "body": call.body.decode(errors="replace"),
        }
        for call in calls
    ]
