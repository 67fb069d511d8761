"""The sandbox's own paths: faults and latency at run time, the last calls, all customers. For this machine only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableSequence
from dataclasses import asdict
from ipaddress import ip_address
from typing import Protocol

import orjson
from aiohttp import web

from ..accounts import People
from .fault_parsing import wished
from .faults import Call, Fault
from .listing import whole
from .responses import JsonObject, Refusal, answer, bad

PAGE, LARGEST_PAGE = 1000, 10_000  # customers
Answering = Callable[[web.Request], Awaitable[web.Response]]


class Controlled(Protocol):
    """What can be steered."""

    faults: list[Fault]
    latency: float

    @property
    def operations(self) -> Collection[str]:
        """Method and path of all that can be asked, as the document spells them."""

    @property
    def people(self) -> People:
        """Who there is."""

    @property
    def calls(self) -> MutableSequence[Call]:
        """The last requests, oldest first."""


def register(app: web.Application, api: Controlled) -> None:
    """Add GET, PUT (replaces all) and DELETE /sandbox/faults, GET and DELETE /sandbox/calls, GET /sandbox/customers."""

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

    async def customers(request: web.Request) -> web.Response:
        start = whole(request.query, "start", 0) or 0
        stop = start + (whole(request.query, "limit", 1, LARGEST_PAGE) or PAGE)
        return answer(_customers(api.people, start, stop))

    app.router.add_route("GET", "/sandbox/customers", _here(customers))
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
        latency, faults = wished(orjson.loads(await request.read()), api.operations)
    except orjson.JSONDecodeError:
        raise bad("the body is not JSON") from None
    except ValueError as wrong:
        raise bad(str(wrong)) from None
    api.latency, api.faults[:] = latency, faults


def _customers(people: People, start: int, stop: int) -> JsonObject:
    """Customers with their users' secrets, which are published; *next* is where the list goes on."""
    rows = [
        {
            "id": customer.id,
            "name": customer.name,
            "domain": customer.domain,
            "users": [
                {"email": user.email, "password": user.password, "api_token": user.api_token}
                for user in people.users_of(customer)
            ],
        }
        for customer in people.customers(start, stop)
    ]
    return {"customers": rows, "count": len(people), "next": stop if stop < len(people) else None}


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
