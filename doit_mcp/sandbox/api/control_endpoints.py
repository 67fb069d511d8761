"""Control endpoints of the sandbox: faults and latency, recorded calls, customers. Loopback only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableSequence
from dataclasses import asdict
from typing import Protocol

import orjson
from aiohttp import web

from ..accounts import CUSTOMERS, AccountDirectory, Customer
from ..http_requests import is_loopback
from .fault_parsing import parse_settings
from .faults import Fault, RecordedCall
from .listing import query_integer
from .report_timing import ReportTiming
from .requested_events import KINDS
from .responses import ApiError, JsonObject, bad_request, json_response
from .tenants import Tenant

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 1000, 10_000  # customers
ControlHandler = Callable[[web.Request], Awaitable[web.Response]]


class ControllableApi(Protocol):
    """The API state that the endpoints control."""

    faults: list[Fault]
    latency: float
    report_timing: ReportTiming

    @property
    def now(self) -> float:
        """The current time, in epoch seconds."""

    async def open_tenant(self, customer: Customer) -> Tenant:
        """The state of a customer."""

    @property
    def operations(self) -> Collection[str]:
        """Method and path of each operation, as in the API document."""

    @property
    def directory(self) -> AccountDirectory:
        """The customers and users."""

    @property
    def calls(self) -> MutableSequence[RecordedCall]:
        """The latest requests, oldest first."""


def register(app: web.Application, api: ControllableApi) -> None:
    """Add GET, PUT (replaces all) and DELETE /sandbox/faults, GET and DELETE /sandbox/calls, GET /sandbox/customers, and
    POST /sandbox/events, which makes something happen now.
    """

    async def faults(request: web.Request) -> web.Response:
        if request.method == "PUT":
            await _replace_faults(request, api)
        elif request.method == "DELETE":
            api.faults.clear()
            api.latency = api.report_timing.seconds = 0.0
        return json_response(
            {
                "latency": api.latency,
                "report_seconds": api.report_timing.seconds,
                "faults": [asdict(fault) for fault in api.faults],
            }
        )

    async def calls(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            api.calls.clear()
        return json_response({"calls": _call_rows(api.calls)})

    async def customers(request: web.Request) -> web.Response:
        start = query_integer(request.query, "start", 0) or 0
        stop = start + (query_integer(request.query, "limit", 1, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE)
        return json_response(_customer_page(api.directory, start, stop))

    async def events(request: web.Request) -> web.Response:
        return json_response(await _make_event(request, api), 201)

    app.router.add_route("POST", "/sandbox/events", _local_only(events))
    app.router.add_route("GET", "/sandbox/customers", _local_only(customers))
    for method in ("GET", "PUT", "DELETE"):
        app.router.add_route(method, "/sandbox/faults", _local_only(faults))
    for method in ("GET", "DELETE"):
        app.router.add_route(method, "/sandbox/calls", _local_only(calls))


def _local_only(handler: ControlHandler) -> ControlHandler:
    """Restrict *handler* to requests from this machine: by address, and by host name (DNS rebinding)."""

    async def handle(request: web.Request) -> web.Response:
        try:
            if not (is_loopback(request.remote) and is_loopback(request.url.host)):
                raise ApiError(403, "available only to clients on this machine")
            if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
                raise ApiError(403, "available only to the dashboard page")
            return await handler(request)
        except ApiError as error:
            return json_response({"error": error.message}, error.status)

    return handle


async def _make_event(request: web.Request, api: ControllableApi) -> JsonObject:
    """Make what the body names: {"kind": "anomaly", "customer": id}. The default is the first customer."""
    try:
        given = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise bad_request("the body is not JSON") from None
    given = given if isinstance(given, dict) else {}
    make = KINDS.get(str(given.get("kind")))
    if make is None:
        raise bad_request(f"kind must be one of {', '.join(KINDS)}", field="kind")
    customer = api.directory.customer_by_id(str(given.get("customer", CUSTOMERS[0].id)))
    if customer is None:
        raise bad_request("customer: there is no such customer", field="customer")
    tenant = await api.open_tenant(customer)
    return {"kind": given["kind"], "customer": customer.id, "id": make(tenant, api.now)}


async def _replace_faults(request: web.Request, api: ControllableApi) -> None:
    try:
        given = parse_settings(orjson.loads(await request.read()), api.operations)
    except orjson.JSONDecodeError:
        raise bad_request("the body is not JSON") from None
    except ValueError as error:
        raise bad_request(str(error)) from None
    api.latency, api.report_timing.seconds, api.faults[:] = given


def _customer_page(directory: AccountDirectory, start: int, stop: int) -> JsonObject:
    """A page of customers with their users' published credentials; *next* is the start of the next page."""
    rows = [
        {
            "id": customer.id,
            "name": customer.name,
            "domain": customer.domain,
            "users": [
                {"email": user.email, "password": user.password, "api_token": user.api_token}
                for user in directory.users_of(customer)
            ],
        }
        for customer in directory.customers(start, stop)
    ]
    return {"customers": rows, "count": len(directory), "next": stop if stop < len(directory) else None}


def _call_rows(calls: Iterable[RecordedCall]) -> list[JsonObject]:
    # The bearer token is never returned; its hash identifies callers.
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
