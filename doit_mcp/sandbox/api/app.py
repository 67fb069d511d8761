"""The API as a whole: its routes on an application, who may use them, faults, and the record of what arrived."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..accounts import NAMED, Customer, People
from . import access, control_endpoints
from .areas import ROUTES
from .billing_data import Shelf
from .faults import Call, Fault, call_of, pause, suffer, take
from .responses import Refusal, answer, problem_area, problem_headers, refusal_answer
from .routes import Route
from .tenants import Ask, Tenant

VALIDATE = "/auth/v1/validate"
CALLS = 500  # remembered
TENANTS = 300  # without a name, whose state is remembered
OPERATIONS = frozenset({f"GET {VALIDATE}", *(f"{route.method} {route.path}" for route in ROUTES)})
PREFIXES = tuple({f"/{path.split('/')[1]}/" for path in (VALIDATE, *(route.path for route in ROUTES))})


class Api:
    """A world of customers, seeded by *seed*; *clock* gives epoch seconds, *people* are the customers. Its
    `operations` are all the document's.

    `faults` may be filled, and `latency` (seconds before each answer) be set, at any time; `calls` are the last
    requests at the paths of the API, whatever became of them. /sandbox/ offers the same to other processes on this
    machine.
    """

    operations = OPERATIONS

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 7,
        latency: float = 0.0,
        faults: Iterable[Fault] = (),
        people: People = NAMED,
    ) -> None:
        self.people = people
        self.faults = list(faults)
        self.latency = latency
        self.calls: deque[Call] = deque(maxlen=CALLS)
        self._clock = clock
        self._seed = seed
        self._chance = random.Random(seed)
        self._shelf = Shelf(clock=clock, seed=seed)
        self._tenants: dict[str, Tenant] = {}
        self._numbered: OrderedDict[str, Tenant] = OrderedDict()
        self._claims: dict[str, str] = {}

    def register(self, app: web.Application, lookup: access.Lookup) -> None:
        """Add the operations to *app*; *lookup* says what a bearer stands for."""
        closing = asyncio.Event()
        app.middlewares.append(self._observing(closing))
        app.router.add_get(VALIDATE, self._validating(lookup))
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._answering(route, lookup))
        control_endpoints.register(app, self)

        async def close(app: web.Application) -> None:
            closing.set()

        async def clean_up(app: web.Application) -> None:
            self._tenants.clear()
            self._numbered.clear()
            self._shelf.close()

        app.on_shutdown.append(close)
        app.on_cleanup.append(clean_up)

    def tenant(self, customer: Customer) -> Tenant:
        """The customer's state; of those without a name the last TENANTS are remembered."""
        known = self._numbered if customer.number else self._tenants
        found = known.get(customer.id)
        if found is None:
            books, born = self._shelf.of(customer), self._clock()
            found = known[customer.id] = Tenant(
                customer, books, born=born, seed=self._seed, claims=self._claims, people=self.people
            )
            if len(self._numbered) > TENANTS:
                self._numbered.popitem(last=False)
        elif customer.number:
            self._numbered.move_to_end(customer.id)
        return found

    def _observing(self, closing: asyncio.Event) -> Middleware:
        @web.middleware
        async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(PREFIXES):
                return await handler(request)
            body = await request.read()
            self.calls.append(call_of(request, body, access.tenant_asked(request), access.bearer_of(request)))
            fault = take(self.faults, request.method, request.raw_path, self._chance)
            if delay := self.latency + (fault.delay if fault is not None else 0.0):
                await pause(delay, closing)
            problem = problem_area(request.path)
            if fault is not None and fault.kind != "slow":
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
                customer = access.tenant_of(request, grant, self.people)
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
                return answer(access.validate(request, access.identify(request, lookup), self.people))
            except Refusal as refusal:
                return self._refused(request, refusal)

        return handle

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        return refusal_answer(refusal, problem=problem_area(request.path), ids=self._chance)
