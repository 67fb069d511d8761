"""The sandbox API: route registration, authorization, fault injection and call recording."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Customer, Grant
from ..http_requests import bearer_token, requested_tenant
from . import access, control_endpoints, signup
from .areas import ROUTES
from .billing_data import BillingDataStore
from .faults import Fault, RecordedCall, faulty_response, pause, record_call, take_fault
from .report_timing import ReportTiming
from .responses import (
    ApiError,
    error_response,
    has_problem_details,
    is_problem_path,
    json_response,
    problem_headers,
)
from .routes import Route
from .service_tokens import ServiceTokens
from .tenants import ApiRequest, Tenant

VALIDATE_PATH = "/auth/v1/validate"
MAX_RECORDED_CALLS = 500
MAX_GENERATED_TENANTS = 300  # generated customers whose state is kept
OPERATIONS = frozenset(
    {
        f"GET {VALIDATE_PATH}",
        *(f"{route.method} {route.path}" for route in ROUTES),
        *(f"{method} {path}" for method, path, _ in signup.ROUTES),
    }
)
PATH_PREFIXES = tuple({f"/{operation.split(' /')[1].split('/')[0]}/" for operation in OPERATIONS})


class Api:
    """The DoiT API for the customers in *directory*, with data generated from *seed*; *clock* returns epoch seconds.

    `operations` lists all operations of the API document. `faults`, `latency` (seconds before each response) and
    `report_timing` can be changed at any time; `calls` are the latest requests to API paths, whatever their result. The endpoints below
    /sandbox/ expose the same controls to other processes on this machine.
    """

    operations = OPERATIONS

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 7,
        latency: float = 0.0,
        faults: Iterable[Fault] = (),
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        report_timing: ReportTiming | None = None,
    ) -> None:
        self.directory = directory
        self.report_timing = report_timing or ReportTiming()
        self.faults = list(faults)
        self.latency = latency
        self.calls: deque[RecordedCall] = deque(maxlen=MAX_RECORDED_CALLS)
        self._clock = clock
        self._seed = seed
        self._random = random.Random(seed)
        self._billing_data = BillingDataStore(clock=clock, seed=seed)
        self._tenants: dict[str, Tenant] = {}
        self._generated_tenants: OrderedDict[str, Tenant] = OrderedDict()
        self._slug_owners: dict[str, str] = {}
        self._service_tokens = ServiceTokens()
        self._signup_requests = signup.SignupRequests(clock, directory, seed)

    def register(self, app: web.Application, lookup: access.GrantLookup) -> None:
        """Add the operations to *app*; *lookup* resolves bearer tokens other than those of service accounts."""

        def find_grant(token: str) -> Grant | None:
            return lookup(token) or self._service_tokens.find_grant(token, self._clock())

        closing = asyncio.Event()
        app.middlewares.append(self._recording_middleware(closing))
        app.router.add_get(VALIDATE_PATH, self._validate_handler(find_grant))
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._operation_handler(route, find_grant))
        self._signup_requests.register(app)
        control_endpoints.register(app, self)

        async def close(app: web.Application) -> None:
            closing.set()

        async def clean_up(app: web.Application) -> None:
            self._tenants.clear()
            self._generated_tenants.clear()
            self._billing_data.close()

        app.on_shutdown.append(close)
        app.on_cleanup.append(clean_up)

    def tenant(self, customer: Customer) -> Tenant:
        """The customer's state. The state of generated customers is kept for the last MAX_GENERATED_TENANTS only."""
        tenants = self._generated_tenants if customer.number else self._tenants
        tenant = tenants.get(customer.id)
        if tenant is None:
            billing_data, started_at = self._billing_data.for_customer(customer), self._clock()
            tenant = tenants[customer.id] = Tenant(
                customer,
                billing_data,
                started_at=started_at,
                seed=self._seed,
                slug_owners=self._slug_owners,
                service_tokens=self._service_tokens,
                directory=self.directory,
                report_timing=self.report_timing,
            )
            if len(self._generated_tenants) > MAX_GENERATED_TENANTS:
                self._generated_tenants.popitem(last=False)
        elif customer.number:
            self._generated_tenants.move_to_end(customer.id)
        return tenant

    @property
    def now(self) -> float:
        """The current time, in epoch seconds."""
        return self._clock()

    async def open_tenant(self, customer: Customer) -> Tenant:
        """The customer's state, without blocking other requests while billing lines are generated."""
        await self._billing_data.prepare(customer)
        return self.tenant(customer)

    def _recording_middleware(self, closing: asyncio.Event) -> Middleware:
        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(PATH_PREFIXES):
                return await handler(request)
            body = await request.read()
            self.calls.append(record_call(request, body, requested_tenant(request), bearer_token(request)))
            fault = take_fault(self.faults, request.method, request.raw_path, self._random)
            if delay := self.latency + (fault.delay if fault is not None else 0.0):
                await pause(delay, closing)
            problem = is_problem_path(request.path)
            if fault is not None and fault.kind != "slow":
                return await faulty_response(request, fault, rng=self._random, closing=closing)
            response = await handler(request)
            if problem and "Request-Id" not in response.headers:
                response.headers.update(problem_headers(self._random))
            return response

        return record

    def _operation_handler(self, route: Route, lookup: access.GrantLookup) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                grant = access.identify(request, lookup)
                customer = access.find_customer(request, grant, self.directory)
                access.require_permission(grant.user, route.permission)
                tenant = await self.open_tenant(customer)
                return await route.handle(ApiRequest(request, grant.user, tenant, self._clock(), self.open_tenant))
            except ApiError as error:
                response = route.format_error(error) if route.format_error is not None else None
                problem = has_problem_details(request.path, error.status) or error.status in route.problem_statuses
                return error_response(error, problem=problem, rng=self._random) if response is None else response

        return handle

    def _validate_handler(self, lookup: access.GrantLookup) -> Handler:
        # The one operation that does not require a customer.
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return json_response(access.validate(request, access.identify(request, lookup), self.directory))
            except ApiError as error:
                return error_response(error, problem=is_problem_path(request.path), rng=self._random)

        return handle
