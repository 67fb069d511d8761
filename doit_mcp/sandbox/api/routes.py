"""Routes of the sandbox API: method, path, permission and handler of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass

from aiohttp import web

from .responses import ApiError
from .tenants import ApiRequest

OperationHandler = Callable[[ApiRequest], Awaitable[web.StreamResponse]]
ErrorFormatter = Callable[[ApiError], web.Response | None]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation of the API; *permission* is the one required of `accounts.User`.

    *format_error* returns the response for errors with a shape specific to the operation, and None for others. Errors
    with one of *problem_statuses* are problem details, also at paths with the other shape.
    """

    method: str
    path: str
    handle: OperationHandler
    permission: str
    format_error: ErrorFormatter | None = None
    problem_statuses: Container[int] = ()
