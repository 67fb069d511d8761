"""The console's one endpoint that employees of DoiT need: searching customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .accounts import NAMED, Customer, Grant, People

PATH = "/api/customers/v1/customers/search"
MOST = 200


def register(app: web.Application, lookup: Callable[[str], Grant | None], people: People = NAMED) -> None:
    """Add the endpoint to *app*; *lookup* says what a bearer stands for, *people* whom there are."""

    async def search(request: web.Request) -> web.Response:
        grant = lookup(request.headers.get("Authorization", "").removeprefix("Bearer ").strip())
        if grant is None:
            return web.json_response({"error": "missing or invalid bearer token"}, status=401)
        if not grant.user.employee:
            return web.json_response({"error": "only employees may search customers"}, status=403)
        try:
            return web.json_response(found(await request.json(), people))
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=400)

    app.router.add_post(PATH, search)


def found(body: Any, people: People = NAMED) -> dict[str, Any]:
    """The page that *body* asks for. Raises ValueError."""
    if not isinstance(body, dict) or not isinstance(body.get("filters", {}), dict):
        raise ValueError("the body must be an object with filters")
    size, start = body.get("pageSize", 50), body.get("pageToken", "0")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MOST:
        raise ValueError(f"pageSize must be 1 to {MOST}")
    if not isinstance(start, str) or not start.isdecimal() or len(start) > 9:
        raise ValueError("pageToken is none of this list")
    begin, stop = int(start), int(start) + size
    domains = body.get("filters", {}).get("domains")
    if domains:
        named = [customer for domain in domains if (customer := people.customer_of(str(domain))) is not None]
        whole, page = len(named), named[begin:stop]
    else:
        whole, page = len(people), people.customers(begin, stop)
    more = {"pageToken": str(stop)} if stop < whole else {}
    return {"customers": [_row(customer) for customer in page], "rowCount": whole, **more}


def _row(customer: Customer) -> dict[str, str]:
    return {"id": customer.id, "name": customer.name, "domain": customer.domain, "classification": "business"}
