"""The API as a whole: its routes on an application, who may use them, faults, and the record of what arrived."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..people import Customer
from . import access, control
from .answers import Refusal, answer, problem_area, problem_headers, refusal_answer
from .areas import ROUTES
from .faults import Call, Fault, call_of, suffer, take
from .routes import Route
from .tenants import Ask, Tenant

VALIDATE = "/auth/v1/validate"
CALLS = 500  # remembered
PREFIXES = tuple({f"/{path.split('/')[1]}/" for path in (VALIDATE, *(route.path for route in ROUTES))})


class Api:
    """A world of customers, seeded by *seed*; *clock* gives epoch seconds.

    `faults` may be filled, and `latency` (seconds before each answer) be set, at any time; `calls` are the last
    requests at the paths of the API, whatever became of them. /sandbox/ offers the same to other processes on this
    machine.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, seed: int = 7, latency: float = 0.0) -> None:
        self.faults: list[Fault] = []
        self.latency = latency
        self.calls: deque[Call] = deque(maxlen=CALLS)
        self._clock = clock
        self._seed = seed
        self._chance = random.Random(seed)
        self._tenants: dict[str, Tenant] = {}
        self._claims: dict[str, str] = {}

    def register(self, app: web.Application, lookup: access.Lookup) -> None:
        """Add the operations to *app*; *lookup* says what a bearer stands for."""
        closing = asyncio.Event()
        app.middlewares.append(self._observing(closing))
        app.router.add_get(VALIDATE, self._validating(lookup))
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._answering(route, lookup))
        control.register(app, self)

        async def close(app: web.Application) -> None:
            closing.set()

        async def clean_up(app: web.Application) -> None:
            for tenant in self._tenants.values():
                tenant.close()
            self._tenants.clear()

        app.on_shutdown.append(close)
        app.on_cleanup.append(clean_up)

    def tenant(self, customer: Customer) -> Tenant:
        """The customer's state."""
        if customer.id not in self._tenants:
            self._tenants[customer.id] = Tenant(customer, clock=self._clock, seed=self._seed, claims=self._claims)
        return self._tenants[customer.id]

    def _observing(self, closing: asyncio.Event) -> Middleware:
        @web.middleware
        async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(PREFIXES):
                return await handler(request)
            body = await request.read()
            self.calls.append(call_of(request, body, access.tenant_asked(request), access.bearer_of(request)))
            if self.latency:
                await asyncio.sleep(self.latency)
            problem = problem_area(request.path)
            fault = take(self.faults, request.raw_path, self._chance)
            if fault is not None:
                return await suffer(request, fault, problem=problem, ids=self._chance, closing=closing)
            response = await handler(request)
            if problem and "Request-Id" not in response.headers:
                response.headers.update(problem_headers(self._chance))
            return response

        return observe

    def _answering(self, route: Route, lookup: access.Lookup) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                grant = access.identify(request, lookup)
                customer = access.tenant_of(request, grant)
                access.permit(grant.user, route.permission)
                return await route.handle(Ask(request, grant.user, self.tenant(customer), self._clock()))
            except Refusal as refusal:
                own = route.refuse(refusal) if route.refuse is not None else None
                return self._refused(request, refusal) if own is None else own

        return handle

    def _validating(self, lookup: access.Lookup) -> Handler:
        # The one operation that can do without a customer.
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return answer(access.validate(request, access.identify(request, lookup)))
            except Refusal as refusal:
                return self._refused(request, refusal)

        return handle

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        return refusal_answer(refusal, problem=problem_area(request.path), ids=self._chance)
