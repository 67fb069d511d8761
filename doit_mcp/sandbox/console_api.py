"""DoiT console endpoint for employees: customer search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .accounts import DEFAULT_DIRECTORY, AccountDirectory, Customer, Grant

SEARCH_PATH = "/api/customers/v1/customers/search"
MAX_PAGE_SIZE = 200


def register(
    app: web.Application, lookup: Callable[[str], Grant | None], directory: AccountDirectory = DEFAULT_DIRECTORY
) -> None:
    """Add the endpoint to *app*; *lookup* resolves bearer tokens, *directory* lists the customers."""

    async def search(request: web.Request) -> web.Response:
        grant = lookup(request.headers.get("Authorization", "").removeprefix("Bearer ").strip())
        if grant is None:
            return web.json_response({"error": "missing or invalid bearer token"}, status=401)
        if not grant.user.employee:
            return web.json_response({"error": "only employees may search customers"}, status=403)
        try:
            return web.json_response(search_customers(await request.json(), directory))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    app.router.add_post(SEARCH_PATH, search)


def search_customers(body: Any, directory: AccountDirectory = DEFAULT_DIRECTORY) -> dict[str, Any]:
    """The requested page of customers. Raises ValueError for an invalid body."""
    if not isinstance(body, dict) or not isinstance(body.get("filters", {}), dict):
        raise ValueError("the body must be an object with filters")
    size, start = body.get("pageSize", 50), body.get("pageToken", "0")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MAX_PAGE_SIZE:
        raise ValueError(f"pageSize must be 1 to {MAX_PAGE_SIZE}")
    if not isinstance(start, str) or not start.isdecimal() or len(start) > 9:
        raise ValueError("pageToken is invalid")
    begin, stop = int(start), int(start) + size
    domains = body.get("filters", {}).get("domains")
    if domains:
        matches = [
            customer for domain in domains if (customer := directory.customer_by_domain(str(domain))) is not None
        ]
        total, page = len(matches), matches[begin:stop]
    else:
        total, page = len(directory), directory.customers(begin, stop)
    next_page = {"pageToken": str(stop)} if stop < total else {}
    return {"customers": [_make_row(customer) for customer in page], "rowCount": total, **next_page}


def _make_row(customer: Customer) -> dict[str, str]:
    return {"id": customer.id, "name": customer.name, "domain": customer.domain, "classification": "business"}
